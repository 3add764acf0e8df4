//! Names of objects that a person understands, and that stay the same for as long as the object lives.
//!
//! A closure or prototype is called as its code says, an upvalue as its variable, a table or thread as the variable or field
//! that it was made for, a string by its text; the number behind it counts the objects of that name. Strings, of which there
//! may be any number of different ones, have the number of the object instead, so that no text has to be remembered.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::rc::Rc;

use moonphase_invariants::{describe_location, excerpt, name_of};
use moonphase_vm::gc::{Edge, HeapView, Kind, Label, Location, ObjectView};
use serde::{Serialize, Serializer};

use super::filter::Subject;

/// Names that somebody who asked for a wrong one is shown.
const SHOWN_NAMES: usize = 16;
/// The name of a main chunk's function.
const MAIN: &str = "main";
/// The name of a function that the code gives none.
const ANONYMOUS: &str = "anonymous";

/// The name of an object: `closure f#2 (test.lua:5)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Without the place: `closure f#2`.
    pub short: Rc<str>,
    /// Where it was defined or made.
    place: Option<Rc<str>>,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short)?;
        match &self.place {
            Some(place) => write!(f, " ({place})"),
            None => Ok(()),
        }
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What is kept of a living object.
struct Entry {
    name: Name,
    subject: Subject,
    /// Its colour when it was last told of.
    colour: &'static str,
}

/// The names of all objects that live.
pub struct Names {
    objects: HashMap<u32, Entry>,
    /// How many objects had a name, by kind and name.
    counts: HashMap<Kind, HashMap<Box<str>, u32>>,
    /// The path of the script, as in places, and its last part, which is enough.
    script: String,
    file: String,
    /// Object names to look for, and whether they were seen.
    wanted: Vec<(String, bool)>,
    /// The first names of objects that the script made, without numbers.
    first: Vec<String>,
    /// Names of freed objects that may still be met, oldest first.
    graves: Option<VecDeque<u32>>,
}

/// Freed objects whose names are kept where a freed object may be met again.
const GRAVES: usize = 100_000;

impl Names {
    /// No names yet. `sound` says that no freed object will be met.
    pub fn new(file: &str, wanted: &[String], sound: bool) -> Names {
        let script = describe_location(&Location { source: format!("@{file}").into_bytes(), line: 0 });
        Names {
            objects: HashMap::new(),
            counts: HashMap::new(),
            script,
            file: file.rsplit('/').next().unwrap_or(file).to_owned(),
            wanted: wanted.iter().map(|name| (name.clone(), false)).collect(),
            first: Vec::new(),
            graves: (!sound).then(VecDeque::new),
        }
    }

    /// Names all that there is before the script runs, by the way that leads to each.
    pub fn begin(&mut self, view: HeapView<'_>) {
        let objects: HashMap<u32, ObjectView<'_>> = view.objects().map(|object| (object.id(), object)).collect();
        let mut names: HashMap<u32, Option<String>> = HashMap::new();
        let mut queue = VecDeque::new();
        let mut reach = |queue: &mut VecDeque<u32>, from: Option<u32>, edge: Edge<'_>| {
            let name = match edge.label {
                Label::Metatable => {
                    let of = from.and_then(|from| names.get(&from)?.as_deref());
                    of.map(|name| format!("metatable of {name}"))
                }
                label => name_of(&label).map(|name| name.strip_suffix(" thread").unwrap_or(&name).to_owned()),
            };
            let known = names.entry(edge.target.id()).or_insert_with(|| {
                queue.push_back(edge.target.id());
                None
            });
            if known.is_none() {
                *known = name;
            }
        };
        view.roots(|edge| reach(&mut queue, None, edge));
        while let Some(id) = queue.pop_front() {
            if let Some(&object) = objects.get(&id) {
                view.references(object, |edge| reach(&mut queue, Some(id), edge));
            }
        }
        let mut ids: Vec<u32> = objects.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let base = names.get(&id).cloned().flatten();
            self.admit(view, objects[&id], base, None, true);
        }
    }

    /// Gives an object its name. `foreign`: it is not the work of the script's run.
    pub fn admit(
        &mut self,
        view: HeapView<'_>,
        object: ObjectView<'_>,
        base: Option<String>,
        place: Option<Location>,
        foreign: bool,
    ) -> Name {
        let kind = object.kind();
        let base = match kind {
            Kind::String => format!("\"{}\"", excerpt(&object.as_bytes().unwrap_or_default())),
            Kind::NativeClosure => object.native_name().unwrap_or_default().to_owned(),
            Kind::Closure | Kind::Prototype => base.unwrap_or_else(|| ANONYMOUS.to_owned()),
            _ => base.unwrap_or_default(),
        };
        let number = if kind == Kind::String { object.id() } else { self.count(kind, &base) };
        let space = if base.is_empty() { "" } else { " " };
        let short: Rc<str> = format!("{kind}{space}{base}#{number}").into();
        let place = place.map(|place| self.place(&place).into());
        let name = Name { short, place };
        let chosen = self.is_wanted(&name, kind, &base);
        if !foreign && kind != Kind::String && self.first.len() < SHOWN_NAMES {
            let shown = format!("{kind}{space}{base}");
            if !self.first.contains(&shown) {
                self.first.push(shown);
            }
        }
        let subject = Subject { kind, foreign, chosen };
        let colour = view.colour(object).name();
        self.objects.insert(object.id(), Entry { name: name.clone(), subject, colour });
        name
    }

    fn count(&mut self, kind: Kind, base: &str) -> u32 {
        let counts = self.counts.entry(kind).or_default();
        match counts.get_mut(base) {
            Some(count) => {
                *count += 1;
                *count
            }
            None => {
                counts.insert(base.into(), 1);
                1
            }
        }
    }

    /// Whether an object was asked for: by its name, with or without kind, number and place, or by the last part of it.
    fn is_wanted(&mut self, name: &Name, kind: Kind, base: &str) -> bool {
        if self.wanted.is_empty() {
            return false;
        }
        let full = name.to_string();
        let numbered = name.short.strip_prefix(kind.name()).map_or("", str::trim_start);
        let last = base.rsplit(['.', ':']).next().unwrap_or(base);
        let unnumbered = format!("{kind} {base}");
        let names = [full.as_str(), &name.short, numbered, unnumbered.trim_end(), base, last];
        let mut found = false;
        for (wanted, seen) in &mut self.wanted {
            if !wanted.is_empty() && names.contains(&wanted.as_str()) {
                *seen = true;
                found = true;
            }
        }
        found
    }

    /// The names that were asked for and that no object had.
    pub fn unseen(&self) -> Vec<String> {
        self.wanted.iter().filter(|(_, seen)| !seen).map(|(name, _)| name.clone()).collect()
    }

    /// Some of the names that objects of the script had.
    pub fn first(&self) -> Vec<String> {
        self.first.clone()
    }

    /// A place, with the file's name for its path.
    pub fn place(&self, place: &Location) -> String {
        let text = describe_location(place);
        match text.strip_prefix(&self.script) {
            Some(rest) => format!("{}{rest}", self.file),
            None => text,
        }
    }

    /// The name of an object. One that has none yet is a new one of its kind.
    pub fn name(&self, object: ObjectView<'_>) -> Name {
        match self.objects.get(&object.id()) {
            Some(entry) => entry.name.clone(),
            None => Name { short: format!("new {}", object.kind()).into(), place: None },
        }
    }

    /// The name of an object by its number.
    pub fn known(&self, id: u32) -> Option<Name> {
        self.objects.get(&id).map(|entry| entry.name.clone())
    }

    /// What the filter needs to know of an object.
    pub fn subject(&self, object: ObjectView<'_>) -> Subject {
        match self.objects.get(&object.id()) {
            Some(entry) => entry.subject,
            None => Subject { kind: object.kind(), foreign: true, chosen: false },
        }
    }

    /// Notes the colour of an object. Gives the one before.
    pub fn recolour(&mut self, object: ObjectView<'_>, colour: &'static str) -> &'static str {
        match self.objects.get_mut(&object.id()) {
            Some(entry) => std::mem::replace(&mut entry.colour, colour),
            None => colour,
        }
    }

    /// The object was freed: its name is not needed any more, unless the collector may meet it again.
    pub fn forget(&mut self, object: ObjectView<'_>) {
        match &mut self.graves {
            None => drop(self.objects.remove(&object.id())),
            Some(graves) => {
                graves.push_back(object.id());
                if graves.len() > GRAVES
                    && let Some(oldest) = graves.pop_front()
                {
                    self.objects.remove(&oldest);
                }
            }
        }
    }

    /// What a prototype is called, which is what its closures are called.
    pub fn of_function(prototype: ObjectView<'_>, parent: Option<(ObjectView<'_>, usize)>) -> String {
        let Some((parent, index)) = parent else { return MAIN.to_owned() };
        let Some(name) = parent.nested_name(index) else { return ANONYMOUS.to_owned() };
        let name = String::from_utf8_lossy(&name).into_owned();
        match name.rsplit_once('.') {
            Some((table, method)) if prototype.is_method() => format!("{table}:{method}"),
            _ => name,
        }
    }

    /// What an object is called without its kind and number.
    pub fn base(&self, object: ObjectView<'_>) -> Option<String> {
        let name = &self.objects.get(&object.id())?.name.short;
        let (base, _) = name.rsplit_once('#')?;
        base.split_once(' ').map(|(_, base)| base.to_owned())
    }
}
