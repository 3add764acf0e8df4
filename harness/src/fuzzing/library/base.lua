---- types and conversions
local t = {1, 2.5, 'x', true, print, {}, coroutine.create(print), io.stdout}
for i, v in ipairs(t) do
  print(type(v), tostring(v) ~= nil, tonumber(v), rawequal(v, t[i]))
end
print(tonumber('0x1p4'), tonumber('  12  '), tonumber('1e'), tonumber('zz', 36), tonumber('-7f', 16), tonumber('8', 8))
print(tonumber('0x'), tonumber(''), tonumber('1e1000'), tonumber('9223372036854775808'), tonumber('inf'))
---- select and varargs
local function f(...)
  local n = select('#', ...)
  local a, b = ...
  return n, select(-1, n, ...), (...), select(2, a, b, ...)
end
print(f(), f(1), f(1, nil), f(nil, nil, nil))
print(pcall(select, 0), pcall(select, -5, 1), select(3, 1, 2))
print((f(1, 2)), ({f(1, 2), f(3)})[2], #{f(1, 2, 3)})
---- raw access
local t = setmetatable({}, {__index = function(_, k) return k end, __newindex = error, __len = function() return 7 end,
  __eq = function() return true end})
rawset(t, 'a', 1)
print(rawget(t, 'a'), rawget(t, 'b'), t.b, #t, rawlen(t), rawlen('abc'), rawequal(t, t), t == setmetatable({}, getmetatable(t)))
print(pcall(rawset, t, nil, 1), pcall(rawset, t, 0 / 0, 1), pcall(rawlen, 5), pcall(rawget, 1))
print(pcall(function() t.c = 1 end))
---- iteration
local t = {10, 20, 30, x = 1, y = 2}
for k, v in next, t do t[k] = nil end
print(next(t), next({}), pcall(next, {}, 'no such key'))
local p = setmetatable({}, {__pairs = function(t) return function(_, k) if not k then return 1, 2 end end, t, nil end})
for k, v in pairs(p) do print(k, v) end
for i, v in ipairs(setmetatable({}, {__index = function(_, i) if i < 5 then return i * i end end})) do print(i, v) end
for i, v in ipairs('text') do print(i, v) end
---- print, tostring and names
local t = setmetatable({}, {__tostring = function() return 'text' end, __name = 'Thing'})
print(t, setmetatable({}, {__name = 'Other'}) ~= t, tostring(nil), tostring(-0.0), tostring(1e15), tostring(2^63))
print(pcall(tostring), pcall(tostring, setmetatable({}, {__tostring = function() return 1 end})))
print(getmetatable(setmetatable({}, {__metatable = 'locked'})), pcall(setmetatable, setmetatable({}, {__metatable = 1}), {}))
warn('@on') warn('a', 'b') warn('@off') warn('c')
---- environments
local _ENV = setmetatable({x = 1}, {__index = _ENV})
y = x + 1
print(y, _ENV.y, _G.y)
local function f() local _ENV <const> = {z = 3}; return z end
print(f(), load('return a', 'chunk', 't', {a = 5})())
_G._ENV = nil
print(pcall(load('x = 1', 'n', 't', setmetatable({}, {__newindex = function(_, k) error(k, 0) end}))))
