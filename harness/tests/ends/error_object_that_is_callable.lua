error(setmetatable({}, {__tostring = setmetatable({}, {__call = function(self, object) return "called" end})}))
