-- moonphase: lua=5.4 gc=5.4 check=barrier
-- A key that a table with a metatable lacks was once looked up twice, the second time in what the first had put into the table's
-- register.
local key, list = "key", setmetatable({}, {})
list = list[key]
print(list)
