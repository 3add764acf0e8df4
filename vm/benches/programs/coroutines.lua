-- Generators and a producer with a filter: resume and yield.
local function permutations(list, n)
  if n == 0 then
    coroutine.yield(list)
  end
  for i = 1, n do
    list[n], list[i] = list[i], list[n]
    permutations(list, n - 1)
    list[n], list[i] = list[i], list[n]
  end
end

return function()
  local count, sum = 0, 0
  for list in coroutine.wrap(function() permutations({ 1, 2, 3, 4, 5, 6, 7 }, 7) end) do
    count = count + list[1]
  end
  local producer = coroutine.create(function()
    for i = 1, 100000 do
      coroutine.yield(i, i * 2)
    end
  end)
  local even = coroutine.wrap(function()
    while true do
      local _, a, b = coroutine.resume(producer)
      if not b then
        return
      elseif a % 2 == 0 then
        coroutine.yield(a + b)
      end
    end
  end)
  for value in even do
    sum = sum + value
  end
  for i = 1, 5000 do
    sum = sum + coroutine.wrap(function(x) return x + 1 end)(i)
  end
  return count .. " " .. sum
end
