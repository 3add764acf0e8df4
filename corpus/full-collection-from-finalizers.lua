-- moonphase: lua=5.4 gc=5.1,setupvalue=upvalue check=full
-- clean: gc=5.1,setupvalue=upvalue
-- clean: gc=5.2
-- clean: gc=5.4
-- A full collection of 5.1 begins to mark while objects still wait for their finalizers, with the colour of the cycle before.
-- Their turn comes in the atomic phase: until then it is no fault that they are black.
collectgarbage("incremental", 100, 100, 1)
collectgarbage("stop")
for _ = 1, 120 do
  collectgarbage("step", 0)
  for _ = 1, 4 do
    collectgarbage("step")
  end
  collectgarbage("step")
  collectgarbage("step")
  setmetatable({}, { __gc = 1 })
end
