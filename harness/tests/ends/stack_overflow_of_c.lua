kept = {kept, setmetatable({}, {__gc = function() print("collected") end})}
local function deep() return (string.gsub("x", "x", deep)) end
deep()
