-- command: lua -e 'kept = setmetatable({}, {__gc = function() print("collected") end}) arg = nil' arguments_that_are_gone.lua a b
print("never")
