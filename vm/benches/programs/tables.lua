-- The table library: insert, remove, concat, unpack, move.
return function()
  local sum = 0
  for _ = 1, 3 do
    local list = {}
    for i = 1, 30000 do
      table.insert(list, i)
    end
    for i = 1, 60 do
      table.insert(list, 1, -i)
    end
    for _ = 1, 60 do
      sum = sum + table.remove(list, 1)
    end
    local text = table.concat(list, " ")
    sum = sum + #text
    for _ = 1, 20000 do
      sum = sum + table.remove(list)
    end
    for i = 1, 10000, 10 do
      local a, b, c = table.unpack(list, i, i + 2)
      sum = sum + a + b + c
    end
    local copy = table.move(list, 1, #list, 1, {})
    local queue = table.pack(select(2, table.unpack(copy, 1, 200)))
    sum = sum + #copy + queue.n
  end
  return sum
end
