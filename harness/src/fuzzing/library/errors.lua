---- errors and handlers
print(pcall(error), pcall(error, nil), pcall(error, 'a', 0), pcall(error, 'a', 2), pcall(error, {}, 1))
print(xpcall(error, function(m) return m .. '!' end, 'b'), xpcall(function() local x = nil; x() end, debug.traceback))
print(xpcall(error, error, 'x'), pcall(xpcall, error), select('#', xpcall(print, print, 1, 2)))
print(pcall(assert, false), pcall(assert, nil, 'm'), pcall(assert, false, {}), assert(1, 2, 3), pcall(assert))
local t = setmetatable({}, {__tostring = function() return 'object' end})
print(pcall(error, t))
---- messages about operands
local t, s, n, f = {}, 'x', 5, print
local up = {}
local cases = {
  function() return t + 1 end, function() return s + 1 end, function() return -t end, function() return #n end,
  function() return t .. s end, function() return t < t end, function() return t < n end, function() return n < s end,
  function() return t.x.y end, function() t.x.y = 1 end, function() t.f() end, function() t:m() end, function() up.a.b() end,
  function() return 1 & 1.5 end, function() return s | 1 end, function() return 2^63 | 0 end, function() return 1 // 0 end,
  function() return 1 % 0 end, function() no() end, function() no.x = 1 end, function() t[nil] = 1 end,
  function() t[0 / 0] = 1 end, function() for i = 1, 'x' do end end, function() for i = t, 1 do end end,
  function() for i = 1, 2, 0 do end end, function() for _ in 5 do end end, function() ('x')() end, function() return n.x.y end,
}
for i, f in ipairs(cases) do print(i, pcall(f)) end
---- errors of arguments
print(pcall(string.rep), pcall(string.rep, 'x', {}), pcall(('x').rep, 'x', 1.5), pcall(string.char, 256), pcall(setmetatable, 1))
print(pcall(ipairs), pcall(next, {}, 1), pcall(math.floor, 'a'), pcall(table.concat, {{}}), pcall(io.stdout.write, 1))
print(pcall(string.format, '%d', 1.5), pcall(string.format, '%d', '1.5'), pcall(math.random, 2, 1), pcall(utf8.char, -1))
local obj = {} function obj:m(s) return string.upper(s) end
print(pcall(obj.m, obj), pcall(obj.m), pcall(getmetatable('').__index.upper))
---- deep errors
local function f(n) if n == 0 then error('deep') end return (f(n - 1)) end
print(pcall(f, 20), select('#', xpcall(f, debug.traceback, 50)))
local function g() return g() + 1 end
print(pcall(g))
local function h(...) return pcall(h, 1, ...) end
print(select('#', h()))
print(pcall(string.gsub, 'x', '.', function() error({}) end), pcall(table.sort, {3, 2, 1}, function() error('cmp') end))
---- to-be-closed variables and errors
local function c(name, err)
  return setmetatable({}, {__close = function(_, e) print(name, e) if err then error(err, 0) end end})
end
print(pcall(function() local a <close>, b <const> = c('a'), 2; local d <close> = c('d', 'from d'); error('body', 0) end))
print(pcall(function() local a <close> = c('a', 'one'); local b <close> = c('b', 'two'); return 1, 2, 3 end))
print(pcall(function() local a <close> = 5 end), pcall(function() local a <close> = nil; local b <close> = false end))
for i = 1, 3 do local x <close> = c(i); if i == 2 then break end end
for k in (function() end), nil, nil, c('iterator') do end
for k in next, {1, 2}, nil, c('fourth') do goto out end
::out::
