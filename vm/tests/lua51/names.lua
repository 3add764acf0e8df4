-- `goto` is a name, and so is `_ENV`.
local goto, _ENV = 1, 2
goto = goto + _ENV
local t = { goto = goto, ["end"] = 1, [goto] = 2; "item", 'other' }
t.goto = t.goto + t["end"]
function t.goto(...) return arg, ... end
function t:method(a, b) return self, a, b end
print(goto, t.goto, t:method(1, 2), t.a, #t, -#t, not t)
goto = t.goto { goto }
goto "text"
