-- moonphase: lua=5.4 gc=5.1 check=barrier
-- clean: gc=5.2
-- clean: gc=5.4
-- Observed: no upvalue is open for `held` when the function captures it, so one is made, white, and enters the open list of the
-- thread: its value is the slot of the stack, where the table is. When the chunk returns it is closed, and owns the value.
collectgarbage("stop")

local M = {}

local held = {}

function M.reader()
  return held
end

print("made the reader")
return M
