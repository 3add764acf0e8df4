-- moonphase: lua=5.4 gc=generational,old0=child check=barrier
-- finding: ages table-store table->table
-- clean: gc=generational
-- clean: gc=5.4
-- The fault of Lua 5.4.0 to 5.4.9 and 5.5.1 in generational mode. Joining an old function to a young upvalue marks the upvalue and
-- makes it old; its value is marked with it and stays young. The old table of globals gets the value without a barrier, since
-- it is not white. When the upvalue lets go of the value, a minor collection frees it, and the global leads to freed memory.
collectgarbage("generational")
value = "none"
local function make()
  local kept = { "alive" }
  return function() return kept end, function() kept = nil end
end
local old = make()
collectgarbage()

local get, forget = make()
debug.upvaluejoin(old, 1, get, 1)
local function publish() value = get() end
publish()
collectgarbage("step")
forget()
collectgarbage("step")
print(value[1])
