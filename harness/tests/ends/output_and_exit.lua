-- command: lua output_and_exit.lua 2>&1
local file = io.open("/dev/stdout", "a")
file:write("of the file ")
print("printed")
io.stderr:write("told ")
os.exit(3)
