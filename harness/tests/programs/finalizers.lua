-- Resources with finalizers: handles that count, objects that come back to life, finalizers that make new objects and
-- that fail. Counts are looked at after full collections only. SIZE rounds.

local opened, closed, revived, failed = 0, 0, 0, 0

local Handle = {}
Handle.__index = Handle
Handle.__gc = function(handle)
  if handle.open then
    handle.open = false
    closed = closed + 1
  end
end
Handle.__close = Handle.__gc

local function open(data)
  opened = opened + 1
  return setmetatable({ open = true, data = data }, Handle)
end

-- A pool takes its objects back when they are lost.
local pool = {}
local Pooled = {}
Pooled.__gc = function(object)
  if #pool < 4 then
    revived = revived + 1
    pool[#pool + 1] = setmetatable(object, Pooled)
  end
end
local function take(n)
  local object = table.remove(pool) or setmetatable({}, Pooled)
  object.n = n
  return object
end

local Failing = { __gc = function() failed = failed + 1 error("in a finalizer") end }
local Making = { __gc = function(object)
  local fresh = {}
  for i = 1, 4 do fresh[i] = { object[1], i } end
  object.last = fresh
end }

local kept = {}
for round = 1, SIZE do
  local handle = open({ round })
  kept[round % 8 + 1] = handle
  do
    local scoped <close> = open("scoped " .. round)
    assert(scoped.open)
  end
  take(round)
  setmetatable({ round }, Making)
  if round % 16 == 0 then setmetatable({}, Failing) end
  local ring = {}
  ring.handle = setmetatable({ open = true, data = ring }, Handle)
  opened = opened + 1
  local function held() return handle end
  coroutine.wrap(function(f)
    local inner <close> = open("inner")
    coroutine.yield(f)
  end)(held)
  if round % 20 == 0 or round == SIZE then
    handle, ring, held = nil, nil, nil
    collectgarbage()
    collectgarbage()
    local alive = 0
    for _, one in pairs(kept) do
      assert(one.open)
      alive = alive + 1
    end
    print(round, opened, alive)
  end
end
kept = nil
collectgarbage()
collectgarbage()
collectgarbage()
print(opened, closed, revived > 0, failed, #pool)
