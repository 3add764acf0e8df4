local function deep() return 1 + deep() end
kept = {kept, setmetatable({}, {__gc = function() print("collected") end})}
deep()
