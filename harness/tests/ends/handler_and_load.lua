local function handler(m) print("handler", m) return m end
print(xpcall(function() return load(function() error("reader", 0) end) end, handler))
print(xpcall(function() return load(function() return {} end) end, handler))
print(xpcall(function() return load("x = = 1", "=chunk") end, handler))
print(xpcall(function() return load("\27Lua") end, handler))
print(xpcall(function() return load("x = 1", "=chunk", "b") end, handler))
print(xpcall(function() return load(function() return nil + 1 end) end, handler))
print(xpcall(function() return load(function() coroutine.yield() end) end, handler))
print(xpcall(load, handler))
print(xpcall(load, handler, {}))
local n = 0
print(xpcall(function() return load(function() n = n + 1 if n == 1 then return "x = " end error(setmetatable({}, {__tostring = function() return "object" end})) end) end, handler))
print(xpcall(function() return load("return " .. ("("):rep(500) .. "1" .. (")"):rep(500), "=deep") end, handler))
print(xpcall(function() return loadfile("not-there.lua") end, handler))
print(xpcall(function() return dofile("not-there.lua") end, handler))
print(xpcall(function() return require("not-there") end, function(m) print("handler", (m:gsub("\n.*", ""))) return "required" end))
local messages = {}
print(xpcall(function() local function deep() return load(deep) end return deep() end, function(m) messages[#messages + 1] = m return m end))
print(#messages, messages[1], messages[2], messages[#messages])
