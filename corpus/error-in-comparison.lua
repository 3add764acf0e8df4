-- moonphase: lua=5.4 gc=5.4 check=full
-- clean: gc=5.1,setupvalue=upvalue
-- An error that leaves a native function has upvalues to close on its way. Between two of them the stack must still reach up
-- to those that are open.
collectgarbage("stop")
print(pcall(table.sort, { 1, 2 }, function()
  local first, second = {}, {}
  local function both()
    return first, second
  end
  error(both() == first, 0)
end))
