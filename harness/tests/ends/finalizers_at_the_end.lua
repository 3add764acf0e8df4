for i = 1, 3 do
  kept = {kept, setmetatable({}, {__gc = function() print("collected", i) end})}
end
late = setmetatable({}, {__gc = function(object)
  print("late", collectgarbage("count"), collectgarbage("step"), collectgarbage("isrunning"))
  kept = {kept, setmetatable({}, {__gc = function() print("made too late") end})}
  setmetatable(object, getmetatable(object))
end})
print("end")
