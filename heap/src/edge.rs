//! References from one object to another: why there is one, and whether it keeps its target alive.

use crate::{Kind, Names};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A reference from one object, or from a root, to another object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge<O> {
    /// Why there is one.
    pub label: Label,
    /// The object that is referred to.
    pub target: O,
    /// Whether the reference keeps the target alive.
    pub strength: Strength,
}

impl<O> Edge<O> {
    /// The same reference, to the object that stands for its target elsewhere.
    pub fn map<P>(self, stands_for: impl FnOnce(O) -> P) -> Edge<P> {
        Edge { label: self.label, target: stands_for(self.target), strength: self.strength }
    }
}

/// Whether a reference keeps its target alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strength {
    /// It does.
    Strong,
    /// It does not: a weak key or value.
    Weak,
    /// The value of an ephemeron entry (manual of Lua 5.4, §2.5.4), which does as long as its key lives.
    Ephemeron {
        /// The number of the key.
        key: u32,
    },
}

/// Why an object refers to another one: the place in the object where the reference stands. Places are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Label {
    Root(Root),
    Metatable,
    /// The value of an array item, by its index in the language, from 1.
    Item(i64),
    /// The value of a table entry, by the place of the entry in the table; [`Heap::key`](crate::Heap::key) has its key.
    Entry(u32),
    /// The key of a table entry.
    Key(u32),
    /// The key of a table entry without a value, which is no reference ([`Heap::empty_keys`](crate::Heap::empty_keys)).
    EmptyKey(u32),
    Prototype,
    Upvalue(u32),
    NativeUpvalue(u32),
    /// The value of an upvalue.
    Value,
    UserValue(u32),
    /// The table of globals of a function, userdata or thread: Lua 5.1.
    Environment,
    StackSlot(u32),
    OpenUpvalue(u32),
    /// The thread that resumed this one.
    Resumer,
    Source,
    Constant(u32),
    Nested(u32),
    UpvalueName(u32),
    LocalName(u32),
}

/// What keeps an object alive without anything referring to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Root {
    MainThread,
    RunningThread,
    Registry,
    HostReferences,
    StringMetatable,
    NilMetatable,
    BooleanMetatable,
    NumberMetatable,
    FunctionMetatable,
    ThreadMetatable,
    LightUserdataMetatable,
    /// Native code has made the object and not handed it on yet.
    JustMade,
    /// The object is never collected.
    Fixed,
    /// The object waits for its finalizer.
    ToBeFinalized,
}

impl Root {
    /// The words in reports.
    pub fn name(self) -> &'static str {
        match self {
            Root::MainThread => "main thread",
            Root::RunningThread => "running thread",
            Root::Registry => "registry",
            Root::HostReferences => "references of the host",
            Root::StringMetatable => "metatable of strings",
            Root::NilMetatable => "metatable of nil",
            Root::BooleanMetatable => "metatable of booleans",
            Root::NumberMetatable => "metatable of numbers",
            Root::FunctionMetatable => "metatable of functions",
            Root::ThreadMetatable => "metatable of threads",
            Root::LightUserdataMetatable => "metatable of light userdata",
            Root::JustMade => "object that native code has just made",
            Root::Fixed => "fixed object",
            Root::ToBeFinalized => "object to be finalized",
        }
    }
}

/// The key of a table entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Key {
    /// A string's bytes.
    String(Vec<u8>),
    /// A number, as that Lua writes it.
    Number(String),
    /// A boolean.
    Boolean(bool),
    /// A value that is no object and has no text of its own: a light userdata, a C function without upvalues.
    Light,
    /// Another object.
    Object(Kind),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::String(bytes) => write!(f, "[\"{}\"]", bytes.escape_ascii()),
            Key::Number(text) => write!(f, "[{text}]"),
            Key::Boolean(value) => write!(f, "[{value}]"),
            Key::Light => f.write_str("[light userdata]"),
            Key::Object(kind) => write!(f, "[{kind}]"),
        }
    }
}

/// A label with the words that the script has for it, which stay when the heap goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NamedLabel {
    /// The place of the reference.
    pub label: Label,
    /// The key of a table entry, where it is known.
    pub key: Option<Key>,
    /// The name of a variable: of an upvalue, or of the local variable in a stack slot.
    pub variable: Option<Vec<u8>>,
}

impl NamedLabel {
    /// A label in the words of the script. `holder` is the object that refers; a root has none.
    pub fn of<H: Names>(heap: H, holder: Option<H::Object>, label: Label) -> NamedLabel {
        let variable = match (holder, label) {
            (Some(closure), Label::Upvalue(index)) => heap.upvalue_name(closure, index),
            (Some(thread), Label::StackSlot(slot)) => heap.slot_name(thread, slot),
            _ => None,
        };
        let key = match (holder, label) {
            (Some(table), Label::Entry(entry) | Label::Key(entry)) => heap.key(table, entry),
            _ => None,
        };
        NamedLabel { label, key, variable }
    }

    /// The name that the reference gives to its target, if it gives one: a variable's, a string key, a root's.
    pub fn name(&self) -> Option<&[u8]> {
        match (self.label, &self.key) {
            // Any number of objects wait for their finalizers.
            (Label::Root(Root::ToBeFinalized), _) => None,
            (Label::Root(root), _) => Some(root.name().as_bytes()),
            (Label::Entry(_), Some(Key::String(key))) => Some(key),
            _ => self.variable.as_deref(),
        }
    }
}

impl fmt::Display for NamedLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variable = self.variable.as_deref().map(String::from_utf8_lossy);
        match self.label {
            Label::Root(root) => f.write_str(root.name()),
            Label::Metatable => f.write_str("metatable"),
            Label::Item(index) => write!(f, "[{index}]"),
            Label::Entry(place) => match &self.key {
                Some(key) => key.fmt(f),
                None => write!(f, "table entry {place}"),
            },
            Label::Key(_) => f.write_str("key"),
            Label::EmptyKey(_) => f.write_str("key of an empty entry"),
            Label::Prototype => f.write_str("prototype"),
            Label::Upvalue(index) => {
                write!(f, "upvalue #{} '{}'", index + 1, variable.unwrap_or_default())
            }
            Label::NativeUpvalue(index) => write!(f, "native upvalue #{}", index + 1),
            Label::Value => f.write_str("value"),
            Label::UserValue(index) => write!(f, "user value {}", index + 1),
            Label::Environment => f.write_str("environment"),
            Label::StackSlot(slot) => match variable {
                Some(name) => write!(f, "local '{name}' (stack slot {slot})"),
                None => write!(f, "stack slot {slot}"),
            },
            Label::OpenUpvalue(index) => write!(f, "open upvalue {index}"),
            Label::Resumer => f.write_str("resumer"),
            Label::Source => f.write_str("source"),
            Label::Constant(index) => write!(f, "constant {index}"),
            Label::Nested(index) => write!(f, "nested prototype {index}"),
            Label::UpvalueName(index) => write!(f, "name of upvalue {index}"),
            Label::LocalName(index) => write!(f, "name of local {index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(label: Label, key: Option<Key>, variable: Option<&str>) -> NamedLabel {
        NamedLabel { label, key, variable: variable.map(|name| name.as_bytes().to_vec()) }
    }

    #[test]
    fn a_label_is_shown_with_the_words_of_the_script_and_counts_from_one_where_lua_does() {
        let shown = |label, key, variable| named(label, key, variable).to_string();
        assert_eq!(shown(Label::Upvalue(0), None, Some("cfg")), "upvalue #1 'cfg'");
        assert_eq!(shown(Label::StackSlot(5), None, Some("f")), "local 'f' (stack slot 5)");
        assert_eq!(shown(Label::StackSlot(5), None, None), "stack slot 5");
        assert_eq!(shown(Label::Entry(3), Some(Key::String(b"a\n\xff".to_vec())), None), r#"["a\n\xff"]"#);
        assert_eq!(shown(Label::Entry(3), Some(Key::Number("1e+100".into())), None), "[1e+100]");
        assert_eq!(shown(Label::Entry(3), Some(Key::Object(Kind::Table)), None), "[table]");
        assert_eq!(shown(Label::Entry(3), None, None), "table entry 3");
        assert_eq!(shown(Label::Root(Root::Registry), None, None), "registry");
    }

    #[test]
    fn only_variables_string_keys_and_roots_give_their_targets_a_name() {
        let name = |label, key, variable| named(label, key, variable).name().map(<[u8]>::to_vec);
        assert_eq!(name(Label::Upvalue(0), None, Some("cfg")).as_deref(), Some(&b"cfg"[..]));
        assert_eq!(name(Label::Entry(0), Some(Key::String(b"k".to_vec())), None).as_deref(), Some(&b"k"[..]));
        assert_eq!(name(Label::Root(Root::MainThread), None, None).as_deref(), Some(&b"main thread"[..]));
        assert_eq!(name(Label::Entry(0), Some(Key::Number("1".into())), None), None);
        assert_eq!(name(Label::Key(0), Some(Key::String(b"k".to_vec())), None), None);
        assert_eq!(name(Label::Metatable, None, None), None);
    }

    #[test]
    fn a_root_names_its_object_and_the_list_of_those_to_be_finalized_does_not() {
        let label = |root| NamedLabel { label: Label::Root(root), key: None, variable: None };
        assert_eq!(label(Root::Registry).name(), Some(&b"registry"[..]));
        assert_eq!(label(Root::ToBeFinalized).name(), None);
        assert_eq!(label(Root::ToBeFinalized).to_string(), "object to be finalized");
    }
}
