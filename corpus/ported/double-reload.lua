-- moonphase: engine=./src lua=5.1 check=barrier reference=none
-- finding: black-to-white upvalue->table
-- For a Lua 5.1.5 with upvaluejoin ported to it, whose sources are in the folder src.
-- A server reloads its logger twice. A reload runs the module again, lets the new functions share the variables of the old
-- ones (upvaluejoin, which its Lua 5.1 has from 5.2), and then sets fresh data through the new function (setupvalue). The first
-- reload happens between two collections. The second one happens while the collector marks: the shared variable is black
-- already, the new function is still white. Each number of steps before it is tried.
collectgarbage("setstepmul", 100)

local source = [[
local settings = { level = "info" }
local M = {}
function M.log(text) return settings.level .. ": " .. text end
function M.level() return settings.level end
return M
]]

local function run_module()
  return loadstring(source, "=logger")()
end

local function upvalue(f, wanted)
  for i = 1, 60 do
    local name = debug.getupvalue(f, i)
    if name == wanted or name == nil then
      return name and i
    end
  end
end

local function reload(data)
  local new = run_module()
  for _, name in ipairs({ "log", "level" }) do
    local f, old = new[name], logger[name]
    debug.upvaluejoin(f, upvalue(f, "settings"), old, upvalue(old, "settings"))
    debug.setupvalue(f, upvalue(f, "settings"), { level = data .. "-" .. name })
  end
  logger = new
end

for steps = 1, 40 do
  logger = run_module()
  collectgarbage()
  reload("first")
  collectgarbage()
  for _ = 1, steps do
    collectgarbage("step", 0)
  end
  reload("second")
  -- The cycle goes on to its end: a full collection would begin anew, and hide the fault.
  repeat until collectgarbage("step", 0)
  local others = { { level = "lost" }, { level = "lost" }, { level = "lost" }, { level = "lost" } }
  if logger.level() ~= "second-level" then
    error("after " .. steps .. " steps the level is " .. tostring(logger.level()))
  end
end
