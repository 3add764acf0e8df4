local outer <close> = setmetatable({}, {__close = function(_, e) print("outer closed", e) end})
local co = coroutine.wrap(function()
  local inner <close> = setmetatable({}, {__close = function(_, e) print("inner closed", e) end})
  kept = {kept, setmetatable({}, {__gc = function() print("collected") end})}
  os.exit(7, true)
end)
co()
