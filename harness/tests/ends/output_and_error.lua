-- command: lua output_and_error.lua 2>&1
kept = {kept, setmetatable({}, {__gc = function() print("collected") end})}
print("printed")
io.stderr:write("told\n")
error("error")
