kept = {kept, setmetatable({}, {__gc = function() print("collected") end})}
local a <close> = setmetatable({}, {__close = function(_, e) print("a", e) error("from a") end})
do
  local b <close> = setmetatable({}, {__close = function(_, e) print("b", e) error(setmetatable({}, {__tostring = function() return "from b" end})) end})
  local c <close> = setmetatable({}, {__close = function(_, e) print("c", e) end})
  error("first", 0)
end
