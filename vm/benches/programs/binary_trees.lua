-- Trees that are made, walked and dropped: small tables and the collector.
local function tree(depth)
  if depth == 0 then
    return {}
  end
  return { tree(depth - 1), tree(depth - 1) }
end

local function check(node)
  if node[1] then
    return 1 + check(node[1]) + check(node[2])
  end
  return 1
end

return function()
  local kept, sum = tree(11), 0
  for depth = 4, 11, 2 do
    for _ = 1, 1 << (11 - depth + 2) do
      sum = sum + check(tree(depth))
    end
  end
  return sum + check(kept)
end
