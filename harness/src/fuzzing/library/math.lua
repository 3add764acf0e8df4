---- rounding and conversion
for _, x in ipairs {0, -0.0, 1, -1, 2.5, -2.5, 1e308, -1e308, math.huge, -math.huge, math.pi, math.maxinteger, math.mininteger, 2^53, 2^63, 0 / 0} do
  print(math.floor(x), math.ceil(x), math.abs(x), math.type(x), math.tointeger(x), math.modf(x))
end
print(math.tointeger('8'), math.tointeger('x'), math.tointeger({}), math.type('1'), math.type(nil), pcall(math.type), math.ult(1, -1), math.ult(-1, 1))
print(math.fmod(7, 3), math.fmod(-7, 3), math.fmod(7, -3), math.fmod(7.5, 2), math.fmod(math.mininteger, -1), pcall(math.fmod, 1, 0), math.fmod(1, 0.0), math.fmod(1, math.huge))
---- functions
for _, x in ipairs {0, 1, -1, 0.5, 10, 1e300, math.huge} do
  print(math.sqrt(x), math.exp(x), math.log(x), math.log(x, 2), math.log(x, 10), math.log(x, 3), math.sin(x), math.cos(x), math.tan(x))
  print(math.asin(x), math.acos(x), math.atan(x), math.atan(x, -1), math.deg(x), math.rad(x))
end
print(math.max(1, 2.5, -1), math.min(1, 2.5, -1), math.max(1), pcall(math.max), math.max(1, 1.0), math.min(-0.0, 0.0), pcall(math.max, '10', {}), math.pi)
---- functions of older versions
print(math.pow(2, 10), math.cosh(1), math.sinh(1), math.tanh(1), math.log10(1000), math.ldexp(0.5, 10), math.frexp(1024))
print(math.frexp(0), math.frexp(-1 / 0), math.frexp(5e-324), math.ldexp(1, 2000), math.ldexp(1, math.mininteger), pcall(math.ldexp, 1, 0.5))
---- random
math.randomseed(42)
print(math.random() < 1, math.random(10) <= 10, math.random(-5, 5) >= -5, math.random(0), math.random(math.mininteger, math.maxinteger), math.random(3, 3))
print(math.randomseed(1, 2), pcall(math.randomseed, 1.5), pcall(math.randomseed, {}), pcall(math.random, 0, -1), pcall(math.random, 1, 2, 3), pcall(math.random, 0.5))
print(select('#', math.randomseed()), math.random(1 << 40) > 0)
