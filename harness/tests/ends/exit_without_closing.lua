local x <close> = setmetatable({}, {__close = function() print("closed") end})
kept = {kept, setmetatable({}, {__gc = function() print("collected") end})}
io.write("no end of line")
os.exit(4)
