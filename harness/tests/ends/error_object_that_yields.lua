coroutine.wrap(function() error(setmetatable({}, {__tostring = function() coroutine.yield() end})) end)()
