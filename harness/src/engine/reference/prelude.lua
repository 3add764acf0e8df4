-- Prepares a script for reference Lua. Arguments: the source and the name of its chunk, and a word for other circumstances
-- than the usual ones. Returns the main chunk and a function that puts error objects into words; where the source is not
-- Lua, nil and its error message.

local source, chunk_name, circumstance = ...
local error, load, next, pcall, rawget, setmetatable, tostring, type =
  error, load, next, pcall, rawget, setmetatable, tostring, type
local getmetatable = debug.getmetatable
local format, gsub = string.format, string.gsub

-- Another name of `math.atan`, which the manual does not have; messages would take either.
math.atan2 = nil

-- What a correct Lua may do otherwise. The functions may be told from the native ones; whoever asks for circumstances
-- compares what a script prints.
local circumstances = {}

function circumstances.clock()
  local date, time, ticks = os.date, os.time, 0
  local now = 40000000
  function os.clock()
    ticks = ticks + 0.7531
    return ticks
  end
  function os.time(fields)
    return fields and time(fields) + 3600 or now
  end
  function os.date(text, seconds)
    local utc = type(text) == "string" and text:sub(1, 1) == "!"
    return date(text, seconds and (utc and seconds or seconds + 4265) or now)
  end
end

-- Traversals in an order of the keys. Keys that have no order come as they do.
local function traverse(before)
  local sort = table.sort
  local function precedes(left, right)
    local kind = type(left)
    if kind ~= type(right) then
      return before(kind, type(right))
    end
    return (kind == "number" or kind == "string") and before(left, right)
  end
  local keys, entries = { __mode = "k" }, { __mode = "kv" }
  local traversals = setmetatable({}, keys)
  local plain = next
  function next(t, key)
    if type(t) ~= "table" then
      return plain(t, key)
    end
    if key == nil then
      local list, count = {}, 0
      for each in plain, t do
        count = count + 1
        list[count] = each
      end
      sort(list, precedes)
      local places, ordered = setmetatable({}, keys), setmetatable({}, entries)
      for place = 1, count do
        local each = list[place]
        ordered[place], places[each] = each, place
      end
      traversals[t] = { ordered = ordered, places = places, count = count }
    end
    local traversal = traversals[t]
    local place = key == nil and 0 or traversal and traversal.places[key]
    if not place then
      return plain(t, key)
    end
    for other = place + 1, traversal.count do
      local each = traversal.ordered[other]
      local value = nil
      if each ~= nil then
        value = rawget(t, each)
      end
      if value ~= nil then
        return each, value
      end
    end
  end
  local stock, traversing = pairs, next
  function pairs(t)
    local metatable = getmetatable(t)
    if type(t) ~= "table" or metatable and rawget(metatable, "__pairs") then
      return stock(t)
    end
    return traversing, t, nil
  end
  _G.next = traversing
end

function circumstances.ascending()
  traverse(function(left, right) return left < right end)
end

function circumstances.descending()
  traverse(function(left, right) return left > right end)
end

function circumstances.seed()
  math.randomseed(314159)
end

function circumstances.addresses()
  local stock = format
  local function longer(text)
    return (gsub(text, "0x%x+", "0x0123456789abcdef"))
  end
  function _G.tostring(value)
    local text, kind = tostring(value), type(value)
    local named = kind == "table" or kind == "function" or kind == "thread" or kind == "userdata"
    return named and longer(text) or text
  end
  function string.format(text, ...)
    local result = stock(text, ...)
    return type(text) == "string" and (text:find("%%%-?%d*p") or text:find("%%%-?%d*s")) and longer(result) or result
  end
end

function circumstances.chunks()
  local dump = string.dump
  function string.dump(f, strip)
    return dump(f, not strip)
  end
end

function circumstances.instructions()
  local sethook = debug.sethook
  function debug.sethook(...)
    local arguments = table.pack(...)
    local count = type(arguments[1]) == "thread" and 4 or 3
    if math.type(arguments[count]) == "integer" and arguments[count] > 0 then
      arguments[count] = arguments[count] * 2 + 1
    end
    return sethook(table.unpack(arguments, 1, arguments.n))
  end
end

if circumstance then
  circumstances[circumstance]()
end

local chunk, message = load(source, chunk_name, "t")
if not chunk then
  return nil, message
end

-- What the stand-alone interpreter says of an error object.
local function describe(problem)
  local kind = type(problem)
  if kind == "string" or kind == "number" then
    return format("%s", problem)
  end
  local metatable = getmetatable(problem)
  local handler = metatable and rawget(metatable, "__tostring")
  if handler then
    local ok, text = pcall(handler, problem)
    if ok and type(text) == "string" then
      return text
    end
  end
  return "(error object is a " .. kind .. " value)"
end
return chunk, describe
