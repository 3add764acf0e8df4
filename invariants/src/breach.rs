//! What a check finds, while the heap is still there.

use crate::Invariant;
use moonphase_heap::{Edge, Site};

/// Whether an invariant holds. The error is boxed since it is large and rare.
pub(crate) type Verdict<O> = Result<(), Box<Breach<O>>>;

/// A broken invariant. The objects are those of the heap; [`Violation`](crate::Violation) has what is known of them.
#[derive(Clone, Debug)]
pub(crate) struct Breach<O> {
    pub(crate) invariant: Invariant,
    /// Who wrote the reference that is wrong, where that is known.
    pub(crate) site: Option<Site>,
    pub(crate) subject: Subject<O>,
    /// What is wrong with the subject.
    ///
    /// Of a heap it is a whole sentence, of an object its predicate (`is black`), of a reference what else is to be said of
    /// it; may be empty there.
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
    /// An object that a root leads to: whoever comes before it on the way there is to blame.
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
