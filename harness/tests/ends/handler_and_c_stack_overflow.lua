local function deep() return (string.gsub("x", "x", deep)) end
print(xpcall(deep, function(m) return "handled " .. m end))
local calls = 0
print(xpcall(deep, function(m) calls = calls + 1 return deep() end))
print(calls)
print(xpcall(deep, function(m) calls = calls + 1 return (pcall(deep)) end))
print(calls)
local co
local function wrapped() return coroutine.wrap(wrapped)() end
print(xpcall(wrapped, function(m) return "handled " .. m:sub(-17) end))
local function chain() return pcall(chain) end
print(select("#", chain()), select(-2, chain()))
local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end
print(xpcall(function() return t.x end, function(m) return "handled " .. m end))
local level = 0
print(select("#", xpcall(function() local function f() level = level + 1 return xpcall(f, print) end return f() end, print)))
print(level)
