local object = setmetatable({}, {})
getmetatable(object).__tostring = function() error(object) end
error(object)
