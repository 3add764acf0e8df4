-- Tables with strings for keys that are made at run time: hashing, growing, pairs.
return function()
  local counts, total = {}, 0
  for i = 1, 100000 do
    local key = "key" .. i % 5000
    counts[key] = (counts[key] or 0) + i
  end
  for _ = 1, 5 do
    for _, count in pairs(counts) do
      total = total + count
    end
  end
  for i = 1, 5000, 2 do
    counts["key" .. i] = nil
  end
  local left = 0
  for _ in pairs(counts) do
    left = left + 1
  end
  return total .. " " .. left
end
