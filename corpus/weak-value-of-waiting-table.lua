-- moonphase: lua=5.4 gc=5.1,setupvalue=upvalue check=barrier
-- clean: gc=5.2
-- clean: gc=5.4
-- A weak table waits for its finalizer when its value dies, which has one too. Under the rules of Lua 5.1 a full collection
-- marks what waits at the end of its atomic phase only, when weak values have been cleared already, so the table
-- keeps that value: no fault, since nothing else reaches the table.
collectgarbage("incremental", 100, 100, 1)
collectgarbage("stop")
local function quiet() end
for steps = 20, 40 do
  local value = setmetatable({}, { __gc = quiet })
  setmetatable({ value = value }, { __mode = "v", __gc = quiet })
  for _ = 1, steps do
    collectgarbage("step", 0)
  end
  value = nil
  collectgarbage()
end
