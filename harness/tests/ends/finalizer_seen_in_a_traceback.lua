kept = setmetatable({}, {__gc = function() print(debug.traceback("at the end")) end})
local x <close> = setmetatable({}, {__close = function() print(debug.traceback("closing")) end})
