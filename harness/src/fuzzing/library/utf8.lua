---- encode and decode
print(utf8.char(72, 228, 8364, 128512, 0x7FFFFFFF), utf8.char(), utf8.charpattern, #utf8.char(0x10FFFF), pcall(utf8.char, 0x80000000))
local s = 'aé€😀'
print(utf8.len(s), utf8.len(s, 2), utf8.len(s, -4), utf8.len('\xff'), utf8.len('a\x80'), utf8.len(''), utf8.len(s, 1, 1), utf8.len('\u{D800}'), utf8.len('\u{D800}', 1, -1, true))
---- code points
local s = 'aé€😀'
print(utf8.codepoint(s, 1, -1), utf8.codepoint(s), utf8.codepoint('', 1, 0), pcall(utf8.codepoint, s, 3), pcall(utf8.codepoint, s, 1, 100), utf8.codepoint('\u{7FFFFFFF}', 1, 1, true))
print(utf8.offset(s, 1), utf8.offset(s, 3), utf8.offset(s, -1), utf8.offset(s, 0, 3), utf8.offset(s, 5), utf8.offset(s, 100), pcall(utf8.offset, s, 1, 3), pcall(utf8.offset, s, 1, 100), utf8.offset('', 1))
---- iteration and damaged text
local s = 'aé€😀'
for p, c in utf8.codes(s) do print(p, c) end
for p, c in utf8.codes('\u{200000}', true) do print(p, c) end
print(pcall(function() for _ in utf8.codes('a\xffb') do end end), pcall(function() for _ in utf8.codes('\u{D800}') do end end))
for c in s:gmatch(utf8.charpattern) do print(#c) end
print(utf8.len('\xC0\x80'), utf8.len('\xF4\x90\x80\x80'), utf8.len('\xE0\x80\x80'), utf8.len('\xF8\x88\x80\x80\x80'), utf8.len('\xe2\x82'))
