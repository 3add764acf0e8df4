-- Runs a script on reference Lua with its output captured. Arguments: emit(text, end_of_line), the source and the name
-- of its chunk. Returns whether the script returned, and its error message where it did not.
--
-- `print` and `io.write` are Lua functions that behave as the native ones do, to the position in their messages.
-- Everything that reaches files, processes, native modules or the host's registry is taken away.

local emit, source, chunk_name = ...
local error, load, pcall, select, tostring, type = error, load, pcall, select, tostring, type
local concat, format, math_type = table.concat, string.format, math.type

function print(...)
  local count = select("#", ...)
  if count == 1 then
    local value = ...
    if type(value) == "string" then
      emit(value, true)
      return
    end
  end
  local texts = {}
  for i = 1, count do
    local ok, text = pcall(tostring, (select(i, ...)))
    if not ok then
      emit(concat(texts, "\t"), false)
      if text == "'__tostring' must return a string" then
        error(text, 2)
      end
      error(text, 0)
    end
    texts[i] = text
  end
  emit(concat(texts, "\t"), true)
end

local function write(result, ...)
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    local kind = math_type(value)
    if kind == "float" then
      value = format("%.14g", value)
    elseif not kind and type(value) ~= "string" then
      error("bad argument #" .. i .. " to 'write' (string expected, got " .. type(value) .. ")", 3)
    end
    emit(value, false)
  end
  return result
end

local stream = {}
function stream:write(...)
  local result = write(self, ...)
  return result
end

io = {
  write = function(...)
    local result = write(stream, ...)
    return result
  end,
}
os = { clock = os.clock, date = os.date, getenv = os.getenv, time = os.time }
package.loaded.io, package.loaded.os = io, os
package.searchers = { package.searchers[1] }
package.path, package.cpath, package.loadlib, package.searchpath = "", "", nil, nil
debug.debug, debug.getregistry, string.dump, dofile, loadfile = nil, nil, nil, nil, nil

local chunk, message = load(source, chunk_name, "t")
if not chunk then
  return false, message
end
source = nil

local ok, problem = pcall(chunk)
if ok then
  return true
end
local kind = type(problem)
if kind == "string" or kind == "number" then
  return false, format("%s", problem)
end
return false, "(error object is a " .. kind .. " value)"
