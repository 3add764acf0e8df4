error(setmetatable({}, setmetatable({}, {__index = {__tostring = function() return "not asked" end}})))
