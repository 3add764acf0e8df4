-- A big heap that lives, and little garbage.
local heap = {}
for i = 1, 60000 do
  heap[i] = { id = i, name = "n" .. i, next = heap[i - 1] }
end

return function()
  local sum = 0
  for i = 1, 200000 do
    local pair = { i, heap[i % #heap + 1] }
    sum = sum + pair[2].id
    if i % 100 == 0 then
      heap[i % #heap + 1] = { id = i, name = "m" .. i, next = heap[i % 1000 + 1] }
    end
  end
  return sum > 0
end
