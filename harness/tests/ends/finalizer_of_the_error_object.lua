error(setmetatable({}, {__gc = function(e) print("collected", e.code) end, __tostring = function(e) e.code = 7 return "error" end}))
