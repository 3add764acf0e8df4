//! The limits of the host: they end every program, and no program can hide them.

mod common;

use moonphase_vm::{Limit, Options, ScriptError};

fn ends_by(limit: Limit, source: &str) {
    let mut options = Options::default();
    options.memory_limit = 8 << 20;
    options.instruction_limit = Some(1_000_000);
    let (_, result) = common::run_with(options, source);
    assert_eq!(result, Err(ScriptError::Limit(limit)), "{source}");
}

#[test]
fn endless_programs_end() {
    for source in [
        "while true do end",
        "goto a ::a:: goto a",
        "local function f() return f() end f()",
        "while true do pcall(error) end",
        "while true do pcall(function() while true do end end) end",
        "xpcall(function() while true do end end, function() while true do end end)",
        "while true do coroutine.wrap(function() while true do end end)() end",
        "local x <close> = setmetatable({}, {__close = function() while true do end end}) error()",
        "setmetatable({}, {__gc = function() while true do end end}) collectgarbage()",
        "local function deep() return 1 + deep() end while true do pcall(deep) end",
        // A reader that executes no instruction.
        "load(os.setlocale)",
    ] {
        ends_by(Limit::Instructions, source);
    }
}

#[test]
fn long_work_in_single_instructions_counts_too() {
    for source in [
        "local text = 'return 1' while true do load(text)() text = text .. ' ' end",
        "local text = string.rep('x', 1 << 20) while true do local longer = text .. 'y' end",
        "string.find(string.rep('a', 100000), string.rep('a-', 50) .. 'b')",
        "table.concat(setmetatable({}, {__len = function() return 1 << 40 end, __index = function() return '' end}))",
    ] {
        ends_by(Limit::Instructions, source);
    }
}

#[test]
fn the_work_of_the_collector_counts_too() {
    for mode in ["incremental", "generational"] {
        let source = format!(
            "collectgarbage('{mode}') local kept = {{}} for i = 1, 10000 do kept[i] = {{}} end
            while true do collectgarbage() print() end"
        );
        let mut options = Options::default();
        options.instruction_limit = Some(1_000_000);
        let (output, result) = common::run_with(options, &source);
        assert_eq!(result, Err(ScriptError::Limit(Limit::Instructions)), "{mode}");
        // Each collection marks ten thousand tables at least.
        let collections = output.lines().count();
        assert!((10..1_000).contains(&collections), "{mode}: {collections} collections");
    }
}

#[test]
fn greedy_programs_end() {
    for source in [
        "local t = {} for i = 1, 1 << 40 do t[i] = {} end",
        "local t = {} for i = 1, 1 << 40 do t['a key that is new ' .. i] = i end",
        "local s = 'x' while true do s = s .. s end",
        "pcall(function() local s = 'x' while true do s = s .. s end end)",
        "string.rep('x', 1 << 30)",
        "local kept = {} while true do local c = coroutine.wrap(function() coroutine.yield() end) c() kept[#kept + 1] = c end",
    ] {
        ends_by(Limit::Memory, source);
    }
}

#[test]
fn what_the_collector_can_free_does_not_count() {
    let mut options = Options::default();
    options.memory_limit = 4 << 20;
    let source = "for i = 1, 200000 do local t = {i, tostring(i)} end
        for i = 1, 100 do local s = string.rep('x', 100000) .. i end";
    assert_eq!(common::run_with(options, source).1, Ok(()));
}

#[test]
fn a_vm_can_run_another_chunk_after_a_limit() {
    let mut options = Options::default();
    options.memory_limit = 4 << 20;
    let mut vm = moonphase_vm::Vm::new(options).expect("a sound policy");
    let greedy = b"local open = 1 local f = function() return open end
        local x <close> = setmetatable({}, {__close = function() end}) local s = f() while true do s = s .. 'x' .. s end";
    assert_eq!(vm.run(greedy, b"@a", &[]), Err(ScriptError::Limit(Limit::Memory)));
    assert_eq!(vm.collect(), Ok(()));
    assert_eq!(vm.run(b"local t = {} for i = 1, 100 do t[i] = {i} end assert(#t == 100)", b"@b", &[]), Ok(()));
}
