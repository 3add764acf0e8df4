-- A server that answers requests, and whose modules are reloaded while it runs: new functions take over the variables of
-- the old ones by upvaluejoin, and data is set by setupvalue. SIZE ticks, with collector steps of every size between.

collectgarbage("incremental", 100, 200, 6)

local sources = {
  log = [[
    local lines, limit = {}, 12
    local M = { version = VERSION }
    local function trim() while #lines > limit do table.remove(lines, 1) end end
    function M.add(text) lines[#lines + 1] = "v" .. M.version .. " " .. text trim() return #lines end
    function M.last() return lines[#lines] end
    function M.count() return #lines, limit end
    return M
  ]],
  store = [[
    local log = require("log")
    local items, hits = {}, 0
    local M = { version = VERSION }
    function M.put(key, value) items[key] = { value = value, by = M.version } log.add("put " .. key) end
    function M.get(key) hits = hits + 1 local item = items[key] return item and item.value, item and item.by end
    function M.hits() return hits end
    return M
  ]],
}

local version = 0
for name, source in pairs(sources) do
  package.preload[name] = function()
    return assert(load((source:gsub("VERSION", tostring(version))), "=" .. name))()
  end
end

local function upvalue(f, wanted)
  local i = 1
  while true do
    local name, value = debug.getupvalue(f, i)
    if name == wanted then return i, value end
    if not name then return nil end
    i = i + 1
  end
end

local function reload(name, data)
  local old = package.loaded[name]
  package.loaded[name] = nil
  local new = require(name)
  for field, f in pairs(new) do
    local before = old[field]
    if type(f) == "function" and type(before) == "function" then
      local i = 1
      while true do
        local shared = debug.getupvalue(f, i)
        if not shared then break end
        local j = upvalue(before, shared)
        if j and shared ~= "M" and shared ~= "trim" then
          debug.upvaluejoin(f, i, before, j)
          assert(debug.upvalueid(f, i) == debug.upvalueid(before, j))
        end
        i = i + 1
        collectgarbage("step", 0)
      end
      old[field] = f
    end
  end
  for shared, value in pairs(data) do
    for _, f in pairs(new) do
      local i = type(f) == "function" and upvalue(f, shared)
      if i then
        debug.setupvalue(f, i, value)
        break
      end
    end
  end
  -- Whoever holds the old module calls the new functions.
  old.version = new.version
  return new
end

local function client(id)
  local sent = 0
  return coroutine.wrap(function()
    while true do
      sent = sent + 1
      coroutine.yield(sent % 3 == 0 and "get" or "put", "key" .. (id * sent) % 17, { id, sent })
    end
  end)
end

local clients = {}
for id = 1, 5 do clients[id] = client(id) end

local answers = 0
for tick = 1, SIZE do
  for id = 1, #clients do
    local what, key, value = clients[id]()
    local store = require("store")
    if what == "put" then
      store.put(key, value)
    else
      local found, by = store.get(key)
      if found then answers = answers + found[1] + by % 2 end
    end
  end
  if tick % 7 == 0 then
    version = version + 1
    reload("log", tick % 2 == 0 and { limit = 8 + tick % 9 } or { lines = { "fresh " .. tick } })
    -- Requests that arrive between two reloads.
    require("log").add("reloaded")
    reload("store", {})
  end
  if tick % 3 == 0 then collectgarbage("step", tick % 5) end
  if tick % 10 == 0 or tick == SIZE then
    local log, store = require("log"), require("store")
    print(tick, answers, store.hits(), log.last(), log.count())
  end
end
