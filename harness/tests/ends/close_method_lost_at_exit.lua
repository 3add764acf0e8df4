warn("@on")
local y <close> = setmetatable({}, {__close = function(_, e) print("y", e) end})
local x <close> = setmetatable({}, {__close = print})
getmetatable(x).__close = nil
os.exit(2, true)
