#!/usr/bin/lua5.1
local function f(...) local a, b = ... return (...), a, b end
local function g(a, b, ...) do return select('#', ...), a, b, arg end end
for i = 1, 3 do if i == 2 then break end; print(i); end
for i = 10, 1, -1 do local x = i; break; end
for k, v in pairs({ 1, 2 }), nil, nil do print(k, v) end
while true do do break end print("never") end
repeat local done = f(1) until done
if f() then elseif g() then return else print() end
do local x; x = 1; (f or g)(x); end
local t = { f = { g = {} } };
(t.f).g = f
;(t)["f"].g = (g)
t.f.h, t[1], t["a b"] = 1, 2
function t.f.g.h(...) end
function t.f.m(self) return self end
local s = ("x"):rep(3), t.f:m(), f{ 1 }, f"x", f[[y]]
local compare = 1 < 2 == true ~= false, 1 <= 2, 1 >= 2, not (1 > 2), "a" .. "b" == "ab"
local logic = nil and true or false, nil or (1 and 2), not nil == true
print(f
  { 1 }, f
  "x")
return f(f(1), (g(2)))
