local show, try, traced, cut
do
  local create, format, pcall, print, resume = coroutine.create, string.format, pcall, print, coroutine.resume
  local concat, globals, math_type, next, select, sort = table.concat, _G, math.type, next, select, table.sort
  local gsub, sub, tostring, traceback, type = string.gsub, string.sub, tostring, debug.traceback, type

  -- A value in words that do not depend on addresses, on the order of tables, or on which of two NaNs a processor keeps when it
  -- is given both: compilers swap operands.
  local function text(value, depth)
    local kind = type(value)
    if kind == "string" then
      local quoted = gsub(format("%q", sub(value, 1, 400)), "\n", "n")
      return #value > 400 and quoted .. "+" .. #value or quoted
    elseif value ~= value then
      return "nan"
    elseif kind == "number" then
      return math_type(value) == "float" and format("%.17g", value) .. "f" or format("%d", value)
    elseif value == globals then
      return "_G"
    elseif kind == "table" and depth < 3 then
      local parts = {}
      for key, item in next, value do
        parts[#parts + 1] = "[" .. text(key, 3) .. "]=" .. text(item, depth + 1)
      end
      sort(parts)
      return "{" .. concat(parts, " ") .. "}"
    elseif kind == "nil" or kind == "boolean" then
      return tostring(value)
    end
    return kind
  end

  function show(name, ...)
    local parts = { "[" .. name .. "]" }
    for i = 1, select("#", ...) do
      parts[i + 1] = text((select(i, ...)), 0)
    end
    print(concat(parts, " "))
  end

  function try(name, f, ...)
    show(name, pcall(f, ...))
  end

  -- Calls a function in a coroutine of its own; an error with its traceback.
  function traced(f, ...)
    local thread = create(f)
    local function results(ok, ...)
      if ok then
        return ok, ...
      end
      return ok, (...), traceback(thread)
    end
    return results(resume(thread, ...))
  end

  -- A string that has not grown too long.
  function cut(value)
    return type(value) == "string" and sub(value, 1, 80) or value
  end
end
