-- command: lua -e 'x = 1' -e 'print(x, #arg, arg[0])' code_before_the_script.lua a "b c"
print(x, ..., #arg, arg[0], arg[2])
return 1, 2
