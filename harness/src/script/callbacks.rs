//! Operations inside of functions that the language or its library calls: metamethods, comparisons, iterators, hooks.

use arbitrary::{Arbitrary, Unstructured};
use mutatis::Mutate;
use serde::{Deserialize, Serialize};

use super::encode::nested_block;
use super::payload::payloads;
use super::render::{Renderer, step_text};
use super::{Block, FunctionId, Value};
use crate::language::{Feature, Language};

payloads! {
    /// A block that runs inside of an operator, a statement or a function of the library.
    ///
    /// What calls the block does not say which of its registers are in use. So values that are garbage may be alive while
    /// the block runs, and nothing in it counts who survives.
    Callback {
        /// Who calls the block.
        site: Site,
        /// What runs there, once.
        #[arbitrary(default)]
        #[mutatis(ignore)]
        #[serde(deserialize_with = "nested_block")]
        body: Block,
    }

    /// Calls a function while a hook makes steps.
    HookedCall {
        /// The function.
        function: FunctionId,
        /// The argument.
        argument: Value,
        /// When the hook is called.
        events: HookEvents,
        /// How many steps it makes each time.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(1..=4))]
        steps: u8,
        /// Whether it is the function as loaded from its dump, which has no upvalues of its own and no lines.
        stripped: bool,
        /// Whether a coroutine calls it, whose hook it is and stays.
        inside: bool,
        /// Whether there is a full collection before the call, and it is shown that the coroutine does not outlive its last use.
        collect: bool,
    }
}

/// Who calls a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum Site {
    /// `__index`
    #[default]
    Index,
    /// `__newindex`
    NewIndex,
    /// `__add`
    Arithmetic,
    /// `__concat`
    Concatenation,
    /// `__len`
    Length,
    /// `__eq`
    Equality,
    /// `__lt`
    Order,
    /// `__call`
    Call,
    /// `__tostring`
    Text,
    /// `__close`
    Close,
    /// The comparison of `table.sort`.
    Sort,
    /// The replacement of `string.gsub`.
    Replacement,
    /// The message handler of `xpcall`.
    Handler,
    /// The iterator of a generic `for`.
    Iterator,
    /// A hook.
    Hook,
}

impl Site {
    /// The text before and after the block.
    fn text(self, language: &Language) -> (&'static str, &'static str) {
        let mixed = language.has(Feature::MixedComparisons);
        match self {
            Site::Index => ("type(setmetatable({}, { __index = function()", "end }).a)"),
            Site::NewIndex => ("setmetatable({}, { __newindex = function()", "end }).a = 1"),
            Site::Arithmetic => ("type(setmetatable({}, { __add = function()", "end }) + 1)"),
            Site::Concatenation => ("type(setmetatable({}, { __concat = function()", "end }) .. \"a\")"),
            Site::Length => ("type(#setmetatable({}, { __len = function()", "end }))"),
            Site::Equality if !mixed => (
                "do local meta = { __eq = function()",
                "end } type(setmetatable({}, meta) == setmetatable({}, meta)) end",
            ),
            Site::Order if !mixed => (
                "do local meta = { __lt = function()",
                "end } type(setmetatable({}, meta) < setmetatable({}, meta)) end",
            ),
            Site::Equality => ("type(setmetatable({}, { __eq = function()", "end }) == {})"),
            Site::Order => ("type(setmetatable({}, { __lt = function()", "end }) < 1)"),
            Site::Call => ("setmetatable({}, { __call = function()", "end })()"),
            Site::Text => ("tostring(setmetatable({}, { __tostring = function()", "return \"\" end }))"),
            Site::Close => ("do local guard <close> = setmetatable({}, { __close = function()", "end }) end"),
            Site::Sort => ("table.sort({ 2, 1 }, function(a, b)", "return a < b end)"),
            Site::Replacement => ("string.gsub(\"a\", \"a\", function()", "end)"),
            // An error in a handler calls the handler again.
            Site::Handler => ("xpcall(error, function() pcall(function()", "end) end)"),
            Site::Iterator => ("for _ in function(_, done) if done then return end", "return true end do end"),
            // The hook is called within the next instructions.
            Site::Hook => {
                ("debug.sethook(function() debug.sethook()", "end, \"\", 1) for _ = 1, 9 do end debug.sethook()")
            }
        }
    }

    /// Whether an error in the block goes no further.
    pub(super) fn catches(self) -> bool {
        self == Site::Handler
    }
}

/// When a hook is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum HookEvents {
    /// At calls and returns.
    #[default]
    Calls,
    /// At lines.
    Lines,
    /// At every instruction.
    Instructions,
    /// At all of them.
    All,
}

impl Renderer {
    pub(super) fn callback(&mut self, Callback { site, body }: &Callback) {
        let (before, after) = site.text(self.language());
        self.push(before);
        self.indented(|inner| inner.block(body));
        self.push(after);
    }

    pub(super) fn hooked_call(&mut self, call: &HookedCall) {
        let HookedCall { function, argument, events, steps, stripped, inside, collect } = call;
        let (mask, count) = match events {
            HookEvents::Calls => ("cr", 0),
            HookEvents::Lines => ("l", 0),
            HookEvents::Instructions => ("", 1),
            HookEvents::All => ("crl", 2),
        };
        let (function, argument) = (self.function(*function), self.value(*argument));
        let function = match *stripped {
            true if self.has(Feature::Load) => format!("load(string.dump({function}, true))"),
            true => format!("loadstring(string.dump({function}))"),
            false => function,
        };
        let hook = format!("function() hooked = true {} end, \"{mask}\", {count}", step_text(0, *steps));
        self.push("do");
        self.indented(|inner| {
            inner.push("local hooked");
            let dies = *inside && *collect;
            if *inside {
                inner.push(format!("local co = coroutine.create({function})"));
                if dies {
                    inner.push("local seen = setmetatable({ co }, { __mode = \"v\" })");
                }
                inner.push(format!("debug.sethook(co, {hook})"));
            } else {
                inner.push(format!("debug.sethook({hook})"));
            }
            if *collect {
                inner.push("collectgarbage()");
            }
            if *inside {
                inner.push(format!("coroutine.resume(co, {argument})"));
            } else {
                inner.push(format!("pcall({function}, {argument})"));
                inner.push("debug.sethook()");
            }
            // Whether there are lines is nothing that the collector could change, and not asked.
            if *events != HookEvents::Lines {
                inner.push("print(hooked)");
            }
            if dies {
                inner.push("co = nil");
                inner.full_collections();
                inner.push("print(seen[1] == nil)");
            }
        });
        self.push("end");
    }
}
