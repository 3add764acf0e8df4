-- moonphase: lua=5.4 gc=5.4 check=barrier
-- clean: gc=5.2
-- The object waits for its finalizer, but its metatable has lost `__gc` since. Nothing is called then: the finalizer is nil, and
-- that nil has a metatable with `__call` must not matter.
local called = 0
debug.setmetatable(nil, { __call = function() called = called + 1 end })
local meta = { __gc = true }
setmetatable({}, meta)
meta.__gc = nil
collectgarbage()
print(called)
debug.setmetatable(nil, nil)
