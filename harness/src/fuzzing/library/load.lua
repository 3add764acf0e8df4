---- sources
print(load('return 1 + 1')(), load('syntax error here'), load('x ='), load('return ...', 'name')(1, 2), load('goto nowhere'), load('break'), load("return '\\q'"), load('for'))
local parts, i = {'return ', '1', ' + ', '2', ''}, 0
print(load(function() i = i + 1; return parts[i] end, '=parts')(), pcall(load, function() error('reader', 0) end), load(function() return {} end), pcall(load))
print(load('return _ENV', 'x', 't', 5)(), load('return x', 'x', 'bt', {x = 9})(), load('return 1', 'x', 'b'), load('\27Lua', 'x'), load('\27', '@file', 'b'), load('#!x\nreturn 1'))
local env = setmetatable({}, {__index = _G})
load('a = 1; function b() return a end', '=env', 't', env)()
print(env.b(), rawget(_G, 'a'), load(string.dump(function() return env end), 'd', 'b', {})())
---- binary chunks
local function make(n) local u = {n} return function(a, ...) local b <const> = 1; u[#u + 1] = a; for i = 1, n do b2 = b + i end return ... end end
local s = string.dump(make(3), true)
print(load(s) ~= nil, load(s:sub(1, -2)), load(s:sub(1, 10)), load(s .. 'x'), load('\27Lua' .. s:sub(5)) ~= nil)
for i = 1, #s, 7 do
  local f = load(s:sub(1, i - 1) .. string.char(s:byte(i) ~ 1) .. s:sub(i + 1), 'mutant', 'b')
  if f then pcall(f, 1, 2) end
end
---- strange sources
for _, s in ipairs {'', ' ', '--', '--[[x]]', '--[==[x', '[[', '"', "'\\", "'\\x", "'\\u{110000000}'", "'\\300'", '0x', '1..2', '3e', '..', '...', '::a:: ::a::', 'local x <foo> = 1',
  'local x <const> = 1; x = 2', 'local a <close>, b <close> = 1', 'return return', 'f()=1', '(f)=1', 'a.b:c=1', 'goto continue; local a; ::continue:: print(a)', '\255', 'x\0y', 'return "\\z  \\\n"', '~=', '!', 'local function f() ... end'} do
  print(pcall(load, s))
end
local deep = ('('):rep(150) .. '1' .. (')'):rep(150)
print(load('return ' .. deep), load('return ' .. ('-'):rep(150, ' ') .. '1'), load(('do '):rep(150) .. ('end '):rep(150)), load('return ' .. ('{'):rep(100) .. ('}'):rep(100)))
local many = {} for i = 1, 210 do many[i] = 'local x' .. i end
print(load(table.concat(many, ' ')), load('return ' .. ('a,'):rep(260) .. 'a'), load('return function() return ' .. ('x'):rep(10, ' + ') .. ' end'))
