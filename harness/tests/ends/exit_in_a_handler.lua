local x <close> = setmetatable({}, {__close = function(_, e) print("closed", e) end})
xpcall(error, function(m) print("handler", m) os.exit(13, true) end, "raised")
