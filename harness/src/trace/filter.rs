//! What a trace shows.

use moonphase_heap::Kind;

use super::event_kind::EventKind;

/// The kinds of objects that can be asked for.
const KINDS: &[Kind] = &[
    Kind::Closure,
    Kind::Upvalue,
    Kind::Prototype,
    Kind::Table,
    Kind::String,
    Kind::Thread,
    Kind::Userdata,
    Kind::NativeClosure,
];

/// Everything, in lists of kinds or events.
const ALL: &str = "all";

/// A word that names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} '{word}' (known: {known})")]
pub struct FilterError {
    what: &'static str,
    word: String,
    known: String,
}

/// What a trace shows. Where nothing is said: the usual events, of the objects that the script's run made.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// `None`: all kinds, but of objects that the script's run made.
    kinds: Option<Vec<Kind>>,
    /// Objects that are not the work of the script's run too.
    foreign: bool,
    /// `None`: the usual ones.
    events: Option<Vec<EventKind>>,
    /// Names of objects; empty: all.
    objects: Vec<String>,
}

/// An object, as the filter sees it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// What it is.
    pub kind: Kind,
    /// Whether it is not the work of the script's run: the library's, or a constant.
    pub foreign: bool,
    /// Whether it was asked for by name.
    pub chosen: bool,
}

impl Filter {
    /// A filter from the words of the command line: kinds, events and object names.
    ///
    /// # Errors
    /// A kind or an event does not exist.
    pub fn new(kinds: &[String], events: &[String], objects: &[String]) -> Result<Filter, FilterError> {
        let mut filter = Filter { objects: objects.to_vec(), ..Filter::default() };
        if kinds.iter().any(|word| word == ALL) {
            filter.foreign = true;
        }
        let kinds = chosen("kind of object", kinds, KINDS, |kind| kind.name())?;
        filter.kinds = kinds.filter(|_| !filter.foreign);
        let everything = events.iter().any(|word| word == ALL);
        let events = chosen("event", events, EventKind::ALL, |event| event.name())?;
        filter.events = if everything { Some(EventKind::ALL.to_vec()) } else { events };
        Ok(filter)
    }

    /// The object names that were asked for.
    pub fn objects(&self) -> &[String] {
        &self.objects
    }

    /// Whether objects like this one are of interest, kinds aside.
    pub fn admits(&self, candidate: Candidate) -> bool {
        self.foreign || candidate.chosen || !candidate.foreign
    }

    /// Whether an event is shown that concerns these objects, of which the first one is what it is about.
    pub fn shows(&self, event: EventKind, candidates: &[Candidate]) -> bool {
        if [EventKind::Violation, EventKind::End].contains(&event) {
            return true;
        }
        let wanted = match &self.events {
            None => event.is_usual(),
            Some(events) => events.contains(&event),
        };
        if !wanted {
            return false;
        }
        let Some(first) = candidates.first() else { return self.objects.is_empty() };
        let kind = |candidate: &Candidate| self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&candidate.kind));
        let named = if self.objects.is_empty() { self.admits(*first) } else { candidates.iter().any(|it| it.chosen) };
        named && candidates.iter().any(kind)
    }
}

/// The things that words name; `None` where there are no words.
fn chosen<T: Copy>(
    what: &'static str,
    words: &[String],
    known: &[T],
    name: impl Fn(&T) -> &'static str,
) -> Result<Option<Vec<T>>, FilterError> {
    let mut found = Vec::new();
    for word in words.iter().filter(|word| *word != ALL) {
        match known.iter().find(|thing| name(thing) == word) {
            Some(thing) => found.push(*thing),
            None => {
                let names: Vec<_> = std::iter::once(ALL).chain(known.iter().map(&name)).collect();
                return Err(FilterError { what, word: word.clone(), known: names.join(", ") });
            }
        }
    }
    Ok(if words.is_empty() { None } else { Some(found) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    fn filter(kinds: &[&str], events: &[&str], objects: &[&str]) -> Filter {
        Filter::new(&words(kinds), &words(events), &words(objects)).unwrap()
    }

    const OWN: Candidate = Candidate { kind: Kind::Closure, foreign: false, chosen: false };
    const LIBRARY: Candidate = Candidate { kind: Kind::Table, foreign: true, chosen: false };

    #[test]
    fn without_words_the_usual_events_of_the_scripts_objects_are_shown() {
        let usual = filter(&[], &[], &[]);
        assert!(usual.shows(EventKind::Mark, &[OWN]));
        assert!(!usual.shows(EventKind::Mark, &[LIBRARY]));
        assert!(!usual.shows(EventKind::Store, &[OWN]));
        assert!(usual.shows(EventKind::Phase, &[]));
    }

    #[test]
    fn all_shows_everything() {
        let all = filter(&["all"], &["all"], &[]);
        assert!(EventKind::ALL.iter().all(|&event| all.shows(event, &[LIBRARY]) && all.shows(event, &[])));
    }

    #[test]
    fn kinds_and_events_narrow_together() {
        let narrow = filter(&["closure"], &["mark"], &[]);
        assert!(narrow.shows(EventKind::Mark, &[OWN]));
        assert!(!narrow.shows(EventKind::Free, &[OWN]));
        assert!(!narrow.shows(EventKind::Mark, &[Candidate { kind: Kind::Table, ..OWN }]));
        assert!(narrow.shows(EventKind::End, &[]), "the end is always told");
    }

    #[test]
    fn a_chosen_object_is_shown_wherever_it_comes_from() {
        let one = filter(&[], &[], &["string"]);
        assert!(one.shows(EventKind::Mark, &[Candidate { chosen: true, ..LIBRARY }]));
        assert!(one.shows(EventKind::Capture, &[LIBRARY, Candidate { chosen: true, ..OWN }]));
        assert!(!one.shows(EventKind::Mark, &[OWN]));
        assert!(!one.shows(EventKind::Phase, &[]));
    }

    #[test]
    fn a_word_that_names_nothing_is_refused_with_those_that_do() {
        let error =
            |kinds: &[&str], events: &[&str]| Filter::new(&words(kinds), &words(events), &[]).unwrap_err().to_string();
        assert!(
            error(&["closures"], &[]).starts_with("unknown kind of object 'closures' (known: all, closure, upvalue,")
        );
        assert!(error(&[], &["died"]).contains("'died' (known: all, allocate, call,"));
    }
}
