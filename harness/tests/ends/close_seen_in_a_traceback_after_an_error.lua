local a <close> = setmetatable({}, {__close = function(_, e) print(debug.traceback("closing")) end})
local function f() error("main") end
f()
