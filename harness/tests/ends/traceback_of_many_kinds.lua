local function tail() return error("in a tail call") end
local mt = {__add = function(a, b) tail() end, __index = function(t, k) return t + k end}
local object = setmetatable({}, mt)
local function field() return object.name end
M = {inner = {f = function() local v = field() return v end}}
package.loaded.module = {g = function() M.inner.f() end}
local co = coroutine.wrap(function() package.loaded.module.g() end)
local ok, message = pcall(co)
print(ok, message)
table.sort({1, 2}, function() pcall(print, "sorting") package.loaded.module.g() end)
