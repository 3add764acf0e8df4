local outer <close> = setmetatable({}, {__close = function() print("outer closed") end})
local inner <close> = setmetatable({}, {__close = function() print("leaves") os.exit(11, true) end})
kept = {kept, setmetatable({}, {__gc = function() print("collected") end})}
os.exit(1, true)
