-- moonphase: lua=5.4 gc=5.1,setupvalue=upvalue check=barrier
-- clean: gc=5.2
-- clean: gc=5.4
-- Weak tables with finalizers. They wait for their finalizers gray, and under the rules of Lua 5.1 no sweep makes them white.
-- The full collection that follows marks anew before it calls them, so until its atomic phase they have the colour of the
-- cycle before: no fault, and a check of gray objects must leave them aside.
collectgarbage("incremental", 100, 100, 1)
collectgarbage("stop")
for _ = 1, 23 do
  collectgarbage("step")
  local both, hosts, waiting, sets = nil, {}, {}, nil
  for i = 106, 106 do
    waiting[setmetatable({}, {__gc = 0, __mode = 0 and "v"})] = true
    hosts[6] = next(waiting)
    hosts[i // 2 % 6 + 1].a = {}
  end
end
