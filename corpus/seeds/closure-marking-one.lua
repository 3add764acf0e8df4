-- moonphase: lua=5.4 gc=5.1 check=barrier
-- clean: gc=5.2
-- clean: gc=5.4
-- Observed: a closure is made white. The table that held it lets go of it, and the full collection that follows finds no way to
-- it and frees it.
collectgarbage("stop")

local M = {}

local kept = 1

function M.dropped()
  return kept
end

M.dropped = nil
collectgarbage("collect")
print("collected")
return M
