-- Text: building, cutting, replacing, formatting, ropes. SIZE rounds.

local words = {}
for word in ([[the moon goes white and gray and black and then white again while the tide follows]]):gmatch("%a+") do
  words[#words + 1] = word
end

-- A rope joins texts when it is asked for them.
local Rope = {}
Rope.__index = Rope
Rope.__concat = function(a, b) return setmetatable({ left = a, right = b }, Rope) end
Rope.__len = function(rope) return #tostring(rope) end
Rope.__tostring = function(rope)
  local out = {}
  local function walk(part)
    if getmetatable(part) == Rope then
      walk(part.left)
      walk(part.right)
    else
      out[#out + 1] = part
    end
  end
  walk(rope)
  return table.concat(out)
end

local function sum(text)
  local total = 5381
  for i = 1, #text do total = (total * 33 + text:byte(i)) % 4294967291 end
  return total
end

local frequency, rope = {}, setmetatable({ left = "", right = "" }, Rope)
for round = 1, SIZE do
  local parts = {}
  for i = 1, 12 do
    parts[i] = words[(round * i) % #words + 1]
  end
  local line = table.concat(parts, " ")
  for word in line:gmatch("%w+") do frequency[word] = (frequency[word] or 0) + 1 end

  local upper = line:gsub("(%w)(%w*)", function(head, tail) return head:upper() .. tail end)
  local swapped = line:gsub("(%w+) (%w+)", "%2 %1")
  local masked = line:gsub("%w+", { moon = "sun", tide = false, white = "pale" })
  local long = (line .. "\n"):rep(3)
  rope = rope .. (round % 3 == 0 and upper or swapped:sub(round % 9 + 1, -(round % 5) - 1)) .. "|"
  if round % 20 == 0 or round == SIZE then
    print(("%5d %-12.8s|%08x|%q|%6.2f"):format(round, masked, sum(long), upper:sub(1, 9), #rope / round))
    rope = setmetatable({ left = tostring(rope):sub(-40), right = "#" }, Rope)
  end
  assert(line:reverse():reverse() == line and #long == 3 * (#line + 1))
end

local names = {}
for word, count in pairs(frequency) do names[#names + 1] = ("%s=%d"):format(word, count) end
table.sort(names, function(a, b) return a:lower() < b:lower() end)
print(table.concat(names, " "))
print(sum(tostring(rope)), utf8.len("für äöü €"), #utf8.char(8364, 228))
