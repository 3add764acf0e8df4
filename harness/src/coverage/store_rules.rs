//! Which stores can occur under a policy, and by which rule the others cannot.
//!
//! Most rules are about the colours that a *program* can come across: a store is a
//! program's, aside from the closing of upvalues whose thread is being freed. What an object is tells which colours it can
//! have in a phase ([`colour_rule`]); what a site does tells which pairs of them can meet ([`pair_rule`]).

use moonphase_vm::gc::{Colour, Mode, OpenRule, Phase, Policy, Site, StringRule, SweepRule, Upvalues};

use super::rule::Rule;
use super::stage::CyclePart;
use super::store::{StoreCell, UpvalueState};

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

/// Why a store cannot occur under a policy; `None` if it can.
pub(super) fn rule_against(policy: &Policy, cell: StoreCell) -> Option<Rule> {
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

fn stage_rule(policy: &Policy, cell: StoreCell) -> Option<Rule> {
    // A minor collection closes the upvalues of the threads that it frees.
    let closes = (cell.stage, cell.site) == (CyclePart::MinorSweep, Site::UpvalueClose) && policy.has_generational();
    if closes { None } else { program_stage_rule(policy, cell.stage) }
}

/// Why no program runs in a part of the cycle.
pub(super) fn program_stage_rule(policy: &Policy, stage: CyclePart) -> Option<Rule> {
    use Phase::{CallFinalizers, SweepAll, SweepEnd, SweepFinalizable, SweepStrings, SweepToBeFinalized};
    let phase = match stage {
        CyclePart::Generational | CyclePart::MinorSweep if !policy.has_generational() => {
            return Some(Rule::PhaseOfOtherPolicy);
        }
        CyclePart::Generational => return None,
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
fn parties(cell: StoreCell) -> (&'static [What], &'static [What]) {
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
fn any_of(policy: &Policy, cell: StoreCell, kinds: &[What], colour: Colour) -> Option<Rule> {
    let mut against = None;
    for &kind in kinds {
        against = Some(colour_rule(policy, cell, kind, colour)?);
    }
    against
}

/// Why an object of this kind that a program can come across cannot have the colour.
fn colour_rule(policy: &Policy, cell: StoreCell, what: What, colour: Colour) -> Option<Rule> {
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
        CyclePart::Incremental(Phase::Propagate | Phase::EnterAtomic) => None,
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

fn other_white_rule(policy: &Policy, cell: StoreCell, what: What) -> Rule {
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
fn closes_counted(policy: &Policy, cell: StoreCell) -> bool {
    let counted = policy.upvalues == Upvalues::Counted && cell.site == Site::UpvalueClose;
    counted && cell.stage == CyclePart::Incremental(Phase::SweepAll)
}

/// Why these two colours cannot meet at the site, though each can be there.
fn pair_rule(policy: &Policy, StoreCell { site, stage, parent, child, .. }: StoreCell) -> Option<Rule> {
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
        Site::NativeUpvalue if parent == Gray && started => Some(Rule::NativesStayLocal),
        Site::NativeUpvalue if child != White && !marks => Some(Rule::NativesMeetFewObjects),
        Site::UserdataMetatable if policy.sweep == SweepRule::Lists && parent == out_of_place(stage) => {
            Some(Rule::FilesAreThereFromTheStart)
        }
        Site::UserdataMetatable if child != White => Some(Rule::FilesGetFreshMetatables),
        Site::TableList if parent != White && only_tables_are_left(policy, stage) => Some(Rule::TemporariesStayHidden),
        Site::PrototypeNested => match (parent, child) {
            (_, Gray) if started => Some(Rule::NothingRefersToItYet),
            (White, Gray | Black) if marks => Some(Rule::AnchorsAreMarkedTogether),
            (Gray, Black) if started => Some(Rule::AnchorsAreMarkedTogether),
            (Black, Gray) => Some(Rule::LastAnchorIsTraversedFirst),
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

/// The colour that an object with a finalizer does not have in this part of a cycle which is reachable all the time.
fn out_of_place(stage: CyclePart) -> Colour {
    match stage {
        CyclePart::Incremental(Phase::EnterAtomic | Phase::SweepAll) | CyclePart::Generational => Colour::White,
        CyclePart::Incremental(Phase::SweepToBeFinalized) => Colour::Black,
        // No script meets it.
        _ => Colour::OtherWhite,
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
