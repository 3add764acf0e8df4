//! The events of a trace, by their names on the command line.

use serde::Serialize;

macro_rules! event_kinds {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal, $usual:literal;)*) => {
        /// What an event is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum EventKind { $($(#[doc = $doc])* $variant,)* }

        impl EventKind {
            /// Every kind.
            pub const ALL: &'static [EventKind] = &[$(EventKind::$variant),*];

            /// The word for it, on the command line and in every line.
            pub fn name(self) -> &'static str {
                match self { $(EventKind::$variant => $name,)* }
            }

            /// Whether it is shown where nobody says what to show.
            pub fn is_usual(self) -> bool {
                match self { $(EventKind::$variant => $usual,)* }
            }
        }
    };
}

event_kinds! {
    /// An object was made.
    Allocate = "allocate", true;
    /// A Lua function was entered.
    Call = "call", true;
    /// A Lua function returned.
    Return = "return", true;
    /// A function expression gave the closure that it had made before (the cache of Lua 5.2 and 5.3).
    Reuse = "reuse", true;
    /// A new closure was given an upvalue.
    Capture = "capture", true;
    /// A variable became an upvalue.
    Open = "open", true;
    /// An upvalue entered its thread's open list, or was found there again.
    Link = "link", true;
    /// An upvalue took its value off the stack.
    Close = "close", true;
    /// `debug.upvaluejoin` gave a closure another upvalue.
    Join = "join", true;
    /// A reference was written.
    Store = "store", false;
    /// A write barrier changed a colour.
    Barrier = "barrier", true;
    /// A write barrier found nothing to do.
    IdleBarrier = "idle-barrier", false;
    /// White to gray, or to black where there is nothing to traverse.
    Mark = "mark", true;
    /// Gray to black: what the object refers to is being marked.
    Blacken = "blacken", true;
    /// Back to gray, to be traversed again in the atomic phase.
    GrayAgain = "gray-again", true;
    /// An entry of a weak table was cleared.
    Clear = "clear", true;
    /// A collection of generational mode, or a barrier, changed an object's age.
    Age = "age", true;
    /// A sweep met a living object and made it white.
    Whiten = "whiten", true;
    /// A sweep freed an object.
    Free = "free", true;
    /// A finalizer is called.
    Finalize = "finalize", true;
    /// The collector went from one phase to another.
    Phase = "phase", true;
    /// A cycle of the collector began or ended.
    Cycle = "cycle", true;
    /// A step of the collector began or ended.
    Step = "step", false;
    /// The script printed a line.
    Print = "print", true;
    /// The collector met a freed object that is in use.
    Dangling = "dangling", true;
    /// Something is wrong in the heap: a finding.
    Violation = "violation", true;
    /// Lines were left out.
    LeftOut = "left-out", true;
    /// The script ended.
    End = "end", true;
}
