-- Many small closures, each with an upvalue of its own; one in eight stays for a while.
return function()
  local kept, sum = {}, 0
  for i = 1, 300000 do
    local n = i
    local function add(by)
      n = n + by
      return n
    end
    sum = sum + add(1)
    if i % 8 == 0 then
      kept[i // 8 % 4096 + 1] = add
    end
  end
  return sum .. " " .. #kept
end
