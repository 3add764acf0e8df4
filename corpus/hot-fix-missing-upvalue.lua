-- moonphase: lua=5.4 gc=5.1 check=barrier
-- clean: gc=5.1,setupvalue=upvalue
-- clean: gc=5.2
-- clean: gc=5.4
-- A hot fix of one function of a running service. The new function wants a variable that the old one does not have; it is
-- taken from another function of the module, and without one it gets a value of its own by setupvalue.
collectgarbage("incremental", 100, 100, 1)

local function service()
  local count, limit = 0, 3
  local M = {}
  function M.add() count = count + 1 return count end
  function M.limit() return limit end
  return M
end

local M = service()
print(M.add(), M.add(), M.limit())

local fixed = load([[
local count, limit, log
return function()
  if count >= limit then log[#log + 1] = "full" return count end
  count = count + 1
  return count
end
]], "=fix")()

local function find(f, wanted)
  for i = 1, 255 do
    local name = debug.getupvalue(f, i)
    if name == wanted or name == nil then return name and i end
  end
end

local log = {}
for _, name in ipairs({ "count", "limit", "log" }) do
  local i = find(fixed, name)
  local joined = false
  for _, old in ipairs({ M.add, M.limit }) do
    local j = find(old, name)
    if j then
      debug.upvaluejoin(fixed, i, old, j)
      joined = true
    end
    collectgarbage("step", 0)
  end
  if not joined then
    debug.setupvalue(fixed, i, log)
  end
end
M.add = fixed
collectgarbage()
print(M.add(), M.add(), M.add(), log[1], #log, M.limit())
