print("before")
local function f() error("plain") end
local function g() f() end
g()
