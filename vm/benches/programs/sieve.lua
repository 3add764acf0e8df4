-- The sieve of Eratosthenes: reading and writing a list.
return function()
  local count = 0
  for _ = 1, 4 do
    local composite = {}
    for i = 2, 100000 do
      composite[i] = false
    end
    count = 0
    for i = 2, 100000 do
      if not composite[i] then
        count = count + 1
        for j = i * i, 100000, i do
          composite[j] = true
        end
      end
    end
  end
  return count
end
