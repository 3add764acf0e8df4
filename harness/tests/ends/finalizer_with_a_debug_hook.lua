kept = setmetatable({}, {__gc = function() debug.sethook(function(e, l) print("hook", e, l) end, "l")
  local x = 1
  print("collected", debug.gethook() ~= nil)
end})
