-- Strings, short ones and long ones, of which few stay.
return function()
  local kept, length = {}, 0
  for i = 1, 300000 do
    local short = "key " .. i
    local long = i % 10 == 0 and short:rep(20) or short
    length = length + #long
    kept[i % 50000 + 1] = long
  end
  return length .. " " .. #kept
end
