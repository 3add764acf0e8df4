-- command: lua -e 'arg[1] = {} arg[3] = "c"' arguments_that_are_changed.lua a b
print(type((...)), select("#", ...), select(2, ...))
