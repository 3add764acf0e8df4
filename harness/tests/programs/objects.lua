-- An object system out of metatables: classes, inheritance, properties, operators, proxies. SIZE rounds.

local function class(name, parent)
  local C = { __name = name }
  C.__index = C
  for event, handler in pairs(parent or {}) do
    if type(event) == "string" and event:sub(1, 2) == "__" and C[event] == nil then C[event] = handler end
  end
  return setmetatable(C, {
    __index = parent,
    __call = function(_, ...)
      local object = setmetatable({}, C)
      object:init(...)
      return object
    end,
  })
end

local Shape = class("Shape")
local made = 0
function Shape:init(x, y)
  made = made + 1
  self.x, self.y = x, y
end
function Shape:area() return 0 end
function Shape.__add(a, b) return Shape.group(a, b) end
function Shape.__lt(a, b) return a:area() < b:area() end
function Shape.__le(a, b) return a:area() <= b:area() end
function Shape.__eq(a, b) return a:area() == b:area() end
function Shape.__tostring(shape) return ("%s(%d)"):format(shape.kind, shape:area()) end
function Shape.__call(shape, dx) return shape.x + dx end
function Shape.__unm(shape) return shape.kind .. "-" end
function Shape.__close(shape) shape.closed = true end

local Box = class("Box", Shape)
Box.kind = "box"
function Box:init(x, y, w, h)
  Shape.init(self, x, y)
  self.size = { w, h }
end
function Box:area() return self.size[1] * self.size[2] end

local Dot = class("Dot", Shape)
Dot.kind = "dot"

local Group = class("Group", Shape)
Group.kind = "group"
function Group:init(...)
  Shape.init(self, 0, 0)
  self.members = { ... }
end
function Group:area()
  local total = 0
  for _, member in ipairs(self.members) do total = total + member:area() end
  return total
end
function Group.__index(group, key)
  return type(key) == "number" and rawget(group, "members")[key] or Group[key]
end
function Group.__len(group) return #group.members end
function Shape.group(a, b)
  if rawget(a, "members") and #a.members < 6 then
    table.insert(a.members, b)
    return a
  end
  return Group(a, b)
end

-- Changes go through a proxy that remembers them.
local function observed(target)
  local changes = {}
  return setmetatable({}, {
    __index = target,
    __newindex = function(_, key, value)
      changes[#changes + 1] = { key = key, old = target[key], new = value }
      target[key] = value
    end,
    __pairs = function() return next, target, nil end,
    __len = function() return #changes end,
  }), function()
    local change = table.remove(changes)
    if change then target[change.key] = change.old end
    return change
  end
end

local biggest, all = nil, {}
for round = 1, SIZE do
  local a, b = Box(round, 1, round % 7 + 1, round % 5 + 1), Dot(round, 2)
  local both = a + b + Box(0, 0, 1, round % 3)
  all[round % 10 + 1] = both
  biggest = (not biggest or biggest < both) and both or biggest
  do
    local scoped <close> = a
    assert(a(2) == round + 2 and (a == b) == (a:area() == 0) and -b == "dot-")
  end
  assert(a.closed and both[1] == a and #both >= 2)
  local proxy, undo = observed({ n = round, list = { round } })
  proxy.n, proxy.extra = proxy.n + 1, { round }
  proxy.list = nil
  assert(#proxy == 3 and undo().key == "list" and proxy.list[1] == round)
  undo()
  undo()
  assert(proxy.n == round and undo() == nil)
  if round % 25 == 0 or round == SIZE then
    print(round, made, tostring(both), tostring(biggest), select("#", table.unpack(all)))
  end
end
table.sort(all, function(a, b) return a:area() > b:area() end)
for _, shape in ipairs(all) do io.write(tostring(shape), " ") end
print(pcall(function() return all[1] .. "x" end))
