---- integers
local s = string.pack('bBhHlLjJTiI', -1, 255, -2, 65535, -3, 4, -5, 6, 7, -8, 9)
print(#s, string.unpack('bBhHlLjJTiI', s))
for i = 1, 16 do
  local x = string.pack('<i' .. i, -i) .. string.pack('>I' .. i, i)
  print(i, #x, string.unpack('<i' .. i .. '>I' .. i, x))
end
print(string.pack('<i4', 100):byte(1, -1), string.pack('>i4', 100):byte(1, -1), string.pack('=i4', 100):len(), pcall(string.pack, 'i1', 128))
print(pcall(string.unpack, 'i9', ('\255'):rep(8) .. '\1'), string.unpack('<i16', ('\255'):rep(16)), pcall(string.pack, 'i17', 1), pcall(string.pack, 'i0', 1))
---- floats and strings
local s = string.pack('fdnz s1 s2 s4 s c5 x', 1.5, 2.5, 3.5, 'zero', 'one', 'two', 'four', 'size', 'fix')
print(#s, string.unpack('fdnz s1 s2 s4 s c5 x', s))
print(string.unpack('<f', string.pack('<f', 1e300)), string.unpack('>d', string.pack('>d', -0.0)), string.unpack('n', string.pack('n', 0 / 0)))
print(pcall(string.pack, 'z', 'a\0b'), pcall(string.pack, 's1', ('x'):rep(300)), pcall(string.pack, 'c2', 'abc'), string.pack('c0', ''), pcall(string.unpack, 'z', 'abc'))
print(pcall(string.unpack, 's1', '\5ab'), pcall(string.unpack, 'c10', 'abc'), string.unpack('c0', ''), string.unpack('z', '\0'))
---- alignment and positions
print(string.packsize('!8 b d'), string.packsize('!4 b Xi4 i4'), pcall(string.packsize, '<!2 b i8 X!2'), string.packsize('c10 x b'), string.packsize(''))
local s = string.pack('!4 b i4 !2 h Xi8 j', 1, 2, 3, 4)
print(#s, string.unpack('!4 b i4 !2 h Xi8 j', s))
print(string.unpack('b', 'abc', 2), string.unpack('b', 'abc', -1), pcall(string.unpack, 'b', 'abc', 4), pcall(string.unpack, 'b', 'abc', 10), pcall(string.unpack, 'b', 'abc', -10))
print(pcall(string.packsize, 's'), pcall(string.packsize, 'z'), pcall(string.pack, 'X', 1), pcall(string.pack, '!3 i4', 1), pcall(string.pack, '!17', 1), pcall(string.pack, 'Xz'))
print(pcall(string.pack, 'y', 1), pcall(string.packsize, 'c99999999999999999999'), pcall(string.packsize, ('c2147483647'):rep(3)), pcall(string.pack, 'i'), pcall(string.pack, 'd', 'x'))
for i, v in ipairs {string.unpack('<!4 i1 !4 i2 !1 i3 x !4 i4', ('\1\2\3\4'):rep(6))} do print(i, v) end
