//! Facts in words.

use std::fmt::Write;

use anstyle::AnsiColor;
use moonphase_heap::{Colour, Direction, Phase};

use super::fact::{Boundary, Fact, Few, Origin};
use super::names::Name;
use crate::report::{Shade, Style};

const COUNT: anstyle::Style = anstyle::Style::new().bold();
const FAULT: anstyle::Style = AnsiColor::Red.on_default().bold();

/// What happened, in words. The kind of event stands before it.
pub fn text(fact: &Fact, style: Style) -> String {
    let shade = |colour: &Colour| style.paint(Shade::Of(*colour).style(), colour.name());
    let change = |from: &Colour, to: &Colour| format!("{} → {}", shade(from), shade(to));
    match fact {
        Fact::Allocate { object, colour, prototype, parent } => {
            let mut text = format!("{object}, {}", shade(colour));
            if let Some(prototype) = prototype {
                let _ = write!(text, ", of {}", prototype.short);
            }
            if let Some(parent) = parent {
                let _ = write!(text, ", nested in {}", parent.short);
            }
            text
        }
        Fact::Call { object } | Fact::Return { object } => object.short.to_string(),
        Fact::Reuse { object } => {
            format!("{} is given again: it has the upvalues that a new one would have", object.short)
        }
        Fact::Capture { object, index, upvalue, from, register, enclosing, enclosing_index, .. } => {
            let origin = match (from, register, enclosing, enclosing_index) {
                (Origin::Stack, Some(register), ..) => format!("from the stack, register {register},"),
                (Origin::Enclosing, _, Some(enclosing), Some(index)) => {
                    format!("from the enclosing {}, whose upvalue {index} it is,", enclosing.short)
                }
                _ => "made for it".to_owned(),
            };
            format!("{} takes {} {origin} as its upvalue {index}", object.short, upvalue.short)
        }
        Fact::Open { object, thread, slot } => {
            let mut text = format!("{} is a variable on the stack", object.short);
            if let (Some(thread), Some(slot)) = (thread, slot) {
                let _ = write!(text, " of {}, slot {slot}", thread.short);
            }
            text
        }
        Fact::Link { object, thread, found, open } => {
            let of = thread.as_ref().map(|thread| format!(" of {}", thread.short)).unwrap_or_default();
            let list = list(open, 0);
            match found {
                true => format!("{} is found in the open list{of}, and shared: {list}", object.short),
                false => format!("{} enters the open list{of}: {list}", object.short),
            }
        }
        Fact::Close { object, colour, value } => {
            let value = value.as_ref().map(|value| format!(" ({})", value.short)).unwrap_or_default();
            format!("{} takes its value{value} off the stack; it is {}", object.short, shade(colour))
        }
        Fact::Join { object, index, old, new, .. } => {
            let old = old.as_ref().map(|old| format!(", no more {}", old.short)).unwrap_or_default();
            format!("{} takes {} as its upvalue {index}{old}", object.short, new.short)
        }
        Fact::Store { object, site, old, new } => {
            let old = old.as_ref().map(|old| format!(", no more to {}", old.short)).unwrap_or_default();
            format!("{} refers to {}{old} ({site})", object.short, new.short)
        }
        Fact::Barrier { object, site, direction, child, acted, colour, child_colour } => {
            let parties =
                format!("{} ({}) refers to {} ({})", object.short, shade(colour), child.short, shade(child_colour));
            match (acted, direction) {
                (false, _) => format!("{direction} at {site}: {parties}; nothing to do"),
                (true, Direction::Backward) => format!("{direction} at {site}: {parties}; to be traversed again"),
                (true, Direction::Forward) => format!("{direction} at {site}: {parties}"),
            }
        }
        Fact::Mark { object, from, to, by, few } => {
            let by = by.as_ref().map(|by| format!(", found through {}", by.short)).unwrap_or_default();
            format!("{} {}{by}{}", object.short, change(from, to), refers(few))
        }
        Fact::Blacken { object, from, to, few, weakly } => {
            let weakly = match weakly.as_slice() {
                [] => String::new(),
                names => format!("; refers weakly to {}", list(names, 0)),
            };
            format!("{} {}{}{weakly}", object.short, change(from, to), refers(few))
        }
        Fact::Clear { object, key, value } => {
            let short = |name: &Option<Name>| {
                name.as_ref().map_or_else(|| "a plain value".to_owned(), |name| name.short.to_string())
            };
            let key = key.as_ref().map(|key| format!(" with the key {}", key.short)).unwrap_or_default();
            format!("{} loses an entry{key}, whose value is {}", object.short, short(value))
        }
        Fact::Age { object, from, to } => format!("{} {from} → {to}", object.short),
        Fact::GrayAgain { object, from, to } => {
            format!("{} {}: the atomic phase traverses it again", object.short, change(from, to))
        }
        Fact::Whiten { object, from, to } => format!("{} {}: it lives", object.short, change(from, to)),
        Fact::Free { object } | Fact::Finalize { object } => object.to_string(),
        Fact::Phase { from, to } => format!("{to}: {}", purpose(*from, *to)),
        Fact::Cycle { edge: Boundary::Begin, .. } => style.paint(COUNT, "begins: the roots are marked"),
        Fact::Cycle { edge: Boundary::End, freed, .. } => {
            let objects = if *freed == 1 { "object" } else { "objects" };
            style.paint(COUNT, &format!("is over: {freed} {objects} freed"))
        }
        Fact::Step { edge, step, kind } => match edge {
            Boundary::Begin => format!("{step} begins: {kind}"),
            Boundary::End => format!("{step} is over"),
        },
        Fact::Print { text } => text.clone(),
        Fact::Dangling { object } => style.paint(FAULT, &format!("{} was freed, and is in use", object.short)),
        Fact::Violation { signature, detail, .. } => style.paint(FAULT, &format!("{signature}: {detail}")),
        Fact::LeftOut { lines } => {
            format!(
                "{lines} lines are left out here; --limit all shows them, --only, --events and --object narrow them"
            )
        }
        Fact::End { how, message } => match message {
            Some(message) => style.paint(FAULT, &format!("{how}: {message}")),
            None => "the script ran to its end".to_owned(),
        },
    }
}

fn list(names: &[Name], more: usize) -> String {
    let mut text = names.iter().map(|name| &*name.short).collect::<Vec<_>>().join(", ");
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
    text
}

fn refers(few: &Few) -> String {
    match few.refers.as_slice() {
        [] => String::new(),
        names => format!("; refers to {}", list(names, few.refers_more)),
    }
}

/// What a phase is for.
fn purpose(from: Phase, to: Phase) -> &'static str {
    match (from, to) {
        (Phase::Pause, to) if to.is_sweeping() => "a full collection first makes all white; nothing is freed",
        (Phase::Propagate, to) if to.is_sweeping() => {
            "marking is given up; the sweep undoes its marks and frees nothing"
        }
        (_, Phase::Propagate) => "gray objects are traversed, one a step",
        (_, Phase::EnterAtomic) => "what is left of marking is done in one go",
        (_, Phase::Atomic) => "the end of marking; nothing of the script runs in it",
        (_, Phase::SweepStrings) => "dead strings are freed, living ones become white",
        (_, Phase::SweepAll) => "the dead are freed, the living become white",
        (_, Phase::SweepFinalizable) => "the same for objects with finalizers",
        (_, Phase::SweepToBeFinalized) => "the same for objects that wait for their finalizers",
        (_, Phase::SweepEnd) => "all is swept",
        (_, Phase::CallFinalizers) => "finalizers of dead objects are called",
        (_, Phase::Pause) => "the collector rests",
    }
}
