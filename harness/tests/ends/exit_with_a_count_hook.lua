local n = 0
local x <close> = setmetatable({}, {__close = function(_, e) n = 0 for i = 1, 100 do end print("closed", n > 0) end})
kept = setmetatable({}, {__gc = function() n = 0 for i = 1, 100 do end print("collected", n > 0) end})
debug.sethook(function() n = n + 1 end, "", 10)
os.exit(0, true)
