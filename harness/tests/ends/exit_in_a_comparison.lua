local x <close> = setmetatable({}, {__close = function(_, e) print("closed", e) end})
table.sort({3, 2, 1}, function() os.exit(14, true) end)
