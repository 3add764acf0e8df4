local n = 0
kept = {kept, setmetatable({}, {__gc = function() print("collected", n > 0) end})}
debug.sethook(function(event) n = n + 1 if n == 1 then print("first", event) end end, "crl", 1)
local x <close> = setmetatable({}, {__close = function() print("closed") end})
print("end")
