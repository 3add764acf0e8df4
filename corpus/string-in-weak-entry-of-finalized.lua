-- moonphase: lua=5.4 gc=5.4 check=barrier
-- clean: gc=5.2
-- The key of the weak entry is revived by its finalizer in the first full collection and dies in the second one. Clearing
-- weak values marks the string before the key is known to be dead, so the string lives until a third collection: a check for
-- completeness must wait for it.
t1 = setmetatable({}, { __mode = "kv" })
local t2 = {}
t1[t2] = "s" .. 0
setmetatable(t2, { __gc = 0 })
