//! The sentences of a report.
//!
//! Every sentence follows from the facts of an explanation; where a fact is missing its sentence is left out. Objects
//! are called by their names with numbers, so that two of one name stay apart.

use moonphase_heap::{Colour, Direction, Kind, Site};
use moonphase_invariants::Invariant;
use moonphase_vm::gc::Policy;

use super::explanation::{Barrier, Between, Broken, Crash, Deed, Disagreement, Link, Place, Shade, Store, Thing, When};
use crate::coverage::{Cell, Rule};
use crate::engine::sanitizer::{Tool, ToolReport};

/// A line of the script, and what happened there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) line: u32,
    /// Whether it is where the fault happened.
    pub(super) primary: bool,
    pub(super) text: String,
}

/// The finding in one sentence.
pub(super) fn headline(broken: &Broken) -> String {
    let kind = |thing: &Option<Thing>| thing.as_ref().map_or("object", |thing| thing.kind().name());
    let (holder, target) = (kind(&broken.holder), kind(&broken.target));
    match (broken.invariant, &broken.holder) {
        (Invariant::BlackToWhite, Some(_)) => format!(
            "A black {holder} refers to a white {target}: the collector will free the {target} while it is in use."
        ),
        (Invariant::Dangling, Some(_)) => {
            format!("{} that is alive refers to a {target} that was freed.", capital(&article(holder)))
        }
        (Invariant::Dangling, None) => format!("The collector met a {target} that was freed."),
        (Invariant::Reachable, _) if broken.freed.is_some() => {
            format!("{} that the program can still reach was freed.", capital(&article(target)))
        }
        (Invariant::Reachable, _) => {
            format!("{} that the program can still reach is about to be freed.", capital(&article(target)))
        }
        _ => sentence(&broken.detail),
    }
}

/// The headline where a store met what it cannot meet.
pub(super) fn unreachable_headline(cell: Cell) -> String {
    match cell {
        Cell::Store(_) => {
            "A store met colours in a phase in which no store can meet them: the collector is in a state that it must not be in."
                .to_owned()
        }
        _ => {
            let subject = capital(cell.subject());
            format!("{subject} met the collector in a state that it must not be in.")
        }
    }
}

/// What must hold where the collector is in a state that it cannot be in.
pub(super) fn state_rule(rule: Rule) -> String {
    format!("{}: {}. This follows from {}.", rule.name(), rule.sentence(), rule.source())
}

/// What must hold.
pub(super) fn rule(broken: &Broken) -> String {
    format!("{}: {}.", broken.invariant, broken.invariant.explanation())
}

/// When it was seen.
pub(super) fn seen(broken: &Broken) -> String {
    let When { event, .. } = broken.seen;
    let at = moment(&broken.seen);
    if broken.deed.is_some() {
        return format!("It was seen to be broken {at}, before instruction {event} of the script.");
    }
    match &broken.store {
        Some(store) if store.when == broken.seen => format!("It was broken {at}, by event {event}."),
        Some(store) => format!(
            "It was seen to be broken {at}, after event {event}. The reference was written by event {}.",
            store.when.event
        ),
        None if broken.sound_until > 0 => format!(
            "It was seen to be broken {at}, after event {event}. The whole heap was last found sound at event {}.",
            broken.sound_until
        ),
        None => format!("It was seen to be broken {at}, after event {event}."),
    }
}

/// What an object is and how it got its colour.
pub(super) fn object(thing: &Thing, broken: &Broken) -> String {
    let mut text = thing.full_name();
    if let Some(shade) = thing.shade {
        text.push_str(&format!(", {shade}"));
    }
    if let Some(place) = &thing.made {
        text.push_str(&format!(", made at {place}"));
    }
    text.push('.');
    let is = |other: &Option<Thing>| other.as_ref().is_some_and(|other| other.id() == thing.id());
    if let (true, Some(blackened)) = (is(&broken.holder), &broken.blackened) {
        text.push_str(&format!(" It became black {}", moment(&blackened.when)));
        if let Some(through) = &blackened.through {
            text.push_str(&format!(", when the collector traversed {}", through.full_name()));
        }
        text.push('.');
    }
    if let (true, Some(freed)) = (is(&broken.target), &broken.freed) {
        text.push_str(&format!(" It was freed {}.", moment(freed)));
    }
    text
}

/// What was done right before, where the heap is looked at between instructions.
pub(super) fn last_deed(broken: &Broken) -> Vec<String> {
    let (Some(deed), Some(holder), Some(target)) = (&broken.deed, &broken.holder, &broken.target) else {
        return Vec::new();
    };
    let place = deed.place.as_ref().map(|place| format!(" in {place}")).unwrap_or_default();
    let who = match (&deed.name, deed.native) {
        (Some(name), true) => format!("`{name}`, called{place},"),
        (None, true) => format!("A native function without a name, called{place},"),
        (Some(name), false) => format!("The instruction {name}{place}"),
        (None, false) => format!("The last instruction{place}"),
    };
    let api = deed.api.as_ref().map(|api| format!(" Of the C API, it called `{api}`.")).unwrap_or_default();
    if !deed.wrote {
        let collector = if deed.worked { " The collector worked meanwhile." } else { "" };
        return vec![format!(
            "Before that, {} referred to {} already. {who} was the last to run.{api}{collector}",
            holder.name(),
            target.name()
        )];
    }
    let mut paragraphs = vec![format!("{who} wrote the reference to {} into {}.{api}", target.name(), holder.name())];
    if let Some(closure) = deed.closure.as_ref().filter(|_| deed.closure_has_holder) {
        paragraphs.push(format!(
            "It was written by way of {}, which has {} as an upvalue. {} was {} then.",
            closure.full_name(),
            holder.name(),
            capital(&closure.name()),
            shade(closure)
        ));
    }
    match deed.barriers {
        0 => paragraphs.push("No write barrier acted.".to_owned()),
        1 => paragraphs.push("A write barrier acted, but left it as it is.".to_owned()),
        count => paragraphs.push(format!("{count} write barriers acted, but left it as it is.")),
    }
    paragraphs
}

/// What would mend a reference that was written without a barrier that acts.
fn remedy_of(deed: &Deed, broken: &Broken) -> Vec<String> {
    let Some(holder) = broken.holder.as_ref().filter(|_| deed.wrote && deed.barriers == 0) else { return Vec::new() };
    if broken.invariant != Invariant::BlackToWhite {
        return Vec::new();
    }
    let kind = holder.kind();
    let writer = deed.api.as_ref().or(deed.name.as_ref()).map(|name| format!("`{name}`"));
    let mut text = format!(
        "{} needs a write barrier with the {kind} as the parent, since it is the {kind} that holds the reference",
        writer.unwrap_or_else(|| "Whoever wrote it".to_owned())
    );
    if let Some(closure) = deed.closure.as_ref().filter(|_| deed.closure_has_holder) {
        text.push_str(&format!(
            ". A barrier with {} as the parent does nothing: it was {}",
            closure.name(),
            shade(closure)
        ));
    }
    text.push('.');
    vec![text]
}

/// Who wrote the reference, and why no barrier helped.
pub(super) fn cause(broken: &Broken) -> Vec<String> {
    let (Some(store), Some(holder), Some(target)) = (&broken.store, &broken.holder, &broken.target) else {
        return Vec::new();
    };
    // An upvalue has one slot.
    let slot = broken.edge.as_ref().filter(|_| holder.kind() != Kind::Upvalue);
    let wrote = format!(
        "{} stored {} into {}{} {}, event {}. The site is `{}`.",
        capital(deed(store.site)),
        target.name(),
        holder.name(),
        slot.map(|edge| format!(" ({edge})")).unwrap_or_default(),
        moment(&store.when),
        store.when.event,
        store.site
    );
    let mut paragraphs = vec![wrote];
    if store.barriers.is_empty() {
        paragraphs
            .push(format!("The site called no barrier: the collector was not told that {} changed.", holder.name()));
    }
    for barrier in &store.barriers {
        paragraphs.push(barrier_call(store, barrier));
        paragraphs.extend(why_in_vain(broken, store, barrier, holder, target));
    }
    paragraphs
}

fn barrier_call(store: &Store, barrier: &Barrier) -> String {
    let does = match barrier.direction {
        Direction::Forward => "marks the child",
        Direction::Backward => "makes the parent gray again",
    };
    format!(
        "For that, `{}` called a {} barrier with the parent {} ({}) and the child {} ({}). IF the parent \
         is black AND the child is white THEN such a barrier {does}; else it does nothing.",
        store.site,
        barrier.direction,
        barrier.parent.name(),
        shade(&barrier.parent),
        barrier.child.name(),
        shade(&barrier.child)
    )
}

fn why_in_vain(broken: &Broken, store: &Store, barrier: &Barrier, holder: &Thing, target: &Thing) -> Option<String> {
    let parent = &barrier.parent;
    let site = store.site;
    if barrier.acted {
        return Some(format!("The barrier acted, and yet {} is {} now.", target.name(), shade(target)));
    }
    if parent.id() != holder.id() {
        let mut text = format!(
            "So the barrier of `{site}` looked at {}, which is {}, and did nothing. But the reference is held by {}",
            parent.name(),
            shade(parent),
            holder.name()
        );
        let blackened = broken.blackened.as_ref();
        if let Some(blackened) = blackened {
            text.push_str(", which is black");
            let through = blackened.through.as_ref();
            let through = through.map(|thing| format!(" through {}", thing.name())).unwrap_or_default();
            text.push_str(&format!(": the collector marked it{through} {}", moment(&blackened.when)));
        }
        text.push('.');
        let other =
            blackened.and_then(|blackened| blackened.through.as_ref()).filter(|other| other.id() != parent.id());
        if let Some(other) = other {
            text.push_str(&format!(" {} and {} share that {}", capital(&other.name()), parent.name(), holder.kind()));
            let since =
                |who: &Thing, link: Option<&Link>| link.map(|link| format!("{} {}", who.name(), since(who, link)));
            let other_link = blackened.and_then(|blackened| blackened.link.as_ref());
            let links: Vec<String> =
                [since(other, other_link), since(parent, barrier.link.as_ref())].into_iter().flatten().collect();
            if !links.is_empty() {
                text.push_str(&format!(": {}", links.join(", ")));
            }
            text.push('.');
        }
        return Some(text);
    }
    if barrier.parent.shade == Some(Shade::Of(Colour::Black)) && barrier.child.shade == Some(Shade::Of(Colour::White)) {
        return Some(format!(
            "Parent and child were the right ones and had these colours, and the barrier did nothing: it does not \
             do its work in phase {}.",
            store.when.phase
        ));
    }
    Some(format!(
        "At that moment there was nothing to do. The colours changed afterwards: {} is {} and {} is {} now.",
        holder.name(),
        shade(holder),
        target.name(),
        shade(target)
    ))
}

/// What would have happened next, step by step.
pub(super) fn consequence(broken: &Broken) -> Vec<String> {
    let Some(target) = &broken.target else { return Vec::new() };
    let target_name = target.name();
    let touched = |holder: &str| {
        format!(
            "The next use of that reference, by the program or by the mark phase of the next cycle, touches freed \
             memory by way of {holder}: a crash at another place and another time, if not silent damage."
        )
    };
    match (broken.invariant, &broken.holder) {
        (Invariant::BlackToWhite, Some(holder)) => {
            let mut steps = Vec::new();
            let misled = broken.store.iter().flat_map(|store| &store.barriers);
            let misled = misled.map(|barrier| &barrier.parent).find(|parent| parent.id() != holder.id());
            steps.push(match misled {
                Some(parent) if parent.shade != Some(Shade::Of(Colour::Black)) => format!(
                    "When the collector comes to {}, it finds that {} is black already, and does not traverse it \
                     again. It does not see {target_name}.",
                    parent.name(),
                    holder.name()
                ),
                _ => format!(
                    "{} is black: the collector is done with it in this cycle and does not look at what it refers \
                     to again.",
                    capital(&holder.name())
                ),
            });
            steps.push(format!(
                "The atomic phase ends marking. Unless something else refers to {target_name}, it is white still."
            ));
            steps.push(format!("The sweep frees {target_name}, and {} still refers to it.", holder.name()));
            steps.push(touched(&holder.name()));
            steps
        }
        (Invariant::Reachable, Some(holder)) if broken.freed.is_none() => {
            vec![
                format!("The sweep frees {target_name}, and {} still refers to it.", holder.name()),
                touched(&holder.name()),
            ]
        }
        (Invariant::Dangling | Invariant::Reachable, Some(holder)) => vec![touched(&holder.name())],
        _ => Vec::new(),
    }
}

/// What the facts say about how to mend it.
pub(super) fn remedy(broken: &Broken, gc: Policy) -> Vec<String> {
    if let Some(deed) = &broken.deed {
        return remedy_of(deed, broken);
    }
    let (Some(store), Some(holder)) = (&broken.store, &broken.holder) else { return Vec::new() };
    let site = store.site;
    let at_once = store.when == broken.seen && broken.invariant == Invariant::BlackToWhite;
    if at_once && store.barriers.is_empty() {
        return vec![format!(
            "`{site}` needs a write barrier, after the write: forward (mark the child) or backward (make the parent \
             gray again), with the {} as the parent.",
            holder.kind()
        )];
    }
    let misled = store.barriers.iter().find(|barrier| !barrier.acted && barrier.parent.id() != holder.id());
    let Some(barrier) = misled else { return Vec::new() };
    let (wrong, right) = (barrier.parent.kind(), holder.kind());
    let mut text = format!(
        "The parent of a write barrier must be the object that holds the reference. `{site}` writes into the \
         {right}, so the barrier's parent must be the {right} and not the {wrong}"
    );
    if right == Kind::Upvalue {
        text.push_str(&format!(
            ": an upvalue that closures share is black as soon as one of them is traversed, while the {wrong} that \
             is at hand may be white"
        ));
    }
    text.push('.');
    let mut paragraphs = vec![text];
    if let Some(fixed) = with_upvalue_as_parent(site, gc) {
        paragraphs.push(format!(
            "Lua 5.2 and 5.4 pass the upvalue. The same collector with that one rule changed is `--gc\u{a0}{fixed}`."
        ));
    }
    paragraphs
}

/// The policy with the right parent for `setupvalue`, if that is what is wrong with it.
fn with_upvalue_as_parent(site: Site, gc: Policy) -> Option<Policy> {
    let faulty = site == Site::Setupvalue && !gc.is_sound();
    faulty.then(|| gc.corrected())
}

/// The lines of the script that had a part in it, in their order, each once.
pub(super) fn marks(broken: &Broken) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    let mut add = |place: Option<&Place>, primary: bool, text: String| {
        let Some(line) = place.and_then(Place::line_of_script) else { return };
        match marks.iter_mut().find(|mark| mark.line == line) {
            Some(mark) => {
                mark.text = format!("{}; {text}", mark.text);
                mark.primary |= primary;
            }
            None => marks.push(Mark { line, primary, text }),
        }
    };
    let (holder, target) = (broken.holder.as_ref(), broken.target.as_ref());
    match (&broken.store, holder, target) {
        (Some(store), Some(holder), Some(target)) => {
            add(store.when.place.as_ref(), true, format!("{} is stored into {}", target.name(), holder.name()));
        }
        _ => match (&broken.deed, holder, target) {
            (Some(Deed { wrote: true, place, .. }), Some(holder), Some(target)) => {
                add(place.as_ref(), true, format!("{} is stored into {}", target.name(), holder.name()));
            }
            _ => add(broken.seen.place.as_ref(), true, "seen here".to_owned()),
        },
    }
    let sharers = holders(broken);
    if let Some(holder) = holder {
        let with = sharers.iter().filter(|(_, link)| link.place == holder.made);
        let with: Vec<String> = with.map(|(sharer, _)| sharer.name()).collect();
        let with = if with.is_empty() { String::new() } else { format!(" for {}", with.join(" and ")) };
        add(holder.made.as_ref(), false, format!("{} is made{with}", holder.name()));
        for (sharer, link) in sharers.iter().filter(|(_, link)| link.place != holder.made) {
            add(link.place.as_ref(), false, format!("{} gets {}", sharer.name(), holder.name()));
        }
        let blackened = broken.blackened.as_ref().and_then(|blackened| blackened.when.place.as_ref());
        add(blackened, false, format!("{} becomes black", holder.name()));
    }
    // An object that refers to itself is made once.
    if let Some(target) = target.filter(|target| holder.is_none_or(|holder| holder.identity != target.identity)) {
        add(target.made.as_ref(), false, format!("{} is made", target.name()));
    }
    if let (Some(freed), Some(target)) = (&broken.freed, target) {
        add(freed.place.as_ref(), false, format!("{} is freed", target.name()));
    }
    marks.sort_by_key(|mark| mark.line);
    marks
}

/// The objects besides the one on the path that are known to refer to the holder, each once.
fn holders(broken: &Broken) -> Vec<(&Thing, &Link)> {
    let through = broken.blackened.iter().filter_map(|it| it.through.as_ref().zip(it.link.as_ref()));
    let barriers = broken.store.iter().flat_map(|store| &store.barriers);
    let mut all: Vec<(&Thing, &Link)> = Vec::new();
    for (thing, link) in through.chain(barriers.filter_map(|it| it.link.as_ref().map(|link| (&it.parent, link)))) {
        if all.iter().all(|(known, _)| known.id() != thing.id()) {
            all.push((thing, link));
        }
    }
    all
}

/// A difference in one sentence.
pub(super) fn difference_headline(disagreement: &Disagreement) -> String {
    let Disagreement { between: _, our_name, reference_name, difference } = disagreement;
    match difference.line {
        Some(line) => format!("{our_name} and {reference_name} differ in line {} of what they print.", line + 1),
        None => format!("{our_name} and {reference_name} print the same and end differently."),
    }
}

/// What a difference means.
pub(super) fn difference_rule(between: Between) -> &'static str {
    match between {
        Between::Engines => {
            "A script does the same in every correct Lua, unless it asks for what each does in its own way. One of the two \
             is wrong: its library, its compiler, its interpreter or its collector."
        }
        Between::Schedules => {
            "The collector must not show: a script does the same whenever it runs. An object was likely taken from the \
             program while it was in use, unless the script asks when it is collected."
        }
        Between::Hooks => {
            "A script does the same whether or not a hook is called before each instruction. A hook makes room on the stack: \
             without it something was likely written beyond the end of one, or a pointer into a stack that was moved was used."
        }
    }
}

/// A crash in one sentence.
pub(super) fn crash_headline(crash: &Crash) -> String {
    let who = crash.activity.name();
    if let Some(ToolReport { tool, kind, functions }) = &crash.sanitized {
        let place = functions.first().map(|function| format!(" in `{function}`")).unwrap_or_default();
        return format!("{} ended the {who}: {kind}{place}.", tool.name());
    }
    match &crash.death {
        None => format!("The {who} was still running at the deadline."),
        Some(death) => format!("The {who} brought down its process: {death}."),
    }
}

/// What a crash means.
pub(super) const CRASH_RULE: &str = "No script may bring down an engine, or keep it busy past the deadline. A panic \
is a fault of this program; a signal in a reference is one of the reference, or of its build.";

/// What the report of a sanitizer means.
pub(super) fn sanitizer_rule(report: &ToolReport) -> &'static str {
    match (report.tool, report.kind.as_str()) {
        (Tool::Address, "use-after-poison") => {
            "A Lua reads and writes the memory of its living objects alone. This memory was given back to the allocator, or lies \
             between two blocks: the probe's allocator poisons both."
        }
        (Tool::Address, _) => "A Lua reads and writes memory that it has, inside of its bounds, and frees it once.",
        (Tool::Undefined, _) => {
            "A program in C does nothing whose behaviour the standard leaves undefined: the compiler may make anything of it."
        }
    }
}

/// A finding that did not show again in one sentence.
pub(super) const NOT_REPEATED: &str = "The finding did not show in a second run of the same script.";

/// What that means.
pub(super) const REPEATED_RULE: &str = "Script, settings and seed determine a run, to the step of the collector. Where \
the second run of a script differs from the first, this program or the reference is at fault.";

/// What a program does at a site.
fn deed(site: Site) -> &'static str {
    match site {
        Site::TableStore => "an assignment to a table entry",
        Site::TableKey => "the new key of a table entry",
        Site::TableList => "a table constructor",
        Site::TableMetatable => "`setmetatable`",
        Site::UserdataMetatable => "the setting of a userdata's metatable",
        Site::UserValue => "the setting of a user value",
        Site::UpvalueStore => "an assignment to an upvalue",
        Site::Setupvalue => "`debug.setupvalue`",
        Site::Upvaluejoin => "`debug.upvaluejoin`",
        Site::ClosurePrototype | Site::ClosureCapture | Site::ClosureFresh => "the making of a closure",
        Site::UpvalueClose => "the end of a variable's scope",
        Site::NativeUpvalue => "the setting of a native function's upvalue",
        Site::PrototypeConstant
        | Site::PrototypeNested
        | Site::PrototypeUpvalueName
        | Site::PrototypeLocalName
        | Site::PrototypeSource => "the loading of a chunk",
        Site::ChunkEnvironment => "the setting of a chunk's environment",
        _ => site.name(),
    }
}

/// Since when an object has had a reference.
fn since(who: &Thing, link: &Link) -> String {
    let place = link.place.as_ref().map(|place| format!(" at {place}")).unwrap_or_default();
    if link.place.is_some() && link.place == who.made {
        format!("since it was made{place}")
    } else {
        format!("since {}{place}", deed(link.site))
    }
}

fn shade(thing: &Thing) -> String {
    thing.shade.map_or_else(|| "of unknown colour".to_owned(), |shade| shade.to_string())
}

/// `at step 65 (phase propagate, line 13)`.
fn moment(when: &When) -> String {
    let place = when.place.as_ref().map(|place| format!(", {place}")).unwrap_or_default();
    match when.step {
        Some(step) => format!("at step {step} (phase {}{place})", when.phase),
        None => format!("in phase {}{place}", when.phase),
    }
}

fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o']) || noun.starts_with("upvalue");
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}

fn sentence(text: &str) -> String {
    let text = capital(text);
    if text.ends_with('.') { text } else { text + "." }
}
