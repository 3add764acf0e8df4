-- The queens of a chess board, with closures for what is taken.
local function board(n)
  local columns, rising, falling = {}, {}, {}
  local function free(row, column)
    return not (columns[column] or rising[row + column] or falling[row - column + n])
  end
  local function set(row, column, value)
    columns[column], rising[row + column], falling[row - column + n] = value, value, value
  end
  return free, set
end

local function solve(n)
  local free, set = board(n)
  local count = 0
  local function place(row)
    if row > n then
      count = count + 1
      return
    end
    for column = 1, n do
      if free(row, column) then
        set(row, column, true)
        place(row + 1)
        set(row, column, nil)
      end
    end
  end
  place(1)
  return count
end

return function()
  return solve(8)
end
