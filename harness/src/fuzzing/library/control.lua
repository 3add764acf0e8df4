---- goto and labels
local i, t = 0, {}
::top::
i = i + 1
if i < 5 then
  do local j = i; t[i] = function() j = j + 1; return j end end
  goto top
end
for i = 1, 3 do
  for j = 1, 3 do
    if j == 2 then goto continue end
    t[#t + 1] = function() return i * j end
    ::continue::
  end
end
for _, f in ipairs(t) do print(f(), f()) end
do goto skip; local x; ::skip:: end
---- loops
for i = 1, 3 do local x <const> = i * 2; print(x) end
for i = 3, 1, -1 do print(i) end
for i = 1.0, 2, 0.25 do print(i) end
for i = math.maxinteger - 1, math.maxinteger do print(i) end
for i = math.mininteger, math.mininteger + 2, 2 do print(i) end
for i = 1, math.huge, 1 << 62 do print(i) end
for i = 1, 0 do print('never') end
local n = 0
while true do n = n + 1; if n > 5 then break end end
repeat local done = n > 10; n = n + 1 until done
---- closures
local function counter() local n = 0; return function() n = n + 1; return n end, function(v) n = v end end
local get, set = counter()
set(10) print(get(), get())
local t = {}
for i = 1, 5 do t[i] = function(v) i = v or i; return i end end
t[2](20)
for i = 1, 5 do print(t[i]()) end
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
print(fib(10))
local function tail(n, ...) if n == 0 then return ... end return tail(n - 1, n, ...) end
print(tail(10))
---- operators
local a, b, c = 7, 2.5, '10'
print(a + b, a - b, a * b, a / b, a // b, a % b, a ^ b, -a, a + c, c * 2, a .. b, c .. a, #c, not a)
print(a & 3, a | 8, a ~ 5, ~a, a << 2, a >> 1, a << 64, a >> -1, -1 >> 1, -1 << 63, 2.0 | 1, pcall(function() return '3' & a end))
print(a < b, a <= b, a > b, a >= b, a == b, a ~= b, '7' == 7, 'a' < 'b', c < '9', 1 == 1.0, 2^53 == 2^53 + 1)
print(7 // 2, -7 // 2, 7 // -2, 7 % -3, -7 % 3, 7.5 // 2, -7.5 % 2, 1 / 0, -1 / 0, 0 / 0 ~= 0 / 0, 5 % math.huge, -5 % math.huge)
print(math.maxinteger + 1, math.mininteger - 1, math.mininteger // -1, math.maxinteger * 2.0, math.mininteger % -1)
print(a and b or c, nil and 1, false or 'x', nil == false, 1 < 2 == true, 2 ^ 3 ^ 2, -2 ^ 2, 'a' .. 'b' .. 1 .. 2)
---- assignment and tables
local t = {1, 2, 3; x = 1, ['y z'] = 2, [4] = 'four', [1.5] = 'f', [true] = 'b', {nested = {deep = 1}}}
local i = 1
i, t[i] = i + 1, 20
t.a, t.b, t.c = (function() return 1, 2, 3 end)()
t[4].nested, t[2^53] = t, 53
t.x, t.y = t.y, t.x
print(i, t[1], t.a, t.b, t.c, #t, t[4].nested == t, t[2.0], t[4])
function t.f(a, ...) return a, ... end
function t:m(a) return self == t, a end
print(t.f(1, 2), t:m(3), t.m(t, 4), ("x"):rep(3), #"abc", -"2" + 0, t.f'str', t.f{1})
local s = [==[
long ]] string]==] .. '\65\x41\u{41}\z
   \t\\\'\"\a\b\f\v\r\n'
print(#s, 0x7fffffffffffffff, 0xffffffffffffffffff, 1e-10, .5, 0x.8p1, 3e2)
