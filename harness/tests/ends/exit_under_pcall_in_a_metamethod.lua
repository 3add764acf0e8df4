kept = setmetatable({}, {__gc = function() print("collected") end})
local t = setmetatable({}, {__index = function() os.exit(22, true) end})
local x <close> = setmetatable({}, {__close = function(_, e) print("closed", e, pcall(error, "caught")) end})
print(pcall(function() return t.x end))
