local s = "text"
print(pcall(s.rep))
print(pcall(("x").bad))
s:rep({})
