-- Sorting of numbers and of strings, without a comparator.
local function numbers(count)
  local list, state = {}, 42
  for i = 1, count do
    state = (state * 1103515245 + 12345) & 0x7FFFFFFF
    list[i] = state
  end
  return list
end

return function()
  local list = numbers(40000)
  table.sort(list)
  local words = {}
  for i, number in ipairs(numbers(10000)) do
    words[i] = "w" .. number
  end
  table.sort(words)
  return list[1] .. " " .. list[20000] .. " " .. words[5000]
end
