local x <close> = setmetatable({}, {__close = function(_, e) print("closed", (tostring(e):gsub("\n.*", ""))) end})
local function deep() return 1 + deep() end
deep()
