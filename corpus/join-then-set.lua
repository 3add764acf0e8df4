-- moonphase: lua=5.4 gc=5.1 check=barrier
-- finding: black-to-white setupvalue upvalue->table
-- clean: gc=5.1,setupvalue=upvalue
-- clean: gc=5.2
-- clean: gc=5.4
-- The fault step by step: a function that is not marked yet gets, by upvaluejoin, a variable that is marked already; then
-- setupvalue stores a new table into that variable, through the function.
collectgarbage("incremental", 100, 100, 1)
collectgarbage("stop")

local old = {}
local function function_old()
  return old
end

do
  local new = {}
  function function_new()
    return new
  end
end
collectgarbage()

-- A new cycle. function_new, a global, is reached first, with its variable and its value. function_old, a local of the main
-- function, is reached only when the stack is traversed.
for _ = 1, 21 do
  collectgarbage("step", 0)
end
debug.upvaluejoin(function_old, 1, function_new, 1)
debug.setupvalue(function_old, 1, { "kept" })

-- The cycle goes on to its end: a full collection would begin anew, and hide the fault.
repeat until collectgarbage("step", 0)
collectgarbage()
print(function_new()[1], function_old()[1])
