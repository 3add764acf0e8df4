-- Encodes and decodes JSON, again and again. SIZE documents.

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t" }
local unescapes = { n = "\n", t = "\t", ["/"] = "/", ["\\"] = "\\", ['"'] = '"' }

local function encode(value, out)
  local kind = type(value)
  if kind == "table" then
    if #value > 0 or next(value) == nil then
      out[#out + 1] = "["
      for i, item in ipairs(value) do
        if i > 1 then out[#out + 1] = "," end
        encode(item, out)
      end
      out[#out + 1] = "]"
    else
      local keys = {}
      for key in pairs(value) do keys[#keys + 1] = key end
      table.sort(keys)
      out[#out + 1] = "{"
      for i, key in ipairs(keys) do
        if i > 1 then out[#out + 1] = "," end
        encode(key, out)
        out[#out + 1] = ":"
        encode(value[key], out)
      end
      out[#out + 1] = "}"
    end
  elseif kind == "string" then
    out[#out + 1] = '"' .. value:gsub('[%c"\\]', function(c)
      return escapes[c] or ("\\u%04x"):format(c:byte())
    end) .. '"'
  elseif kind == "number" then
    out[#out + 1] = math.type(value) == "integer" and tostring(value) or ("%.14g"):format(value)
  else
    out[#out + 1] = tostring(value)
  end
  return out
end

local function to_json(value)
  return table.concat(encode(value, {}))
end

local decode

local function skip(text, at)
  return text:find("%S", at) or #text + 1
end

local function fail(text, at, what)
  error(("%s at %d near '%s'"):format(what, at, text:sub(at, at + 5)), 0)
end

local function decode_string(text, at)
  local parts = {}
  local from = at + 1
  while true do
    local stop = text:find('["\\]', from) or fail(text, at, "open string")
    parts[#parts + 1] = text:sub(from, stop - 1)
    if text:sub(stop, stop) == '"' then
      return table.concat(parts), stop + 1
    end
    local c = text:sub(stop + 1, stop + 1)
    if c == "u" then
      parts[#parts + 1] = utf8.char(tonumber(text:sub(stop + 2, stop + 5), 16))
      from = stop + 6
    else
      parts[#parts + 1] = unescapes[c] or fail(text, stop, "bad escape")
      from = stop + 2
    end
  end
end

local literals = { ["true"] = true, ["false"] = false }

function decode(text, at)
  at = skip(text, at)
  local c = text:sub(at, at)
  if c == '"' then
    return decode_string(text, at)
  elseif c == "[" or c == "{" then
    local result, close = {}, c == "[" and "]" or "}"
    at = skip(text, at + 1)
    while text:sub(at, at) ~= close do
      local key, value
      if close == "}" then
        key, at = decode_string(text, at)
        at = skip(text, at)
        if text:sub(at, at) ~= ":" then fail(text, at, "no colon") end
        at = at + 1
      else
        key = #result + 1
      end
      value, at = decode(text, at)
      result[key] = value
      at = skip(text, at)
      if text:sub(at, at) == "," then
        at = skip(text, at + 1)
      elseif text:sub(at, at) ~= close then
        fail(text, at, "no end")
      end
    end
    return result, at + 1
  end
  local word = text:match("^%a+", at)
  if word then
    if literals[word] == nil then fail(text, at, "bad word") end
    return literals[word], at + #word
  end
  local number = text:match("^-?%d+%.?%d*[eE]?[+-]?%d*", at) or fail(text, at, "nothing")
  return math.tointeger(number) or tonumber(number), at + #number
end

local function document(n)
  return {
    id = n,
    name = "item " .. n,
    price = n / 8,
    tags = { "a", "b\t" .. n, 'c"' .. n .. '"' },
    nested = { deep = { deeper = { n, n + 1, { last = n % 2 == 0 } } }, empty = {} },
    text = ("line %d\n"):rep(n % 4):format(n, n, n, n),
  }
end

local total, kept = 0, {}
for n = 1, SIZE do
  local text = to_json(document(n))
  local again = decode(text, 1)
  assert(to_json(again) == text)
  kept[n % 5 + 1] = again
  total = total + #text
  local ok, message = pcall(decode, text:sub(1, -(n % 7 + 2)), 1)
  if n % 10 == 0 or n == SIZE then
    print(n, total, ok, message)
  end
end
for _, value in ipairs(kept) do
  print(to_json(value))
end
