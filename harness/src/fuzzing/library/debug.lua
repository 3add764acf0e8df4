---- information
local function f(a, b, ...) local c = a; return debug.getinfo(1, 'nSltufrL'), c end
local i = f(1, 2, 3)
print(i.name, i.namewhat, i.short_src, i.source, i.linedefined, i.lastlinedefined, i.what, i.currentline, i.nups, i.nparams, i.isvararg, i.istailcall, i.ftransfer, i.ntransfer)
for l in pairs(i.activelines) do print(l) end
print(debug.getinfo(print).what, debug.getinfo(f, 'S').what, debug.getinfo(100), pcall(debug.getinfo, 1, 'X'), pcall(debug.getinfo, 'x'), pcall(debug.getinfo, 1, '>S'))
print(debug.traceback('m'), debug.traceback('m', 2), debug.traceback({}) ~= nil, debug.traceback(nil), debug.traceback(coroutine.create(f), 'co', 0))
---- locals and upvalues
local x, y = 1, 2
local function f(a, ...) local b <const>, c = 5, a; print(debug.getlocal(1, 1), debug.getlocal(1, 3), debug.getlocal(1, -1), debug.getlocal(1, -9), debug.setlocal(1, 1, 'new'), debug.setlocal(1, -1, 'v')); x = y; return a, ... end
print(f(1, 2), debug.getlocal(f, 1), debug.getlocal(f, 9), pcall(debug.getlocal, 99, 1), pcall(debug.setlocal, 99, 1, 1))
print(debug.getupvalue(f, 1), debug.getupvalue(f, 9), debug.setupvalue(f, 2, 'set'), debug.getupvalue(string.gmatch('', ''), 1), debug.getupvalue(print, 1))
---- shared upvalues
local x, y = 1, 2
local function f() x = y; return print end
local function g() return x, y end
print(debug.upvalueid(f, 1) ~= debug.upvalueid(g, 1), pcall(debug.upvalueid, f, 99), pcall(debug.upvaluejoin, f, 1, g, 2), pcall(debug.upvaluejoin, f, 9, g, 1), pcall(debug.upvaluejoin, print, 1, g, 1))
---- locals of coroutines
local co = coroutine.create(function(p) local q = p; coroutine.yield() end)
coroutine.resume(co, 7)
print(debug.getlocal(co, 1, 1), debug.getlocal(co, 1, 2), debug.setlocal(co, 1, 1, 8), debug.getinfo(co, 1, 'l').currentline, debug.getinfo(co, 0, 'n'), debug.traceback(co))
---- hooks
local n, lines = 0, {}
debug.sethook(function(event, line) n = n + 1; lines[#lines + 1] = event .. (line or '') end, 'crl', 7)
local function f(x) if x == 0 then return 0 end return f(x - 1) end
f(3) string.rep('x', 3) pcall(error)
print(debug.gethook()) debug.sethook()
print(n > 0, lines[1], debug.gethook())
---- hooks of coroutines, and transfers
local co = coroutine.create(function() for i = 1, 3 do coroutine.yield(i) end end)
debug.sethook(co, function(e) debug.getinfo(2, 'nSl') debug.getlocal(2, 1) end, 'l')
while coroutine.resume(co) and coroutine.status(co) ~= 'dead' do debug.gethook(co) end
print(pcall(function() debug.sethook(function() debug.sethook() error('hooked') end, '', 1) local x = 1; x = x + 1 end))
debug.sethook(function(e) local i = debug.getinfo(2, 'r') if i.ntransfer then debug.getlocal(2, i.ftransfer) end end, 'cr') math.max(1, 2) debug.sethook()
---- the rest
local t = setmetatable({}, {__metatable = 'hidden'})
print(debug.getmetatable(t).__metatable, debug.setmetatable(t, nil) == t, getmetatable(t), debug.getmetatable(1), debug.setmetatable(5, {}), debug.setmetatable(5, nil))
print(type(debug.getregistry()), debug.getuservalue(io.stdout, 1), debug.setuservalue(io.stdout, 1, 1), pcall(debug.setuservalue, {}, 1), debug.getuservalue({}), debug.setcstacklimit(200))
print(type(debug.getregistry()[1]), debug.getregistry()[2] == _G, type(debug.getregistry()._LOADED))
debug.debug()
