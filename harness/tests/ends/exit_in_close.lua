local outer <close> = setmetatable({}, {__close = function() print("outer closed") end})
local inner <close> = setmetatable({}, {__close = function() print("leaves") os.exit(10, true) end})
kept = {kept, setmetatable({}, {__gc = function() print("collected") end})}
error("lost")
