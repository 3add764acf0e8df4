-- command: lua files_left_open.lua exit; cat left; lua files_left_open.lua; cat left; rm left
left = io.open("left", "w")
left:write("what was written ")
kept = setmetatable({}, {__gc = function() print(io.type(left), (pcall(left.write, left, "while closing\n"))) end})
if arg[1] then os.exit(0) end
