print(pcall(function() return table.unpack({}, 1, 1e7) end))
print(pcall(string.byte, ("x"):rep(1e7), 1, -1))
print(select("#", table.unpack({}, 1, 2e5)))
print(pcall(function() local t = {} for i = 1, 1e6 do t[i] = i end return (function(...) return select("#", ...) end)(table.unpack(t)) end))
