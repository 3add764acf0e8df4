-- moonphase: engine=lua51 lua=5.1 check=barrier reference=none
-- finding: black-to-white upvalue->table
-- No upvaluejoin is needed: two functions of one scope share a variable anyway. This is the fault of stock Lua 5.1.5, which
-- marks the value only if the closure is black, and not if the variable is. How many steps there are until the collector has
-- come to one function and not to the other differs between builds, so each number of them is tried.
collectgarbage("setstepmul", 100)

local function make()
  local shared = {}
  local function early() return shared end
  local function late() return shared end
  return early, late
end

for steps = 1, 40 do
  local late
  -- early, a global, is reached first; late, a local of the main function, only when the stack is traversed.
  early, late = make()
  collectgarbage()
  for _ = 1, steps do
    collectgarbage("step", 0)
  end
  debug.setupvalue(late, 1, { "kept" })
  -- The cycle goes on to its end: a full collection would begin anew, and hide the fault.
  repeat until collectgarbage("step", 0)
  -- What takes the place of the table, where it was freed.
  local others = { { "lost" }, { "lost" }, { "lost" }, { "lost" } }
  local kept = early()[1]
  if kept ~= "kept" then
    error("after " .. steps .. " steps the variable holds a table with " .. tostring(kept))
  end
end
