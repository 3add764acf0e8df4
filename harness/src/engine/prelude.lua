-- Prepares a script for reference Lua, with its output captured. Arguments: emit(text, end_of_line), the source and the name
-- of its chunk, and whether it may use the machine. Returns the main chunk and a function that puts error objects into
-- words; where the source is not Lua, nil and its error message.
--
-- `print` and `io.write` are Lua functions that behave as the native ones do, to the position in their messages.
-- Unless the script may use the machine, everything that reaches files, processes, native modules or the host's registry
-- is taken away.

local emit, source, chunk_name, machine = ...
local error, load, pcall, rawget, select, tostring, type = error, load, pcall, rawget, select, tostring, type
local getmetatable = debug.getmetatable
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


-- Another name of `math.atan`, which the manual does not have; messages would take either.
math.atan2 = nil

if machine then
  local output, stdout, write_file = io.output, io.stdout, io.write
  function io.write(...)
    if output() ~= stdout then
      return write_file(...)
    end
    local result = write(stdout, ...)
    return result
  end
else
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
end

local chunk, message = load(source, chunk_name, "t")
if not chunk then
  return nil, message
end

-- What the stand-alone interpreter says of an error object.
local function describe(problem)
  local kind = type(problem)
  if kind == "string" or kind == "number" then
    return format("%s", problem)
  end
  local metatable = getmetatable(problem)
  local handler = metatable and rawget(metatable, "__tostring")
  if handler then
    local ok, text = pcall(handler, problem)
    if ok and type(text) == "string" then
      return text
    end
  end
  return "(error object is a " .. kind .. " value)"
end
return chunk, describe
