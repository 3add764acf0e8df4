-- Sorting by a comparator: native code that calls Lua.
return function()
  local list, state = {}, 42
  for i = 1, 20000 do
    state = (state * 1103515245 + 12345) & 0x7FFFFFFF
    list[i] = { key = state % 1000, order = i }
  end
  table.sort(list, function(a, b)
    if a.key ~= b.key then
      return a.key < b.key
    end
    return a.order < b.order
  end)
  return list[1].order .. " " .. list[10000].order
end
