-- A backslash before a character without a meaning stands for the character.
local a = "\q\x41\z\u{41}\'\"\\\a\b\f\n\r\t\v\0\0651\255"
local b = 'line\
break'
local c = [[
first line is not empty
 ] ]= ]]
local d = [==[ [[ nested ]] ]=] [=[ ]==]
local e = "caf\195\169 月" .. 'x' .. [[]]
--[[ a comment
over lines ]] local f = 1 --[=[ [[ another ]] ]=] local g = 2 --[ no long one
return a, b, c, d, e, f, g;
