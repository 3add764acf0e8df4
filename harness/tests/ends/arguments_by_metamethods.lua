-- command: lua -e 'local old = arg arg = nil setmetatable(_G, {__index = function(_, k) return k == "arg" and setmetatable({[2] = old[0]}, {__len = function() return 3 end}) or nil end})' arguments_by_metamethods.lua
print(select("#", ...), ...)
