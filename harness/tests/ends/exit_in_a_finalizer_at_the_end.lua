kept = {kept, setmetatable({}, {__gc = function() print("never") end})}
kept = {kept, setmetatable({}, {__gc = function() print("leaves") os.exit(9) end})}
print("end")
