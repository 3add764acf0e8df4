---- find and match
local s = 'key = value, other = 12.5'
print(s:find('='), s:find('=', 1, true), s:find('%w+', 5), s:find('', 100), s:find('', 10), s:find('x', -3), s:find('(%w+) = (%w+)'))
print(s:match('(%w+)%s*=%s*(%w+)'), s:match('()=()'), s:match('%d+%.?%d*'), s:match('^key'), s:match('^value'), s:match('5$'), s:match('.-,'))
print(('[[x]]'):match('%[%[(.-)%]%]'), ('f(a(b)c)d'):match('%b()'), ('THE (quick) fox'):find('%((%a+)%)'), ('a.b'):find('.', 2, true))
print(('hello'):match('(h)(e)(l)(l)(o)'), ('aaa'):match('a-'), ('aaa'):match('a-$'), ('aaab'):match('a*b'), ('b'):match('a?b'), ('x'):match('()'))
print(('THE (quick) fox'):gsub('%f[%a]%a+', string.lower), ('x^y'):match('[%^x]+'), (']'):match('[]]'), ('a-z'):match('[a%-]+'), ('-'):match('[a-]'))
print(('abcabc'):match('(abc)%1'), ('\0a\0'):match('%z'), ('\0a'):find('a'), ('é'):match('[\128-\255]+'), ('a\nb'):match('a.b'))
---- gsub
local s = 'hello world from Lua'
print(s:gsub('o', '0'), s:gsub('o', '0', 1), s:gsub('%w+', '<%0>'), s:gsub('(%w+) (%w+)', '%2 %1'), s:gsub('', '-'), s:gsub('l+', {ll = 'LL', l = false}))
print(s:gsub('%w+', function(w) if #w > 4 then return w:upper() end end), s:gsub('x*', '.'), s:gsub('.', {h = 1, e = 2.5}), s:gsub('(o)()', '%2'))
print(pcall(string.gsub, s, 'o', '%2'), pcall(string.gsub, s, 'o', '%'), pcall(string.gsub, s, '(', ''), pcall(string.gsub, s, 'o', function() return {} end))
print(pcall(string.gsub, s, 'o', true), s:gsub('^h', 'H'), s:gsub('$', '!'), ('abc'):gsub('%w', '%%%0'), ('abc'):gsub('b', '%%'), s:gsub('o', '', 0), s:gsub('o', '', -1))
---- gmatch
for k, v in ('a=1, b=2, c=3'):gmatch('(%w+)=(%w+)') do print(k, v) end
for w in ('one two'):gmatch('%a+') do io.write(w, ';') end
for p, q in ('abc'):gmatch('()(.)') do print(p, q) end
for x in ('abc'):gmatch('') do print('empty') end
for x in ('aXbX'):gmatch('X', -1) do print(x) end
local f = ('a b'):gmatch('%a')
print(f(), f(), f(), pcall(f))
for _ in ('^a^a'):gmatch('^a') do print('anchor') end
---- classes and errors of patterns
local s = '\t aZ0_-%.\127\200'
for c in ('acdglpsuwxACDGLPSUWX'):gmatch('.') do print(c, (s:gsub('%' .. c, '#'))) end
for _, p in ipairs {'%', '[', '[a', '[^', '[]', '(', ')', '%1', '(()', '%f', '%b', '%bx', 'a)', '[a-%', '[%', '%g', '^*', '*', '**', '[%a-z]', '[z-a]'} do
  print(p, pcall(string.find, 'a%1(]', p))
end
print(pcall(string.find, 'x', ('(x)'):rep(33)), pcall(string.match, ('a'):rep(9), ('a?'):rep(9) .. ('a'):rep(9) .. 'b'))
