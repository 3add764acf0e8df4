local co = coroutine.wrap(function()
  local x <close> = setmetatable({}, {__close = function() print("closed by whom?") end})
  kept = {kept, setmetatable({}, {__gc = function() print("collected") end})}
  coroutine.yield()
end)
co()
kept = co
os.exit(true, true)
