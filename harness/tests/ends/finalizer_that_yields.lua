collectgarbage("stop")
warn("@on")
setmetatable({}, {__gc = function() coroutine.yield() end})
coroutine.wrap(function() collectgarbage() end)()
