-- The queens on a chessboard with closures for everything: each placed queen is a function that knows what it attacks.
-- Boards up to SIZE.

local function nobody()
  return false
end

local function queen(column, row, others)
  local function attacks(c, r)
    return r == row or c - column == r - row or c - column == row - r or others(c, r)
  end
  local function describe(list)
    list[#list + 1] = row
    return list
  end
  return attacks, describe
end

local function solve(size, found)
  local path = {}
  local function place(column, attacked)
    if column > size then
      local rows = {}
      for i = 1, size do path[i](rows) end
      return found(rows)
    end
    for row = 1, size do
      if not attacked(column, row) then
        local next_attacked, describe = queen(column, row, attacked)
        path[column] = describe
        place(column + 1, next_attacked)
      end
    end
  end
  place(1, nobody)
end

local function counter()
  local count, first = 0, nil
  local function add(rows)
    count = count + 1
    first = first or table.concat(rows, " ")
  end
  return add, function() return count, first end
end

for size = 1, SIZE do
  local add, result = counter()
  solve(size, add)
  print(size, result())
end

-- The same as a stream that is left before its end.
local function stream(size)
  return coroutine.wrap(function() solve(size, coroutine.yield) end)
end
for size = 4, SIZE do
  local next_solution = stream(size)
  local one, two = next_solution(), next_solution()
  print(size, table.concat(one, " "), two and table.concat(two, " "))
end
