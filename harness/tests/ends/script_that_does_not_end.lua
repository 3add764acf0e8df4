print("never")
local s = [[
