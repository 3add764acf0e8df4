kept = {kept, setmetatable({}, {__gc = function() print("collected") end})}
local x <close> = setmetatable({}, {__close = function(_, e) debug.sethook() print("closed", e) end})
debug.sethook(function(event, line) error("hook of " .. event) end, "r")
print("end")
