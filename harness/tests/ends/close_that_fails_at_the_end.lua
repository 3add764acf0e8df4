local x <close> = setmetatable({}, {__close = function(_, e) print("closing", e) error("from close") end})
print("end")
