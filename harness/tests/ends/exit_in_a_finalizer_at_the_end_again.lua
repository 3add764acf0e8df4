kept = {kept, setmetatable({}, {__gc = function() print("second") end})}
kept = {kept, setmetatable({}, {__gc = function() print("leaves") os.exit(9, true) end})}
print("end")
