-- command: lua - a b < script_from_standard_input.lua
print(arg[0], arg[1], ...)
error("read")
