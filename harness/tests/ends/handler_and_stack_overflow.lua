local function deep() return 1 + deep() end
print(xpcall(deep, function(m) return "handled " .. m:gsub("\n.*", "") end))
local depth
print(xpcall(deep, function(m) depth = 0 local function down(n) depth = n return 1 + down(n + 1) end down(1) end))
print(depth)
local calls = 0
print(xpcall(deep, function(m) calls = calls + 1 return deep() end))
print(calls)
print(xpcall(deep, function(m) local ok, e = pcall(deep) return "inner " .. tostring(e):gsub("\n.*", "") end))
print(xpcall(deep, debug.traceback) == false)
