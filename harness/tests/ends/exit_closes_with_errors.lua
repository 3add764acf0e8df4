warn("@on")
local outer <close> = setmetatable({}, {__close = function(_, e) print("outer", e) end})
local middle <close> = setmetatable({}, {__close = function(_, e) print("middle", e) error("from middle") end})
local inner <close> = setmetatable({}, {__close = function(_, e) print("inner", e) error("from inner", 0) end})
kept = {kept, setmetatable({}, {__gc = function() error("from gc") end})}
os.exit(true, true)
