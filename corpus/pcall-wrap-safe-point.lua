-- moonphase: lua=5.4 gc=5.4 check=barrier
-- clean: gc=5.2
-- A safe point after a call must not take the stack of a coroutine that was entered for that of its resumer: it once cleared
-- values of the latter.
local function report(...)
  print(select("#", ...), ...)
end
collectgarbage("incremental", 100, 72, 1)
co1 = coroutine.wrap(function(v)
  t1 = {}
  t1[#t1 + 1] = {}
  v = coroutine.yield()
  return v
end)
collectgarbage("step", 0)
report(pcall(co1))
