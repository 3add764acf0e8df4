collectgarbage("stop")
kept = setmetatable({}, {__gc = function() print("collected", collectgarbage("isrunning")) end})
