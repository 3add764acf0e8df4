-- moonphase: lua=5.4 gc=5.1 check=barrier
-- clean: gc=5.2
-- clean: gc=5.4
-- Observed: in the first cycle the closure is reachable, and goes from white over gray and black back to white. Then its table
-- lets go of it; in the second cycle it stays white, and the sweep frees it.
collectgarbage("stop")

local M = {}

function M.dropped()
end

collectgarbage("collect")
M.dropped = nil
collectgarbage("collect")
print("collected twice")
return M
