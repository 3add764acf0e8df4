-- Weak tables: caches, object ids, private fields, canonical values. Only what is held on to is looked at, and what is
-- gone only after full collections. SIZE rounds.

local function memoize(mode, make)
  local cache, calls = setmetatable({}, { __mode = mode }), 0
  return function(key)
    local value = cache[key]
    if value == nil then
      calls = calls + 1
      value = make(key)
      cache[key] = value
    end
    return value
  end, function()
    local count = 0
    for _ in pairs(cache) do count = count + 1 end
    return count, calls
  end
end

local square, squares = memoize("v", function(n) return { n * n } end)
local label, labels = memoize("k", function(object) return { of = object, text = "object " .. object.id } end)

-- Private fields: an ephemeron table, whose values refer to their keys.
local private = setmetatable({}, { __mode = "k" })
local function account(owner)
  local self = {}
  private[self] = { owner = owner, self = self, history = {} }
  return self
end
local function deposit(self, amount)
  local fields = private[self]
  fields.history[#fields.history + 1] = { amount, by = fields.self }
  return #fields.history
end

-- A ring of keys and values, each of which only the next one keeps alive.
local function ring(n)
  local chain = setmetatable({}, { __mode = "k" })
  local first = {}
  local key = first
  for i = 1, n do
    local after = { i }
    chain[key] = after
    key = after
  end
  return chain, first
end

local function length(chain, key)
  local count = 0
  while chain[key] do
    key = chain[key]
    count = count + 1
  end
  return count
end

local held, accounts = {}, {}
local chain, first = ring(SIZE)
for round = 1, SIZE do
  held[round % 6 + 1] = { value = square(round % 40), object = { id = round } }
  for _, entry in pairs(held) do
    assert(label(entry.object).of == entry.object)
  end
  accounts[round % 4 + 1] = account("owner " .. round)
  for _, one in pairs(accounts) do deposit(one, round) end
  local pair = setmetatable({}, { __mode = "kv" })
  pair[held[round % 6 + 1]] = held
  pair[{}] = held
  if round % 50 == 0 or round == SIZE then
    collectgarbage()
    collectgarbage()
    local count = 0
    for _, fields in pairs(private) do
      assert(private[fields.self] == fields)
      count = count + 1
    end
    print(round, (squares()), (labels()), count, next(pair) == held[round % 6 + 1], length(chain, first))
  end
end
local names = {}
for _, one in pairs(accounts) do names[#names + 1] = private[one].owner .. ":" .. #private[one].history end
print(table.concat(names, " "))
first, held, accounts = nil, nil, nil
collectgarbage()
collectgarbage()
print(next(chain), (squares()), (labels()), next(private))
