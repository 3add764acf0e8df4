//! The VM as a library.

use moonphase_vm::{Coroutine, Error, Function, Limit, LuaValue, Options, Schedule, Table, Userdata, Values, Vm};
use std::cell::RefCell;
use std::rc::Rc;

#[path = "../examples/configuration.rs"]
mod configuration;
#[path = "../examples/counter.rs"]
mod counter;

fn vm() -> Vm {
    Vm::new(Options::default()).unwrap()
}

fn message<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn the_example_of_a_configuration_reads_it_and_says_what_is_wrong() {
    configuration::main();
    let script = "return { name = 'x', ports = { 1, 2 }, home = environment('HOME') }";
    let loaded = configuration::load(script, |name| Some(format!("/{name}"))).unwrap();
    let expected =
        configuration::Configuration { name: "x".to_owned(), ports: vec![1, 2], home: Some("/HOME".to_owned()) };
    assert_eq!(loaded, expected);
    let wrong = |script| message(configuration::load(script, |_| None));
    assert_eq!(wrong("return {"), "configuration:1: unexpected symbol near <eof>");
    assert_eq!(wrong("while true do end"), "instruction limit reached");
    assert_eq!(wrong("return string.rep('x', 1 << 30)"), "memory limit reached");
    assert_eq!(wrong("return 1"), "table expected, got number");
    assert_eq!(wrong("error('no configuration')"), "configuration:1: no configuration");
}

#[test]
fn the_example_of_a_counter_counts_and_raises() {
    counter::main();
    let said = counter::run().unwrap();
    let expected = [
        "Lua counts 1",
        "Lua counts 11",
        "Lua counts 111",
        "the host counts 111",
        "1: bad argument #1 to 'add' (number expected, got string)",
        "1: bad argument #1 to 'add' (userdata expected, got number)",
        "1: the counter is full",
        "pcall gave false: bad argument #1 to '?' (userdata expected, got table)",
    ];
    for (line, expected) in said.iter().zip(expected) {
        assert!(line.ends_with(expected), "{line:?} instead of {expected:?}");
    }
    assert_eq!(said.len(), expected.len());
}

#[test]
fn values_cross_the_boundary_as_what_they_are() {
    let mut vm = vm();
    let identity = vm.create_function(|_, values: Values| Ok(values)).unwrap();
    let values = vec![
        LuaValue::Nil,
        LuaValue::Boolean(false),
        LuaValue::Integer(i64::MIN),
        LuaValue::Float(-0.5),
        LuaValue::String(b"\0\xff".to_vec()),
        LuaValue::Nil,
    ];
    assert_eq!(identity.call::<Values>(&mut vm, Values(values.clone())).unwrap().0, values);

    let (a, b, c, d): (String, i64, f64, Option<i64>) = vm.eval("return 12, '0x10', '1e1'").unwrap();
    assert_eq!((a.as_str(), b, c, d), ("12", 16, 10.0, None));
    let (yes, no, nothing): (bool, bool, bool) = vm.eval("return 0, nil").unwrap();
    assert_eq!((yes, no, nothing), (true, false, false));
    let _: (Table, Function, Coroutine, Userdata) =
        vm.eval("return {}, print, coroutine.create(print), io.stdout").unwrap();

    assert_eq!(message(vm.eval::<i64>("return 1.5")), "number expected, got number");
    assert_eq!(message(vm.eval::<(i64, Table)>("return 1")), "table expected, got no value");
    assert_eq!(message(vm.eval::<String>("return '\\xff'")), "UTF-8 string expected, got string");
    assert_eq!(message(vm.eval::<i32>("return 1 << 31")), "number expected, got number");
}

#[test]
fn a_table_is_read_and_written_with_metamethods_or_without() {
    let mut vm = vm();
    let table: Table = vm
        .eval(
            "return setmetatable({ 1, 2, a = 'x' }, {
               __index = function(_, key) if key == 'bad' then error('bad key', 0) end return key .. '!' end,
               __newindex = function(t, key, value) rawset(t, key, value * 2) end })",
        )
        .unwrap();
    assert_eq!(table.get::<String>(&mut vm, "missing").unwrap(), "missing!");
    assert_eq!(message(table.get::<String>(&mut vm, "bad")), "bad key");
    assert_eq!(table.raw_get::<Option<String>>(&mut vm, "missing").unwrap(), None);
    table.set(&mut vm, "new", 4).unwrap();
    assert_eq!(table.raw_get::<i64>(&mut vm, "new").unwrap(), 8);
    table.raw_set(&mut vm, 3, 3).unwrap();
    assert_eq!(table.raw_len(&mut vm).unwrap(), 3);
    let mut pairs: Vec<(String, String)> = table.pairs(&mut vm).unwrap();
    pairs.sort();
    let expected = [("1", "1"), ("2", "2"), ("3", "3"), ("a", "x"), ("new", "8")];
    assert_eq!(pairs, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert_eq!(message(table.raw_set(&mut vm, LuaValue::Nil, 1)), "table index is nil");
    assert_eq!(message(table.raw_set(&mut vm, f64::NAN, 1)), "table index is NaN");
    table.set_metatable(&mut vm, None).unwrap();
    assert_eq!(table.get::<LuaValue>(&mut vm, "missing").unwrap(), LuaValue::Nil);
}

#[test]
fn an_error_keeps_its_value_on_its_way_through_the_host() {
    let mut vm = vm();
    let call = vm.create_function(|vm, function: Function| function.call::<Values>(vm, ())).unwrap();
    vm.set_global("call", call).unwrap();
    let same: bool = vm
        .eval(
            "local thrown = setmetatable({}, { __tostring = function() return 'my error' end })
             local ok, caught = pcall(call, function() error(thrown) end)
             return not ok and caught == thrown",
        )
        .unwrap();
    assert!(same);
    let error =
        vm.eval::<()>("call(function() error(setmetatable({}, { __tostring = function() return 'mine' end })) end)");
    let Err(Error::Lua { value: LuaValue::Table(_), message }) = error else { panic!("{error:?}") };
    assert_eq!(message, "mine");
    // Variables are closed, and what comes after finds an orderly stack.
    let closed: i64 = vm
        .eval(
            "local closed = 0
             pcall(call, function()
               local x <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
               error('x')
             end)
             return closed",
        )
        .unwrap();
    assert_eq!(closed, 1);
}

#[test]
fn limits_pass_through_every_pcall_and_can_be_raised() {
    let mut options = Options::default();
    options.instruction_limit = Some(100_000);
    options.memory_limit = 1 << 20;
    let mut vm = Vm::new(options).unwrap();
    let call = vm.create_function(|vm, function: Function| function.call::<Values>(vm, ())).unwrap();
    vm.set_global("call", call).unwrap();
    let endless = "pcall(call, function() while true do end end) return 'caught'";
    assert!(matches!(vm.eval::<String>(endless), Err(Error::Limit(Limit::Instructions))));
    assert!(matches!(vm.eval::<i64>("return 1"), Err(Error::Limit(Limit::Instructions))));
    vm.set_instruction_limit(Some(100_000));
    assert_eq!(vm.eval::<i64>("return 1").unwrap(), 1);
    assert!(vm.instructions() > 0);
    let large = "local t = {} for i = 1, 1 << 20 do t[i] = { i } end";
    vm.set_instruction_limit(None);
    assert!(matches!(vm.eval::<()>(large), Err(Error::Limit(Limit::Memory))));
    // What the script held is garbage now.
    assert_eq!(vm.eval::<i64>("return 2").unwrap(), 2);
}

#[test]
fn a_host_that_makes_objects_without_running_lua_has_its_garbage_collected_and_meets_the_limit() {
    let mut options = Options::default();
    options.memory_limit = 2 << 20;
    let mut vm = Vm::new(options).unwrap();
    for _ in 0..100_000 {
        vm.create_table().unwrap();
    }
    let mut kept = Vec::new();
    let error = loop {
        match vm.create_table() {
            Ok(table) => kept.push(table),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Limit(Limit::Memory)), "{error}");
    assert!(kept.len() > 1000);
    drop(kept);
    vm.create_table().unwrap();
}

#[test]
fn what_a_handle_names_lives_as_long_as_the_handle_under_every_schedule() {
    for schedule in ["none", "stress", "barriers", "random:1", "random:2", "generational"] {
        let mut options = Options::default();
        options.schedule = schedule.parse::<Schedule>().unwrap();
        let mut vm = Vm::new(options).unwrap();
        let log = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&log);
        let note = vm
            .create_function(move |_, text: String| {
                seen.borrow_mut().push(text);
                Ok(())
            })
            .unwrap();
        vm.set_global("note", note).unwrap();
        let make: Function = vm
            .eval("return function(name) return setmetatable({ name = name }, { __gc = function(t) note(t.name) end }) end")
            .unwrap();
        let kept: Vec<Table> = (0..10).map(|i| make.call(&mut vm, format!("kept {i}")).unwrap()).collect();
        let dropped: Table = make.call(&mut vm, "dropped").unwrap();
        let copy = dropped.clone();
        drop(dropped);
        vm.collect().unwrap();
        vm.eval::<()>("collectgarbage() collectgarbage()").unwrap();
        assert_eq!(log.borrow().len(), 0, "{schedule}");
        drop(copy);
        vm.eval::<()>("collectgarbage() collectgarbage()").unwrap();
        assert_eq!(*log.borrow(), ["dropped"], "{schedule}");
        for (i, table) in kept.iter().enumerate() {
            assert_eq!(table.get::<String>(&mut vm, "name").unwrap(), format!("kept {i}"), "{schedule}");
        }
    }
}

#[test]
fn the_value_in_a_userdata_is_dropped_when_the_object_is_freed() {
    let mut vm = vm();
    let data = Rc::new(());
    let userdata = vm.create_userdata(Rc::clone(&data)).unwrap();
    assert_eq!(Rc::strong_count(&data), 2);
    assert!(Rc::ptr_eq(&*userdata.get::<Rc<()>>(&mut vm).unwrap(), &data));
    assert_eq!(message(userdata.get::<String>(&mut vm)), "String expected, got userdata");
    let stdout: Userdata = vm.eval("return io.stdout").unwrap();
    assert_eq!(message(stdout.get::<String>(&mut vm)), "String expected, got FILE*");
    drop(userdata);
    vm.create_table().unwrap();
    vm.collect().unwrap();
    assert_eq!(Rc::strong_count(&data), 1);
    let kept = vm.create_userdata(Rc::clone(&data)).unwrap();
    drop(vm);
    assert_eq!(Rc::strong_count(&data), 1);
    drop(kept);
}

#[test]
fn a_handle_of_another_vm_is_refused() {
    let (mut one, mut other) = (vm(), vm());
    let table = one.create_table().unwrap();
    let function: Function = one.eval("return print").unwrap();
    assert!(matches!(table.get::<LuaValue>(&mut other, 1), Err(Error::ForeignHandle)));
    assert!(matches!(function.call::<()>(&mut other, ()), Err(Error::ForeignHandle)));
    assert!(matches!(other.set_global("x", table), Err(Error::ForeignHandle)));
    let give = other.create_function(move |_, ()| Ok(function.clone())).unwrap();
    other.set_global("give", give).unwrap();
    assert!(message(other.eval::<()>("give()")).ends_with("the value belongs to another VM"));
}

#[test]
fn a_native_function_whose_parts_were_taken_away_is_an_error() {
    let mut vm = vm();
    let function = vm.create_function(|_, ()| Ok(1)).unwrap();
    vm.set_global("f", function).unwrap();
    let result = vm.eval::<()>("debug.setupvalue(f, 1, io.stdout) f()");
    assert!(message(result).ends_with("the native function is gone"));
}

#[test]
fn a_function_of_the_host_can_be_called_by_what_it_calls() {
    let mut vm = vm();
    let depth = vm
        .create_function(|vm, (function, left): (Function, i64)| {
            if left == 0 {
                Ok(0)
            } else {
                function.call::<i64>(vm, (function.clone(), left - 1)).map(|below| below + 1)
            }
        })
        .unwrap();
    assert_eq!(depth.call::<i64>(&mut vm, (depth.clone(), 50)).unwrap(), 50);
    // The nesting limit ends what has no end of its own.
    let error = message(depth.call::<i64>(&mut vm, (depth.clone(), -1)));
    assert!(error.contains("C stack overflow"), "{error}");
}

#[test]
fn a_chunk_says_its_name_and_a_coroutine_can_be_resumed() {
    let mut vm = vm();
    assert_eq!(message(vm.load_chunk("x = ", "@file.lua")), "file.lua:1: unexpected symbol near <eof>");
    let chunk = vm.load_chunk("local a, b = ... return a + b", "=sum").unwrap();
    assert_eq!(chunk.call::<i64>(&mut vm, (2, 3)).unwrap(), 5);
    let coroutine: Coroutine =
        vm.eval("return coroutine.create(function(a) local b = coroutine.yield(a * 2) return a + b end)").unwrap();
    let resume: Function = vm.eval("return coroutine.resume").unwrap();
    assert_eq!(resume.call::<(bool, i64)>(&mut vm, (coroutine.clone(), 4)).unwrap(), (true, 8));
    assert_eq!(resume.call::<(bool, i64)>(&mut vm, (coroutine, 5)).unwrap(), (true, 9));
}
