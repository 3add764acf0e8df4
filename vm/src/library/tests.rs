//! The library as scripts see it.

use crate::{Options, ScriptError, Vm};
use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;

/// A sink whose content can be looked at.
#[derive(Clone, Default)]
struct Sink(Rc<RefCell<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn run_with(options: Options, script: &str) -> (String, Result<(), ScriptError>) {
    let mut vm = Vm::new(options).expect("the default policy is sound");
    let sink = Sink::default();
    vm.set_output(sink.clone());
    let result = vm.run(script.as_bytes(), b"=test", &[]);
    let text = String::from_utf8(sink.0.borrow().clone()).expect("the tests print text");
    (text, result)
}

/// What a script prints.
#[track_caller]
fn printed(script: &str) -> String {
    let (text, result) = run_with(Options::default(), script);
    assert_eq!(result, Ok(()), "printed before: {text}");
    text
}

#[test]
fn text_before_a_failing_metamethod_is_printed() {
    let script = "print('a', setmetatable({}, {__tostring = function() error('no', 0) end}))";
    let (text, result) = run_with(Options::default(), script);
    assert_eq!(text, "a");
    assert_eq!(result, Err(ScriptError::Error(b"no".to_vec())));
}

#[test]
fn errors_of_a_reader_function_are_results_of_load() {
    assert_eq!(printed("print(load(function() error('no', 0) end))"), "nil\tno\n");
    assert_eq!(printed("print(load(function() return {} end))"), "nil\ttest:1: reader function must return a string\n");
}

#[test]
fn a_chunk_gets_the_environment_that_load_was_given() {
    assert_eq!(printed("print(load('return x', 'c', 't', {x = 7})())"), "7\n");
    assert_eq!(printed("print(load('return 1', 'c', 'b'))"), "nil\tattempt to load a text chunk (mode is 'b')\n");
}

#[test]
fn the_collector_refuses_every_option_inside_a_finalizer() {
    let script = "setmetatable({}, {__gc = function() print(collectgarbage('count'), collectgarbage('step')) end})
        collectgarbage()";
    assert_eq!(printed(script), "nil\tnil\n");
}

#[test]
fn collector_parameters_are_kept_as_lua_keeps_them() {
    let script = "print(collectgarbage('setpause', 1022), collectgarbage('setpause', 200))
        print(collectgarbage('incremental'))";
    assert_eq!(printed(script), "200\t1020\nincremental\n");
}

#[test]
fn an_inconsistent_order_function_is_found_out() {
    let script = "print(pcall(table.sort, {1, 2, 3, 4, 5}, function() return true end))";
    assert_eq!(printed(script), "false\tinvalid order function for sorting\n");
}

#[test]
fn values_survive_a_collection_in_an_order_function() {
    let script = "local t = {}
        for i = 1, 50 do t[i] = {i * 37 % 53} end
        table.sort(t, function(a, b) collectgarbage() return a[1] < b[1] end)
        for i = 2, #t do assert(t[i - 1][1] < t[i][1]) end";
    printed(script);
}

#[test]
fn table_functions_respect_metamethods() {
    let script =
        "local t = setmetatable({}, {__len = function() return 3 end, __index = function(_, k) return k * 10 end})
        print(table.concat(t, ','), table.unpack(t))";
    assert_eq!(printed(script), "10,20,30\t10\t20\t30\n");
}

#[test]
fn unpacking_more_than_the_stack_holds_fails() {
    assert_eq!(printed("print(pcall(table.unpack, {}, 1, 1e8))"), "false\ttoo many results to unpack\n");
}

#[test]
fn long_work_of_a_native_function_meets_the_instruction_limit() {
    let options = Options { instruction_limit: Some(10_000), ..Options::default() };
    let (_, result) = run_with(options, "table.move({}, 1, math.maxinteger - 1, 2)");
    assert_eq!(result, Err(ScriptError::Limit(crate::Limit::Instructions)));
}

#[test]
fn a_native_function_that_fills_a_table_meets_the_memory_limit() {
    let options = Options { memory_limit: 16 << 20, ..Options::default() };
    let (_, result) = run_with(options.clone(), "table.move(setmetatable({}, {__index = math.abs}), 1, 1e9, 1, {})");
    assert!(result.is_err());
    let (_, result) = run_with(
        options,
        "pcall(table.concat, {}) local s = ('x'):rep(1 << 20) table.concat({1, 2, 3, 4, 5, 6}, s:rep(5))",
    );
    assert_eq!(result, Err(ScriptError::Limit(crate::Limit::Memory)));
}

#[test]
fn the_clock_counts_instructions_unless_time_is_real() {
    let options = Options { instruction_limit: Some(1_000_000), ..Options::default() };
    let script = "local a = os.clock() for _ = 1, 1000 do end print(os.clock() > a, os.time(), os.getenv('PATH'))";
    let (first, _) = run_with(options, script);
    assert_eq!(first, "true\t0\tnil\n");
}

#[test]
fn a_module_is_loaded_once_until_it_is_forgotten() {
    let script = "local n = 0
        package.preload.m = function(name, data) n = n + 1 return {n, name, data} end
        local m, data = require 'm'
        print(m[1], m[2], m[3], data, require 'm' == m)
        package.loaded.m = nil
        print(require('m')[1])";
    assert_eq!(printed(script), "1\tm\t:preload:\t:preload:\ttrue\n2\n");
}

#[test]
fn joined_upvalues_are_one() {
    let script = "local a, b = 1, 2
        local function f() return a end
        local function g() b = b + 1 return b end
        print(debug.upvalueid(f, 1) == debug.upvalueid(g, 1))
        debug.upvaluejoin(f, 1, g, 1)
        g()
        print(f(), debug.upvalueid(f, 1) == debug.upvalueid(g, 1), debug.setupvalue(f, 1, 9), g())
        print(pcall(debug.upvaluejoin, f, 2, g, 1))
        print(pcall(debug.upvaluejoin, print, 1, g, 1))";
    let text = printed(script);
    assert!(text.starts_with("false\n3\ttrue\ta\t10\n"), "{text}");
    assert_eq!(text.matches("invalid upvalue index").count(), 2);
}

#[test]
fn a_traceback_names_functions_as_their_callers_do() {
    let script = "local t = {}
        function t.field() print(debug.traceback('m')) end
        local function outer() t.field() end
        pcall(outer)";
    assert_eq!(
        printed(script),
        "m\nstack traceback:\n\ttest:2: in field 'field'\n\ttest:3: in function <test:3>\n\t[C]: in function 'pcall'\n\t\
         test:4: in main chunk\n\t[C]: in ?\n"
    );
}

#[test]
fn a_long_traceback_leaves_out_its_middle() {
    let script = "local function f(n) if n == 0 then return (debug.traceback()) end local s = f(n - 1) return s end
        print(f(40))";
    let text = printed(script);
    assert!(text.contains("\n\t...\t(skipping 21 levels)\n"), "{text}");
    assert_eq!(text.lines().count(), 1 + 10 + 1 + 11);
}

#[test]
fn locals_of_any_level_and_thread_can_be_read_and_set() {
    let script = "local co = coroutine.create(function(x, ...) local y = x coroutine.yield() print(x, y, ...) end)
        coroutine.resume(co, 1, 'extra')
        print(debug.getlocal(co, 1, 2))
        print(debug.getlocal(co, 1, -1))
        print(debug.setlocal(co, 1, 2, 'set'))
        coroutine.resume(co)";
    assert_eq!(printed(script), "y\t1\n(vararg)\textra\ny\n1\tset\textra\n");
}

#[test]
fn a_count_hook_is_called_and_can_be_taken_off() {
    let script = "local n = 0
        debug.sethook(function() n = n + 1 end, '', 10)
        for _ = 1, 1000 do end
        print(n > 10, select('#', debug.gethook()))
        debug.sethook()
        print(debug.gethook())";
    assert_eq!(printed(script), "true\t3\nnil\n");
}

#[test]
fn a_coroutine_is_closed_with_its_variables() {
    let script = "local co = coroutine.create(function()
            local v <close> = setmetatable({}, {__close = function() error('in close', 0) end})
            coroutine.yield()
        end)
        coroutine.resume(co)
        print(coroutine.close(co))
        print(coroutine.status(co), coroutine.close(co))";
    assert_eq!(printed(script), "false\tin close\ndead\ttrue\n");
}

#[test]
fn io_write_gives_the_stream_back() {
    assert_eq!(printed("io.write('a', 1, 2.0, 0.5):write('\\n')"), "a120.5\n");
}
