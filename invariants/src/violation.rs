//! What a check says when an invariant does not hold.

use crate::describe::describe_with_path;
use crate::{Invariant, describe_location, lists};
use moonphase_vm::gc::{Colour, Edge, HeapView, Kind, Label, Location, ObjectView, Phase, Site, Strength};
use std::collections::HashMap;
use std::fmt;

/// What a check finds. The error is boxed since it is large and rare.
pub type Verdict = Result<(), Box<Violation>>;

/// An object as it was when an invariant broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its number.
    pub id: u32,
    /// What it is.
    pub kind: Kind,
    /// Its colour.
    pub colour: Colour,
    /// Whether it had been freed.
    pub freed: bool,
    /// A few words for a person, see [`describe`](crate::describe()).
    pub description: String,
    /// Where it was made, if a history was recorded.
    pub made_at: Option<Location>,
}

/// One reference on the way from a root to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathStep {
    /// Why the object before (or, for the first step, the VM) refers to this one.
    pub label: String,
    /// The object that is referred to.
    pub object: ObjectInfo,
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub invariant: Invariant,
    /// The site of the store that broke it, where it is one.
    pub site: Option<Site>,
    /// Where the collector was.
    pub phase: Phase,
    /// The number of the event after which it was seen: stores, barriers and both ends of steps count, from 1.
    pub event: u64,
    /// The last event at which the whole heap was found sound, 0 if none. The fault showed after it.
    pub sound_until: u64,
    /// The line that the script was at.
    pub location: Option<Location>,
    /// The object that refers to the other one, if two are concerned.
    pub parent: Option<ObjectInfo>,
    /// The object that is wrong, or that must not be referred to.
    pub child: Option<ObjectInfo>,
    /// Why the parent refers to the child.
    pub edge: Option<String>,
    /// How a root leads to the child, by way of the parent if there is one; empty where no root does.
    pub path: Vec<PathStep>,
    /// What is wrong, in a sentence.
    pub detail: String,
}

impl Violation {
    /// Something is wrong with the heap as a whole.
    pub(crate) fn of_heap(invariant: Invariant, view: HeapView<'_>, detail: String) -> Box<Violation> {
        Box::new(Violation {
            invariant,
            site: None,
            phase: view.phase(),
            event: 0,
            sound_until: 0,
            location: view.location(),
            parent: None,
            child: None,
            edge: None,
            path: Vec::new(),
            detail,
        })
    }

    /// Something is wrong with an object. The sentence gets its description: `{} is …`.
    pub(crate) fn of_object<'h>(
        invariant: Invariant,
        view: HeapView<'h>,
        object: ObjectView<'h>,
        what: &str,
    ) -> Box<Violation> {
        let path = path_to(view, object);
        let child = info(view, object, &path);
        let mut violation = Violation::of_heap(invariant, view, format!("{} {what}", child.description));
        violation.child = Some(child);
        violation.path = steps(view, &path);
        violation
    }

    /// An object must not refer to another one as it does.
    pub(crate) fn of_edge<'h>(
        invariant: Invariant,
        view: HeapView<'h>,
        holder: ObjectView<'h>,
        edge: Edge<'h>,
    ) -> Box<Violation> {
        let mut path = path_to(view, holder);
        let parent = info(view, holder, &path);
        let reached = !path.is_empty();
        path.push((edge.label, edge.target));
        let child = info(view, edge.target, &path);
        let label = edge.label.to_string();
        let colour = |info: &ObjectInfo| if info.freed { "freed" } else { info.colour.name() };
        let detail = format!(
            "{} ({}) refers to {} ({}) by its {label}",
            parent.description,
            colour(&parent),
            child.description,
            colour(&child)
        );
        let mut violation = Violation::of_heap(invariant, view, detail);
        violation.parent = Some(parent);
        violation.child = Some(child);
        violation.edge = Some(label);
        if reached {
            violation.path = steps(view, &path);
        }
        violation
    }

    /// Something is wrong with an object that is reachable: its holder on the way from a root is the parent.
    pub(crate) fn of_reachable<'h>(
        invariant: Invariant,
        view: HeapView<'h>,
        object: ObjectView<'h>,
        what: &str,
    ) -> Box<Violation> {
        let mut violation = Violation::of_object(invariant, view, object, what);
        if let [.., holder, last] = &violation.path[..] {
            violation.parent = Some(holder.object.clone());
            violation.edge = Some(last.label.clone());
        }
        violation
    }

    /// What stays the same where the same fault shows in another script: the invariant, the site, and the kinds of
    /// objects. ASCII, without numbers and names.
    pub fn signature(&self) -> String {
        let mut signature = self.invariant.name().to_owned();
        if let Some(site) = self.site {
            signature.push(' ');
            signature.push_str(site.name());
        }
        match (&self.parent, &self.child) {
            (Some(parent), Some(child)) => {
                signature.push_str(&format!(" {}->{}", parent.kind, child.kind));
            }
            (None, Some(object)) | (Some(object), None) => signature.push_str(&format!(" {}", object.kind)),
            (None, None) => {}
        }
        signature
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; phase {}", self.invariant, self.detail, self.phase.name())?;
        if let Some(site) = self.site {
            write!(f, ", after {site}")?;
        }
        if let Some(location) = &self.location {
            write!(f, ", at {}", describe_location(location))?;
        }
        Ok(())
    }
}

/// The references that lead to an object, the first from a root.
pub(crate) type Path<'h> = Vec<(Label<'h>, ObjectView<'h>)>;

/// The shortest way from a root to an object, by references that keep alive; of ephemeron entries the keys are not
/// asked. Empty if there is none.
pub(crate) fn path_to<'h>(view: HeapView<'h>, target: ObjectView<'h>) -> Path<'h> {
    // Roots include whole lists, which would never be done with if one of them were a circle.
    if !lists::end(view) {
        return Path::new();
    }
    let mut reached: Vec<(Option<usize>, Label<'h>, ObjectView<'h>)> = Vec::new();
    let mut seen = HashMap::new();
    let mut goal = None;
    let mut reach = |reached: &mut Vec<_>, from: Option<usize>, edge: Edge<'h>| {
        if edge.strength != Strength::Weak && seen.insert(edge.target.address(), ()).is_none() {
            if edge.target == target {
                goal = Some(reached.len());
            }
            reached.push((from, edge.label, edge.target));
        }
    };
    view.roots(|edge| reach(&mut reached, None, edge));
    let mut next = 0;
    while next < reached.len() {
        let object = reached[next].2;
        view.references(object, |edge| reach(&mut reached, Some(next), edge));
        next += 1;
    }
    let mut path = Path::new();
    let mut at = goal;
    while let Some(index) = at {
        let (from, label, object) = reached[index];
        path.push((label, object));
        at = from;
    }
    path.reverse();
    path
}

fn info<'h>(view: HeapView<'h>, object: ObjectView<'h>, path: &[(Label<'h>, ObjectView<'h>)]) -> ObjectInfo {
    ObjectInfo {
        id: object.id(),
        kind: object.kind(),
        colour: view.colour(object),
        freed: object.is_freed(),
        description: describe_with_path(object, path),
        made_at: None,
    }
}

fn steps<'h>(view: HeapView<'h>, path: &[(Label<'h>, ObjectView<'h>)]) -> Vec<PathStep> {
    let step = |index: usize| {
        let (label, object) = path[index];
        PathStep { label: label.to_string(), object: info(view, object, &path[..=index]) }
    };
    (0..path.len()).map(step).collect()
}
