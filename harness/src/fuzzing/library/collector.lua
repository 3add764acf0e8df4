---- options
print(collectgarbage('count') > 0, collectgarbage(), collectgarbage('step'), collectgarbage('step', 100), collectgarbage('isrunning'), collectgarbage('stop'), collectgarbage('isrunning'), collectgarbage('restart'))
print(collectgarbage('incremental', 100, 200, 10), collectgarbage('generational', 20, 100), collectgarbage('incremental'), collectgarbage('setpause', 100), collectgarbage('setstepmul', 200), pcall(collectgarbage, 'bad'))
for _, mode in ipairs {'generational', 'incremental'} do
  collectgarbage(mode)
  local t = {} for i = 1, 50 do t[i % 7] = {t[i % 5], i .. '', function() return t end} end
  collectgarbage('step') collectgarbage()
end
---- finalizers
local log = {}
local function obj(n) return setmetatable({n = n}, {__gc = function(o) log[#log + 1] = o.n; if o.n == 2 then error('in finalizer') end if o.n == 3 then collectgarbage() end end}) end
for i = 1, 5 do obj(i) end
collectgarbage()
print(#log, log[1], log[5])
local keep = obj(9) obj(10) keep = nil
local mt = {} local t = setmetatable({}, mt) mt.__gc = function() end t = nil
local co = coroutine.wrap(function() local x = obj(11); local c <close> = obj(12) and nil; coroutine.yield() end) co() co = nil
collectgarbage('step', 1000)
setmetatable({}, {__gc = function() setmetatable({}, {__gc = function() obj(13) end}) end}) collectgarbage() collectgarbage()
---- garbage of every kind
local function make(i) return {function() return i end, coroutine.wrap(function() coroutine.yield(i) end), ('s'):rep(i), setmetatable({}, {__mode = 'k'})} end
local t = {}
for i = 1, 30 do local m = make(i); m[2](); m[4][m] = m; t[i % 4] = m end
local cache = setmetatable({}, {__mode = 'v'}) for i = 1, 10 do cache[i] = load('return ' .. i) end
collectgarbage('generational') for i = 1, 20 do t[i % 3][1] = make(i)[1]; debug.setupvalue(t[i % 3][1], 1, {}) end
collectgarbage('incremental') print(next(cache), #t)
