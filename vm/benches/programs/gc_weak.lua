-- Weak tables: a cache with weak values, properties of objects with weak keys.
return function()
  local cache, properties, kept, hits = setmetatable({}, { __mode = "v" }), setmetatable({}, { __mode = "k" }), {}, 0
  for i = 1, 120000 do
    local key = i * 7 % 20000
    local object = cache[key]
    if object then
      hits = hits + 1
    else
      object = { key }
      cache[key] = object
    end
    properties[object] = { object }
    if i % 4 == 0 then
      kept[i % 5000 + 1] = object
    end
  end
  return #kept
end
