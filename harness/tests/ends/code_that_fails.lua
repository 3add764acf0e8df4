-- command: lua -e 'kept = setmetatable({}, {__gc = function() print("collected") end})' -e 'error("in code")' code_that_fails.lua
print("never")
