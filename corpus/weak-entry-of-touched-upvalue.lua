-- moonphase: lua=5.4 gc=5.3 check=barrier
-- clean: gc=5.2
-- clean: gc=5.4
-- Under the rules of Lua 5.3 a closure that is traversed touches its open upvalue, whose value then survives the thread by one
-- collection, and with it the weak entry. The next one clears the entry, but has marked its key before, so the string lives
-- until a third collection: a check for completeness must wait for it.
entries = setmetatable({}, { __mode = "v" })
local get
local co = coroutine.wrap(function()
  local kept
  function get()
    return kept
  end
  kept = coroutine.yield()
  coroutine.yield()
end)
co()
co({})
collectgarbage("step")
entries.b = get()
