---- substrings and bytes
local s = 'hello world'
print(s:sub(1, 5), s:sub(-5), s:sub(3, -3), s:sub(0), s:sub(5, 1), s:sub(math.mininteger, math.maxinteger), s:sub(100))
print(s:byte(), s:byte(1, -1), s:byte(-1), s:byte(100), string.byte('', 1), string.char(104, 105), string.char())
print(s:len(), #s, s:upper(), s:lower(), s:reverse(), ('x'):rep(3, ', '), ('x'):rep(0), ('ab'):rep(1), (''):rep(10), ('x'):rep(-1))
print('a\0b' < 'a\0c', #'a\0b', 'a\0b' == 'a\0' .. 'b', ('a\0b'):byte(2), 'Z' < 'a', '' < 'a', '10' + 5, '0x10' * 1, '1e1' // 1)
---- building strings
local t = {}
for i = 1, 30 do t[i] = string.char(i + 64):rep(i) end
local s = table.concat(t, '\n')
print(#s, s:sub(100, 110))
local x = ''
for i = 1, 20 do x = x .. i .. ',' end
print(x, x == table.concat({x}), (x .. x):len(), 1 .. '', 1.5 .. '', -0.0 .. '', 2^63 .. '', 1e100 .. '')
local long = ('0123456789'):rep(20)
t[long] = 1; t[long .. ''] = 2
print(t[('0123456789'):rep(20)], #long)
---- dump
local function f(a, b) local up = t; return a + b, up end
local s = string.dump(f)
local g = load(s, 'dumped', 'b')
print(g(1, 2), #s > 0, #string.dump(f, true) <= #s, pcall(string.dump, print), load(s, 'x', 't'))
print(pcall(load(string.dump(function(...) local a <close> = ...; return select('#', ...) end, true)), nil, 1))
