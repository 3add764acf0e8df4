local seen = {}
local x <close> = setmetatable({}, {__close = function(_, e) print("closed", e, debug.gethook() ~= nil) end})
kept = {kept, setmetatable({}, {__gc = function() print("collected", debug.gethook() ~= nil, #seen) end})}
debug.sethook(function(event, line) seen[#seen + 1] = event .. (line or "") end, "crl")
os.exit(15, true)
