error(setmetatable({}, {__tostring = function(t) print("asked", debug.traceback()) return "told" end}))
