collectgarbage("stop")
warn("@on")
setmetatable({}, {__gc = function() local function deep() return 1 + deep() end deep() end})
setmetatable({}, {__gc = function() local function deep() string.gsub("x", "x", deep) end deep() end})
