-- Multiplication of matrices of floats, lists of lists.
local function matrix(n)
  local rows = {}
  for i = 1, n do
    local row = {}
    for j = 1, n do
      row[j] = (i - j) * (i + j - 2) / n
    end
    rows[i] = row
  end
  return rows
end

local function multiply(a, b)
  local n = #a
  local columns, product = {}, {}
  for j = 1, n do
    local column = {}
    for i = 1, n do
      column[i] = b[i][j]
    end
    columns[j] = column
  end
  for i = 1, n do
    local row, result = a[i], {}
    for j = 1, n do
      local column, sum = columns[j], 0.0
      for k = 1, n do
        sum = sum + row[k] * column[k]
      end
      result[j] = sum
    end
    product[i] = result
  end
  return product
end

return function()
  local n = 120
  local product = multiply(matrix(n), matrix(n))
  return ("%.10g %.10g"):format(product[1][n], product[n // 2][n // 2])
end
