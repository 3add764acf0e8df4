kept = {kept, setmetatable({}, {__gc = function() print("collected") io.stdout:write("unended") end})}
local x <close> = setmetatable({}, {__close = function(_, e) print("closed", e) end})
error("main")
