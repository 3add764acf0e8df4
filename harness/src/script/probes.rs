//! Functions of the debug library at native levels, and with numbers of levels, locals and upvalues that are not there.

use arbitrary::Arbitrary;
use mutatis::Mutate;
use serde::{Deserialize, Serialize};

use super::FunctionId;
use super::payload::payloads;
use super::render::Renderer;
use crate::language::Feature;

payloads! {
    /// Calls a function of the debug library, and prints whether that is an error.
    DebugProbe {
        /// The call.
        call: ProbeCall,
        /// The function that it is about.
        function: FunctionId,
        /// The level that it is about, rather than the function, if the call knows levels.
        level: Option<ProbeLevel>,
        /// The number of the local or the upvalue.
        number: ExtremeNumber,
    }
}

/// A function of the debug library.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
#[expect(missing_docs, reason = "the functions of the debug library")]
pub enum ProbeCall {
    #[default]
    GetInfo,
    GetLocal,
    SetLocal,
    GetUpvalue,
    SetUpvalue,
    UpvalueId,
    UpvalueJoin,
}

/// A level of the stack, as a native function sees it that `pcall` calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum ProbeLevel {
    /// The native function itself.
    #[default]
    Callee,
    /// `pcall`
    Caller,
    /// The function that calls `pcall`.
    Script,
    /// No level.
    Missing(ExtremeNumber),
}

/// A number that no local and no upvalue has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum ExtremeNumber {
    /// `0`
    #[default]
    Zero,
    /// `-1`
    Negative,
    /// `256`: more than a function may have.
    Large,
    /// The largest `int` of C.
    Largest,
    /// The smallest `int` of C.
    Smallest,
    /// `math.mininteger`, which is 0 as an `int`.
    Integer,
}

impl ExtremeNumber {
    fn text(self) -> &'static str {
        match self {
            ExtremeNumber::Zero => "0",
            ExtremeNumber::Negative => "-1",
            ExtremeNumber::Large => "256",
            ExtremeNumber::Largest => "2147483647",
            ExtremeNumber::Smallest => "-2147483648",
            ExtremeNumber::Integer => "math.mininteger",
        }
    }
}

impl Renderer {
    pub(super) fn debug_probe(&mut self, DebugProbe { call, function, level, number }: &DebugProbe) {
        let (function, number) = (self.function(*function), number.text());
        let level = level.map(|level| match level {
            ProbeLevel::Callee => "0",
            ProbeLevel::Caller => "1",
            ProbeLevel::Script => "2",
            ProbeLevel::Missing(ExtremeNumber::Zero | ExtremeNumber::Integer) => "99",
            ProbeLevel::Missing(number) => number.text(),
        });
        let subject = level.unwrap_or(&function);
        let arguments = match call {
            ProbeCall::GetInfo if !self.has(Feature::CallInfo) => format!("getinfo, {subject}, \"nSlufL\""),
            ProbeCall::GetInfo => format!("getinfo, {subject}, \"nSlutfrL\""),
            ProbeCall::GetLocal => format!("getlocal, {subject}, {number}"),
            ProbeCall::SetLocal => format!("setlocal, {}, {number}, {{}}", level.unwrap_or("1")),
            ProbeCall::GetUpvalue => format!("getupvalue, {function}, {number}"),
            ProbeCall::SetUpvalue => format!("setupvalue, {function}, {number}, {{}}"),
            ProbeCall::UpvalueId => format!("upvalueid, {function}, {number}"),
            ProbeCall::UpvalueJoin => format!("upvaluejoin, {function}, {number}, {function}, 1"),
        };
        self.push(format!("print((pcall(debug.{arguments})))"));
    }
}
