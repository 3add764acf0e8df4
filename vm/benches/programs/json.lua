-- A JSON encoder and decoder written in Lua: characters, patterns, buffers, recursion.
local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t" }
local unescapes = { n = "\n", t = "\t" }

local function encode(value, out)
  local kind = type(value)
  if kind == "table" then
    if #value > 0 then
      out[#out + 1] = "["
      for i, item in ipairs(value) do
        if i > 1 then
          out[#out + 1] = ","
        end
        encode(item, out)
      end
      out[#out + 1] = "]"
    else
      local keys = {}
      for key in pairs(value) do
        keys[#keys + 1] = key
      end
      table.sort(keys)
      out[#out + 1] = "{"
      for i, key in ipairs(keys) do
        if i > 1 then
          out[#out + 1] = ","
        end
        encode(key, out)
        out[#out + 1] = ":"
        encode(value[key], out)
      end
      out[#out + 1] = "}"
    end
  elseif kind == "string" then
    out[#out + 1] = '"' .. value:gsub('[%c"\\]', escapes) .. '"'
  else
    out[#out + 1] = tostring(value)
  end
end

local decode

local function skip(text, at)
  return text:find("%S", at) or #text + 1
end

local function string_at(text, at)
  local from, pieces = at + 1, {}
  while true do
    local stop = text:find('["\\]', from)
    pieces[#pieces + 1] = text:sub(from, stop - 1)
    if text:byte(stop) == 34 then
      return table.concat(pieces), stop + 1
    end
    local escaped = text:sub(stop + 1, stop + 1)
    pieces[#pieces + 1] = unescapes[escaped] or escaped
    from = stop + 2
  end
end

local function items(text, at, close, read)
  at = skip(text, at + 1)
  if text:sub(at, at) == close then
    return at + 1
  end
  while true do
    at = skip(text, read(at))
    local char = text:sub(at, at)
    if char == close then
      return at + 1
    elseif char ~= "," then
      error("expected ',' or '" .. close .. "' at " .. at)
    end
    at = skip(text, at + 1)
  end
end

local words = { t = { "true", true }, f = { "false", false }, n = { "null", nil } }

function decode(text, at)
  at = skip(text, at)
  local char = text:sub(at, at)
  if char == "{" then
    local object = {}
    at = items(text, at, "}", function(from)
      local key, value
      key, from = string_at(text, from)
      value, from = decode(text, skip(text, from) + 1)
      object[key] = value
      return from
    end)
    return object, at
  elseif char == "[" then
    local list = {}
    at = items(text, at, "]", function(from)
      local value
      value, from = decode(text, from)
      list[#list + 1] = value
      return from
    end)
    return list, at
  elseif char == '"' then
    return string_at(text, at)
  elseif words[char] then
    return words[char][2], at + #words[char][1]
  end
  local number = text:match("^-?[%d.]+[eE]?[+-]?%d*", at)
  return tonumber(number), at + #number
end

return function()
  local data = {}
  for i = 1, 150 do
    data[i] = {
      id = i, name = "item " .. i, price = i * 1.5, tags = { "a", "b\n", 'quoted "' .. i .. '"' },
      inner = { yes = i % 2 == 0, list = { i, i + 1, i + 2 }, none = {} },
    }
  end
  local text
  for _ = 1, 4 do
    local out = {}
    encode(data, out)
    text = table.concat(out)
    data = decode(text, 1)
  end
  return #text .. " " .. data[150].inner.list[3] .. " " .. data[7].tags[3]
end
