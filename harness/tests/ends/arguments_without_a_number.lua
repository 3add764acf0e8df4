-- command: lua -e 'setmetatable(arg, {__len = function() return "x" end})' arguments_without_a_number.lua a
print("never")
