-- moonphase: lua=5.4 gc=5.4 check=barrier
-- clean: gc=5.1,setupvalue=upvalue
-- clean: gc=generational
-- When the state is closed, an object is finalized that a weak table has as a value. The object is not dead, and closing clears no
-- weak table: no fault.
local cache = setmetatable({}, { __mode = "v" })
kept = { cache = cache }
kept.object = setmetatable({}, { __gc = function() end })
cache.object = kept.object
