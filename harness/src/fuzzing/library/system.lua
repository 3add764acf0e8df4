---- input and output
io.write('a', 1, 2.5, '\n') print(io.write() == io.stdout, io.type(io.stdout), io.type(5), tostring(io.stdout) ~= nil, io.output() == io.stdout, io.input() == io.stdin)
print(io.read(), io.read('n'), io.read('l'), io.read('L'), io.read(3), io.read(0), io.read('a'), io.read('a'), io.read('l'), io.read(1), pcall(io.read, 'x'))
print(io.stdout:write('x'):write('y') == io.stdout, io.stdout:seek('cur'), io.stdout:setvbuf('full', 100), io.stdout:setvbuf('no'), io.stdout:setvbuf('line'), io.stdout:flush(), io.flush())
print(pcall(io.stdout.seek, io.stdout, 'set', -1), pcall(io.stdout.setvbuf, io.stdout, 'x'), io.stdin:seek('end'), io.stdout:read(1), io.stdin:write('x'), io.stderr:write('e'))
---- lines
for l in io.lines() do print(#l) if #l > 20 then break end end
for a, b in io.stdin:lines(1, 'n') do print(a, b) break end
print(pcall(io.lines, 'no such file'), pcall(function() for _ in io.lines(nil, 'x') do end end), pcall(io.stdin.lines, io.stdin, 'L', 'a', 0))
---- files that are refused
print(pcall(io.open, 'x'), pcall(io.open, 'x', 'w'), pcall(io.open, 'x', 'bad'), pcall(io.popen, 'true'), pcall(io.tmpfile), pcall(io.input, 'x'), pcall(io.output, 'x'), pcall(io.close))
print(pcall(os.remove, 'x'), pcall(os.rename, 'a', 'b'), pcall(os.tmpname), pcall(os.execute), pcall(os.execute, 'true'), pcall(os.getenv, 'HOME'), pcall(dofile, 'x'), pcall(loadfile, 'x'), loadfile() ~= 1)
local f = io.stdout
print(pcall(f.close, f), io.type(f), pcall(f.write, f, 'x'), pcall(io.write, 'y'), tostring(f), pcall(f.lines, f), getmetatable(f).__name, pcall(getmetatable(f).__gc, f), pcall(getmetatable(f).__close, f))
---- time
local t = os.date('*t', 86400)
print(t.year, t.month, t.day, t.hour, t.min, t.sec, t.wday, t.yday, t.isdst, os.time(t), os.date('!*t', 0).year, os.time({year = 2000, month = 1, day = 1, hour = 0}))
for c in ('aAbBcdDeFgGhHIjmMnprRStTuUVwWxXyYzZ%'):gmatch('.') do print(c, os.date('!%' .. c, 1e9), pcall(os.date, '%E' .. c, 0), pcall(os.date, '%O' .. c, 0)) end
print(pcall(os.date, '%', 0), pcall(os.date, '%Q', 0), pcall(os.date, '*t', math.maxinteger), pcall(os.date, '', 1e100), pcall(os.time, {}), os.time({year = 1970, month = -5, day = 400, hour = 0, min = 90, sec = -1, isdst = true}))
print(os.clock() >= 0, os.time() ~= nil, os.difftime(10, 5), pcall(os.difftime), os.setlocale(), os.setlocale('C'), os.setlocale('xx'), os.setlocale(nil, 'numeric'), pcall(os.setlocale, 'C', 'bad'), os.date() ~= nil)
---- packages
package.preload.m = function(name, extra) return {name = name, extra = extra} end
package.preload.n = function() end
print(require('m').name, require('m') == package.loaded.m, require 'n', pcall(require, 'missing.module'), pcall(require), package.config, package.path, package.cpath)
print(package.searchpath('a.b', './?.lua;/?/init.lua'), package.searchpath('x', ''), package.searchpath('a-b', '?;?', '-', '+'), pcall(package.loadlib, 'x', '*'), pcall(package.loadlib, 'x', 'f'))
table.insert(package.searchers, 2, function(name) return name == 'own' and function(...) return {...} end or 'nothing', 'value' end)
print(#require('own'), #package.searchers, pcall(require, 'again'))
package.loaded.m = nil package.path = 5 package.searchers[3] = nil print(pcall(require, 'm'), pcall(require, 'no'))
package.preload = nil package.searchers = {} print(pcall(require, 'x')) package.searchers = nil print(pcall(require, 'x'))
---- exit
local t = setmetatable({}, {__gc = function() print('closing') end, __close = function() print('closed') end})
local c <close> = t
if not pcall(os.exit, 'bad') then coroutine.wrap(function() os.exit(3, true) end)() end
