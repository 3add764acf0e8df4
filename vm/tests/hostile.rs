//! Scripts that want more than they may have: each ends with the error that Lua gives or with a limit of the host, and the VM
//! works on after it.

use moonphase_vm::{Error, Limit, LuaValue, Options, Vm};

/// How a script ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// With an error that has this in it.
    Says(&'static str),
    /// At a limit.
    At(Limit),
    /// At the memory limit, or with an error that has this in it, whichever comes first.
    MemoryOr(&'static str),
    /// Without an error, with this.
    Gives(&'static str),
}

use End::{At, Gives, MemoryOr, Says};
use Limit::{Instructions, Memory};

const HOSTILE: &[(&str, End)] = &[
    // Large strings.
    ("return ('x'):rep(1 << 40)", MemoryOr("resulting string too large")),
    ("return ('x'):rep(math.maxinteger)", Says("resulting string too large")),
    ("return ('x'):rep(1 << 30, ('y'):rep(100))", Says("resulting string too large")),
    ("return ('x'):rep(1 << 62, 'yyyy')", Says("resulting string too large")),
    ("local s = 'x' while true do s = s .. s end", At(Memory)),
    ("local t = {} for i = 1, 1000 do t[i] = ('x'):rep(1 << 16) end return table.concat(t)", At(Memory)),
    (
        "local s = ('x'):rep(1 << 20) return table.concat({ s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s }, s)",
        At(Memory),
    ),
    ("local s = ('x'):rep(1 << 20) return s:gsub('x', s)", At(Memory)),
    ("local s = ('x'):rep(1 << 20) return s:gsub('x', { x = s })", At(Memory)),
    ("local s = ('x'):rep(1 << 22) return s:upper() .. s:lower() .. s:reverse() .. s", At(Memory)),
    ("return ('%99999d'):format(1)", Says("invalid conversion specification: '%99999d'")),
    ("return ('%.100f'):format(1)", Says("invalid conversion specification: '%.100f'")),
    (
        "local s = ('%99d'):rep(1 << 20) return s:format(table.unpack({}, 1, 100000))",
        Says("bad argument #1 to 'format'"),
    ),
    (
        "local s = ('%s'):rep(50) local x = ('x'):rep(1 << 20) local t = {} for i = 1, 50 do t[i] = x end return s:format(table.unpack(t))",
        At(Memory),
    ),
    (
        "local s = ('x'):rep(1 << 20) local f = ('%q'):rep(20) return f:format(s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s)",
        At(Memory),
    ),
    ("return utf8.char(table.unpack({}, 1, 10))", Says("bad argument #1 to 'char'")),
    ("return ('x'):byte(1, -1, ('x'):rep(1 << 22):byte(1, -1))", Says("string slice too long")),
    ("local s = ('x'):rep(1 << 20) return #{ s:byte(1, -1) }", Says("string slice too long")),
    ("local s = ('x'):rep(1 << 20) return utf8.codepoint(s, 1, -1)", Says("string slice too long")),
    // Large tables, stacks and counts.
    ("local t = {} for i = 1, math.huge do t[i] = i .. '' end", At(Memory)),
    ("local t = {} for i = 1, math.huge do t['k' .. i] = {} end", At(Memory)),
    ("return table.unpack({}, 1, 1 << 30)", Says("too many results to unpack")),
    ("return table.unpack({}, math.mininteger, math.maxinteger)", Says("too many results to unpack")),
    ("return select('#', table.unpack({}, 1, 1e6))", Says("too many results to unpack")),
    ("return table.concat({}, 'x', 1, 1 << 40)", Says("invalid value (nil) at index 1 in table for 'concat'")),
    ("table.move({ 1 }, 1, math.maxinteger, 2)", Says("destination wrap around")),
    ("table.move({}, 1, 1 << 40, 2)", At(Instructions)),
    ("table.insert({}, 5, 1)", Says("position out of bounds")),
    (
        "table.insert(setmetatable({}, { __len = function() return math.maxinteger end }), 1, 1) return 'wraps'",
        Gives("wraps"),
    ),
    ("table.remove(setmetatable({}, { __len = function() return math.maxinteger end }), 1)", At(Instructions)),
    ("table.sort(setmetatable({}, { __len = function() return math.maxinteger end }))", Says("array too big")),
    (
        "table.sort(setmetatable({}, { __len = function() return 1 << 30 end }), function() return true end)",
        At(Instructions),
    ),
    (
        "local t = setmetatable({}, { __index = function(_, i) return i end, __len = function() return 1 << 30 end }) table.sort(t)",
        At(Instructions),
    ),
    ("local t = {} t[1] = 1 t[1 << 62] = 1 t[math.maxinteger] = 1 return #t", Gives("1")),
    ("local t = {} for i = 0, 62 do t[1 << i] = i end return tostring(#t >= 1)", Gives("true")),
    ("return select(-1 << 62, 1)", Says("index out of range")),
    ("return string.rep('x', -1) .. ('x'):sub(math.mininteger, math.maxinteger)", Gives("x")),
    // Recursion.
    ("local function f() return 1 + f() end return f()", Says("stack overflow")),
    ("local function f(...) return f(1, ...) end return f()", At(Instructions)),
    ("local function f() return f() end return f()", At(Instructions)),
    ("local function f() local ok, e = pcall(f) if not ok then error(e, 0) end return ok end f()", Says("overflow")),
    ("local function f() return select(2, xpcall(f, f)) end return f()", Gives("error in error handling")),
    ("local t = setmetatable({}, { __index = function(t, k) return t[k + 1] end }) return t[1]", Says("overflow")),
    ("local t = setmetatable({}, { __newindex = function(t, k, v) t[k + 1] = v end }) t[1] = 1", Says("overflow")),
    ("local t = setmetatable({}, { __add = function(a, b) return a + b end }) return t + 1", Says("overflow")),
    (
        "local t = setmetatable({}, { __eq = function(a, b) return a == b end }) return t == setmetatable({}, getmetatable(t))",
        Says("overflow"),
    ),
    (
        "local t = setmetatable({}, { __tostring = function(t) return tostring(t) end }) return tostring(t)",
        Says("C stack overflow"),
    ),
    ("local t = setmetatable({}, { __concat = function(a, b) return a .. b end }) return t .. t", Says("overflow")),
    ("local t = setmetatable({}, {}) getmetatable(t).__call = t return t()", Says("stack overflow")),
    (
        "local t = {} for i = 1, 10000 do t = setmetatable({}, { __index = t }) end return t.x",
        Says("'__index' chain too long"),
    ),
    (
        "local t = {} for i = 1, 10000 do t = setmetatable({}, { __newindex = t }) end t.x = 1",
        Says("'__newindex' chain too long"),
    ),
    ("local function f(s) return (s:gsub('.', f)) end return f('x')", Says("C stack overflow")),
    ("local function f() table.sort({ 1, 2, 3 }, f) end f()", Says("C stack overflow")),
    ("local function f() require('x') end package.preload.x = f f()", Says("overflow")),
    ("local function f() return coroutine.wrap(f)() end return f()", Says("C stack overflow")),
    (
        "local function f() return coroutine.resume(coroutine.create(f)) end return select('#', f()) > 0 and 'ended'",
        Gives("ended"),
    ),
    ("local function f() local c <close> = setmetatable({}, { __close = f }) end f()", MemoryOr("overflow")),
    // The parser.
    ("return load(('('):rep(1000) .. '1' .. (')'):rep(1000))", Says("overflow")),
    ("return load('return ' .. ('{'):rep(1 << 16))", Says("overflow")),
    ("return load('return ' .. ('-'):rep(1 << 16, ' ') .. '1')", Says("overflow")),
    ("return load('return 1' .. ('^1'):rep(1 << 16))", Says("overflow")),
    ("return load('return x' .. (' .. x'):rep(1 << 16))", Says("overflow")),
    ("return load(('do '):rep(1 << 16))", Says("overflow")),
    ("return load(('local function f() '):rep(1 << 16))", Says("overflow")),
    ("return load(('if x then '):rep(1 << 16))", Says("overflow")),
    ("return load('x' .. ('.x'):rep(1 << 16) .. ' = 1')", Says("too many syntax levels")),
    ("return load('return x' .. ('()'):rep(1 << 12))", Says("too many syntax levels")),
    (
        "local t = {} for i = 1, 300 do t[i] = 'local x' .. i end return load(table.concat(t, ' '))",
        Says("too many local variables"),
    ),
    ("return load('local x <const> = 1 ' .. ('goto a '):rep(1 << 14))", Says("no visible label 'a'")),
    ("return load('return ' .. ('[['):rep(1 << 16))", Says("unfinished long string")),
    ("return load('--[' .. ('='):rep(1 << 20) .. '[')", Says("unfinished long comment")),
    ("return load('return 0x' .. ('f'):rep(1 << 16))() == -1 and 'wrapped'", Gives("wrapped")),
    ("return load('return 1' .. ('0'):rep(1 << 16))() == math.huge and 'huge'", Gives("huge")),
    ("return load(function() return 'x' end)", At(Instructions)),
    ("return load(function() return ('x'):rep(1 << 18) end)", At(Memory)),
    // Patterns.
    ("return (('a'):rep(30)):find(('a?'):rep(30) .. ('a'):rep(30) .. 'b')", At(Instructions)),
    ("return (('a'):rep(1 << 12)):find(('.-'):rep(30) .. 'b')", At(Instructions)),
    ("return ('x'):rep(1 << 18):find('.-b')", At(Instructions)),
    ("return ('('):rep(1 << 18):find('%b()')", At(Instructions)),
    ("return ('x'):find(('('):rep(40) .. (')'):rep(40))", Says("too many captures")),
    ("return ('x'):rep(300000):find(('x?'):rep(300000))", Says("pattern too complex")),
    ("return ('x'):find('[' .. ('a'):rep(1 << 16))", Says("malformed pattern (missing ']')")),
    ("return ('x'):gsub('', function() return ('y'):rep(1 << 24) end)", At(Memory)),
    ("for w in ('x'):rep(1 << 16):gmatch('()') do while true do end end", At(Instructions)),
    // What never ends, or fails where it must not.
    ("while true do end", At(Instructions)),
    ("repeat until false", At(Instructions)),
    ("::a:: goto a", At(Instructions)),
    ("for i = 1, math.maxinteger do end", At(Instructions)),
    ("for i = 1, 0, 0 do end", Says("'for' step is zero")),
    ("pcall(function() while true do end end) return 'caught'", At(Instructions)),
    ("coroutine.wrap(function() while true do end end)()", At(Instructions)),
    ("coroutine.wrap(function() while true do pcall(coroutine.yield) end end)() return 'yielded'", Gives("yielded")),
    ("while true do coroutine.create(function() end) end", At(Instructions)),
    ("local t = {} while true do t[#t + 1] = coroutine.wrap(function() coroutine.yield() end) t[#t]() end", At(Memory)),
    ("setmetatable({}, { __gc = function() while true do end end }) collectgarbage()", At(Instructions)),
    (
        "local function f() setmetatable({}, { __gc = f }) end f() for i = 1, 10 do collectgarbage() end return 'ended'",
        Gives("ended"),
    ),
    ("setmetatable({}, { __gc = function() error({}) end }) collectgarbage() return 'ended'", Gives("ended")),
    ("setmetatable({}, { __gc = function() local s = ('x'):rep(1 << 30) end }) collectgarbage()", At(Memory)),
    ("return xpcall(error, function() error('again') end, 'x')", Gives("false")),
    ("return xpcall(error, error, 'x')", Gives("false")),
    (
        "return xpcall(function() local function f() return f() + 1 end f() end, function(m) return f() end)",
        Gives("false"),
    ),
    ("error(setmetatable({}, { __tostring = function() error('no text') end }))", Says("")),
    ("error(setmetatable({}, { __tostring = function() return {} end }))", Says("")),
    ("local x <close> = setmetatable({}, { __close = function() while true do end end }) error('x')", At(Instructions)),
    (
        "coroutine.wrap(function() debug.sethook(function() while true do end end, '', 1) local x = 1 end)()",
        At(Instructions),
    ),
    (
        "coroutine.wrap(function() debug.sethook(function() error('hook') end, '', 1) while true do end end)()",
        Says("hook"),
    ),
    ("setmetatable(_G, { __index = function() error('no globals') end }) return missing", Says("no globals")),
    (
        "string.format = nil string.rep = nil debug.setmetatable('', nil) return ('x'):rep(2)",
        Says("attempt to index a string value"),
    ),
    (
        "debug.getregistry()[2] = nil debug.getregistry()._LOADED = nil collectgarbage() return tostring(print ~= nil)",
        Gives("true"),
    ),
    (
        "for k in pairs(debug.getregistry()) do debug.getregistry()[k] = nil end collectgarbage() return require('string') and 'found'",
        Says(""),
    ),
    (
        "debug.setmetatable(nil, { __index = function(_, k) return k end, __call = function() return 'called' end }) return (nil)()",
        Gives("called"),
    ),
    ("return math.mininteger // -1, math.mininteger % -1", Gives("-9223372036854775808")),
    ("return 1 // 0", Says("attempt to divide by zero")),
    ("return 1 % 0", Says("attempt to perform 'n%0'")),
    ("return ('x'):rep(100, nil, nil):len()", Gives("100")),
    ("return os.time({ year = 1 << 40, month = 1, day = 1 })", Says("field 'year' is out-of-bound")),
    ("return os.date(('%c'):rep(1 << 20))", At(Memory)),
    ("return string.pack('!16 i17', 1)", Says("integral size (17) out of limits [1,16]")),
    ("return string.pack('c' .. (1 << 40), 'x')", MemoryOr("invalid format option")),
    ("return string.packsize('c' .. (1 << 30) .. ('c' .. (1 << 30)):rep(4))", Says("too large")),
    (
        "local s = ('x'):rep(1 << 20) return string.pack(('z'):rep(20), s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s)",
        At(Memory),
    ),
    ("return string.unpack(('b'):rep(1 << 20), ('x'):rep(10))", Says("data string too short")),
];

fn limited() -> Vm {
    let mut options = Options::default();
    options.memory_limit = 16 << 20;
    options.instruction_limit = Some(20_000_000);
    Vm::new(options).expect("the usual policy is sound")
}

fn check(script: &str, end: End) -> Result<(), String> {
    let mut vm = limited();
    let result = vm.load_chunk(script, "=hostile").and_then(|chunk| chunk.call::<(LuaValue, LuaValue)>(&mut vm, ()));
    let said = match &result {
        Ok((LuaValue::Nil, LuaValue::String(message))) => String::from_utf8_lossy(message).into_owned(),
        Ok((LuaValue::String(text), _)) => String::from_utf8_lossy(text).into_owned(),
        Ok((LuaValue::Nil, _)) => "nil".to_owned(),
        Ok((LuaValue::Boolean(b), _)) => b.to_string(),
        Ok((LuaValue::Integer(i), _)) => i.to_string(),
        Ok((other, _)) => format!("{other:?}"),
        Err(error) => error.to_string(),
    };
    let limit = match &result {
        Err(Error::Limit(limit)) => Some(*limit),
        _ => None,
    };
    let as_expected = match end {
        At(expected) => limit == Some(expected),
        MemoryOr(text) => limit == Some(Memory) || (limit.is_none() && said.contains(text)),
        // `load` gives its errors back.
        Says(text) => limit.is_none() && said.contains(text) && (result.is_err() || script.contains("load")),
        Gives(text) => result.is_ok() && said == text,
    };
    if !as_expected {
        let said: String = said.chars().take(200).collect();
        return Err(format!("{script}\n    should end as {end:?}, but: {said}"));
    }
    // What is left of it is garbage, and the VM can be used.
    vm.set_instruction_limit(Some(20_000_000));
    match vm.eval::<i64>("local t = {} for i = 1, 1000 do t[i] = { i } end return #t") {
        Ok(1000) => Ok(()),
        other => Err(format!("{script}\n    leaves a VM that gives {other:?}")),
    }
}

#[test]
fn every_hostile_script_ends_with_the_error_of_lua_or_at_a_limit_and_the_vm_works_on() {
    assert!(HOSTILE.len() >= 60, "{}", HOSTILE.len());
    let wrong: Vec<String> = HOSTILE.iter().filter_map(|&(script, end)| check(script, end).err()).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), HOSTILE.len(), wrong.join("\n"));
}
