-- moonphase: lua=5.4 gc=5.3 check=barrier
-- clean: gc=5.4
-- A coroutine dies together with an older closure that was joined to its open variable, and with the variable's value. The
-- newest is swept first: the value, then the thread, which closes the variable, then the closure. In between the
-- counted upvalue refers to a freed object: no fault, since no living closure has it.
collectgarbage("incremental", 100, 100, 1)
collectgarbage("stop")
local function old()
  return outside
end
for _ = 1, 20 do
  collectgarbage("step")
end
local new
local co = coroutine.wrap(function()
  local value = "s" .. 0
  function new()
    return value
  end
  value = coroutine.yield()
end)
pcall(co)
debug.upvaluejoin(old, 1, new, 1)
collectgarbage("step", 2)
