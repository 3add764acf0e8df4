local outer <close> = setmetatable({}, {__close = function(_, e) print("outer closed", e) end})
kept = {kept, setmetatable({}, {__gc = function() print("collected") end})}
local function f()
  local inner <close> = setmetatable({}, {__close = function(_, e) print("inner closed", e) end})
  print(pcall(os.exit, 5, true))
end
f()
