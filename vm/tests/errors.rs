//! Errors: what they say, who handles them, and that every one of them can be caught.

mod common;

use common::{check, error_of};
use moonphase_vm::ScriptError;

#[test]
fn messages_name_the_value_that_is_to_blame() {
    for (source, message) in [
        ("local x x.y = 1", "attempt to index a nil value (local 'x')"),
        ("x.y = 1", "attempt to index a nil value (global 'x')"),
        ("local t = {} t.a.b = 1", "attempt to index a nil value (field 'a')"),
        ("local t = {} t:nope()", "attempt to call a nil value (method 'nope')"),
        ("local u; local function f() return u.x end f()", "attempt to index a nil value (upvalue 'u')"),
        ("local a = {} return a + 1", "attempt to perform arithmetic on a table value (local 'a')"),
        ("local a, b = 1 return a .. b", "attempt to concatenate a nil value (local 'b')"),
        ("return #nil", "attempt to get length of a nil value"),
        ("return {} < {}", "attempt to compare two table values"),
        ("return 1 < 'x'", "attempt to compare number with string"),
        ("local x = 1.5 return x | 1", "number (local 'x') has no integer representation"),
        ("return 1 // 0", "attempt to divide by zero"),
        ("return 1 % 0", "attempt to perform 'n%0'"),
        ("for i = 1, {} do end", "bad 'for' limit (number expected, got table)"),
        ("for i = 1, 2, 0 do end", "'for' step is zero"),
        ("local t = {} t[nil] = 1", "table index is nil"),
        ("local t = {} t[0 / 0] = 1", "table index is NaN"),
        ("local x <close> = 1", "variable 'x' got a non-closable value"),
        ("do local x <close> = 1 end", "variable 'x' got a non-closable value"),
        // Names and constants are C strings in messages.
        ("return 'a\\0b' & nil", "attempt to perform bitwise operation on a string value (constant 'a')"),
        ("local t = {} t['a\\0b'].x = 1", "attempt to index a nil value (field 'a')"),
        // A nil marks the end of what `pack` is given; C evaluates the last argument first.
        ("string.pack('<i4')", "bad argument #2 to 'pack' (number expected, got nil)"),
        ("string.pack('<i4z', 1)", "bad argument #3 to 'pack' (string expected, got nil)"),
        ("math.fmod('x', {})", "bad argument #2 to 'fmod' (number expected, got table)"),
    ] {
        let found = error_of(source);
        let found = found.strip_prefix("t:1: ").unwrap_or(&found);
        assert_eq!(found, message, "{source}");
    }
}

#[test]
fn bitwise_operators_do_not_convert_strings() {
    assert_eq!(
        error_of("local x = '3' return x | 1"),
        "t:1: attempt to perform bitwise operation on a string value (local 'x')"
    );
    assert_eq!(
        error_of("return 1 << '3'"),
        "t:1: attempt to perform bitwise operation on a string value (constant '3')"
    );
}

#[test]
fn a_traceback_from_a_closing_method_names_it() {
    let printed = common::run(
        "local function f() local x <close> = setmetatable({}, {__close = function() print(debug.traceback()) end}) return 1 end f()",
    );
    assert!(printed.contains("in metamethod 'close'"), "{printed}");
}

#[test]
fn a_message_handler_sees_errors_of_closing_methods_too() {
    check(
        "print(xpcall(function()
            local x <close> = setmetatable({}, {__close = function(_, e) error(e .. ' then second', 0) end})
            error('first', 0)
        end, function(m) return '<' .. m .. '>' end))",
        "false\t<<first> then second>\n",
    );
}

#[test]
fn a_message_handler_that_fails_handles_its_own_error() {
    check(
        "print(xpcall(error, function(m)
            if m == 'a' then error('b', 0) elseif m == 'b' then error('c', 0) end
            return 'got ' .. m
        end, 'a'))
        local ok, message = xpcall(error, function() error('always') end, 'x')
        print(ok, message)",
        "false\tgot c\nfalse\terror in error handling\n",
    );
}

#[test]
fn stack_overflows_are_caught_again_and_again() {
    let printed = common::run(
        "local function deep() return 1 + deep() end
        for i = 1, 3 do
            local ok, message = pcall(deep)
            print(ok, message:match('stack overflow'))
        end
        print(xpcall(deep, function(m) return 'handled ' .. m:match('stack overflow') end))
        local co = coroutine.create(deep)
        local ok, message = coroutine.resume(co)
        print(ok, message:match('stack overflow'))",
    );
    assert_eq!(printed, "false\tstack overflow\n".repeat(3) + "false\thandled stack overflow\nfalse\tstack overflow\n");
}

#[test]
fn recursion_through_native_functions_is_limited() {
    let printed = common::run(
        "local function sort() table.sort({1, 2}, sort) end
        local function substitute() string.gsub('x', 'x', substitute) end
        local function wrapped() return coroutine.wrap(wrapped)() end
        local text = {} setmetatable(text, {__tostring = function(t) return tostring(t) end})
        for _, f in ipairs {sort, substitute, wrapped, function() tostring(text) end} do
            local ok, message = pcall(f)
            print(ok, message:match('C stack overflow'))
        end",
    );
    assert_eq!(printed, "false\tC stack overflow\n".repeat(4));
}

#[test]
fn recursion_through_metamethods_is_limited() {
    let printed = common::run(
        "local meta = {
            __index = function(t, k) return t[k] end, __add = function(a, b) return (a + b) end,
            __concat = function(a, b) return (a .. b) end, __eq = function(a, b) return not (a == b) end,
        }
        local function new() return setmetatable({}, meta) end
        for _, f in ipairs {
            function() return (new().x) end, function() return (new() + 1) end,
            function() return (new() .. 1) end, function() return new() == new() end,
        } do
            local ok, message = pcall(f)
            print(ok, message:match('stack overflow'))
        end",
    );
    assert_eq!(printed, "false\tstack overflow\n".repeat(4));
}

#[test]
fn an_error_that_nobody_catches_closes_what_is_open() {
    let (printed, result) = common::run_with(
        Default::default(),
        "local x <close> = setmetatable({}, {__close = function(_, e) print('closed', e) end}) error('lost', 0)",
    );
    assert_eq!(printed, "closed\tlost\n");
    assert_eq!(result.map_err(|error| error.to_string()), Err("lost".into()));
}

#[test]
fn the_message_of_assert_has_the_position_of_its_caller() {
    check(
        "print(pcall(function() assert(false) end))
        print(pcall(function() assert(nil, 'text') end))
        print(pcall(function() assert(false, 12) end))
        print(pcall(assert, false, 'text'))",
        "false\tt:1: assertion failed!\nfalse\tt:2: text\nfalse\t12\nfalse\ttext\n",
    );
}

#[test]
fn the_error_of_a_reader_function_goes_through_the_message_handler_in_force() {
    check(
        "print(load(function() error('plain', 0) end))
        print(xpcall(load, function(m) return 'handled ' .. m end, function() error('once', 0) end))",
        "nil\tplain\ntrue\tnil\thandled once\n",
    );
}

#[test]
fn a_dead_coroutine_shows_the_native_functions_that_the_error_passed() {
    check(
        "local co = coroutine.create(function() return (string.gsub('a', 'a', function() error('x', 0) end)) end)
        coroutine.resume(co)
        print(debug.traceback(co))",
        "stack traceback:\n\t[C]: in function 'error'\n\tt:1: in function <t:1>\n\t[C]: in function 'string.gsub'\n\t\
         t:1: in function <t:1>\n",
    );
    // An error that was caught on the way leaves nothing for the next one.
    check(
        "local co = coroutine.create(function()
            pcall(string.gsub, 'a', 'a', error)
            xpcall(error, function() string.rep() end)
            error('y', 0)
        end)
        coroutine.resume(co)
        print(debug.traceback(co))",
        "stack traceback:\n\t[C]: in function 'error'\n\tt:4: in function <t:1>\n",
    );
}

#[test]
fn calls_inside_calls_of_native_functions_and_metamethods_end_as_in_lua() {
    check(
        "local depth
        local object = setmetatable({}, {
            __index = function(t, k) depth = depth + 1 return t[k] end,
            __add = function(t) depth = depth + 1 return t + 1 end,
            __close = function(t) depth = depth + 1 local x <close> = t end,
        })
        local function protected() depth = depth + 1 local ok, message = pcall(protected) return ok, message end
        local function iterate() depth = depth + 1 for _ in iterate do end end
        local kinds = {
            index = function() return object.x end,
            add = function() return object + 1 end,
            close = function() local x <close> = object end,
            iterate = iterate,
        }
        for _, kind in ipairs { 'index', 'add', 'close', 'iterate' } do
            depth = 0
            local ok, message = pcall(kinds[kind])
            print(kind, ok, message:match('C stack overflow'), depth > 190 and depth < 200)
        end
        depth = 0
        print('pcall', protected())
        print(depth > 190 and depth < 200)
        local function handled() assert(pcall(handled)) end
        print(xpcall(handled, handled))",
        "index\tfalse\tC stack overflow\ttrue
add\tfalse\tC stack overflow\ttrue
close\tfalse\tC stack overflow\ttrue
iterate\tfalse\tC stack overflow\ttrue
pcall\ttrue\ttrue
true
false\terror in error handling
",
    );
}

#[test]
fn the_host_is_the_function_of_c_below_the_main_chunk() {
    check("print(debug.traceback('m'))", "m\nstack traceback:\n\tt:1: in main chunk\n\t[C]: in ?\n");
    check("print(debug.getinfo(2, 'S').what, debug.getinfo(3))", "C\tnil\n");
}

#[test]
fn a_coroutine_that_was_resumed_or_caught_an_error_may_nest_calls_anew() {
    check(
        "local depth, limit
        local function waiting()
            depth = depth + 1
            coroutine.yield()
            if depth < limit then assert(pcall(waiting)) end
        end
        local function failing()
            depth = depth + 1
            pcall(error)
            if depth < limit then assert(pcall(failing)) end
        end
        for _, f in ipairs { waiting, failing } do
            depth, limit = 0, 1000
            local co = coroutine.create(f)
            repeat assert(coroutine.resume(co)) until coroutine.status(co) == 'dead'
            print(depth)
        end
        depth, limit = 0, 1000
        local ok, message = pcall(failing)
        print(ok, message:match('C stack overflow'), depth < 200)",
        "1000\n1000\nfalse\tC stack overflow\ttrue\n",
    );
}

#[test]
fn what_errors_leave_behind_is_collected() {
    let printed = common::run(
        "local text = ('x'):rep(10000)
        local function fail() error(text) end
        for _ = 1, 10000 do pcall(fail) end
        print(collectgarbage('count') < 10000)",
    );
    assert_eq!(printed, "true\n");
}

#[test]
fn a_message_handler_sees_the_runtime_errors_of_load_and_no_others() {
    check(
        "local function try(...) print(xpcall(load, function(m) return 'handled ' .. m end, ...)) end
        try(function() error('reader', 0) end)
        try(function() return {} end)
        try(('('):rep(5000))
        try('x = = 1', '=chunk')
        try('x = 1', '=chunk', 'b')
        try('\\27Lua')",
        "true\tnil\thandled reader\ntrue\tnil\thandled reader function must return a string\n\
        true\tnil\thandled C stack overflow\ntrue\tnil\tchunk:1: unexpected symbol near '='\n\
        true\tnil\tattempt to load a text chunk (mode is 'b')\n\
        true\tnil\tbinary string: bad binary format (truncated chunk)\n",
    );
}

#[test]
fn no_message_handler_sees_what_goes_wrong_while_the_state_is_closed() {
    let (printed, result) = common::run_with(
        Default::default(),
        "kept = setmetatable({}, {__gc = function() print('collected') error('lost') end})
        local function closer(name) return setmetatable({}, {__close = function(_, e) print(name, e) error(name, 0) end}) end
        local a <close> = closer('a')
        xpcall(function() local b <close> = closer('b') os.exit(3, true) end, function() print('handled') end)",
    );
    assert_eq!(printed, "b\tnil\na\tb\ncollected\n");
    assert_eq!(result, Err(ScriptError::Exit(3)));
}

#[test]
fn a_program_that_ends_itself_again_while_it_is_closed_is_closed_to_the_end() {
    let (printed, result) = common::run_with(
        Default::default(),
        "for i = 1, 3 do kept = {kept, setmetatable({}, {__gc = function() print(i) os.exit(i, true) end})} end
        local a <close> = setmetatable({}, {__close = function(_, e) print('a', e) end})
        local b <close> = setmetatable({}, {__close = function() coroutine.wrap(function() os.exit(8, true) end)() end})
        error('lost')",
    );
    assert_eq!(printed, "a\tnil\n3\n2\n1\n");
    assert_eq!(result, Err(ScriptError::Exit(1)));
}
