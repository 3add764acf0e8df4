-- moonphase: lua=5.4 gc=5.1 check=barrier
-- finding: black-to-white setupvalue upvalue->table
-- clean: gc=5.1,setupvalue=upvalue
-- clean: gc=5.2
-- clean: gc=5.4
-- A server reloads its logger twice. A reload runs the module again, lets the new functions share the variables of the old
-- ones (upvaluejoin), and then sets fresh data through the new function (setupvalue). The first reload happens between two
-- collections. The second one happens while the collector marks: the shared variable is black already, the new function is
-- still white.
collectgarbage("incremental", 100, 100, 1)
collectgarbage("stop")

local source = [[
local settings = { level = "info" }
local M = {}
function M.log(text) return settings.level .. ": " .. text end
function M.level() return settings.level end
return M
]]

local function run_module()
  return load(source, "=logger")()
end

local function upvalue(f, wanted)
  for i = 1, 255 do
    local name = debug.getupvalue(f, i)
    if name == wanted or name == nil then
      return name and i
    end
  end
end

logger = run_module()

local function reload(data)
  local new = run_module()
  for _, name in ipairs({ "log", "level" }) do
    local f, old = new[name], logger[name]
    debug.upvaluejoin(f, upvalue(f, "settings"), old, upvalue(old, "settings"))
    debug.setupvalue(f, upvalue(f, "settings"), { level = data .. "-" .. name })
  end
  logger = new
end

collectgarbage()
reload("first")
print(logger.log("loaded"))
collectgarbage()
for _ = 1, 27 do
  collectgarbage("step", 0)
end
reload("second")
-- The cycle goes on to its end: a full collection would begin anew, and hide the fault.
repeat until collectgarbage("step", 0)
collectgarbage()
print(logger.log("loaded again"), logger.level())
