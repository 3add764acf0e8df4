//! Stacks that tower and fall back: many values, many calls, and more of them than there is room for.

use arbitrary::{Arbitrary, Unstructured};
use mutatis::Mutate;
use serde::{Deserialize, Serialize};

use super::payload::{burst, payloads};
use super::prelude::Helper;
use super::render::{INSPECT, Renderer, step_text};
use crate::language::Feature;

payloads! {
    /// Fills the stack, makes steps where that is possible, and falls back.
    Tower {
        /// What fills the stack.
        of: TowerKind,
        /// How high it is.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(1..=100))]
        height: u8,
        /// How many steps there are at the top, and again at the ground.
        #[arbitrary(with = burst)]
        steps: u8,
        /// Whether objects become garbage while the stack fills, whose finalizers look at the stack. The collector runs then.
        watched: bool,
    }
}

/// What fills a stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Mutate)]
pub enum TowerKind {
    /// Calls that are no tail calls.
    #[default]
    Calls,
    /// The results of `table.unpack`, as variable arguments.
    Items,
    /// The results of `string.byte`.
    Bytes,
    /// A chain of `__call`, each of which adds an argument.
    CallChain,
    /// Tail calls between a function with a small frame and one with a large frame.
    TailCalls,
    /// Calls until the stack overflows.
    Overflow,
    /// Calls of a library function that calls back, until there are too many.
    NativeOverflow,
    /// Errors in a message handler.
    HandlerOverflow,
}

impl TowerKind {
    /// Whether the stack overflows. A finalizer that runs then fails for want of room, before it does anything.
    pub(super) fn overflows(self) -> bool {
        matches!(self, TowerKind::Overflow | TowerKind::NativeOverflow | TowerKind::HandlerOverflow)
    }
}

impl<'a> Arbitrary<'a> for TowerKind {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match u.arbitrary::<u8>()? % 64 {
            0..=9 => TowerKind::Calls,
            10..=19 => TowerKind::Items,
            20..=31 => TowerKind::Bytes,
            32..=41 => TowerKind::CallChain,
            42..=50 => TowerKind::TailCalls,
            51..=52 => TowerKind::Overflow,
            53..=57 => TowerKind::NativeOverflow,
            _ => TowerKind::HandlerOverflow,
        })
    }
}

impl Renderer {
    pub(super) fn tower(&mut self, Tower { of, height, steps, watched }: &Tower) {
        let step = if *steps > 0 { format!("{} ", step_text(0, *steps)) } else { String::new() };
        if of.overflows() {
            // Whatever is garbage has been finalized before.
            self.full_collections();
        }
        let many = u32::from(*height) * 20;
        // At every so many calls, since looking takes its time.
        let (watch, watch_calls, watch_tail_calls) = if *watched {
            ("watch() ", format!("if n % {} == 0 then watch() end ", height * 2), "if n % 8 == 0 then watch() end ")
        } else {
            ("", String::new(), "")
        };
        let unpack = self.unpack();
        let lines = match of {
            TowerKind::Calls => vec![
                format!("local function f(n) if n > 0 then {watch_calls}return 1 + f(n - 1) end {step}return 0 end"),
                format!("print(f({many}))"),
            ],
            TowerKind::Items => vec![
                format!("local function f(...) local kept = {{ ... }} {watch}{step}return select(\"#\", ...), ... end"),
                format!("{watch}print(select(\"#\", f({unpack}({{}}, 1, {many}))))"),
            ],
            TowerKind::Bytes => {
                vec![format!("{watch}print(#string.char((\"x\"):rep({many}):byte(1, -1)))")]
            }
            TowerKind::CallChain => vec![
                format!("local function f(...) {watch}{step}return select(\"#\", ...) end"),
                format!("for _ = 1, {height} do f = setmetatable({{}}, {{ __call = f }}) end"),
                format!("{watch}print(f(1))"),
            ],
            TowerKind::TailCalls => vec![
                "local large".to_owned(),
                "local function small(n)".to_owned(),
                format!("  if n > 0 then {watch_tail_calls}return large(n, {{}}, {{ n }}, {{}}) end"),
                format!("  {step}return n"),
                "end".to_owned(),
                "function large(n, a, b, c, ...)".to_owned(),
                "  local d, e, f, g, h, i, j, k = { a }, { b }, { c }, n, n, n, n, n".to_owned(),
                "  return small(n - 1, d, e, f, g, h, i, j, k, ...)".to_owned(),
                "end".to_owned(),
                format!("print(small({height}))"),
            ],
            // The stack of C is no place for so many values.
            TowerKind::Overflow if !self.has(Feature::LargeResults) => vec![
                "local function f(...) return 1 + f(...) end".to_owned(),
                "for _ = 1, 2 do print(select(2, pcall(f)):find(\"overflow\") ~= nil) end".to_owned(),
            ],
            TowerKind::Overflow => vec![
                // The second one needs the room in which the first was handled.
                "local function f(...) return ... end".to_owned(),
                "local function twice(...)".to_owned(),
                "  for _ = 1, 2 do print(select(2, pcall(f, ...)):find(\"overflow\") ~= nil) end".to_owned(),
                "end".to_owned(),
                format!("twice({unpack}({{}}, 1, {}))", 400_000 + many),
            ],
            TowerKind::NativeOverflow => {
                let callback = format!("local function f() {step}return (string.gsub(\"a\", \"a\", f)) end");
                vec![callback, "print((pcall(f)))".to_owned()]
            }
            TowerKind::HandlerOverflow => {
                vec![format!("print((xpcall(error, function(e) {step}error({{ e }}) end)))")]
            }
        };
        self.push("do");
        self.indented(|inner| {
            if *watched {
                inner.watchers();
            }
            lines.iter().for_each(|line| inner.push(line));
            if *watched && inner.has(Feature::IsRunning) {
                inner.push("if not running then collectgarbage(\"stop\") end");
            }
        });
        self.push("end");
        if *steps > 0 {
            self.push(step_text(0, *steps));
        }
    }

    /// Lets the collector run, and defines a function that makes garbage whose finalizers look at the stack.
    fn watchers(&mut self) {
        if self.has(Feature::IsRunning) {
            self.push("local running = collectgarbage(\"isrunning\")");
        }
        self.push("collectgarbage(\"restart\")");
        let tables = self.has(Feature::TableFinalizers);
        self.push(if tables { "local meta = { __gc = function()" } else { "local function gc()" });
        self.indented(|inner| INSPECT.iter().for_each(|line| inner.push(line)));
        if tables {
            self.push("end }");
            self.push("local function watch() setmetatable({}, meta) end");
        } else {
            self.use_helper(Helper::Proxy);
            self.push("end");
            self.push("local function watch() proxy({}, gc) end");
        }
    }
}
