//! Coroutines that are suspended deep inside of calls, and calls of coroutines that are not suspended.

use arbitrary::{Arbitrary, Unstructured};
use mutatis::Mutate;
use serde::{Deserialize, Serialize};

use super::function::name;
use super::payload::{burst, payloads};
use super::render::{Renderer, state_names, step_text};
use super::{CoroutineId, NewFunction, Place, Value, several};

payloads! {
    /// Locals of a coroutine and the functions that capture them, like a coroutine scope; the coroutine is suspended inside
    /// of calls.
    SuspendedScope {
        /// The variable of the coroutine.
        id: CoroutineId,
        /// Where it lives.
        place: Place,
        /// The initial values of the locals.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 1, 2))]
        locals: Vec<Value>,
        /// The functions.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 1, 2))]
        functions: Vec<NewFunction>,
        /// What the coroutine is inside of, from the outside.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 1, 3))]
        levels: Vec<Level>,
        /// How many steps there are while it is suspended.
        #[arbitrary(with = burst)]
        steps: u8,
        /// What becomes of it then.
        ending: Ending,
    }

    /// Resumes or closes a coroutine at a moment when it is not suspended, and prints what that says.
    MisplacedResume {
        /// The coroutine.
        status: Status,
        /// The call.
        call: CoroutineCall,
        /// How many steps there are at that moment.
        #[arbitrary(with = burst)]
        steps: u8,
    }
}

/// A call, or a statement that calls, in which a coroutine may be suspended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum Level {
    /// `pcall`
    #[default]
    Protected,
    /// `xpcall`
    Handled,
    /// A `pcall` of a function with a to-be-closed variable, whose `__close` assigns the first local.
    Guarded,
    /// The `__close` of a to-be-closed variable.
    Closing,
    /// The iterator of a generic `for`.
    Iterator,
    /// A coroutine that it has resumed.
    Resumed,
    /// The body of a generic `for` with a to-be-closed value, whose `__close` assigns the first local. Another to-be-closed
    /// variable comes after the loop.
    Loop,
}

impl Level {
    /// The lines before and after what runs at this level.
    fn text(self, first: &str) -> (Vec<String>, &'static [&'static str]) {
        let guard = "local guard <close> = setmetatable({}, { __close = function()";
        let (before, after): (&[&str], &[&str]) = match self {
            Level::Protected => (&["pcall(function()"], &["end)"]),
            Level::Handled => (&["xpcall(function()"], &["end, debug.traceback)"]),
            Level::Guarded => {
                let assign = format!("{guard} {first} = {{ {first} }} end }})");
                return (vec!["pcall(function()".to_owned(), assign], &["end)"]);
            }
            Level::Closing => (&["pcall(function()", guard], &["end })", "end)"]),
            Level::Iterator => {
                (&["for _ in function(_, done)", "if done then return end"], &["return true", "end do end"])
            }
            Level::Loop => {
                const LAST: &str = "local last <close> = setmetatable({}, { __close = function() end })";
                let close = format!("setmetatable({{}}, {{ __close = function() {first} = {{ {first} }} end }})");
                let head = format!("for key in next, {{ 1 }}, nil, {close} do");
                let before = ["pcall(function()", &head, "local function hold() return key end"];
                return (before.map(str::to_owned).to_vec(), &["break", "end", LAST, "end)"]);
            }
            Level::Resumed => (&["coroutine.resume(coroutine.create(function()"], &["end))", "coroutine.yield()"]),
        };
        (before.iter().map(|&line| line.to_owned()).collect(), after)
    }
}

/// What becomes of a suspended coroutine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum Ending {
    /// Nothing: others may resume and close it, or it is suspended at the end of the state.
    #[default]
    Left,
    /// Its variable is cleared, so that it is garbage.
    Dropped,
    /// `coroutine.close`
    Closed,
}

/// When a coroutine is not suspended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum Status {
    /// It has ended.
    #[default]
    Dead,
    /// It calls itself.
    Running,
    /// It has resumed the coroutine that calls it.
    Normal,
}

/// A call of a coroutine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum CoroutineCall {
    /// `coroutine.resume`
    #[default]
    Resume,
    /// The function that `coroutine.wrap` returned.
    Wrapped,
    /// `coroutine.close`
    Close,
}

impl Renderer {
    pub(super) fn suspended_scope(&mut self, scope: &SuspendedScope) {
        let SuspendedScope { id, place, locals, functions, levels, steps, ending } = scope;
        let names = state_names(locals.len(), &self.next_scope());
        let values: Vec<_> = locals.iter().map(|&local| self.value(local)).collect();
        let targets: Vec<_> = functions.iter().map(|function| (function.id, function.place)).collect();
        self.declare_locals(targets.iter());
        self.begin_coroutine(*id, *place, false, "");
        self.indented(|inner| {
            inner.state(&names, &values);
            inner.assign_functions(functions, &names);
            inner.levels(levels, name(&names, 0));
        });
        self.push("end)");
        self.resume(*id, Value::Nil);
        if *steps > 0 {
            self.push(step_text(0, *steps));
        }
        let coroutine = self.coroutine(*id);
        match ending {
            Ending::Left => {}
            Ending::Dropped => self.push(format!("{coroutine} = nil")),
            Ending::Closed => self.report(format!("coroutine.close({coroutine})")),
        }
    }

    fn levels(&mut self, levels: &[Level], first: &str) {
        let Some((level, inside)) = levels.split_first() else {
            self.push(format!("coroutine.yield({first})"));
            return;
        };
        let (before, after) = level.text(first);
        before.iter().for_each(|line| self.push(line));
        self.indented(|inner| inner.levels(inside, first));
        after.iter().for_each(|line| self.push(line));
    }

    pub(super) fn misplaced_resume(&mut self, MisplacedResume { status, call, steps }: &MisplacedResume) {
        let (make, what) = match call {
            CoroutineCall::Resume => ("create", "coroutine.resume, co"),
            CoroutineCall::Wrapped => ("wrap", "co"),
            CoroutineCall::Close => ("create", "coroutine.close, co"),
        };
        let body = match status {
            Status::Dead => "",
            Status::Running => "call()",
            Status::Normal => "coroutine.wrap(call)()",
        };
        self.push("do");
        self.indented(|inner| {
            inner.push("local co");
            inner.push("local function call()");
            inner.indented(|inner| {
                if *steps > 0 {
                    inner.push(step_text(0, *steps));
                }
                inner.report(format!("pcall({what})"));
            });
            inner.push("end");
            inner.push(format!("co = coroutine.{make}(function() {body} end)"));
            inner.push(if *call == CoroutineCall::Wrapped { "co()" } else { "coroutine.resume(co)" });
            if *status == Status::Dead {
                inner.push("call()");
            }
        });
        self.push("end");
    }
}
