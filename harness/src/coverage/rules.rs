//! Which cells can occur under a policy, and by which rule the others cannot.
//!
//! A rule is a statement about the collector or about the language, read off the code that its source names; none follows
//! from a cell's not having been seen. Most are about the colours that a *program* can come across: a store is a
//! program's, aside from the closing of upvalues whose thread is being freed. What an object is tells which colours it can
//! have in a phase ([`colour_rule`]); what a site does tells which pairs of them can meet ([`pair_rule`]).

use moonphase_vm::gc::{Colour, Mode, OpenRule, Phase, Policy, Site, StringRule, SweepRule, Upvalues};
use serde::{Deserialize, Serialize};

use super::cell::{Cell, CyclePart, UpvalueState};

macro_rules! rules {
    ($($rule:ident $name:literal $by:ident: $text:literal, in $source:literal;)*) => {
        /// Why a cell cannot occur.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Rule { $(#[doc = $text] $rule,)* }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Rule] = &[$(Rule::$rule),*];

            /// The name in signatures.
            pub fn name(self) -> &'static str {
                match self { $(Rule::$rule => $name),* }
            }

            /// What it says, a sentence without its full stop.
            pub fn sentence(self) -> &'static str {
                match self { $(Rule::$rule => $text),* }
            }

            /// The code that it follows from.
            pub fn source(self) -> &'static str {
                match self { $(Rule::$rule => $source),* }
            }

            /// Who keeps the rule.
            pub fn kept_by(self) -> KeptBy {
                match self { $(Rule::$rule => KeptBy::$by),* }
            }
        }
    };
}

/// Who keeps a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptBy {
    /// The VM: no program can reach the cell, and one that does has found a fault.
    Vm,
    /// The generator: a program could reach the cell, and those that are generated do not try.
    Generator,
}

rules! {
    NoUserdata "no-userdata" Vm:
        "no library of the language makes a userdata that has user values; hosts do", in "vm/src/library";
    CacheIsNoReference "cache-is-no-reference" Vm:
        "the closure that a prototype keeps to use again is no reference, and its store is not told", in "cache_closure";
    PhaseOfOtherPolicy "phase-of-other-policy" Vm:
        "the policy's cycle does not have this phase", in "enter_next_stage, Policy::has_generational";
    NoProgramInAtomic "no-program-in-atomic" Vm:
        "no program runs in the atomic phase, and nothing is freed in it", in "turn, collect_minor";
    MinorCollectionIsOneStep "minor-collection-is-one-step" Vm:
        "a minor collection is one step: inside of it only upvalues of dead threads are closed", in "collect_minor";
    CountedUpvaluesHaveNoColour "counted-upvalues-have-no-colour" Vm:
        "upvalues that are counted are not collected, and gray for ever", in "new_upvalue, new_closed_upvalue";
    OneWhiteOutsideSweeping "one-white-outside-sweeping" Vm:
        "all objects of the other white are freed or turned by the end of sweeping, and the white changes in the atomic \
         phase", in "atomic, enter_next_stage";
    ProgramsHoldNothingDead "programs-hold-nothing-dead" Vm:
        "what a program can reach was marked by the end of the atomic phase, and what it makes or finds again later is of \
         the current white", in "atomic, new_string, find_upvalue";
    UnusedOpenUpvaluesAreFreed "unused-open-upvalues-are-freed" Vm:
        "an open upvalue that no closure has is freed and not closed", in "close_upvalue";
    LiveUpvaluesHoldLiveValues "live-upvalues-hold-live-values" Vm:
        "the atomic phase marks the values of marked open upvalues whose thread is dead", in "remark_upvalues";
    NewerObjectsAreSweptFirst "newer-objects-are-swept-first" Vm:
        "a list is swept from its newest object on, so where the older one of two has been met, the newer one has too",
        in "adopt, sweep_list";
    NewestIsSweptAtOnce "newest-is-swept-at-once" Vm:
        "sweeping of the list of all objects begins with the newest one that lives, which is one of these two: no other is \
         made before the store", in "enter_sweep, sweep_to_living, instantiate, fill_prototype";
    SweptObjectsAreWhite "swept-objects-are-white" Vm:
        "what has been swept, or was made since the white changed, is white until the next cycle", in "turn_white, enter_next_stage";
    AtomicTraversesWhatIsGray "atomic-traverses-what-is-gray" Vm:
        "after the atomic phase only weak tables and open upvalues are gray, and tables that a backward barrier has touched",
        in "atomic, barrier_back";
    ThreadsAreNotBlackWhileMarking "threads-are-not-black-while-marking" Vm:
        "a thread waits on the gray-again list until the atomic phase, for its stack has no barrier", in "traverse_thread";
    OpenUpvaluesAreNotBlack "open-upvalues-are-not-black" Vm:
        "the value of an open upvalue is a stack slot, which has no barrier, so it is gray once marked", in "mark_object, sweep_list_to_old";
    ClosedUpvaluesAreNotGray "closed-upvalues-are-not-gray" Vm:
        "a closed upvalue becomes black when it is marked or, having been gray, closed", in "mark_object, close_upvalue";
    StringsAreMarkedBlack "strings-are-marked-black" Vm:
        "a string refers to nothing, so it is black once marked", in "mark_object";
    StringsAreMarkedGray "strings-are-marked-gray" Vm:
        "a marked string is gray and on no list", in "mark_object";
    NewObjectsAreWhite "new-objects-are-white" Vm:
        "between the making of the object and this store the collector does not turn, and new objects are white",
        in "new_header, Vm::made, Vm::instantiate";
    NothingRefersToItYet "nothing-refers-to-it-yet" Vm:
        "what is kept as a root while a chunk is loaded is gray only between the beginning of a cycle and its traversal, \
         unless something refers to it already", in "mark_registry_and_metatables, Vm::made";
    AnchorsAreMarkedTogether "anchors-are-marked-together" Vm:
        "the functions of a chunk that is loaded stay roots until all is made, so the older one is marked whenever the newer \
         one is, and no gray object is left when marking ends", in "mark_registry_and_metatables, propagate, fill_prototype";
    SourceOfTheEnclosingFunction "source-of-the-enclosing-function" Generator:
        "a nested function shares the source of the one around it, and no binary chunk is loaded that says otherwise",
        in "fill_prototype";
    NamesOfTheEnclosingFunction "names-of-the-enclosing-function" Vm:
        "the name of a nested function's upvalue belongs to the enclosing function too, which is black where a barrier has \
         made the nested one gray", in "fill_prototype";
    EnvironmentIsMarkedWithTheClosure "environment-is-marked-with-the-closure" Vm:
        "the environment of a chunk is on the stack of whoever loads it, so a collector that has been through all since the \
         closure was made has marked it too", in "load_text, instantiate, traverse_thread";
    EnvironmentNameIsOlder "environment-name-is-older" Vm:
        "`_ENV` is a name in the function that has switched to generational mode, so no younger one meets it white",
        in "fill_prototype, collector_mode";

    FilesAreMarkedBlack "files-are-marked-black" Vm:
        "a userdata without user values is black once it is marked, and its metatable marked with it", in "mark_object";
    FilesGetFreshMetatables "files-get-fresh-metatables" Generator:
        "generated scripts give files no metatables but fresh ones", in "harness/src/script";
    TemporariesStayHidden "temporaries-stay-hidden" Generator:
        "no generated script takes a table out of a running constructor by debug.getlocal to give it a finalizer",
        in "harness/src/script";
    NamesAreShort "names-are-short" Generator:
        "names of variables in generated scripts are short strings, which are swept with the string table",
        in "harness/src/script";
}

/// What an object is, as far as its colours go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    String,
    Thread,
    Closure,
    Prototype,
    OpenUpvalue,
    ClosedUpvalue,
    Table,
    /// A file of the library, which has no user values, and a finalizer.
    File,
}

/// What a value can be. The last one has the most colours.
const VALUES: &[What] = &[What::String, What::Thread, What::Closure, What::Table];

/// Why a cell cannot occur under a policy; `None` if it can.
pub fn rule_against(policy: &Policy, cell: Cell) -> Option<Rule> {
    site_rule(cell.site)
        .or_else(|| stage_rule(policy, cell))
        .or_else(|| {
            let (parents, children) = parties(cell);
            let dead_child = closes_counted(policy, cell) && cell.child == Colour::OtherWhite;
            any_of(policy, cell, parents, cell.parent)
                .or_else(|| if dead_child { None } else { any_of(policy, cell, children, cell.child) })
        })
        .or_else(|| pair_rule(policy, cell))
}

fn site_rule(site: Site) -> Option<Rule> {
    match site {
        Site::UserValue => Some(Rule::NoUserdata),
        Site::ClosureCache => Some(Rule::CacheIsNoReference),
        _ => None,
    }
}

fn stage_rule(policy: &Policy, cell: Cell) -> Option<Rule> {
    use Phase::{CallFinalizers, SweepAll, SweepEnd, SweepFinalizable, SweepStrings, SweepToBeFinalized};
    let phase = match cell.stage {
        CyclePart::Generational | CyclePart::MinorSweep if !policy.has_generational() => {
            return Some(Rule::PhaseOfOtherPolicy);
        }
        CyclePart::Generational => return None,
        CyclePart::MinorSweep if cell.site == Site::UpvalueClose => return None,
        CyclePart::MinorSweep => return Some(Rule::MinorCollectionIsOneStep),
        CyclePart::Incremental(Phase::Atomic) => return Some(Rule::NoProgramInAtomic),
        CyclePart::Incremental(phase) => phase,
    };
    let has = match (policy.sweep, phase) {
        (SweepRule::Strings, SweepStrings | SweepAll | CallFinalizers) => true,
        (SweepRule::StringsFinalizable, SweepStrings | SweepFinalizable | SweepAll) => true,
        (SweepRule::Lists, SweepAll | SweepFinalizable | SweepToBeFinalized | SweepEnd | CallFinalizers) => true,
        _ => matches!(phase, Phase::Pause | Phase::Propagate | Phase::EnterAtomic),
    };
    (!has).then_some(Rule::PhaseOfOtherPolicy)
}

/// What the holder and the value at a site can be.
fn parties(cell: Cell) -> (&'static [What], &'static [What]) {
    let upvalue: &[What] = match cell.upvalue {
        Some(UpvalueState::Open) => &[What::OpenUpvalue],
        Some(UpvalueState::Closed) | None => &[What::ClosedUpvalue],
    };
    match cell.site {
        Site::TableStore | Site::TableKey | Site::TableList => (&[What::Table], VALUES),
        Site::TableMetatable => (&[What::Table], &[What::Table]),
        Site::UpvalueStore | Site::Setupvalue | Site::ChunkEnvironment => (upvalue, VALUES),
        Site::Upvaluejoin | Site::ClosureCapture | Site::ClosureFresh => (&[What::Closure], upvalue),
        Site::UpvalueClose => (&[What::OpenUpvalue], VALUES),
        Site::ClosurePrototype => (&[What::Closure], &[What::Prototype]),
        Site::PrototypeNested => (&[What::Prototype], &[What::Prototype]),
        Site::PrototypeConstant | Site::PrototypeUpvalueName | Site::PrototypeLocalName | Site::PrototypeSource => {
            (&[What::Prototype], &[What::String])
        }
        // A native closure; its colours are those of a closure.
        Site::NativeUpvalue => (&[What::Closure], VALUES),
        Site::UserdataMetatable => (&[What::File], &[What::Table]),
        // Sites that no script reaches are out before.
        _ => (VALUES, VALUES),
    }
}

/// Why nothing of these kinds can have the colour.
fn any_of(policy: &Policy, cell: Cell, kinds: &[What], colour: Colour) -> Option<Rule> {
    let mut against = None;
    for &kind in kinds {
        against = Some(colour_rule(policy, cell, kind, colour)?);
    }
    against
}

/// Why an object of this kind that a program can come across cannot have the colour.
fn colour_rule(policy: &Policy, cell: Cell, what: What, colour: Colour) -> Option<Rule> {
    let upvalue = matches!(what, What::OpenUpvalue | What::ClosedUpvalue);
    if upvalue && policy.upvalues == Upvalues::Counted {
        return (colour != Colour::Gray).then_some(Rule::CountedUpvaluesHaveNoColour);
    }
    match (colour, what, policy.strings) {
        (Colour::White, ..) => return None,
        (Colour::OtherWhite, ..) => return Some(other_white_rule(policy, cell, what)),
        (Colour::Gray, What::File, _) => return Some(Rule::FilesAreMarkedBlack),
        (Colour::Gray, What::ClosedUpvalue, _) => return Some(Rule::ClosedUpvaluesAreNotGray),
        (Colour::Black, What::OpenUpvalue, _) => return Some(Rule::OpenUpvaluesAreNotBlack),
        (Colour::Gray, What::String, StringRule::Black) => return Some(Rule::StringsAreMarkedBlack),
        (Colour::Black, What::String, StringRule::Gray) => return Some(Rule::StringsAreMarkedGray),
        (Colour::Gray | Colour::Black, ..) => {}
    }
    match cell.stage {
        CyclePart::Incremental(Phase::Propagate | Phase::EnterAtomic) => {
            let black_thread = (what, colour) == (What::Thread, Colour::Black);
            black_thread.then_some(Rule::ThreadsAreNotBlackWhileMarking)
        }
        CyclePart::Incremental(phase) if is_swept(policy, phase, what) => Some(Rule::SweptObjectsAreWhite),
        CyclePart::Incremental(_) => {
            let settled = matches!(what, What::Thread | What::Closure | What::Prototype);
            (settled && colour == Colour::Gray).then_some(Rule::AtomicTraversesWhatIsGray)
        }
        CyclePart::Generational | CyclePart::MinorSweep => None,
    }
}

/// Whether a phase comes when all objects of a kind have been swept, so that those a program comes across are white. Tables
/// may have finalizers, and those that wait for theirs are not swept under the rules of 5.1 and 5.2. (A program comes
/// across these: they are keys of weak tables, and refer to each other.) Strings may be long ones, which are swept with
/// all other objects.
fn is_swept(policy: &Policy, phase: Phase, what: What) -> bool {
    let table = matches!(what, What::Table | What::File);
    match (policy.sweep, phase) {
        (_, Phase::SweepStrings | Phase::SweepAll) | (SweepRule::StringsFinalizable, Phase::SweepFinalizable) => false,
        (SweepRule::Lists, Phase::SweepFinalizable | Phase::SweepToBeFinalized) => !table,
        (SweepRule::Strings, Phase::CallFinalizers) | (SweepRule::StringsFinalizable, Phase::Pause) => !table,
        _ => true,
    }
}

fn other_white_rule(policy: &Policy, cell: Cell, what: What) -> Rule {
    let sweeps = match cell.stage {
        CyclePart::Incremental(phase) => (Phase::SweepStrings..=Phase::SweepToBeFinalized).contains(&phase),
        CyclePart::Generational => false,
        CyclePart::MinorSweep => true,
    };
    let frees_threads = matches!(cell.stage, CyclePart::Incremental(Phase::SweepAll) | CyclePart::MinorSweep);
    match (cell.site, what, policy.upvalues) {
        _ if !sweeps => Rule::OneWhiteOutsideSweeping,
        (Site::UpvalueClose, What::OpenUpvalue, Upvalues::Objects { open: OpenRule::ByThread, .. })
            if frees_threads =>
        {
            Rule::NewerObjectsAreSweptFirst
        }
        (Site::UpvalueClose, What::OpenUpvalue, _) if frees_threads => Rule::UnusedOpenUpvaluesAreFreed,
        (Site::UpvalueClose, ..) if frees_threads => Rule::LiveUpvaluesHoldLiveValues,
        _ => Rule::ProgramsHoldNothingDead,
    }
}

/// Whether the upvalue of a dead thread may be closed with a dead value: a closure has it, which is dead as well and older
/// than the thread, so that it is still there to be counted.
fn closes_counted(policy: &Policy, cell: Cell) -> bool {
    let counted = policy.upvalues == Upvalues::Counted && cell.site == Site::UpvalueClose;
    counted && cell.stage == CyclePart::Incremental(Phase::SweepAll)
}

/// Why these two colours cannot meet at the site, though each can be there.
fn pair_rule(policy: &Policy, Cell { site, stage, parent, child, .. }: Cell) -> Option<Rule> {
    use Colour::{Black, Gray, White};
    let marks =
        matches!(stage, CyclePart::Generational | CyclePart::Incremental(Phase::Propagate | Phase::EnterAtomic));
    // Where nothing is marked but by collections that are one step, or by barriers.
    let started = stage != CyclePart::Incremental(Phase::Propagate);
    if begins_with_the_newest(policy, stage) {
        // The closure is newer than all but its upvalue, which no turn follows, and a nested prototype newer than the other.
        // A prototype and its source come one after the other, unless the source is in use already.
        match (site, parent, child) {
            (Site::ClosureFresh, Black, _)
            | (Site::PrototypeNested, _, Black)
            | (Site::PrototypeSource, Black, Black) => {
                return Some(Rule::NewestIsSweptAtOnce);
            }
            _ => {}
        }
    }
    match site {
        Site::ClosurePrototype | Site::ClosureCapture if parent != White => Some(Rule::NewObjectsAreWhite),
        Site::ClosureFresh if child == Black => Some(Rule::NewObjectsAreWhite),
        Site::ClosureFresh if parent == Gray && started => Some(Rule::NothingRefersToItYet),
        // It is black where the barrier of the closure has marked it.
        Site::ChunkEnvironment if parent == Black && !marks => Some(Rule::NewObjectsAreWhite),
        Site::ChunkEnvironment if (parent, child) == (Black, White) && started => {
            Some(Rule::EnvironmentIsMarkedWithTheClosure)
        }
        Site::UserdataMetatable if child != White => Some(Rule::FilesGetFreshMetatables),
        Site::TableList if parent != White && only_tables_are_left(policy, stage) => Some(Rule::TemporariesStayHidden),
        Site::PrototypeNested => match (parent, child) {
            (_, Gray) if started => Some(Rule::NothingRefersToItYet),
            (White, Gray | Black) if marks => Some(Rule::AnchorsAreMarkedTogether),
            (Gray, Black) if started => Some(Rule::AnchorsAreMarkedTogether),
            (White, Black) => Some(Rule::NewerObjectsAreSweptFirst),
            _ => None,
        },
        // A gray prototype was marked by a black one, which refers to the source.
        Site::PrototypeSource
            if (parent, child) == (Gray, White) && stage == CyclePart::Incremental(Phase::EnterAtomic) =>
        {
            Some(Rule::SourceOfTheEnclosingFunction)
        }
        Site::PrototypeUpvalueName
            if (parent, child) == (Gray, White) && stage == CyclePart::Incremental(Phase::EnterAtomic) =>
        {
            Some(Rule::NamesOfTheEnclosingFunction)
        }
        Site::PrototypeUpvalueName
            if (parent, child) == (Black, White)
                && stage == CyclePart::Generational
                && policy.mode == Mode::Incremental =>
        {
            Some(Rule::EnvironmentNameIsOlder)
        }
        // An unswept string is a long one.
        Site::PrototypeUpvalueName | Site::PrototypeLocalName
            if child != White && short_strings_are_swept(policy, stage) =>
        {
            Some(Rule::NamesAreShort)
        }
        _ => None,
    }
}

/// Whether the phase began by sweeping the newest object that lives; what was made since is white.
fn begins_with_the_newest(policy: &Policy, stage: CyclePart) -> bool {
    policy.sweep == SweepRule::Lists && stage == CyclePart::Incremental(Phase::SweepAll)
}

/// Whether the only objects that have not been swept are tables with finalizers.
fn only_tables_are_left(policy: &Policy, stage: CyclePart) -> bool {
    matches!(stage, CyclePart::Incremental(phase)
        if is_swept(policy, phase, What::Closure) && !is_swept(policy, phase, What::Table))
}

fn short_strings_are_swept(policy: &Policy, stage: CyclePart) -> bool {
    let swept = matches!(stage, CyclePart::Incremental(Phase::SweepFinalizable | Phase::SweepAll));
    policy.sweep != SweepRule::Lists && swept
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_rule_has_a_name_of_its_own_and_excludes_something_under_some_policy() {
        let names: HashSet<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
        assert_eq!(names.len(), Rule::ALL.len());
        let mut used = HashSet::new();
        for policy in Policy::PRESETS {
            used.extend(Cell::all().filter_map(|cell| rule_against(policy, cell)));
        }
        let idle: Vec<&str> = Rule::ALL.iter().filter(|rule| !used.contains(rule)).map(|rule| rule.name()).collect();
        assert_eq!(idle, [""; 0]);
    }

    fn against(policy: Policy, name: &str) -> Option<&'static str> {
        let cell = Cell::all().find(|cell| cell.to_string() == name).expect("a cell of this name");
        rule_against(&policy, cell).map(Rule::name)
    }

    #[test]
    fn what_barriers_are_for_can_occur() {
        for &policy in Policy::PRESETS.iter().filter(|policy| policy.upvalues != Upvalues::Counted) {
            assert_eq!(against(policy, "setupvalue propagate black->white closed"), None);
            assert_eq!(against(policy, "upvaluejoin enter-atomic black->white open"), None);
            assert_eq!(against(policy, "table-store propagate black->white"), None);
        }
    }

    #[test]
    fn rules_follow_the_policy() {
        let (lua51, lua52, lua53, lua54) = (Policy::LUA_51, Policy::LUA_52, Policy::LUA_53, Policy::LUA_54);
        let constant = "prototype-constant propagate white->gray";
        assert_eq!((against(lua51, constant), against(lua54, constant)), (None, Some("strings-are-marked-black")));
        let captured = "closure-capture propagate white->black closed";
        assert_eq!(
            (against(lua54, captured), against(lua53, captured)),
            (None, Some("counted-upvalues-have-no-colour"))
        );
        let waiting = "table-store pause black->white";
        assert_eq!((against(lua52, waiting), against(lua54, waiting)), (None, Some("swept-objects-are-white")));
        let dead = "upvalue-close sweep-all gray->other-white";
        assert_eq!((against(lua53, dead), against(lua54, dead)), (None, Some("live-upvalues-hold-live-values")));
        let loaded = "closure-fresh sweep-all black->white";
        assert_eq!((against(lua51, loaded), against(lua54, loaded)), (None, Some("newest-is-swept-at-once")));
        let old = "table-store generational gray->black";
        assert_eq!((against(lua54, old), against(lua53, old)), (None, Some("phase-of-other-policy")));
    }
}
