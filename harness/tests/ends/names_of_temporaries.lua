local function locals(level)
  local list = {}
  for number = 1, 12 do
    local name, value = debug.getlocal(level + 1, number)
    if not name then break end
    list[#list + 1] = name .. "=" .. (type(value) == "number" and value or type(value))
  end
  for number = -1, -5, -1 do
    local name, value = debug.getlocal(level + 1, number)
    if not name then break end
    list[#list + 1] = number .. ":" .. name .. "=" .. tostring(value)
  end
  return table.concat(list, " ")
end
local function vary(a, ...)
  local b = 2
  return (locals(1))
end
print(vary(1, "x", "y"))
for i = 1, 1 do print(i, locals(1)) end
for i = 1.5, 2 do print(i, locals(1)) end
for k, v in pairs({10}) do print(k, v, (locals(1):gsub("nil", "nil"))) end
print(1 + tonumber((#locals(1))), (string.gsub("x", "x", function(m) return locals(2) end)))
table.sort({1, 2}, function(a, b) print(locals(2)) return a < b end)
print(pcall(function(...) return locals(2) end, 7, 8))
print(select(2, xpcall(function(...) return locals(2) end, print, 7, 8)))
local co = coroutine.create(function(a, b) local c = a + b coroutine.yield(c, 9) end)
coroutine.resume(co, 3, 4)
for level = 0, 1 do
  for number = 1, 5 do print(level, number, debug.getlocal(co, level, number)) end
end
print(debug.getlocal(co, 0, -1), debug.getlocal(co, 1, -1))
debug.sethook(function(event)
  local info = debug.getinfo(2, "nSr")
  if info.name == "max" or info.name == "vary" then
    local name, value = debug.getlocal(2, info.ftransfer)
    print(event, info.name, info.ftransfer, info.ntransfer, name, value)
  end
end, "cr")
local m = math.max(3, 5)
local v = vary(6, 7)
debug.sethook()
-- What is left in registers that nothing uses is not compared.
local function names(level)
  local list = {}
  for number = 1, 6 do list[#list + 1] = debug.getlocal(level + 1, number) end
  return table.concat(list, " ")
end
local t = setmetatable({}, {__index = function(t, k) return (names(2)) end, __close = function() print(names(2)) end})
print(t.x, #t .. t.y)
do local c <close> = t end
local function set(level, number, value) return debug.setlocal(level + 1, number, value) end
print(set(1, 100, 1), pcall(set, 100, 1, 1), pcall(debug.getlocal, 100, 1))
table.sort({1, 2}, function(a, b) print(set(2, 3, 7), set(2, 100, 7)) return a < b end)
print((function(...) return set(1, -2, "changed"), ... end)(1, 2, 3))
print(debug.getlocal(print, 1), debug.getlocal(vary, 1), debug.getlocal(vary, 2), debug.getlocal(vary, -1))
for _, source in ipairs {
  "for x in nil do end", "for x in pairs({}), nil, nil, 1 do end", "for i = 1, 'x' do end", "for i = {}, 1 do end",
  "for i = 1, 2, {} do end", "local x <close> = 1", "local a, b <close> = 1, 2", "(1)()", "(nil)()", "local x = (nil).y",
  "local t = {} t[1][2] = 3", "local x = ('x'):y()", "return -{}", "return {} .. 'x'", "return #5", "return 1 < {}",
  "local a <const> = 1 return a.b.c", "return (1 + nil)", "local t = {} t[nil] = 1", "return math.huge // 1 | 0",
  "goto = 1", "string.rep()", "('x'):rep({})", "setmetatable(1)", "return 2^53 | 1.5", "local f = 5 f()", "_ENV = nil x = 1",
  "local function f() return f.x.y end f()", "for i = 1, 10, 0 do end", "return 1 // 0", "coroutine.wrap(1)",
  "local x <close> = setmetatable({}, {__close = 5})", "return string.format('%d', 1.5)", "local t <close> = {}",
} do
  local f, message = load(source, "=code")
  if f then print(select(2, pcall(f))) else print(message) end
end
