-- A program with every kind of instruction. It returns what it computes.
local mt = setmetatable({}, {__add = function(a, b) return 7 end, __close = function() end, __lt = function() return true end})
local function sum(...)
    local t = {n = select('#', ...), ...}
    local total = 0
    for i = 1, t.n do total = total + t[i] end
    for k, v in pairs {1, 2, x = 3.5, [4] = 'y'} do total = total + (tonumber(v) or 0) end
    for i = 3.0, 1, -0.5 do total = total - i // 1 end
    return total, ...
end
local up, s = 0, 'text'
local function count() up = up + 1; return up end
do
    local c <close> = mt
    local d <const> = 5
    up = up + d
    for i = 1, 3 do
        local fresh = i
        t = function() fresh = fresh + 1; return fresh end
        if i == 2 then goto done end
    end
    ::done::
end
local function tail(n) if n == 0 then return sum(1, 2, count()) end return tail(n - 1) end
local r = {tail(10)}
local big = {s:upper(), s:len(), #s, -up, not up, ~up, up ~= 3, up << 2, up >> 1, up & 7, up ~ 1, up ^ 2, up / 2, up % 3, 1e300 * up}
big.a, big[1.5], big[true] = s .. up .. 'x', nil, 0x7fffffffffffffff
local cmp = (up < 3) == (up <= 3) and mt < mt and up >= 2 or s == 'text' and up ~= 1.5
return r[1], #r, t(), count(), mt + 1, big[1], big.a, tostring(cmp), select(-1, sum(table.unpack(r)))
