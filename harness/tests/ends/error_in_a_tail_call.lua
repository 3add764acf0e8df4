local function last() error("last") end
local function first() return last() end
first()
