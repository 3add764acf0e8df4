//! Reports of real findings.

use moonphase_invariants::{Checker, Level, Violation};
use moonphase_vm::gc::Policy;
use moonphase_vm::{Options, ScriptError, Vm};

use super::{Context, Explanation, Style, render};

const CHUNK: &[u8] = b"@case.lua";

/// Closes in on the moment when the first closure is black and the second is not.
const JOINED: &str = "\
local function make()
  local state = {}
  return function() return state end
end
kept = make()
local late = make()
collectgarbage('incremental', 100, 100, 1)
collectgarbage()
for step = 1, STEPS do
  collectgarbage('step', 0)
end
debug.upvaluejoin(late, 1, kept, 1)
debug.setupvalue(late, 1, {})
";

const SHARED: &str = "\
local state = {}
function kept() return state end
local late = function() return state end
do local value = state end
";

fn run(source: &str) -> Option<(Violation, Explanation)> {
    let mut options = Options::default();
    options.policy = Policy::LUA_51;
    options.instruction_limit = Some(1_000_000);
    let checker = Checker::new(Level::Barrier).with_history();
    let mut vm = Vm::observed(options, Box::new(checker));
    let result = vm.run(source.as_bytes(), CHUNK, &[]);
    let checker = Checker::from_observer(vm.take_observer()?)?;
    let violation = checker.violation()?.clone();
    assert!(matches!(result, Err(ScriptError::Halted)));
    let explanation = Explanation::of_violation(&violation, checker.history(), CHUNK);
    Some((violation, explanation))
}

#[test]
fn probe() {
    for steps in 0..900 {
        let script = JOINED.replace("STEPS", &steps.to_string());
        if let Some((violation, explanation)) = run(&script) {
            let context = Context { script: &script, file: "case.lua", command: "moonphase check case.lua", signature: &violation.signature(), lua: "5.4", gc: "5.1", check: "barrier" };
            println!("{steps}\n{violation}\n{}", render(&explanation, &context, Style::Plain));
            return;
        }
    }
    let _ = SHARED;
}
