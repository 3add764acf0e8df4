-- Patterns: find, match, gmatch, gsub, and bytes of strings.
local text = ("The quick brown fox (number 42) jumps over 7 lazy dogs; path=/usr/lib/lua.so, key = value\n"):rep(40)

return function()
  local words, digits, sum = 0, 0, 0
  for _ = 1, 8 do
    for word in text:gmatch("%a+") do
      words = words + #word
    end
    for number in text:gmatch("%d+") do
      digits = digits + tonumber(number)
    end
    local replaced, count = text:gsub("(%w+)%s*=%s*(%w+)", "%2=%1")
    sum = sum + #replaced + count
    local upper = text:gsub("%l", function(letter)
      return letter:upper()
    end)
    sum = sum + #upper
    local from = 1
    while true do
      local start, stop = text:find("%(([^)]*)%)", from)
      if not start then
        break
      end
      sum, from = sum + stop - start, stop + 1
    end
    for i = 1, #text do
      sum = sum + text:byte(i)
    end
  end
  return words .. " " .. digits .. " " .. sum
end
