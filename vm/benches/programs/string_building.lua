-- Strings that are put together: concatenation, format, rep, buffers.
return function()
  local length, text = 0, ""
  for i = 1, 2000 do
    text = text .. i .. ","
  end
  for i = 1, 40000 do
    local key = "item" .. i .. ":" .. i % 10
    length = length + #key + #string.format("%d/%s/%5.2f", i, "x", i / 3)
  end
  local parts = {}
  for i = 1, 40000 do
    parts[#parts + 1] = string.char(97 + i % 26)
  end
  return #table.concat(parts, "-") + length + #text + #("ab"):rep(10000)
end
