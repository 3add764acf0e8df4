-- moonphase: lua=5.4 gc=generational check=barrier
-- clean: gc=5.1,setupvalue=upvalue
-- clean: gc=5.3
-- clean: gc=5.4
-- An old closure is joined to the open variable of a young coroutine. The barrier makes the upvalue old, older than its thread.
-- The coroutine stores into its register, which needs no barrier, and dies. The upvalue is closed in the sweep that frees the
-- thread, where barriers do nothing: an old upvalue refers to a young table, and nobody remembers it. A later minor collection
-- frees the table. Lua 5.4.2 to 5.4.9 and 5.5.1 do that, and ours once did.
collectgarbage("generational")
local function f() return _ENV end
collectgarbage()
local co = coroutine.wrap(function()
  local x = { 1 }
  debug.upvaluejoin(f, 1, function() return x end, 1)
  coroutine.yield()
  x = { 2 }
  coroutine.yield()
end)
co()
collectgarbage("step")
co()
co = nil
collectgarbage("step")
collectgarbage("step")
local y = f()[1]
