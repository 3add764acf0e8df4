warn("@on")
local depth = 0
local function deep() depth = depth + 1 return (string.gsub("x", "x", deep)) end
kept = setmetatable({}, {__gc = function() print(pcall(deep)) print(depth) end})
