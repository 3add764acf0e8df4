---- resume and yield
local co = coroutine.create(function(a, b)
  local c = coroutine.yield(a + b)
  local d, e = coroutine.yield(c * 2)
  return d, e, 'end'
end)
print(coroutine.resume(co, 1, 2), coroutine.status(co), coroutine.resume(co, 10), coroutine.resume(co, 'd', 'e'), coroutine.resume(co), coroutine.status(co))
local f = coroutine.wrap(function(...) for i = 1, select('#', ...) do coroutine.yield((select(i, ...))) end return 'done' end)
print(f('a', 'b'), f(), f(), pcall(f))
print(coroutine.isyieldable(), coroutine.running(), pcall(coroutine.yield, 1), pcall(coroutine.resume, 1), pcall(coroutine.create), coroutine.status(coroutine.running()))
---- yields through everything
local y = coroutine.yield
local mt = {__index = function(_, k) return y(k) end, __newindex = function(_, k, v) y(k, v) end, __add = function(a, b) return y('add') end,
  __lt = function() return y('lt') end, __eq = function() return y('eq') end, __concat = function() return y('cat') end, __len = function() return y('len') end,
  __call = function(_, ...) return y(...) end, __close = function() y('close') end, __unm = function() return y('unm') end}
local co = coroutine.wrap(function()
  local t, u = setmetatable({}, mt), setmetatable({}, mt)
  local c <close> = t
  t.x = t.y; local z = t + 1; z = t < u; z = t == u; z = t .. u; z = #t; z = -t; t(1, 2)
  for k in (function() return y('iter') end) do break end
  print(pcall(y, 'in pcall'), xpcall(y, print, 'in xpcall'), select('#', y(), y()))
  local d <close> = setmetatable({}, mt)
  return y('last')
end)
for i = 1, 25 do local ok, v = pcall(co, i) if not ok then break end end
---- close and errors
local function new(name) return setmetatable({}, {__close = function(_, e) print(name, e) end}) end
local co = coroutine.create(function() local a <close> = new('a'); local b <close> = new('b'); coroutine.yield(1); error('after') end)
print(coroutine.resume(co), coroutine.close(co), coroutine.status(co), coroutine.close(co))
local co = coroutine.create(function() local a <close> = setmetatable({}, {__close = function() error('in close', 0) end}); coroutine.yield() end)
coroutine.resume(co) print(coroutine.close(co), coroutine.close(coroutine.create(print)))
local co = coroutine.create(function() local x <close> = new('x'); error({}) end)
print(coroutine.resume(co), coroutine.close(co), pcall(coroutine.close, coroutine.running()))
local w = coroutine.wrap(function() local c <close> = new('w'); error('wrapped') end)
print(pcall(w), pcall(w))
---- nests
local function gen(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end) end
local function filter(p, g) return coroutine.wrap(function() for x in g do if p(x) then coroutine.yield(x) end end end) end
for x in filter(function(x) return x % 2 == 0 end, gen(10)) do io.write(x, ' ') end
local co co = coroutine.create(function() print(coroutine.resume(co), coroutine.status(co), coroutine.running() == co, coroutine.isyieldable(co)) end)
coroutine.resume(co)
---- coroutines inside each other
local function deep(n) if n == 0 then return coroutine.yield('bottom') end return coroutine.wrap(deep)(n - 1) end
print(coroutine.wrap(deep)(10))
local t = {} for i = 1, 5 do t[i] = coroutine.create(function(...) while true do t[i][1] = coroutine.yield(...) end end) end
for i = 1, 3 do for _, co in ipairs(t) do print(coroutine.resume(co, i)) end end
table.sort({3, 2, 1}, function(a, b) return pcall(coroutine.yield) end)
