-- moonphase: lua=5.4 gc=5.1 check=barrier
-- clean: gc=5.2
-- clean: gc=5.4
-- Observed: a closure that a variable holds is white when it is made, gray when the collector reaches it, black when it is
-- traversed, and white again when the sweep meets it.
collectgarbage("stop")

local function kept()
end

collectgarbage("collect")
print("collected")
