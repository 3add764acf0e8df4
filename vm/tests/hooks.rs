//! Hooks of the debug library: which events there are, in which order, and what a hook sees. What is expected here is what
//! reference Lua prints.

mod common;

use common::{check, error_of, run};
use moonphase_vm::Options;

/// The lines that a chunk passes.
fn lines(chunk: &str) -> String {
    run(&format!(
        "local chunk, passed = load([==[\n{chunk}]==]), {{}}
        local function hook(_, line) table.insert(passed, line) end
        debug.sethook(hook, 'l') chunk() debug.sethook()
        print(table.concat(passed, ' '))"
    ))
}

#[test]
fn a_line_hook_is_called_on_each_new_line_and_each_jump_back() {
    assert_eq!(lines("a = 1\nb = 2 c = 3\n\nd = 4"), "1 2 4\n");
    assert_eq!(lines("for i = 1, 3 do\n  a = i\nend\n"), "1 2 1 2 1 2 1 3\n");
    assert_eq!(lines("for i = 1, 4 do a = 1 end\n"), "1 1 1 1\n");
    assert_eq!(lines("local a\na = 1\nwhile a <= 2 do\n  a = a + 1\nend\n"), "1 2 3 4 3 4 3 5\n");
    assert_eq!(lines("a = 1\nrepeat\n  a = a + 1\nuntil a == 3\n"), "1 3 4 3 4\n");
}

#[test]
fn tests_and_ends_of_blocks_have_the_lines_of_their_keywords() {
    assert_eq!(lines("if\nmath.sin(1)\nthen\n  a = 1\nelse\n  a = 2\nend\n"), "2 3 4 7\n");
    assert_eq!(lines("--\nif nil then\n  a = 1\nelse\n  a = 2\nend\n"), "2 5 6\n");
    assert_eq!(lines("do\n  return\nend\n"), "2\n");
}

#[test]
fn a_call_over_several_lines_passes_its_arguments_and_comes_back() {
    assert_eq!(lines("local b =\n  tostring(\n    1\n  )\nreturn pcall(\n  error,\n  1\n)"), "2 4 2 5 6 8 5\n");
}

#[test]
fn a_method_that_closes_a_variable_is_passed_once() {
    let chunk = "local t <close> = setmetatable({}, {__close = function()\n  z = 2\nend})\nreturn 1,\n  2";
    assert_eq!(lines(chunk), "1 3 1 3 4 5 2 3\n");
}

#[test]
fn calls_and_returns_come_in_pairs_with_what_they_transfer() {
    let script = "local function two(a, b) local c = a + b return c, a end
        local function tail() return two(3, 4) end
        local events = {}
        local function hook(event)
            local info = debug.getinfo(2, 'nSr')
            local values = {}
            for number = info.ftransfer, info.ftransfer + info.ntransfer - 1 do
                local name, value = debug.getlocal(2, number)
                values[#values + 1] = name .. '=' .. (math.type(value) and value or type(value))
            end
            events[#events + 1] = event .. ' ' .. tostring(info.name) .. ' ' .. table.concat(values, ' ')
        end
        debug.sethook(hook, 'cr')
        two(1, 2)
        tail()
        pcall(error, 'x')
        debug.sethook()
        for index = 2, #events - 1 do print(events[index]) end";
    check(
        script,
        "call two a=1 b=2\nreturn two (temporary)=3 (temporary)=1\ncall tail \ntail call nil a=3 b=4\n\
        return nil (temporary)=7 (temporary)=3\ncall pcall (C temporary)=function (C temporary)=string\n\
        call nil (C temporary)=string\nreturn pcall (C temporary)=boolean (C temporary)=string\n",
    );
}

#[test]
fn variadic_functions_show_their_parameters_and_results() {
    let script = "local function f(a, ...) return ... end
        local seen = {}
        debug.sethook(function(event)
            local info = debug.getinfo(2, 'fr')
            if info.func ~= f then return end
            for number = info.ftransfer, info.ftransfer + info.ntransfer - 1 do
                seen[#seen + 1] = event .. tostring(select(2, debug.getlocal(2, number)))
            end
        end, 'cr')
        f(1, 2, 3)
        debug.sethook()
        print(table.concat(seen, ' '))";
    check(script, "call1 return2 return3\n");
}

#[test]
fn native_functions_that_interpret_themselves_are_seen_as_others_are() {
    let script = "local log = {}
        local co = coroutine.create(function(a) return coroutine.yield(a) end)
        debug.sethook(function(event)
            local info = debug.getinfo(2, 'fr')
            for _, name in ipairs { 'resume', 'status' } do
                if info.func == coroutine[name] then log[#log + 1] = event .. ' ' .. name .. ' ' .. info.ntransfer end
            end
            for _, name in ipairs { 'pcall', 'xpcall', 'pairs' } do
                if info.func == _G[name] then log[#log + 1] = event .. ' ' .. name .. ' ' .. info.ntransfer end
            end
        end, 'cr')
        coroutine.resume(co, 1)
        coroutine.status(co)
        coroutine.resume(co)
        coroutine.resume(co)
        pcall(pcall, pcall)
        xpcall(error, function(m) return m end, 1)
        pairs({})
        debug.sethook()
        print(table.concat(log, ', '))";
    check(
        script,
        "call resume 2, return resume 2, call status 1, return status 1, call resume 1, return resume 1, call resume 1, \
        return resume 2, call pcall 2, call pcall 1, call pcall 0, return pcall 2, return pcall 3, call xpcall 3, \
        return xpcall 2, call pairs 1, return pairs 3\n",
    );
}

#[test]
fn a_count_hook_counts_instructions() {
    let script = "local count = 0
        debug.sethook(function(event) assert(event == 'count') count = count + 1 end, '', 1000)
        for i = 1, 10000 do end
        debug.sethook()
        print(count)
        count = 0
        debug.sethook(function() count = count + 1 end, '', 1)
        local a = 1
        debug.sethook()
        print(count)";
    assert_eq!(run(script), "10\n4\n");
}

#[test]
fn hooks_are_per_thread_and_a_new_thread_inherits_the_events_only() {
    let script = "local log = {}
        local co = coroutine.create(function(a)
            local b = a
            coroutine.yield(b)
            b = 2
            return b
        end)
        local function hook(event, line) log[#log + 1] = event .. tostring(line) end
        debug.sethook(co, hook, 'crl')
        coroutine.resume(co, 1)
        coroutine.resume(co)
        print(table.concat(log, ' '))
        print(debug.gethook(co) == hook, select(2, debug.gethook(co)))
        debug.sethook(hook, 'l', 5)
        local inherited = table.pack(coroutine.wrap(function() return debug.gethook() end)())
        debug.sethook()
        print(table.unpack(inherited, 1, inherited.n))";
    check(script, "callnil line3 line4 callnil returnnil line5 line6 returnnil\ntrue\tcrl\t0\nnil\tl\t5\n");
}

#[test]
fn the_error_of_a_hook_is_raised_where_the_hook_was_called() {
    for (mask, watched) in [("l", "local x = 1"), ("c", "pcall(print)"), ("r", "pcall(type, 1)")] {
        let script = format!(
            "print(pcall(function()
                debug.sethook(function() debug.sethook() error('in hook', 0) end, '{mask}')
                {watched}
            end))
            print(debug.gethook())"
        );
        check(&script, "false\tin hook\nnil\n");
    }
}

#[test]
fn hooks_cannot_yield_and_are_not_watched_by_hooks() {
    check(
        "local yield = coroutine.yield
        print(coroutine.wrap(function()
            return pcall(function()
                debug.sethook(function() debug.sethook() yield() end, 'l')
                local x = 1
            end)
        end)())
        local depth, deepest = 0, 0
        debug.sethook(function()
            depth = depth + 1
            deepest = math.max(deepest, depth)
            local x = tostring(1)
            depth = depth - 1
        end, 'crl', 1)
        for i = 1, 3 do local a = i end
        debug.sethook()
        print(deepest)",
        "false\tattempt to yield across a C-call boundary\n1\n",
    );
}

#[test]
fn a_finalizer_is_not_watched_and_may_set_a_hook() {
    let script = "local lines = 0
        local function finalizer() debug.sethook(function() lines = lines + 1 end, 'l') end
        setmetatable({}, {__gc = finalizer})
        for i = 1, 1e6 do
            local t = {}
            if debug.gethook() then break end
        end
        local a = 1
        local b = 2
        debug.sethook()
        print(lines > 1)";
    assert_eq!(run(script), "true\n");
}

#[test]
fn hooks_are_kept_in_a_weak_table_of_the_registry() {
    check(
        "debug.sethook(type, 'c', -1)
        debug.sethook()
        print(getmetatable(debug.getregistry()._HOOKKEY).__mode)
        debug.sethook(print, '')
        print(debug.gethook())",
        "k\nnil\n",
    );
    assert_eq!(error_of("debug.sethook(1, 'l')"), "t:1: bad argument #1 to 'sethook' (function expected, got number)");
    assert_eq!(error_of("debug.sethook(print)"), "t:1: bad argument #2 to 'sethook' (string expected, got no value)");
}

#[test]
fn a_finalizer_between_two_instructions_does_not_repeat_a_line() {
    let source = "local function watched() local t = {} t.a = 1\n t.b = 2\n return t.a end
        local passed = {}
        for i = 1, 20 do
          setmetatable({}, { __gc = function() end })
          debug.sethook(function() passed[i] = (passed[i] or 0) + 1 end, 'l')
          watched()
          debug.sethook()
          print(passed[i])
        end";
    for schedule in common::SCHEDULES {
        let mut options = Options::default();
        options.schedule = schedule.parse().expect("a schedule");
        assert_eq!(common::run_with(options, source), ("5\n".repeat(20), Ok(())), "{schedule}");
    }
}
