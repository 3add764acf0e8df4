//! A broken invariant, with all that is known of it once the heap is gone.

use crate::breach::{Breach, Subject};
use crate::path::{Hop, path_to};
use crate::{Invariant, ObjectInfo};
use moonphase_heap::{Edge, Location, NamedLabel, Names, Phase, Site};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One reference on the way from a root to an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathStep {
    /// Why the object before (or, for the first step, the VM) refers to this one.
    pub label: NamedLabel,
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
    pub edge: Option<NamedLabel>,
    /// How a root leads to the child, by way of the parent if there is one; empty where no root does.
    pub path: Vec<PathStep>,
    /// What is wrong, in a sentence for a person.
    pub detail: String,
}

impl Violation {
    /// All that is known of a breach while the heap is there. What only the checker knows, such as the event, is not filled in.
    pub(crate) fn of<H: Names>(heap: H, breach: &Breach<H::Object>) -> Box<Violation> {
        let mut violation = Box::new(Violation {
            invariant: breach.invariant,
            site: breach.site,
            phase: heap.phase(),
            event: 0,
            sound_until: 0,
            location: heap.location(),
            parent: None,
            child: None,
            edge: None,
            path: Vec::new(),
            detail: breach.what.clone(),
        });
        match breach.subject {
            Subject::Heap => {}
            Subject::Object(object) => violation.add_object(heap, object),
            Subject::Unlisted { holder, edge } => {
                violation.add_object(heap, edge.target);
                if let Some(holder) = holder {
                    let by = Reference::of(heap, holder, edge);
                    violation.detail.push_str(&format!(": {by}"));
                    violation.edge = Some(by.label);
                }
            }
            Subject::Reachable(object) => {
                violation.add_object(heap, object);
                if let [.., holder, last] = &violation.path[..] {
                    violation.parent = Some(holder.object.clone());
                    violation.edge = Some(last.label.clone());
                }
            }
            Subject::Edge { holder, edge } => {
                let reference = Reference::of(heap, holder, edge);
                violation.detail = format!("{reference}{}", breach.what);
                violation.parent = Some(reference.parent);
                violation.child = Some(reference.child);
                violation.edge = Some(reference.label);
                violation.path = reference.path;
            }
        }
        violation
    }

    /// The violation is about this object.
    fn add_object<H: Names>(&mut self, heap: H, object: H::Object) {
        let path = path_to(heap, object);
        let child = ObjectInfo::at_end_of(heap, object, &path);
        self.detail = format!("{child} {}", self.detail);
        self.child = Some(child);
        self.path = steps(heap, &path);
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

    /// All objects that are named in it.
    pub fn objects_mut(&mut self) -> impl Iterator<Item = &mut ObjectInfo> {
        self.path.iter_mut().map(|step| &mut step.object).chain(&mut self.parent).chain(&mut self.child)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; phase {}", self.invariant, self.detail, self.phase.name())?;
        if let Some(site) = self.site {
            write!(f, ", after {site}")?;
        }
        if let Some(location) = &self.location {
            write!(f, ", at {location}")?;
        }
        Ok(())
    }
}

/// A reference between two objects.
struct Reference {
    parent: ObjectInfo,
    child: ObjectInfo,
    label: NamedLabel,
    /// How a root leads to the child by way of the parent; empty where no root does.
    path: Vec<PathStep>,
}

impl Reference {
    fn of<H: Names>(heap: H, holder: H::Object, edge: Edge<H::Object>) -> Reference {
        let mut path = path_to(heap, holder);
        let parent = ObjectInfo::at_end_of(heap, holder, &path);
        let reached = !path.is_empty();
        path.push(Hop { from: Some(holder), label: edge.label, to: edge.target });
        Reference {
            parent,
            child: ObjectInfo::at_end_of(heap, edge.target, &path),
            label: NamedLabel::of(heap, Some(holder), edge.label),
            path: if reached { steps(heap, &path) } else { Vec::new() },
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reference { parent, child, label, .. } = self;
        write!(f, "{parent} ({}) refers to {child} ({}) by its {label}", parent.shade(), child.shade())
    }
}

fn steps<H: Names>(heap: H, path: &[Hop<H::Object>]) -> Vec<PathStep> {
    let step = |(index, hop): (usize, &Hop<H::Object>)| PathStep {
        label: NamedLabel::of(heap, hop.from, hop.label),
        object: ObjectInfo::at_end_of(heap, hop.to, &path[..=index]),
    };
    path.iter().enumerate().map(step).collect()
}
