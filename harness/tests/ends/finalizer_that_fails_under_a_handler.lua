collectgarbage("stop")
warn("@on")
print(xpcall(function()
  setmetatable({}, {__gc = function() error("from gc", 0) end})
  collectgarbage()
  return "through"
end, function(m) print("handler", m) return m end))
