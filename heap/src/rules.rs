//! The ways in which collectors differ without being wrong.

use serde::{Deserialize, Serialize};

/// What a checker may assume of a heap: where its collector keeps what, and which colours a check may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Where short strings are.
    pub short_strings: ShortStrings,
    /// The colour of a string that is marked.
    pub marked_strings: MarkedStrings,
    /// What upvalues are, and where they are.
    pub upvalues: UpvalueStorage,
    /// What becomes of objects that wait for their finalizers.
    pub waiting: Waiting,
}

/// Where interned strings are kept and swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShortStrings {
    /// In the string table alone: Lua 5.1 and 5.2 (`g->strt`).
    InTable,
    /// In the list of all objects as well: Lua 5.3 and later.
    InAll,
}

/// The colour of a string that is marked. Strings refer to nothing, so they are on no gray list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MarkedStrings {
    /// Gray: Lua 5.1 (`reallymarkobject` in `lgc.c`).
    Gray,
    /// Black: Lua 5.2 and later.
    Black,
}

/// What upvalues are, and where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpvalueStorage {
    /// Objects; the open ones are in a list of their own: Lua 5.1 and 5.2 (`g->uvhead`).
    OpenApart,
    /// Objects, open and closed in the list of all objects: Lua 5.4.
    InAll,
    /// No objects: they have no colour and count the closures that have them. A closed one lives as long as a closure has it:
    /// Lua 5.3 (`lfunc.h`).
    Counted,
}

/// What becomes of objects that were found unreachable and wait for their finalizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Waiting {
    /// They are marked when a cycle begins, and the sweep makes them white again: Lua 5.3 and later.
    Swept,
    /// They are marked when a cycle begins, and no sweep comes to their list: they stay black. Lua 5.2.
    Kept,
    /// No sweep comes to their list, and a full collection marks them in its atomic phase only. Until then they have the
    /// colours of the cycle before: Lua 5.1 (`luaC_fullgc` and `marktmu` in `lgc.c`).
    KeptUnmarked,
}
