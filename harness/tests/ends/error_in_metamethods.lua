local t = setmetatable({}, {__index = function(t, k) error("no " .. k) end, __name = "Thing"})
print(pcall(function() return t < t end))
print(pcall(function() return #t .. t end))
for _, f in ipairs {function() return t.field end} do f() end
