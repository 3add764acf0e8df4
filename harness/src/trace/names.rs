//! Names of objects that a person understands, and that stay the same for as long as the object lives.
//!
//! A closure or prototype is called as its code says, an upvalue as its variable, a table or thread as the variable or field
//! that it was made for, a string by its text; the number behind it counts the objects of that name. Strings, of which there
//! may be any number of different ones, have the number of the object instead, so that no text has to be remembered.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::rc::Rc;

use moonphase_heap::{Age, Colour, Edge, Heap, Kind, Label, Location, NamedLabel, Names, Root};
use moonphase_invariants::excerpt;
use serde::{Serialize, Serializer};

use super::filter::Candidate;

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
    /// What a prototype is called without its kind and number.
    base: Option<Rc<str>>,
    candidate: Candidate,
    /// Its colour when it was last told of.
    colour: Colour,
    /// Its age when it was last told of.
    age: Age,
}

/// The names of all objects that live.
pub struct NameTable {
    objects: HashMap<u32, Entry>,
    /// How many objects had a name, by kind and name.
    counts: HashMap<Kind, HashMap<Box<str>, u32>>,
    /// The source of places in the script.
    source: Vec<u8>,
    /// The last part of the script's path, which stands for the script.
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

impl NameTable {
    /// No names yet. The script of `file` runs as this chunk. `sound` says that no freed object will be met.
    pub fn new(file: &str, chunk: &[u8], wanted: &[String], sound: bool) -> NameTable {
        NameTable {
            objects: HashMap::new(),
            counts: HashMap::new(),
            source: chunk.to_vec(),
            file: file.rsplit('/').next().unwrap_or(file).to_owned(),
            wanted: wanted.iter().map(|name| (name.clone(), false)).collect(),
            first: Vec::new(),
            graves: (!sound).then(VecDeque::new),
        }
    }

    /// Names all that there is before the script runs, by the way that leads to each.
    pub fn begin<H: Names>(&mut self, heap: H) {
        let objects: HashMap<u32, H::Object> = heap.objects().map(|object| (heap.id(object), object)).collect();
        let mut names: HashMap<u32, Option<String>> = HashMap::new();
        let mut queue = VecDeque::new();
        let mut reach = |queue: &mut VecDeque<u32>, from: Option<H::Object>, edge: Edge<H::Object>| {
            let name = match edge.label {
                Label::Metatable => {
                    let of = from.and_then(|from| names.get(&heap.id(from))?.as_deref());
                    of.map(|name| format!("metatable of {name}"))
                }
                Label::Root(Root::MainThread) => Some("main".to_owned()),
                Label::Root(Root::RunningThread) => Some("running".to_owned()),
                Label::Root(root) => Some(root.name().to_owned()),
                label => NamedLabel::of(heap, from, label).name().map(excerpt),
            };
            let known = names.entry(heap.id(edge.target)).or_insert_with(|| {
                queue.push_back(heap.id(edge.target));
                None
            });
            if known.is_none() {
                *known = name;
            }
        };
        heap.roots(|edge| reach(&mut queue, None, edge));
        while let Some(id) = queue.pop_front() {
            if let Some(&object) = objects.get(&id) {
                heap.references(object, |edge| reach(&mut queue, Some(object), edge));
            }
        }
        let mut ids: Vec<u32> = objects.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let base = names.get(&id).cloned().flatten();
            self.admit(heap, objects[&id], base, None, true);
        }
    }

    /// Gives an object its name. `foreign`: it is not the work of the script's run.
    pub fn admit<H: Names>(
        &mut self,
        heap: H,
        object: H::Object,
        base: Option<String>,
        place: Option<Location>,
        foreign: bool,
    ) -> Name {
        let kind = heap.kind(object);
        let base = match kind {
            Kind::String => format!("\"{}\"", excerpt(&heap.contents(object).unwrap_or_default())),
            Kind::NativeClosure => String::from_utf8_lossy(&heap.native_name(object).unwrap_or_default()).into_owned(),
            Kind::Closure | Kind::Prototype => base.unwrap_or_else(|| ANONYMOUS.to_owned()),
            _ => base.unwrap_or_default(),
        };
        let number = if kind == Kind::String { heap.id(object) } else { self.count(kind, &base) };
        let space = if base.is_empty() { "" } else { " " };
        let unnumbered = format!("{kind}{space}{base}");
        let place = place.map(|place| self.place(&place).into());
        let name = Name { short: format!("{unnumbered}#{number}").into(), place };
        let chosen = self.is_wanted(&[
            &name.to_string(),
            &name.short,
            &format!("{base}#{number}"),
            &unnumbered,
            &base,
            base.rsplit(['.', ':']).next().unwrap_or(&base),
        ]);
        if !foreign && kind != Kind::String && self.first.len() < SHOWN_NAMES && !self.first.contains(&unnumbered) {
            self.first.push(unnumbered);
        }
        let candidate = Candidate { kind, foreign, chosen };
        let (colour, age) = (heap.colour(object), heap.age(object));
        let base = (kind == Kind::Prototype).then(|| base.into());
        self.objects.insert(heap.id(object), Entry { name: name.clone(), base, candidate, colour, age });
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

    /// Whether an object was asked for by one of its names: with or without kind, number and place, or by the last part.
    fn is_wanted(&mut self, names: &[&str]) -> bool {
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
        match place.line {
            _ if place.source != self.source => place.to_string(),
            0 => self.file.clone(),
            line => format!("{}:{line}", self.file),
        }
    }

    /// The name of an object. One that has none yet is a new one of its kind.
    pub fn name<H: Heap>(&self, heap: H, object: H::Object) -> Name {
        match self.objects.get(&heap.id(object)) {
            Some(entry) => entry.name.clone(),
            None => Name { short: format!("new {}", heap.kind(object)).into(), place: None },
        }
    }

    /// The name of an object by its number.
    pub fn known(&self, id: u32) -> Option<Name> {
        self.objects.get(&id).map(|entry| entry.name.clone())
    }

    /// What the filter needs to know of an object.
    pub fn candidate<H: Heap>(&self, heap: H, object: H::Object) -> Candidate {
        match self.objects.get(&heap.id(object)) {
            Some(entry) => entry.candidate,
            None => Candidate { kind: heap.kind(object), foreign: true, chosen: false },
        }
    }

    /// Notes the colour of an object. Gives the one before.
    pub fn recolour<H: Heap>(&mut self, heap: H, object: H::Object, colour: Colour) -> Colour {
        match self.objects.get_mut(&heap.id(object)) {
            Some(entry) => std::mem::replace(&mut entry.colour, colour),
            None => colour,
        }
    }

    /// Notes the age of an object. Gives the one before.
    pub fn grow<H: Heap>(&mut self, heap: H, object: H::Object) -> Age {
        let age = heap.age(object);
        match self.objects.get_mut(&heap.id(object)) {
            Some(entry) => std::mem::replace(&mut entry.age, age),
            None => age,
        }
    }

    /// The object was freed: its name is not needed any more, unless the collector may meet it again.
    pub fn forget<H: Heap>(&mut self, heap: H, object: H::Object) {
        match &mut self.graves {
            None => drop(self.objects.remove(&heap.id(object))),
            Some(graves) => {
                graves.push_back(heap.id(object));
                if graves.len() > GRAVES
                    && let Some(oldest) = graves.pop_front()
                {
                    self.objects.remove(&oldest);
                }
            }
        }
    }

    /// What a prototype is called, which is what its closures are called.
    pub fn of_function<H: Names>(heap: H, prototype: H::Object, parent: Option<(H::Object, usize)>) -> String {
        let Some((parent, index)) = parent else { return MAIN.to_owned() };
        let Some(name) = heap.nested_name(parent, index) else { return ANONYMOUS.to_owned() };
        let name = String::from_utf8_lossy(&name).into_owned();
        match name.rsplit_once('.') {
            Some((table, method)) if heap.is_method(prototype) => format!("{table}:{method}"),
            _ => name,
        }
    }

    /// What a prototype is called without its kind and number.
    pub fn base<H: Heap>(&self, heap: H, prototype: H::Object) -> Option<String> {
        self.objects.get(&heap.id(prototype))?.base.as_deref().map(str::to_owned)
    }
}
