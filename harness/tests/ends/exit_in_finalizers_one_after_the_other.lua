for i = 41, 44 do
  kept = {kept, setmetatable({}, {__gc = function() print("collected", i) pcall(os.exit, i, true) print("never") end})}
end
