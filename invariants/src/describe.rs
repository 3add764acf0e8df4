//! Words for objects and places, as reports use them.

use crate::violation::path_to;
use moonphase_vm::gc::{HeapView, Kind, Label, Location, ObjectView};
use moonphase_vm::syntax::chunk_id;
use moonphase_vm::value::Value;

/// Most bytes of a string's contents that a description shows.
const EXCERPT: usize = 24;

/// A few words for an object: its kind and number, and what tells a person which one it is. Closures and upvalues have
/// the name by which the shortest way from a root reaches them: `closure 'f1'#20 (script:3)`,
/// `upvalue 'cfg'#8 of closure 'f1'#20 (script:3)`.
pub fn describe<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> String {
    describe_with_path(object, &path_to(view, object))
}

/// The same for a caller that knows the way to the object.
pub(crate) fn describe_with_path<'h>(object: ObjectView<'h>, path: &[(Label<'h>, ObjectView<'h>)]) -> String {
    let (kind, id) = (object.kind(), object.id());
    // The parts of a freed object may be gone.
    if object.is_freed() {
        return format!("freed {kind}#{id}");
    }
    let last = path.last().filter(|(_, reached)| *reached == object);
    let name = last.and_then(|(label, _)| name_of(label)).map(|name| format!(" '{name}'")).unwrap_or_default();
    match kind {
        Kind::String => format!("string \"{}\"#{id}", excerpt(&object.as_bytes().unwrap_or_default())),
        Kind::Closure | Kind::Prototype => match object.definition() {
            Some(place) => format!("{kind}{name}#{id} ({})", describe_location(&place)),
            None => format!("{kind}{name}#{id}"),
        },
        Kind::NativeClosure => format!("{kind} '{}'#{id}", object.native_name().unwrap_or("?")),
        Kind::Upvalue => {
            let open = if object.is_open_upvalue() { "open " } else { "" };
            let holder = match path {
                [before @ .., (Label::Upvalue { .. }, _)] if last.is_some() => {
                    before.last().map(|(_, closure)| format!(" of {}", describe_with_path(*closure, before)))
                }
                _ => None,
            };
            format!("{open}{kind}{name}#{id}{}", holder.unwrap_or_default())
        }
        Kind::Table | Kind::Userdata | Kind::Thread => format!("{kind}{name}#{id}"),
    }
}

/// The name that a reference gives to its target, if it gives one.
pub fn name_of(label: &Label<'_>) -> Option<String> {
    let bytes = match label {
        Label::Root(name) => return Some((*name).to_owned()),
        Label::Upvalue { index, closure } => closure.upvalue_name(*index)?,
        Label::StackSlot { slot, thread } => thread.slot_name(*slot)?,
        Label::Entry(Value::String(key), _) => key.as_bytes().to_vec(),
        _ => return None,
    };
    Some(excerpt(&bytes))
}

/// The beginning of a string's contents, escaped.
pub fn excerpt(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(EXCERPT)];
    let dots = if shown.len() < bytes.len() { "..." } else { "" };
    format!("{}{dots}", shown.escape_ascii())
}

/// A place in a script, as Lua's messages write it.
pub fn describe_location(location: &Location) -> String {
    let chunk = String::from_utf8_lossy(&chunk_id(&location.source)).into_owned();
    if location.line == 0 { chunk } else { format!("{chunk}:{}", location.line) }
}
