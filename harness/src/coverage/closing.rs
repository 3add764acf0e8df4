//! Ends: of the scopes of variables, and of the state.

use std::fmt;

use moonphase_heap::{Heap, Kind, ListName, ScopeEnd};
use serde::{Deserialize, Serialize};

use super::stage::Doing;

/// Why a to-be-closed variable is closed. These are rarer than upvalues, so fewer ways are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VariableEnd {
    /// Its block ends.
    Block,
    /// Its function returns.
    Return,
    /// An error passes it, whoever catches the error.
    Error,
    /// Its coroutine is closed.
    CoroutineClose,
    /// The state is closed.
    StateClose,
}

impl VariableEnd {
    const ALL: [VariableEnd; 5] = [
        VariableEnd::Block,
        VariableEnd::Return,
        VariableEnd::Error,
        VariableEnd::CoroutineClose,
        VariableEnd::StateClose,
    ];

    /// `None` for what ends no scope of a to-be-closed variable.
    fn of(end: ScopeEnd) -> Option<VariableEnd> {
        Some(match end {
            ScopeEnd::Block => VariableEnd::Block,
            ScopeEnd::Return => VariableEnd::Return,
            ScopeEnd::Error | ScopeEnd::NestedError | ScopeEnd::WrapError => VariableEnd::Error,
            ScopeEnd::CoroutineClose => VariableEnd::CoroutineClose,
            ScopeEnd::StateClose => VariableEnd::StateClose,
            ScopeEnd::TailCall | ScopeEnd::ThreadFreed | ScopeEnd::NewFrame => return None,
        })
    }

    /// Whether generated programs seldom close a variable that way.
    fn is_rare(self) -> bool {
        matches!(self, VariableEnd::Error | VariableEnd::StateClose)
    }

    /// The word in the names of cells.
    pub fn name(self) -> &'static str {
        match self {
            VariableEnd::Block => "block",
            VariableEnd::Return => "return",
            VariableEnd::Error => "error",
            VariableEnd::CoroutineClose => "coroutine-close",
            VariableEnd::StateClose => "state-close",
        }
    }
}

/// A variable that is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ScopeCell {
    /// An upvalue.
    Upvalue {
        /// Why.
        end: ScopeEnd,
        /// What the collector is doing.
        doing: Doing,
    },
    /// A to-be-closed variable.
    Variable {
        /// Why.
        end: VariableEnd,
        /// Whether barriers keep up the tri-colour invariant. Not told of what is rare.
        kept: Option<bool>,
    },
}

/// How many cells of to-be-closed variables there are: two ends of the five are told by themselves.
const VARIABLES: usize = 3 * 2 + 2;

impl ScopeCell {
    /// How many there are.
    pub(super) const COUNT: usize = ScopeEnd::COUNT * Doing::ALL.len() + VARIABLES;

    /// Every one.
    pub(super) fn all() -> impl Iterator<Item = ScopeCell> {
        let upvalues = ScopeEnd::ALL
            .into_iter()
            .flat_map(|end| Doing::ALL.into_iter().map(move |doing| ScopeCell::Upvalue { end, doing }));
        let variables = VariableEnd::ALL.into_iter().flat_map(|end| {
            let told: &[Option<bool>] = if end.is_rare() { &[None] } else { &[Some(true), Some(false)] };
            told.iter().map(move |&kept| ScopeCell::Variable { end, kept })
        });
        upvalues.chain(variables)
    }

    /// The cell of an upvalue that is closed.
    pub(super) fn of_upvalue<H: Heap>(heap: H, end: ScopeEnd) -> ScopeCell {
        ScopeCell::Upvalue { end, doing: Doing::of(heap) }
    }

    /// The cell of a to-be-closed variable that is closed.
    pub(super) fn of_variable<H: Heap>(heap: H, end: ScopeEnd) -> Option<ScopeCell> {
        let end = VariableEnd::of(end)?;
        let kept = (!end.is_rare()).then(|| Doing::of(heap).keeps_invariant());
        Some(ScopeCell::Variable { end, kept })
    }
}

impl fmt::Display for ScopeCell {
    /// `close-upvalue wrap-error marking`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            ScopeCell::Upvalue { end, doing } => write!(f, "close-upvalue {end} {}", doing.name()),
            ScopeCell::Variable { end, kept } => {
                let kept = match kept {
                    None => "",
                    Some(true) => " barriers",
                    Some(false) => " no-barriers",
                };
                write!(f, "close-variable {}{kept}", end.name())
            }
        }
    }
}

/// An object whose finalizer is called because the state is closed, by a program that ends itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EndCell {
    /// An object that may be in use.
    InUse {
        /// Whether it is a userdata, such as a standard stream, and no table.
        userdata: bool,
        /// What the collector is doing.
        doing: Doing,
    },
    /// An object that waits for its finalizer already.
    Waiting,
}

impl EndCell {
    /// How many there are.
    pub(super) const COUNT: usize = 2 * Doing::ALL.len() + 1;

    /// Every one.
    pub(super) fn all() -> impl Iterator<Item = EndCell> {
        let in_use = |userdata| Doing::ALL.map(move |doing| EndCell::InUse { userdata, doing });
        [false, true].into_iter().flat_map(in_use).chain([EndCell::Waiting])
    }

    /// The cells of the objects with finalizers of a state that is about to be closed.
    pub(super) fn each_of<H: Heap>(heap: H, mut visit: impl FnMut(EndCell)) {
        let doing = Doing::of(heap);
        // A list that is a circle is no matter of these cells.
        let objects = |list| heap.list(list).take(heap.newest() as usize);
        for object in objects(ListName::Finalizable) {
            visit(EndCell::InUse { userdata: heap.kind(object) == Kind::Userdata, doing });
        }
        if objects(ListName::ToBeFinalized).next().is_some() {
            visit(EndCell::Waiting);
        }
    }
}

impl fmt::Display for EndCell {
    /// `close-state table sweeping`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            EndCell::InUse { userdata, doing } => {
                write!(f, "close-state {} {}", if userdata { "userdata" } else { "table" }, doing.name())
            }
            EndCell::Waiting => f.write_str("close-state waiting"),
        }
    }
}
