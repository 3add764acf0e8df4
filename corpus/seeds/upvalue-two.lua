-- moonphase: lua=5.4 gc=5.1 check=barrier
-- clean: gc=5.2
-- clean: gc=5.4
-- Observed: what keeps the object of a captured variable black is a chain: the closure leads to the upvalue, the upvalue to the
-- object. The table `open` is on the stack as well; the table `closed` can be reached by the chain only.
collectgarbage("stop")

local M = {}

local open = {}

do
  local closed = {}
  function M.reader()
    return open, closed
  end
end

collectgarbage("collect")
print("collected")
return M
