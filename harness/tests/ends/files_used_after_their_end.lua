kept = setmetatable({}, {__gc = function() print(io.type(file), file, pcall(file.read, file)) end})
file = io.tmpfile()
print(io.type(file))
