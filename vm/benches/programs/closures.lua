-- Closures that are made in loops and share upvalues.
local function counter(start)
  local count = start
  return function(by)
    count = count + by
    return count
  end, function()
    return count
  end
end

local function compose(f, g)
  return function(x)
    return f(g(x))
  end
end

return function()
  local sum = 0
  for i = 1, 100000 do
    local add, get = counter(i)
    add(1)
    add(2)
    sum = sum + get()
  end
  local f = function(x)
    return x + 1
  end
  for _ = 1, 6 do
    f = compose(f, f)
  end
  for i = 1, 2000 do
    sum = sum + f(i)
  end
  return sum
end
