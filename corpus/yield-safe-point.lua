-- moonphase: lua=5.4 gc=5.4 check=barrier
-- clean: gc=5.2
-- A yield returns to another stack than it was called on. The safe point after it once took the slots of the coroutine for
-- those of its resumer, and an atomic phase there cleared what lay above: the function that is about to be called.
local function show(value, depth)
  if type(value) == "table" then
    if meta and rawget(meta, "__mode") then
    end
    for i = 1, depth > 0 and 255 or 0 do
      if not name or name == "" then
      end
    end
  end
end
local function report(...)
  local values = table.pack(...)
  for i = 1, values.n do
    values[i] = show(values[i], 3)
  end
  print(values.n)
end
collectgarbage("incremental", 100, 72, 1)
co1 = coroutine.wrap(function(v)
  t1 = {}
  t1[#t1 + 1] = {}
  v = coroutine.yield()
end)
collectgarbage("step", 0)
report(pcall(co1))
