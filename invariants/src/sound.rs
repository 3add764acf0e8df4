//! Whether a heap is sound: what a whole look asks, answered with yes or no in two walks.
//!
//! The questions walk the heap once or more each, in an order that decides what is said of an unsound heap. Nearly every
//! heap is sound, so they are asked here together first. A no may be a mistake, for the questions are asked one after the
//! other then; a yes may not.
//!
//! That nothing reachable is dead takes no trace where the living refer to nothing dead: a set that has the roots, and
//! all that its members refer to, has all that is reachable.

use crate::id_set::IdSet;
use crate::lists::{is_dead, references};
use crate::looks::{Scratch, is_marking};
use crate::{Verdict, ages, bytes, gray_lists, intern, lists, pause, reachable, threads, tricolour, upvalues};
use moonphase_vm::gc::{Colour, HeapView, Kind, ListName, Mode, Phase, Strength, Upvalues};

/// Whether a whole look would find nothing. `settled` is as it is for that.
pub(crate) fn is_sound(view: HeapView<'_>, scratch: &mut Scratch, settled: bool) -> bool {
    check_members(view, scratch).is_ok() && references_are_sound(view, &mut scratch.ids, settled)
}

/// All that is said of single objects and their places, and of their number.
fn check_members(view: HeapView<'_>, scratch: &mut Scratch) -> Verdict {
    let Scratch { ids: listed, gray } = scratch;
    let (marking, resting) = (is_marking(view), pause::applies(view));
    if marking {
        gray_lists::check_members(view, gray)?;
    }
    listed.clear();
    let mut upvalues = upvalues::Count::default();
    let (mut sum, mut short_strings) = (0, 0);
    for list in ListName::ALL {
        let collected = ListName::COLLECTED.contains(&list);
        let gray_is_listed = marking && lists::is_marked(view, list);
        for object in view.list(list) {
            lists::check_member(view, listed, list, object)?;
            if collected {
                threads::check_string(view, object)?;
                upvalues.check_object(view, object)?;
                ages::check_object(view, object)?;
                if marking {
                    threads::check_thread(view, object)?;
                }
                if gray_is_listed {
                    gray_lists::check_object(view, gray, object)?;
                }
                if resting {
                    pause::check_member(view, list, object)?;
                }
            }
            sum += object.size();
            short_strings += usize::from(intern::check_object(view, object)?);
        }
    }
    upvalues.finish(view)?;
    intern::check_count(view, short_strings)?;
    bytes::check_sum(view, sum)?;
    // Where all objects are new and no age begins anywhere, they are in order.
    let unaged = view.mode() == Mode::Incremental
        && view.first_old1().is_none()
        && [ListName::All, ListName::Finalizable].into_iter().all(|list| view.generations(list) == [None; 3]);
    if unaged { Ok(()) } else { ages::check_order(view) }
}

/// All that is said of references, given the objects that are in lists.
fn references_are_sound(view: HeapView<'_>, listed: &mut IdSet, settled: bool) -> bool {
    let marking = settled && is_marking(view);
    let sweeping = (Phase::SweepStrings..=Phase::SweepEnd).contains(&view.phase());
    let mut sound = true;
    // Counted upvalues are in no walk over the holders, and their values may be on dead stacks.
    let mut closed = view.policy().upvalues != Upvalues::Counted;
    view.roots(|edge| {
        sound &= !edge.target.is_freed() && listed.contains(edge.target.id());
        closed &= !is_dead(view, edge.target);
    });
    for list in ListName::COLLECTED.into_iter().chain([ListName::Fixed]) {
        let colours_count = marking && lists::is_marked(view, list);
        for object in view.list(list) {
            // What a dead object refers to may be gone.
            if object.kind() == Kind::String || is_dead(view, object) {
                continue;
            }
            let black = object.is_black();
            let old = ages::covers(object);
            references(view, object, |edge| {
                let target = edge.target;
                if target.is_freed() || !listed.contains(target.id()) {
                    sound = false;
                    return;
                }
                if black && old {
                    sound &= !(marking && ages::is_too_young(object, target));
                } else if black {
                    sound &= !(colours_count && tricolour::is_strong_to_white(&edge));
                }
                if view.colour(target) == Colour::OtherWhite {
                    match edge.strength {
                        Strength::Weak if target.kind() != Kind::String => sound &= !sweeping,
                        _ => closed = false,
                    }
                }
            });
            if !sound {
                return false;
            }
        }
    }
    sound && (closed || reachable::check(view, listed).is_ok())
}
