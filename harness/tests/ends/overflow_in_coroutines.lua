local function deep() return 1 + deep() end
local co = coroutine.create(deep)
local ok, message = coroutine.resume(co)
print(ok, message, coroutine.status(co), #debug.traceback(co) > 100, coroutine.close(co))
print(coroutine.wrap(function() return xpcall(deep, function(m) return "handled " .. m end) end)())
local depth = 0
local function nest() depth = depth + 1 return coroutine.wrap(nest)() end
print(pcall(nest))
print(depth)
depth = 0
local function resume() depth = depth + 1 return coroutine.resume(coroutine.create(resume)) end
print(select("#", resume()), depth)
depth = 0
print(pcall(function() local function f() depth = depth + 1 local x <close> = setmetatable({}, {__close = f}) end f() end), depth)
depth = 0
local t = setmetatable({}, {}) getmetatable(t).__lt = function(a, b) depth = depth + 1 return a < b end
print(pcall(function() return t < t end), depth)
depth = 0
local function tostr() depth = depth + 1 return tostring(setmetatable({}, {__tostring = tostr})) end
print(pcall(tostr), depth)
depth = 0
local function loader() depth = depth + 1 return load("...()")(loader) end
print(#tostring(select(2, pcall(loader))) > 0)
