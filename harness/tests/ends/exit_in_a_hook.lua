local x <close> = setmetatable({}, {__close = function(_, e) print("closed", e) end})
kept = {kept, setmetatable({}, {__gc = function() print("collected") end})}
local lines = 0
debug.sethook(function(_, line)
  lines = lines + 1
  if lines == 3 then print("hook", line) os.exit(12, true) end
end, "l")
print("one")
print("two")
print("three")
print("four")
