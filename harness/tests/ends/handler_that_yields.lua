print(coroutine.wrap(function() return xpcall(error, function(m) coroutine.yield(m) end, "x") end)())
print(coroutine.wrap(function() return xpcall(error, coroutine.yield, "x") end)())
print(coroutine.wrap(function() return xpcall(error, coroutine.wrap(function(m) coroutine.yield("once " .. m) end), "x") end)())
