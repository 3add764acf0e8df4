---- numbers
print(('%d %5d %-5d| %05d %+d % d %i %.3d'):format(1, 2, 3, 4, 5, 6, 7, 8))
print(('%u %c %o %x %X %#x %#o'):format(1, 65, 8, 255, 255, 255, 8))
print(('%f %.3f %10.2f %-10.2f| %+.1f %e %.2e %E %g %.3g %G %#g'):format(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12))
print(('%a %A %.2a %.0a %+a %20a %-20a|'):format(1, 0.5, 1 / 3, 3, 2, 1e308, 5e-324))
print(('%f %g %e %a %d'):format(1 / 0, -1 / 0, 0 / 0, 1 / 0, 3.0), ('%.14g'):format(0.1), ('%.99f'):format(1 / 3), ('%99.99f'):format(-1e15))
print(('%5.1f|%-8x|%08.3f|%+5d|% 5d|%#10x'):format(1.25, 255, -1.5, 42, 42, 42))
---- strings and other values
print(('%s %10s %-10s| %.2s %q %%'):format('a', 'b', 'c', 'defg', 'h\n\0\r"\\'), ('%s %s %s'):format(nil, true, {} ~= nil))
print(('%q %q %q %q %q %q'):format(1, 1.5, math.mininteger, 1 / 0, 0 / 0, -1 / 0), ('%q'):format('\200\0001\r\n'))
print(('%s'):format(setmetatable({}, {__tostring = function() return 'T' end})), ('%p'):format(1), ('%10p'):format('x') ~= nil)
print(('%-20p|%p'):format({}, print) ~= nil, ('%s'):rep(5, ' '):format(1, 2, 3, 4, 5), ('%20s'):format(('x'):rep(200)):len())
print(pcall(string.format, '%'), pcall(string.format, '%y', 1), pcall(string.format, '%d'), pcall(string.format, '%100d', 1))
print(pcall(string.format, '%q', {}), pcall(string.format, '%.100f', 1), pcall(string.format, '%s\0%5s', 'a', 'b\0c'))
print(pcall(string.format, '%5c', 65), pcall(string.format, '%-+ #0d', 1), pcall(string.format, '%#i', 1), pcall(string.format, '%010s', 'x'))
---- conversions of numbers to text
for _, n in ipairs {0, -0.0, 1, 1.0, 1e15, 1e16, 1e100, 123456789012345, 2^53, 2^63, -2^63, 0.1, 1 / 3, 5e-324, 1.7976931348623157e308} do
  print(n, ('%.17g'):format(n), ('%d'):format(math.tointeger(n) or 0), tostring(n), #('%a'):format(n))
end
