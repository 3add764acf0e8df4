for i = 41, 44 do
  kept = {kept, setmetatable({}, {__gc = function() print("collected", i) os.exit(i, i > 42) end})}
end
