error(setmetatable({}, {__tostring = function() error(setmetatable({}, {__tostring = function() return "second" end})) end}))
