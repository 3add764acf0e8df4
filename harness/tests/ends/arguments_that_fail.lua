-- command: lua -e 'setmetatable(arg, {__len = function() error("no length") end})' arguments_that_fail.lua a
print("never")
