local function closer(code) return setmetatable({}, {__close = function(_, e) print(code, e) os.exit(code, true) end}) end
local a <close>, b <const> = closer(61), 1
local c <close> = closer(62)
local d <close> = setmetatable({}, {__close = function(_, e) error("of d", 0) end})
os.exit(60, true)
