-- moonphase: lua=5.4 gc=5.4 check=barrier schedule=barriers
-- A line hook is called once for a line, wherever a finalizer runs. Under a schedule that is also before an instruction; what
-- returned from the finalizer then was once taken for the instruction itself, and its line was told twice.
local log = {}
local function watched()
  local t = {}
  t.a = 1
  t.b = 2
  return t.a
end
for i = 1, 40 do
  setmetatable({}, {__gc = function() end})
  local n = 0
  debug.sethook(function(_, line) n = n + 1 end, "l")
  watched()
  debug.sethook()
  log[#log + 1] = n
end
print(table.concat(log, " "))
