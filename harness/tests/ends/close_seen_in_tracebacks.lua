local function closer(what) return setmetatable({}, {__close = function() print(debug.traceback(what)) end}) end
local a <close> = closer("at exit")
pcall(function() local b <close> = closer("at an error") error("x") end)
do local c <close> = closer("at the end of a block") end
(function() local d <close> = closer("at a return") return 1 end)()
coroutine.wrap(function() local e <close> = closer("in a coroutine") end)()
os.exit(0, true)
