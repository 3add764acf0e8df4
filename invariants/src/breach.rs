//! What a check finds, while the heap is still there.

use crate::Invariant;
use moonphase_heap::{Edge, Site};

/// Whether an invariant holds. The error is boxed since it is large and rare.
pub(crate) type Verdict<O> = Result<(), Box<Breach<O>>>;

/// A broken invariant, with handles of the objects. A [`Violation`](crate::Violation) describes the same breach without the
/// heap.
#[derive(Clone, Debug)]
pub(crate) struct Breach<O> {
    pub(crate) invariant: Invariant,
    /// Who wrote the reference that is wrong, where that is known.
    pub(crate) site: Option<Site>,
    pub(crate) subject: Subject<O>,
    /// What is wrong with the subject.
    ///
    /// Of a heap: a whole sentence. Of an object: the predicate (`is black`). Of a reference: an addition (`; they are old and
    /// new`), or nothing.
    pub(crate) what: String,
}

/// What a breach is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<O> {
    /// The heap as a whole.
    Heap,
    /// An object.
    Object(O),
    /// An object that is in no list, and a reference to it.
    Unlisted { holder: Option<O>, edge: Edge<O> },
    /// An object that a root leads to. The object before it on the way from the root is the parent.
    Reachable(O),
    /// A reference.
    Edge { holder: O, edge: Edge<O> },
}

impl<O> Breach<O> {
    fn new(invariant: Invariant, subject: Subject<O>, what: impl Into<String>) -> Box<Breach<O>> {
        Box::new(Breach { invariant, site: None, subject, what: what.into() })
    }

    pub(crate) fn of_heap(invariant: Invariant, sentence: impl Into<String>) -> Box<Breach<O>> {
        Breach::new(invariant, Subject::Heap, sentence)
    }

    pub(crate) fn of_object(invariant: Invariant, object: O, predicate: impl Into<String>) -> Box<Breach<O>> {
        Breach::new(invariant, Subject::Object(object), predicate)
    }

    pub(crate) fn of_unlisted(holder: Option<O>, edge: Edge<O>) -> Box<Breach<O>> {
        Breach::new(Invariant::Lists, Subject::Unlisted { holder, edge }, "is in no list of the collector")
    }

    pub(crate) fn of_reachable(invariant: Invariant, object: O, predicate: impl Into<String>) -> Box<Breach<O>> {
        Breach::new(invariant, Subject::Reachable(object), predicate)
    }

    pub(crate) fn of_edge(invariant: Invariant, holder: O, edge: Edge<O>) -> Box<Breach<O>> {
        Breach::new(invariant, Subject::Edge { holder, edge }, "")
    }
}
