kept = setmetatable({}, {__gc = function() print("collected") coroutine.wrap(function() os.exit(31, true) end)() end})
late = setmetatable({}, {__gc = function() print("first") end})
early = nil
