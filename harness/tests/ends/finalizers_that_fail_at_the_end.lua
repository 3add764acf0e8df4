kept = {kept, setmetatable({}, {__gc = function() print("still called") end})}
kept = {kept, setmetatable({}, {__gc = function() error("silent") end})}
kept = {kept, setmetatable({}, {__gc = "no function"})}
print("end")
