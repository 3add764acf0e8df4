kept = setmetatable({}, {__gc = function() print("collected") end})
local x <close> = setmetatable({}, {__close = function(_, e) print("closed", e) end})
error(setmetatable({}, {__tostring = function() os.exit(51, true) end}))
