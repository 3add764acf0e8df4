-- Trees of small tables: most die young, one stays.
local function tree(depth)
  if depth == 0 then
    return {}
  end
  return { tree(depth - 1), tree(depth - 1) }
end

return function()
  local kept = tree(14)
  for _ = 1, 60 do
    tree(10)
  end
  return #kept
end
