-- command: lua output_to_nobody.lua >&-
kept = setmetatable({}, {__gc = function() print("lost as well") io.stderr:write("collected\n") end})
print("lost")
io.write("lost")
error("not lost")
