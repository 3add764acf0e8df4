//! The library as scripts see it.

use super::{end_position, start_position};
use crate::{Limit, Options, ScriptError, Vm};

fn run_with(options: Options, script: &str) -> Result<(), ScriptError> {
    let mut vm = Vm::new(options).expect("the default policy is sound");
    vm.run(script.as_bytes(), b"=test", &[])
}

/// Runs a script that checks itself.
#[track_caller]
fn holds(script: &str) {
    assert_eq!(run_with(Options::default(), script), Ok(()));
}

/// Runs an expression that raises an error.
#[track_caller]
fn fails(expression: &str, message: &str) {
    let result = run_with(Options::default(), &format!("local _ = {expression}"));
    assert_eq!(result, Err(ScriptError::Error(format!("test:1: {message}").into_bytes())), "{expression}");
}

#[test]
fn replacements_are_strings_tables_or_functions() {
    holds("assert(('hello world'):gsub('(o)', '<%1%0%%>') == 'hell<oo%> w<oo%>rld')");
    holds("assert(('$a $b'):gsub('%$(%w+)', {a = 1, b = false}) == '1 $b')");
    holds("assert(('abc'):gsub('()%w', function(at) return at ~= 2 and at or nil end) == '1b3')");
    holds("local s, n = ('abc'):gsub('', '-'); assert(s == '-a-b-c-' and n == 4)");
    holds("local s, n = ('aaa'):gsub('^a', 'b'); assert(s == 'baa' and n == 1)");
    holds("local s, n = ('aaa'):gsub('a', 'b', 2); assert(s == 'bba' and n == 2)");
    fails("('a'):gsub('a', '%2')", "invalid capture index %2");
    fails("('a'):gsub('a', '%')", "invalid use of '%' in replacement string");
    fails("('a'):gsub('a', function() return {} end)", "invalid replacement value (a table)");
    fails("('a'):gsub('a')", "bad argument #2 to 'gsub' (string/function/table expected, got no value)");
}

#[test]
fn what_a_search_needs_survives_collections_in_its_callbacks() {
    holds(
        "local text = ('key=value '):rep(50)
         local kept = text:gsub('(%w+)=(%w+)', function(key, value)
             collectgarbage()
             return setmetatable({}, {__index = function(_, k) collectgarbage() return k .. '!' end})[value] .. key
         end)
         assert(#kept == #text)
         for word in text:gmatch('%a+') do collectgarbage() assert(#word >= 3) end
         assert(string.format('%s%s', setmetatable({}, {__tostring = function()
             collectgarbage() return ('x'):rep(99) end}), 'y') == ('x'):rep(99) .. 'y')",
    );
}

#[test]
fn an_iterator_whose_state_was_changed_ends_without_harm() {
    for (index, value) in [(1, "{}"), (2, "nil"), (3, "'x'"), (4, "{}"), (3, "math.mininteger"), (3, "math.maxinteger")]
    {
        holds(&format!(
            "local next = ('abc'):gmatch('.')
             assert(next() == 'a')
             debug.setupvalue(next, {index}, {value})
             assert(next() == nil)"
        ));
    }
}

#[test]
fn iterators_start_where_they_are_told_and_take_an_anchor_for_text() {
    holds("local t = {} for c in ('abc'):gmatch('%w', -2) do t[#t + 1] = c end assert(table.concat(t) == 'bc')");
    holds("assert(('abc'):gmatch('%w', 9)() == nil)");
    holds("assert(('a^b'):gmatch('^b')() == '^b')");
}

#[test]
fn formats_and_their_faults_are_those_of_lua() {
    holds("assert(('%q'):format('a\\n\\0b\\0001\"\\\\') == '\"a\\\\\\n\\\\0b\\\\0001\\\\\"\\\\\\\\\"')");
    holds("assert(('%q %q %q'):format(1/0, math.mininteger, 0.5) == '1e9999 0x8000000000000000 0x1p-1')");
    holds("assert(('%5s|%-5s|%.2s'):format('a', 'b', 'cde') == '    a|b    |cd')");
    holds("local t = {}; assert(tostring(t) == ('table: %p'):format(t))");
    holds("assert(('%p %p'):format(nil, 1) == '(null) (null)')");
    holds("assert(('%d'):format('10') == '10')");
    fails("('%y'):format(1)", "invalid conversion '%y' to 'format'");
    fails("('%'):format(1)", "invalid conversion '%' to 'format'");
    fails("('%5.2c'):format(1)", "invalid conversion specification: '%5.2c'");
    fails("('%0000000000000000000000d'):format(1)", "invalid format (too long)");
    fails("('%d'):format()", "bad argument #1 to 'format' (no value)");
    fails("('%d'):format(1.5)", "bad argument #1 to 'format' (number has no integer representation)");
    fails("('%5s'):format('\\0')", "bad argument #1 to 'format' (string contains zeros)");
    fails("('%q'):format({})", "bad argument #1 to 'format' (value has no literal form)");
    fails("('%5q'):format(1)", "specifier '%q' cannot have modifiers");
}

#[test]
fn packed_values_are_read_back() {
    holds(
        "for _, order in ipairs {'<', '>', '=', '!4 <', '!16 >', ' '} do
             for size = 1, 16 do
                 for _, value in ipairs {0, 1, -1, 127, -128} do
                     local format = order .. '!1i' .. size
                     local packed = format:pack(value)
                     assert(#packed == size and format:unpack(packed) == value)
                 end
             end
             local format = order .. 'bBhHlLjJTfdnz s1 s16 c5 xXi8'
             local packed = format:pack(-1, 255, -2, 65535, -3, -4, 5, -6, 7, 0.5, -0.25, 1e300, 'zero', 'one', 'two', 'c')
             local t = {format:unpack(packed)}
             assert(table.concat(t, ' ', 1, 15) == '-1 255 -2 65535 -3 -4 5 -6 7 0.5 -0.25 1e+300 zero one two')
             assert(t[16] == 'c\\0\\0\\0\\0' and t[17] == #packed + 1 and #t == 17)
         end",
    );
    holds("assert(string.pack('>!4 b i4 Xh x', 1, 2) == '\\1\\0\\0\\0\\0\\0\\0\\2\\0')");
    holds("assert(string.pack('i10', -2):byte(10) == 255 and string.unpack('i16', ('\\255'):rep(16)) == -1)");
    holds("assert(string.packsize('!8 b Xd d c7') == 23 and string.packsize('c2147483639') == 2147483639)");
    holds("assert(select('#', string.unpack('', 'abc', -1)) == 1 and string.unpack('', 'abc', -1) == 3)");
    holds("assert(string.unpack('b\\0?', 'a') == 97)");
}

#[test]
fn faults_of_packing_are_those_of_lua() {
    fails("string.pack('y')", "invalid format option 'y'");
    fails("string.pack('i0', 1)", "integral size (0) out of limits [1,16]");
    fails("string.pack('!17')", "integral size (17) out of limits [1,16]");
    fails("string.pack('c', 'x')", "missing size for format option 'c'");
    fails("string.pack('X')", "bad argument #1 to 'pack' (invalid next option for option 'X')");
    fails("string.pack('Xc1')", "bad argument #1 to 'pack' (invalid next option for option 'X')");
    fails("string.pack('!4 i3', 1)", "bad argument #1 to 'pack' (format asks for alignment not power of 2)");
    fails("string.pack('b', 128)", "bad argument #2 to 'pack' (integer overflow)");
    fails("string.pack('i7', 1 << 55)", "bad argument #2 to 'pack' (integer overflow)");
    fails("string.pack('xH', -1)", "bad argument #2 to 'pack' (unsigned overflow)");
    fails("string.pack('c2', 'abc')", "bad argument #2 to 'pack' (string longer than given size)");
    fails("string.pack('s1', ('x'):rep(256))", "bad argument #2 to 'pack' (string length does not fit in given size)");
    fails("string.pack('z', 'a\\0')", "bad argument #2 to 'pack' (string contains zeros)");
    fails("string.packsize('s')", "bad argument #1 to 'packsize' (variable-length format)");
    fails("string.packsize('c2147483639c10')", "bad argument #1 to 'packsize' (format result too large)");
    fails("string.unpack('i4', 'abc')", "bad argument #2 to 'unpack' (data string too short)");
    fails("string.unpack('s1', '\\4abc')", "bad argument #2 to 'unpack' (data string too short)");
    fails("string.unpack('z', 'abc')", "bad argument #2 to 'unpack' (unfinished string for format 'z')");
    fails("string.unpack('', 'abc', 5)", "bad argument #3 to 'unpack' (initial position out of string)");
    fails("string.unpack('I9', ('\\1'):rep(9))", "9-byte integer does not fit into Lua Integer");
    fails("string.unpack('s16', ('\\255'):rep(16))", "16-byte integer does not fit into Lua Integer");
    fails("string.unpack(('b'):rep(2000000), ('x'):rep(2000000))", "stack overflow (too many results)");
}

#[test]
fn strings_that_say_numbers_count_as_them() {
    holds("assert('10' + 5 == 15 and '3' * '4' == 12 and -'0x10' == -16 and '7' // '2.0' == 3.0)");
    holds("assert(setmetatable({}, {__add = function() return 'mine' end}) + 'x' == 'mine')");
    holds("assert('x' + setmetatable({}, {__add = function() return 'mine' end}) == 'mine')");
    fails("'x' + 1", "attempt to add a 'string' with a 'number'");
    fails("-'x'", "attempt to unm a 'string' with a 'string'");
}

#[test]
fn sizes_out_of_bounds_are_errors() {
    fails("('x'):rep(1 << 31)", "resulting string too large");
    fails("('x'):rep(math.maxinteger, 'y')", "resulting string too large");
    holds("assert((''):rep(math.maxinteger) == '')");
    fails("('x'):rep(2000000):byte(1, -1)", "stack overflow (string slice too long)");
    fails("string.char(256)", "bad argument #1 to 'char' (value out of range)");
}

#[test]
fn long_work_meets_the_limits() {
    let few = || Options { instruction_limit: Some(1_000_000), ..Options::default() };
    for script in [
        "('a'):rep(300):find('.-.-.-.-.-b')",
        "while true do ('a'):rep(1 << 20):upper() end",
        "while true do string.packsize(('b'):rep(1 << 16)) end",
        "local s = ('a'):rep(1 << 20) while true do s:find(('a'):rep(1000) .. 'b', 1, true) end",
    ] {
        assert_eq!(run_with(few(), script), Err(ScriptError::Limit(Limit::Instructions)), "{script}");
    }
    let small = || Options { memory_limit: 1 << 22, ..Options::default() };
    for script in [
        "('x'):rep(1 << 30)",
        "string.pack('c2147483639', 'x')",
        "local many = setmetatable({}, {__index = function() return 1e308 end})
         string.format(('%.99f'):rep(20000), table.unpack(many, 1, 20000))",
        "string.pack(('c999999'):rep(9), '', '', '', '', '', '', '', '', '')",
        "('x'):rep(1 << 16):gsub('.', ('y'):rep(1 << 16))",
        "local s = ('x'):rep(1 << 20)
         local many = setmetatable({}, {__index = function() return s end})
         string.format(('%s'):rep(100), table.unpack(many, 1, 100))",
    ] {
        assert_eq!(run_with(small(), script), Err(ScriptError::Limit(Limit::Memory)), "{script}");
    }
}

#[test]
fn starts_are_clipped_from_below() {
    for (position, expected) in
        [(1, 1), (0, 1), (-1, 5), (-5, 1), (-6, 1), (i64::MIN, 1), (9, 9), (i64::MAX, i64::MAX as usize)]
    {
        assert_eq!(start_position(position, 5), expected, "{position}");
    }
    assert_eq!(start_position(-1, 0), 1);
}

#[test]
fn ends_are_clipped_to_the_string() {
    for (position, expected) in [(0, 0), (3, 3), (6, 5), (i64::MAX, 5), (-1, 5), (-5, 1), (-6, 0), (i64::MIN, 0)] {
        assert_eq!(end_position(position, 5), expected, "{position}");
    }
    assert_eq!(end_position(-1, 0), 0);
}
