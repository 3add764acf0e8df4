-- moonphase: lua=5.4 gc=5.3 check=barrier
-- clean: gc=5.1,setupvalue=upvalue
-- clean: gc=5.2
-- clean: gc=5.4
-- A closure that is traversed already is joined to the open variable of a coroutine that nobody has any more. No stack
-- will be traversed for the value, and no traversed closure had the variable: Lua 5.3 takes the join for that, and ours once
-- forgot to.
collectgarbage("stop")
collectgarbage("incremental", 100, 100, 1)
local function fresh()
  local own = 1
  return function()
    return own
  end
end
target = fresh()
for n = 0, 400, 50 do
  collectgarbage()
  local resume = coroutine.wrap(function()
    local value = { n }
    local function get()
      return value
    end
    coroutine.yield(get)
  end)
  local get = resume()
  for _ = 1, n do
    collectgarbage("step")
  end
  debug.upvaluejoin(target, 1, get, 1)
  resume, get = nil, nil
  for _ = 1, 900 do
    collectgarbage("step")
  end
  print(target()[1] == n)
end
