//! What is known of an object, and the words for it.

use crate::path::{Hop, path_to};
use moonphase_heap::{Age, Colour, Kind, Label, Location, NamedLabel, Names};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Most bytes of a string's contents, or of a name, that a description shows.
const EXCERPT: usize = 24;

/// What is known of an object. Of one that was freed that is little, since its parts may be gone.
///
/// It is shown by a few words that tell a person which object it is: its kind and number, with the name by which the shortest
/// way from a root reaches it: `closure 'f1'#20 (script:3)`, `upvalue 'cfg'#8 of closure 'f1'#20 (script:3)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectInfo {
    /// Its number.
    pub id: u32,
    /// What it is.
    pub kind: Kind,
    /// Its colour.
    pub colour: Colour,
    /// Its age.
    pub age: Age,
    /// Whether it had been freed.
    pub freed: bool,
    /// What the program calls it: the name of the variable or the key that leads to it, of a native function its own name.
    /// At most some twenty characters, escaped.
    pub name: Option<String>,
    /// The beginning of a string's contents, escaped.
    pub contents: Option<String>,
    /// Where a Lua function is defined.
    pub defined_at: Option<Location>,
    /// Whether it is an upvalue that is open.
    pub open: bool,
    /// The closure that leads to an upvalue.
    pub held_by: Option<Box<ObjectInfo>>,
    /// Where it was made, if a history was recorded.
    pub made_at: Option<Location>,
}

impl ObjectInfo {
    /// What is known of an object.
    pub fn of<H: Names>(heap: H, object: H::Object) -> ObjectInfo {
        ObjectInfo::at_end_of(heap, object, &path_to(heap, object))
    }

    /// The same for a caller that knows the way to the object.
    pub(crate) fn at_end_of<H: Names>(heap: H, object: H::Object, path: &[Hop<H::Object>]) -> ObjectInfo {
        let (kind, freed) = (heap.kind(object), heap.is_freed(object));
        let mut info = ObjectInfo {
            id: heap.id(object),
            kind,
            colour: heap.colour(object),
            age: heap.age(object),
            freed,
            name: None,
            contents: None,
            defined_at: None,
            open: false,
            held_by: None,
            made_at: None,
        };
        // The parts of a freed object may be gone.
        if freed {
            return info;
        }
        if let Some((&Hop { from, label, .. }, before)) = path.split_last().filter(|(last, _)| last.to == object) {
            info.name = NamedLabel::of(heap, from, label).name().map(|name| match label {
                Label::Root(root) => root.name().to_owned(),
                _ => excerpt(name),
            });
            if let (Kind::Upvalue, Label::Upvalue(_), Some(closure)) = (kind, label, from) {
                info.held_by = Some(Box::new(ObjectInfo::at_end_of(heap, closure, before)));
            }
        }
        match kind {
            Kind::String => info.contents = Some(excerpt(&heap.contents(object).unwrap_or_default())),
            Kind::Closure | Kind::Prototype => info.defined_at = heap.definition(object),
            Kind::NativeClosure => {
                info.name = heap.native_name(object).map(|name| String::from_utf8_lossy(&name).into_owned());
            }
            Kind::Upvalue => info.open = heap.is_open_upvalue(object),
            Kind::Table | Kind::Userdata | Kind::Thread => {}
        }
        info
    }

    /// Enough to tell the object from others: `open upvalue 'cfg'#8`.
    pub fn short_name(&self) -> ShortName<'_> {
        ShortName(self)
    }

    /// What else tells a person which one it is, and may be nothing: `of closure 'f'#20 (script:3)`.
    pub fn particulars(&self) -> Particulars<'_> {
        Particulars(self)
    }

    /// The word for its colour, or that it was freed.
    pub fn shade(&self) -> &'static str {
        if self.freed { "freed" } else { self.colour.name() }
    }
}

/// See [`ObjectInfo::short_name`].
#[derive(Clone, Copy, Debug)]
pub struct ShortName<'o>(&'o ObjectInfo);

impl fmt::Display for ShortName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectInfo { id, kind, name, contents, open, .. } = self.0;
        if *open {
            f.write_str("open ")?;
        }
        match (contents, name) {
            (Some(contents), _) => write!(f, "{kind} \"{contents}\"#{id}"),
            (None, Some(name)) => write!(f, "{kind} '{name}'#{id}"),
            (None, None) => write!(f, "{kind}#{id}"),
        }
    }
}

/// See [`ObjectInfo::particulars`].
#[derive(Clone, Copy, Debug)]
pub struct Particulars<'o>(&'o ObjectInfo);

impl fmt::Display for Particulars<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.held_by, &self.0.defined_at) {
            (Some(closure), _) => write!(f, "of {closure}"),
            (None, Some(place)) => write!(f, "({place})"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Display for ObjectInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.freed {
            f.write_str("freed ")?;
        }
        self.short_name().fmt(f)?;
        if self.held_by.is_some() || self.defined_at.is_some() {
            write!(f, " {}", self.particulars())?;
        }
        Ok(())
    }
}

/// The beginning of a string's contents, escaped.
pub fn excerpt(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(EXCERPT)];
    let dots = if shown.len() < bytes.len() { "..." } else { "" };
    format!("{}{dots}", shown.escape_ascii())
}
