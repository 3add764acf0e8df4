//! What is left to do at the end of a block, of the script and of the state.

use arbitrary::{Arbitrary, Unstructured};
use mutatis::Mutate;
use serde::{Deserialize, Serialize};

use super::payload::payloads;
use super::prelude::Helper;
use super::render::Renderer;
use super::{CloseVariable, Value};
use crate::language::Feature;

payloads! {
    /// `local guard <close> = …`: a to-be-closed variable that is pending until the block ends, and prints what it holds.
    PendingClose {
        /// What it holds.
        value: Value,
    }

    /// An object that is reachable until the state ends, whose finalizer prints what the object holds.
    EndObject {
        /// What it holds.
        value: Value,
        /// Whether the finalizer raises an error in the end.
        fails: bool,
    }

    /// `os.exit(0, true)`: one of the last operations of a script.
    Exit {
        /// The exit status; `true` without one.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.arbitrary::<bool>()?.then(|| u.int_in_range(0..=3)).transpose())]
        status: Option<u8>,
        /// Whether the state is closed before.
        close: bool,
        /// Where the call is.
        from: ExitFrom,
    }
}

/// Where `os.exit` is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum ExitFrom {
    /// The main chunk.
    #[default]
    Chunk,
    /// A protected call.
    Protected,
    /// A coroutine.
    Coroutine,
}

impl Renderer {
    pub(super) fn close_variable(&mut self, CloseVariable { table, key, value, returned }: &CloseVariable) {
        let (table, stored) = (self.table(*table), self.value(*value));
        let (first, last) = if *returned {
            self.use_report();
            ("report((function()", "end)())")
        } else {
            ("do", "end")
        };
        // What it makes takes the place above the top of the stack.
        let close = format!("function() {table}.{key} = {stored} local a, b, c = {{}}, {{}}, {{}} end");
        self.push(first);
        self.indented(|inner| {
            inner.push(format!("local guard <close> = setmetatable({{}}, {{ __close = {close} }})"));
            if *returned {
                inner.push("return { 1 }, \"returned\" .. 1, { 2 }");
            }
        });
        self.push(last);
    }

    pub(super) fn pending_close(&mut self, PendingClose { value }: &PendingClose) {
        self.use_helper(Helper::Report);
        let value = self.value(*value);
        let close = "function(object) report(\"closed\", object[1]) end";
        self.push(format!("local guard <close> = setmetatable({{ {value} }}, {{ __close = {close} }})"));
    }

    pub(super) fn end_object(&mut self, EndObject { value, fails }: &EndObject) {
        self.use_helper(Helper::Report);
        self.use_helper(Helper::Ends);
        let error = if *fails { " error({})" } else { "" };
        let finalizer = format!("function(object) report(\"end\", object[1]){error} end");
        let value = self.value(*value);
        let (before, after) = self.finalized(&format!("{{ {value} }}"));
        self.push(format!("ends[#ends + 1] = {before}{finalizer}{after}"));
    }

    pub(super) fn exit(&mut self, Exit { status, close, from }: &Exit) {
        let success = if self.has(Feature::CloseAtExit) { "true" } else { "0" };
        let status = status.map_or(success.to_owned(), |status| status.to_string());
        let arguments = if *close { format!("{status}, true") } else { status };
        self.push(match from {
            ExitFrom::Chunk => format!("os.exit({arguments})"),
            ExitFrom::Protected => format!("pcall(os.exit, {arguments})"),
            ExitFrom::Coroutine => format!("coroutine.wrap(function() os.exit({arguments}) end)()"),
        });
    }
}
