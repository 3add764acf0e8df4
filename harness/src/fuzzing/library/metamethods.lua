---- arithmetic metamethods
local mt = {}
for _, name in ipairs {'add', 'sub', 'mul', 'div', 'mod', 'pow', 'unm', 'idiv', 'band', 'bor', 'bxor', 'bnot', 'shl', 'shr', 'concat'} do
  mt['__' .. name] = function(a, b) return name .. type(a) .. type(b) end
end
local t = setmetatable({}, mt)
print(t + 1, 1 - t, t * t, t / 2, t % 2, 2 ^ t, -t, t // 1, t & 1, 1 | t, t ~ 1, ~t, t << 1, 1 >> t, t .. 'x', 1 .. t)
---- comparison metamethods
local mt = {__lt = function(a, b) return a.v < b.v end, __le = function(a, b) return a.v <= b.v end, __eq = function(a, b) return a.v == b.v end}
local function new(v) return setmetatable({v = v}, mt) end
local a, b = new(1), new(2)
print(a < b, a <= b, a > b, a >= b, a == b, a ~= b, a == new(1), pcall(function() return a < 1 end))
local t = {new(3), new(1), new(2)}
table.sort(t)
print(t[1].v, t[2].v, t[3].v)
---- index metamethods
local log = {}
local base = {x = 1, f = function(self, n) return self.x + n end}
local t = setmetatable({}, {__index = setmetatable({y = 2}, {__index = base}),
  __newindex = function(t, k, v) log[#log + 1] = k; rawset(t, k, v) end, __call = function(self, ...) return select('#', ...), ... end})
t.z = 3; t.x = 10; t.x = 11
print(t.x, t.y, t.z, t:f(1), t(1, nil), #log, t.nothing)
local proxy = setmetatable({}, {__index = t, __newindex = log})
proxy.a = 'into log'
print(log.a, proxy.x, rawget(proxy, 'a'))
---- objects
local Class = {} Class.__index = Class
function Class.new(n) return setmetatable({n = n}, Class) end
function Class:get() return self.n end
Class.__len = function(self) return self.n end
Class.__tostring = function(self) return 'Class ' .. self.n end
Class.__concat = function(a, b) return tostring(a) .. tostring(b) end
Class.__unm = function(self) return Class.new(-self.n) end
local o = Class.new(5)
print(o:get(), #o, tostring(o), o .. o, o .. 'x', -o, (-o):get())
local Sub = setmetatable({}, {__index = Class, __call = function(cls, n) return setmetatable({n = n}, cls) end}) Sub.__index = Sub
print(Sub(7):get())
---- metatables of basic types
debug.setmetatable(1, {__index = math, __call = function(n, x) return n * x end, __len = function(n) return n end})
print((5):sqrt(), (5)(3), #7, (2.5):floor())
debug.setmetatable(nil, {__index = function() return nil end, __add = function() return 'nil add' end})
print(x.y.z, nil + 1)
debug.setmetatable(print, {__concat = function(f, g) return function(...) return f(g(...)) end end})
print((math.floor .. math.sqrt)(17))
getmetatable('').__add = function(a, b) return a .. '+' .. b end
getmetatable('').__index = function(s, k) return type(k) == 'number' and s:sub(k, k) or string[k] end
print('a' + 'b', ('xyz')[2], ('xyz'):upper())
debug.setmetatable(true, {__tostring = function(b) return b and 'yes' or 'no' end})
print(tostring(true), false)
---- weak tables and finalizers
local k, v = setmetatable({}, {__mode = 'k'}), setmetatable({}, {__mode = 'v'})
for i = 1, 20 do k[{}] = {i}; v[i] = {i}; v['s' .. i] = 's' .. i end
local e = setmetatable({}, {__mode = 'k'})
local key = {}; e[key] = {key}
setmetatable({}, {__gc = function(o) v.kept = o; setmetatable(o, {__gc = function() k[o] = 1 end}) end})
collectgarbage() collectgarbage()
print(next(k), #v, e[key][1] == key, v.kept)
setmetatable(k, {__mode = 'kv'})
