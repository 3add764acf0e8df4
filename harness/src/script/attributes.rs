//! Local variables with attributes.

use arbitrary::Arbitrary;
use mutatis::Mutate;
use serde::{Deserialize, Serialize};

use super::payload::{burst, payloads};
use super::render::{Renderer, step_text};
use super::{FunctionId, Place, Value};

payloads! {
    /// `local f1 = (function() local kept <const> = {} return function() return kept end end)()`: a function that captures a
    /// variable with an attribute.
    AttributedLocal {
        /// The variable of the function.
        id: FunctionId,
        /// Where it lives.
        place: Place,
        /// The captured variable.
        variable: Attributed,
        /// What the captured variable holds, in a table.
        value: Value,
        /// Whether it is the variable of a loaded chunk, rather than of a function.
        loaded: bool,
        /// How many steps there are before the scope of the variable ends.
        #[arbitrary(with = burst)]
        steps: u8,
    }
}

/// A variable with an attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum Attributed {
    /// A `<const>` variable, with others beside it that are constants at compile time.
    #[default]
    Constant,
    /// A `<close>` variable.
    Closed,
    /// A `<const>` environment.
    Environment,
}

impl Renderer {
    pub(super) fn attributed_local(&mut self, local: &AttributedLocal) {
        let AttributedLocal { id, place, variable, value, loaded, steps } = local;
        let value = self.value(*value);
        let mut lines = match variable {
            Attributed::Constant => vec![
                format!("local kept <const> = {{ {value} }}"),
                "local size <const> = 7".to_owned(),
                "local name <const> = \"s7\"".to_owned(),
                "local function get() return kept, size, name end".to_owned(),
            ],
            Attributed::Closed => vec![
                format!("local kept <close> = setmetatable({{ {value} }}, {{"),
                "  __close = function(object) object.closed = {} end".to_owned(),
                "})".to_owned(),
                "local function get() return kept end".to_owned(),
            ],
            Attributed::Environment => vec![
                "local collectgarbage <const> = collectgarbage".to_owned(),
                format!("local _ENV <const> = {{ {value} }}"),
                "local function set(v) a, b = { v, b }, a end".to_owned(),
                "set(1)".to_owned(),
                "set(2)".to_owned(),
                "local function get() return _ENV end".to_owned(),
            ],
        };
        if *steps > 0 {
            lines.push(step_text(0, *steps));
        }
        lines.push("return get".to_owned());
        let (first, last) = if *loaded { ("load([[", "]], \"=chunk\")()") } else { ("(function()", "end)()") };
        let target = self.function_target(*id, *place);
        self.push(format!("{target} = {first}"));
        self.indented(|inner| lines.iter().for_each(|line| inner.push(line)));
        self.push(last);
    }
}
