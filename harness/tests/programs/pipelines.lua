-- Coroutines that feed each other: sources, filters, a scheduler with errors and closed coroutines. SIZE numbers.

local function source(n)
  return coroutine.wrap(function()
    for i = 2, n do coroutine.yield(i) end
  end)
end

local function map(f, input)
  return coroutine.wrap(function()
    for value in input do coroutine.yield(f(value)) end
  end)
end

local function filter(keep, input)
  return coroutine.wrap(function()
    for value in input do
      if keep(value) then coroutine.yield(value) end
    end
  end)
end

local function take(n, input)
  return coroutine.wrap(function()
    for _ = 1, n do
      local value = input()
      if value == nil then return end
      coroutine.yield(value)
    end
  end)
end

local function fold(f, start, input)
  for value in input do start = f(start, value) end
  return start
end

-- A sieve in which every prime is a coroutine.
local primes = {}
local numbers = source(SIZE)
while true do
  local prime = numbers()
  if not prime then break end
  primes[#primes + 1] = prime
  numbers = filter(function(n) return n % prime ~= 0 end, numbers)
end
print(#primes, primes[#primes], table.concat(primes, ",", 1, math.min(10, #primes)))

print(fold(function(a, b) return (a * 31 + b) % 1000003 end, 7, map(function(n) return n * n end, source(SIZE))))

local boxed = map(function(n) return { n = n, s = "n" .. n } end, source(SIZE))
print(fold(function(list, box)
  list[#list % 8 + 1] = box.s
  return list
end, {}, take(SIZE // 2, boxed))[1])

-- Tasks by turns: some fail, some are closed while they wait, some wait through a protected call.
local log, closed, failed = {}, 0, 0
local function task(id)
  return coroutine.create(function()
    local guard <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
    local state = {}
    for round = 1, id % 5 + 2 do
      state[round] = { id, round }
      local ok, message = pcall(function()
        local given = coroutine.yield(state)
        if given == id then error("task " .. id, 0) end
        return given
      end)
      if not ok then failed = failed + 1 end
      log[#log % 16 + 1] = ok and #state or message
    end
    return #state
  end)
end

local tasks = {}
for id = 1, SIZE do tasks[id] = task(id) end
for round = 1, 8 do
  for id = 1, SIZE do
    local co = tasks[id]
    if coroutine.status(co) == "suspended" then
      if id % 7 == 0 and round == 3 then
        assert(coroutine.close(co))
      else
        assert(coroutine.resume(co, (id + round) % 4 == 0 and id or round))
      end
    end
    if id % 11 == 0 then tasks[id] = task(id) end
  end
end
print(closed, failed, table.concat(log, " "))
