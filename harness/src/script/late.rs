//! Holders that get something else while the collector is at work, and that only `debug` or a second look reaches.

use arbitrary::Arbitrary;
use mutatis::Mutate;
use serde::{Deserialize, Serialize};

use super::payload::{burst, payloads};
use super::render::{Renderer, step_text};
use super::{CoroutineId, Value};

payloads! {
    /// Gives a metatable a field after objects have it, and after it was found not to be there.
    LateField {
        /// The field.
        field: MetaField,
        /// What it gives, or gets.
        value: Value,
        /// How many steps there are between the two looks.
        #[arbitrary(with = burst)]
        steps: u8,
    }

    /// Sets the upvalue of a native function, between steps.
    SetNativeUpvalue {
        /// The function.
        native: Native,
        /// What the upvalue gets; that of a wrapped coroutine stays a coroutine.
        value: Value,
        /// How often it is set, after a step each time.
        #[arbitrary(with = burst)]
        times: u8,
    }

    /// `co1 = nil`: a coroutine is garbage, suspended or not.
    DropCoroutine {
        /// The coroutine.
        coroutine: CoroutineId,
    }

    /// Errors of the interpreter, which make nothing but their messages.
    RuntimeErrors {
        /// How many hundreds of them.
        #[arbitrary(with = |u: &mut arbitrary::Unstructured<'_>| u.choose(&[1, 1, 1, 2, 2, 8]).copied())]
        hundreds: u8,
    }
}

/// A field of a metatable whose absence Lua remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum MetaField {
    /// `__index`
    #[default]
    Index,
    /// `__newindex`
    NewIndex,
    /// `__len`
    Length,
    /// `__eq`
    Equality,
    /// `__mode`, of a table whose entries are looked at after full collections.
    Mode,
    /// `__gc`, which does not count for objects that have the metatable already.
    Finalizer,
}

/// A native function that has an upvalue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum Native {
    /// The iterator of `gmatch`, whose first upvalue is its text. It is not called again.
    #[default]
    Iterator,
    /// The function of `coroutine.wrap`.
    Wrapped,
}

impl Renderer {
    pub(super) fn late_field(&mut self, LateField { field, value, steps }: &LateField) {
        let value = self.value(*value);
        let use_value = match field {
            MetaField::Index => Some("report(object.a)"),
            MetaField::NewIndex => Some("object.b = 1"),
            MetaField::Length => Some("print(#object)"),
            MetaField::Equality => Some("print(object == setmetatable({}, meta))"),
            MetaField::Mode | MetaField::Finalizer => None,
        };
        let late = match field {
            MetaField::Index => format!("meta.__index = {{ a = {value} }}"),
            MetaField::NewIndex => format!("meta.__newindex = function() report({value}) end"),
            MetaField::Length => "meta.__len = function() return 5 end".to_owned(),
            MetaField::Equality => "meta.__eq = function() return true end".to_owned(),
            MetaField::Mode => "meta.__mode = \"k\"".to_owned(),
            MetaField::Finalizer => "meta.__gc = function() print(\"late\") end".to_owned(),
        };
        if matches!(field, MetaField::Index | MetaField::NewIndex) {
            self.use_report();
        }
        self.push("do");
        self.indented(|inner| {
            inner.push("local meta = {}");
            inner.push("local object = setmetatable({}, meta)");
            use_value.iter().for_each(|line| inner.push(line));
            if *steps > 0 {
                inner.push(step_text(0, *steps));
            }
            inner.push(late);
            use_value.iter().for_each(|line| inner.push(line.replace(".b", ".c")));
            if *field == MetaField::Mode {
                inner.push(format!("object[{{}}] = {value}"));
                inner.full_collections();
                inner.push("print(next(object) == nil)");
            }
        });
        self.push("end");
    }

    pub(super) fn native_upvalue(&mut self, SetNativeUpvalue { native, value, times }: &SetNativeUpvalue) {
        let value = self.value(*value);
        let (make, value) = match native {
            Native::Iterator => ("(\"a\"):gmatch(\"a\")", value),
            Native::Wrapped => ("coroutine.wrap(print)", format!("coroutine.create(function() return {value} end)")),
        };
        self.push("do");
        self.indented(|inner| {
            inner.push(format!("local native = {make}"));
            inner.push(format!("for _ = 1, {times} do"));
            inner.indented(|inner| {
                inner.push(step_text(0, 1));
                inner.push(format!("debug.setupvalue(native, 1, {value})"));
            });
            inner.push("end");
            inner.report(match native {
                Native::Iterator => "select(2, debug.getupvalue(native, 1))",
                Native::Wrapped => "native()",
            });
        });
        self.push("end");
    }

    pub(super) fn runtime_errors(&mut self, RuntimeErrors { hundreds }: &RuntimeErrors) {
        self.push("do");
        self.indented(|inner| {
            inner.push("local last");
            // The store is what is seen of a program that makes nothing.
            inner.push("local function fail() last = fail return nil + 1 end");
            inner.push(format!("for _ = 1, {hundreds}00 do pcall(fail) end"));
        });
        self.push("end");
    }
}
