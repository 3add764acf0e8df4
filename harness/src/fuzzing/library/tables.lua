---- insert and remove
local t = {}
table.insert(t, 'a') table.insert(t, 1, 'b') table.insert(t, #t + 1, 'c')
print(table.concat(t, ','), table.remove(t, 1), table.remove(t), table.remove(t), table.remove(t), table.remove(t, #t), table.remove({}, 0))
print(pcall(table.insert, t, 5, 1), pcall(table.insert, t), pcall(table.insert, t, 1, 2, 3), pcall(table.remove, t, 7), pcall(table.insert, nil, 1))
local p = setmetatable({}, {__index = function(_, i) return i end, __newindex = function(t, k, v) rawset(t, k, v) end, __len = function() return 5 end})
table.insert(p, 9) print(table.remove(p), rawget(p, 6), #p, table.remove(p, 2))
---- concat, pack and unpack
print(table.concat({}), table.concat({1, 2.5, 'x'}, '-'), table.concat({1, 2, 3}, ', ', 2), table.concat({1, 2, 3}, '', 3, 2), table.concat({1, 2, 3}, '.', 2, 3))
print(pcall(table.concat, {1, {}, 3}), pcall(table.concat, {1, 2}, '', 1, 5), table.concat(setmetatable({}, {__index = function(_, i) return 'v' .. i end, __len = function() return 3 end}), '+'))
local p = table.pack(1, nil, 3, nil)
print(p.n, table.unpack(p, 1, p.n), table.unpack({1, 2, 3}, 2), table.unpack({1, 2, 3}, 2, 5), table.unpack({}, 1, 0), table.unpack({1, 2}, -1, 1), table.pack().n)
print(pcall(table.unpack, {}, 1, 1e7), pcall(table.unpack, {}, math.mininteger, math.maxinteger), select('#', table.unpack({}, 1, 200)))
---- move
local t = {1, 2, 3, 4, 5}
print(table.concat(table.move(t, 2, 5, 1), ','), table.concat(table.move(t, 1, 3, 3), ','), table.concat(table.move({1, 2, 3}, 1, 3, 2, {9}), ','), #table.move({1, 2}, 1, 0, 5))
print(pcall(table.move, t, 1, math.maxinteger, 2), pcall(table.move, t, math.mininteger, 0, 1), pcall(table.move, t, 1, 2), pcall(table.move, t, 1, 5, 1, 5))
local log = setmetatable({}, {__newindex = function(t, k, v) print(k, v) rawset(t, k, v) end})
table.move(t, 1, 3, -1, log)
---- sort
local t = {5, 2, 8, 1, 9, 3, 7, 4, 6, 10, 2, 5}
table.sort(t) print(table.concat(t, ' '))
table.sort(t, function(a, b) return a > b end) print(table.concat(t, ' '))
local w = {'pear', 'apple', 'fig', 'Zoo', 'apple', '', 'a\0b'}
table.sort(w) table.sort(w, function(a, b) return #a < #b end)
print(pcall(table.sort, {1, 'x', 2}), pcall(table.sort, {3, 2, 1, 4, 5, 6}, function() return true end), pcall(table.sort, {1, 2}, 5))
local big = {} for i = 1, 60 do big[i] = (i * 7919) % 61 end
table.sort(big) for i = 2, #big do assert(big[i - 1] <= big[i]) end
print(pcall(table.sort, big, function(a, b) big[1] = nil; return a % 7 < b % 7 end))
table.sort(setmetatable({3, 1, 2}, {__index = print, __len = function() return 3 end}))
---- hashes and borders
local t = {}
for i = 1, 40 do t[i] = i; t['k' .. i] = i; t[i + 0.5] = i; t[-i] = i end
for i = 1, 40, 2 do t[i] = nil; t['k' .. i] = nil end
print(#t, t.k2, t[2.5], t[-3], next({}), #{1, nil, 3}, #{nil, nil}, #{n = 1})
local n = 0 for k, v in pairs(t) do n = n + 1; t[k] = nil end
print(n, next(t), #t)
t[1 << 62] = 1; t[math.maxinteger] = 2; t[math.mininteger] = 3; t[1e308] = 4; t[-0.0] = 5; t[2^53] = 6
print(t[0], t[2^62], t[1 << 53], #t)
for i = 100, 1, -1 do t[i] = i end print(#t)
