local list = { 0, 1, 12, 1., .5, 1e3, 1E-3, 1e+3, 0xff, 0XAB, 9007199254740991, 9007199254740993, 1e308 * 10, 3.0, 1e400 }
local joined = 0xA..1 .. 2 .. 3.5
local power = 2 ^ 3 ^ -2 * -2 ^ 2 % 3 / 4 - - -1
return list, joined, power, 5 - -3, 7 % -2, 0xe+1
