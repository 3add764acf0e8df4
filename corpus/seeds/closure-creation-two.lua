-- moonphase: lua=5.4 gc=5.1 check=barrier
-- clean: gc=5.2
-- clean: gc=5.4
-- Observed: a function inside of a function has a prototype nested in that one's. While `outer` executes, the inner closure
-- captures `shared` from the enclosing closure, which has it as an upvalue, and `own` from the stack. `own` is closed when
-- `outer` returns, `shared` only when the chunk does.
collectgarbage("stop")

local M = {}

local shared = 1

function M.outer()
  print("in outer")
  local own = 10
  local inner = function()
    return shared, own
  end
  return inner
end

M.outer()
print("back in the chunk")
return M
