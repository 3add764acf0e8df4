-- moonphase: lua=5.4 gc=5.1 check=barrier
-- finding: black-to-white setupvalue upvalue->table
-- clean: gc=5.1,setupvalue=upvalue
-- clean: gc=5.2
-- clean: gc=5.4
-- No upvaluejoin is needed: two functions of one scope share a variable anyway. This is the fault of stock Lua 5.1.5.
collectgarbage("incremental", 100, 100, 1)
collectgarbage("stop")

local function make()
  local shared = {}
  local function early() return shared end
  local function late() return shared end
  return early, late
end

local late
early, late = make()
collectgarbage()
-- early, a global, is reached first; late, a local of the main function, only when the stack is traversed.
for _ = 1, 21 do
  collectgarbage("step", 0)
end
debug.setupvalue(late, 1, { "kept" })
-- The cycle goes on to its end: a full collection would begin anew, and hide the fault.
repeat until collectgarbage("step", 0)
collectgarbage()
print(early()[1], late()[1])
