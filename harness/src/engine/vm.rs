//! Our VM as an engine, with the invariant checker looking on, and how settings become its options.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::{Duration, Instant};

use moonphase_heap::{Abilities, Event, Interests, Names, Observer, Snapshot};
use moonphase_invariants::{Checker, History, Level, Violation};
use moonphase_vm::gc::HeapView;
use moonphase_vm::{Compiled, Limit, Options, Schedule, ScriptError, System, Turned, Vm};

use super::{Case, Engine, Run, Sighting, puc};
use crate::coverage::{Coverage, Unreachable};
use crate::fault::{self, Planted};
use crate::finding::Signature;
use crate::language::Language;
use crate::limits::Limits;
use crate::outcome::{End, LimitKind, Outcome, Output};
use crate::report::Explanation;
use crate::schedule::TurnsAt;
use crate::settings::Settings;
use crate::words::Words;

/// Where a violation is looked for first: so many events before the usual check saw it. Looking at everything that often
/// takes less time than a script.
const NEAR: u64 = 32;

/// The options of a VM that runs scripts as the settings say, without limits. Whoever takes settings from elsewhere has asked
/// them whether the VM speaks their language ([`Settings::consistent`]).
pub fn options(settings: &Settings, schedule: &Schedule) -> Options {
    let mut options = Options::default();
    options.version = settings.lua.version().unwrap_or_default();
    options.policy = settings.gc;
    options.system = settings.system;
    options.schedule = schedule.clone();
    fault::plant(&mut options, settings.fault.and_then(Planted::ours));
    options
}

/// The same with limits.
pub(crate) fn limited(mut options: Options, limits: &Limits) -> Options {
    options.memory_limit = usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX);
    options.instruction_limit = (limits.instructions < u64::MAX).then_some(limits.instructions);
    options.stack_limit = limits.stack_slots;
    options
}

/// A VM that nobody looks into, which returns freed objects to the allocator at once. `None` where the settings make that
/// undefined behaviour and nobody has accepted it.
pub fn unobserved(settings: &Settings, options: Options) -> Option<Vm> {
    if !settings.is_sound() && !settings.allow_dangling {
        return None;
    }
    // SAFETY: the collector is sound, or the user accepted undefined behaviour to show it to a sanitizer.
    #[allow(unsafe_code)]
    Some(unsafe { Vm::with_unsound_policy(options) })
}

/// Our VM under a policy and a check level.
pub struct VmEngine {
    settings: Settings,
    /// The cells that all runs covered.
    coverage: Option<Coverage>,
    /// The script that ran last: one runs several times in a row.
    last: Option<Loaded>,
}

/// A script with its name, compiled where it can be.
struct Loaded {
    source: Vec<u8>,
    chunk_name: String,
    compiled: Option<Compiled>,
}

impl Loaded {
    fn run(&self, vm: &mut Vm) -> Result<(), ScriptError> {
        match &self.compiled {
            Some(compiled) => vm.run_compiled(compiled, &[]),
            None => vm.run(&self.source, self.chunk_name.as_bytes(), &[]),
        }
    }
}

/// What a run of our VM showed.
pub struct VmRun {
    /// What the script did.
    pub outcome: Outcome,
    /// What the checker found.
    pub violation: Option<Box<Violation>>,
    /// The state that ended the script, since none can be like it.
    pub unreachable: Option<Unreachable>,
    /// The last event at which the checker found the whole heap sound, 0 if none.
    pub sound_until: u64,
    /// The history of every object, if it was asked for.
    pub history: History,
    /// The heap when the violation was seen, if the history was asked for.
    pub snapshot: Option<Box<Snapshot>>,
    /// The turns of the schedule, if they were asked for.
    pub turned: Vec<Turned>,
    /// Time spent in the checker, if it was measured.
    pub checking: Duration,
}

impl VmEngine {
    /// An engine with these settings.
    pub fn new(settings: Settings) -> VmEngine {
        VmEngine { coverage: coverage_of(&settings), settings, last: None }
    }

    /// Runs a script, and gives all that is known of it afterwards.
    ///
    /// What [`Level::Barrier`] finds may have been wrong for some time. So the script runs again with [`Level::Full`], and
    /// what is reported is the first violation, at the event that [`Level::Full`] reports.
    pub fn observe(&mut self, case: &Case<'_>, limits: &Limits) -> VmRun {
        let level = self.settings.check.level();
        let mut run_under = |checker| self.run_under(checker, case, limits);
        let mut run = run_under(level.map(Checker::new));
        let sound = run.sound_until;
        let near = match &run.violation {
            _ if level != Some(Level::Barrier) => return run,
            Some(found) => found.event.saturating_sub(NEAR).max(sound),
            // A store that cannot be says that something is wrong, and not since when.
            None if run.unreachable.is_some() => sound,
            None => return run,
        };
        // Mostly nothing was wrong shortly before. If something was, the whole way from where nothing was is looked at.
        for start in [near, sound] {
            let first = run_under(Some(Checker::new(Level::Full).starting_at(start)));
            let checking = run.checking + first.checking;
            let Some(found) = first.violation.as_deref().map(|found| found.event) else { break };
            run = VmRun { checking, ..first };
            if found > start || start <= sound {
                break;
            }
        }
        run
    }

    /// What sees in another run of a script what the oracles see, at the same event; and whether they see something.
    pub fn watch_at(&mut self, case: &Case<'_>, limits: &Limits) -> (Watch, bool) {
        let run = self.observe(case, limits);
        let checker = match (&run.violation, self.settings.check.level()) {
            (Some(found), Some(Level::Barrier)) => {
                let start = found.event.saturating_sub(NEAR);
                Some(Checker::new(Level::Full).starting_at(start))
            }
            (_, level) => level.map(Checker::new),
        };
        let found = run.violation.is_some() || run.unreachable.is_some();
        (Watch::with(checker, coverage_of(&self.settings)), found)
    }

    fn load(&mut self, source: &[u8], chunk_name: &str) -> &Loaded {
        let same = self.last.take().filter(|last| last.source == source && last.chunk_name == chunk_name);
        self.last.insert(same.unwrap_or_else(|| Loaded {
            compiled:
                Compiled::new(source, chunk_name.as_bytes(), self.settings.lua.version().unwrap_or_default()).ok(),
            source: source.to_vec(),
            chunk_name: chunk_name.to_owned(),
        }))
    }

    /// Runs a script under a checker.
    fn run_under(&mut self, checker: Option<Checker>, case: &Case<'_>, limits: &Limits) -> VmRun {
        let Case { source, chunk_name, schedule, look, circumstance: _ } = *case;
        let options = limited(options(&self.settings, schedule), limits);
        let checker = checker.map(|checker| if look.history { checker.with_history() } else { checker });
        let unchecked = if checker.is_none() { unobserved(&self.settings, options.clone()) } else { None };
        let mut vm = unchecked.unwrap_or_else(|| {
            let observer = CaseObserver {
                watch: Watch::with(checker, self.coverage.take()),
                pictured: look.history,
                snapshot: None,
                timed: look.timed,
                spent: Duration::ZERO,
            };
            Vm::observed(options, Box::new(observer))
        });
        let output = SharedOutput(Rc::new(RefCell::new(Output::new(limits.output_bytes))));
        vm.set_output(SharedOutput(Rc::clone(&output.0)));
        if look.history {
            vm.record_schedule();
        }
        let result = self.load(source, chunk_name).run(&mut vm);
        let turned = vm.take_scheduled_turns();
        let result = end::<CaseObserver>(&mut vm, &result, true).and(result);
        let mut run = VmRun {
            outcome: Outcome { lines: output.0.borrow_mut().take_lines(), end: end_of(result) },
            violation: None,
            unreachable: None,
            sound_until: 0,
            history: History::default(),
            snapshot: None,
            turned,
            checking: Duration::ZERO,
        };
        let observer = vm.take_observer().and_then(|observer| observer.into_any().downcast::<CaseObserver>().ok());
        if let Some(observer) = observer {
            run.checking = observer.spent;
            run.snapshot = observer.snapshot;
            let watch = observer.watch;
            self.coverage = watch.coverage;
            run.unreachable = watch.unreachable;
            if let Some(checker) = watch.checker {
                run.sound_until = checker.sound_until();
                (run.violation, run.history) = checker.into_parts();
                if look.history && run.violation.is_some() && run.snapshot.is_none() {
                    run.snapshot = Some(Box::new(Snapshot::of(vm.heap().view())));
                }
            } else {
                run.violation = watch.dangling;
            }
        }
        run
    }
}

/// An observer that has a [`Watch`].
pub trait Watching: for<'h> Observer<HeapView<'h>> + 'static {
    /// What looks for something wrong.
    fn watch(&mut self) -> &mut Watch;
}

/// Ends a program under the eyes of its observer: takes the looks that are due when the script has ended as `result` says, closes
/// the state unless the script ended itself, and takes the looks that are due then. `collects`: full collections come before
/// that, as the oracles have it.
///
/// # Errors
/// A finalizer ended the program or hit a limit, or something is wrong ([`ScriptError::Halted`]).
pub fn end<O: Watching>(vm: &mut Vm, result: &Result<(), ScriptError>, collects: bool) -> Result<(), ScriptError> {
    let closes = matches!(result, Ok(()) | Err(ScriptError::Error(_)));
    let collects = collects && closes;
    let collected = if collects { vm.collect() } else { Ok(()) };
    look::<O>(vm, |watch, vm| watch.look_at_end(vm, collects && collected.is_ok()))?;
    collected?;
    if closes {
        vm.close()?;
        look::<O>(vm, Watch::look_closed)?;
    }
    Ok(())
}

fn look<O: Watching>(vm: &mut Vm, look: impl FnOnce(&mut Watch, &Vm)) -> Result<(), ScriptError> {
    let mut found = false;
    with_observer(vm, |observer: &mut O, vm| {
        look(observer.watch(), vm);
        found = observer.watch().seen().is_some();
    });
    if found { Err(ScriptError::Halted) } else { Ok(()) }
}

/// Lets the observer of a VM, which is of this type, look at it between two events.
pub fn with_observer<O>(vm: &mut Vm, look: impl FnOnce(&mut O, &Vm))
where
    O: for<'h> Observer<HeapView<'h>> + 'static,
{
    let Some(observer) = vm.take_observer() else { return };
    let Ok(mut observer) = observer.into_any().downcast::<O>() else { return };
    look(&mut observer, vm);
    vm.put_back_observer(observer);
}

fn end_of(result: Result<(), ScriptError>) -> End {
    match result {
        Ok(()) => End::Returned,
        Err(ScriptError::Error(message)) => End::of_error(&message, &puc::WORDS),
        Err(ScriptError::Exit(status)) => End::Exit(status),
        Err(ScriptError::Limit(Limit::Instructions)) => End::Limit(LimitKind::Instructions),
        Err(ScriptError::Limit(Limit::Output)) => End::Limit(LimitKind::Output),
        // Where nothing was found, the quarantine is full.
        Err(ScriptError::Limit(_) | ScriptError::Halted) => End::Limit(LimitKind::Memory),
        Err(error) => End::Error(error.to_string()),
    }
}

impl VmRun {
    /// What was seen to go wrong. A broken invariant says more than a state that cannot be.
    pub fn seen(&self) -> Option<Seen<'_>> {
        self.violation.as_deref().map(Seen::Broken).or(self.unreachable.as_ref().map(Seen::Unreachable))
    }

    fn sighting(&self, case: &Case<'_>) -> Option<Sighting> {
        let (signature, explanation) = match (&self.violation, &self.unreachable) {
            (Some(violation), _) => {
                let explain = || Explanation::of_violation(violation, &self.history, case.chunk_name.as_bytes());
                (Signature::of_violation(violation), case.look.history.then(explain))
            }
            (None, Some(unreachable)) => {
                let explain = || Explanation::Unreachable(*unreachable);
                (Signature::of_unreachable(unreachable), case.look.history.then(explain))
            }
            (None, None) => return None,
        };
        Some(Sighting { signature, explanation: explanation.map(Box::new) })
    }
}

impl Engine for VmEngine {
    fn name(&self) -> String {
        "moonphase".to_owned()
    }

    fn version(&self) -> String {
        format!("Moonphase {} (Lua {})", env!("CARGO_PKG_VERSION"), self.settings.lua)
    }

    fn language(&self) -> &Language {
        &self.settings.lua
    }

    fn words(&self) -> &'static Words {
        &puc::WORDS
    }

    fn abilities(&self) -> Abilities {
        if self.settings.check.level().is_some() { Abilities::ALL } else { Abilities::NONE }
    }

    fn follows(&self, _: &Schedule) -> bool {
        true
    }

    fn run(&mut self, case: &Case<'_>, limits: &Limits) -> Run {
        let run = self.observe(case, limits);
        Run {
            sightings: run.sighting(case).into_iter().collect(),
            turned: run.turned.into_iter().map(TurnsAt::from).collect(),
            snapshot: run.snapshot,
            checking: run.checking,
            ..Run::of_outcome(run.outcome)
        }
    }

    fn take_new_cells(&mut self) -> Vec<u16> {
        self.coverage.as_mut().map(Coverage::take_new).unwrap_or_default()
    }

    fn take_cells(&mut self) -> Vec<u16> {
        self.coverage.as_mut().map(Coverage::take_all).unwrap_or_default()
    }
}

/// Adds to a time what some work takes.
#[inline(never)]
fn timed<T>(spent: &mut Duration, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    *spent += start.elapsed();
    result
}

/// The output of a script, which outlives its VM.
struct SharedOutput(Rc<RefCell<Output>>);

impl Write for SharedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What looks for something wrong while our VM runs a script: the checker, or where nothing is checked the quarantine alone,
/// and whether the collector comes to
/// states alone that it can come to.
pub struct Watch {
    checker: Option<Checker>,
    /// What the quarantine alone saw, where nothing is checked.
    dangling: Option<Box<Violation>>,
    coverage: Option<Coverage>,
    unreachable: Option<Unreachable>,
    /// What was found when a weak entry was cleared. The checker looks at weak tables when the step has ended, and has the first word.
    found_in_step: Option<Unreachable>,
    /// Whether the script has ended. What the collector comes to while the host closes the state is not counted: no script can be
    /// written for it.
    ended: bool,
}

/// What a [`Watch`] has seen.
pub enum Seen<'w> {
    /// An invariant does not hold.
    Broken(&'w Violation),
    /// The collector came to a state that it cannot come to.
    Unreachable(&'w Unreachable),
}

impl fmt::Display for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Seen::Broken(violation) => violation.fmt(f),
            Seen::Unreachable(Unreachable { cell, rule }) => {
                write!(f, "{} met {cell}, but {}", cell.subject(), rule.sentence())
            }
        }
    }
}

impl Seen<'_> {
    /// What is wrong, in a sentence for a person that does not name the invariant.
    pub fn detail(&self) -> String {
        match self {
            Seen::Broken(violation) => violation.detail.clone(),
            Seen::Unreachable(_) => self.to_string(),
        }
    }

    /// The finding that it is.
    pub fn signature(&self) -> Signature {
        match self {
            Seen::Broken(violation) => Signature::of_violation(violation),
            Seen::Unreachable(unreachable) => Signature::of_unreachable(unreachable),
        }
    }
}

impl Watch {
    /// What looks on where scripts run under these settings.
    pub fn new(settings: &Settings) -> Watch {
        Watch::with(settings.check.level().map(Checker::new), coverage_of(settings))
    }

    fn with(checker: Option<Checker>, coverage: Option<Coverage>) -> Watch {
        Watch { checker, dangling: None, coverage, unreachable: None, found_in_step: None, ended: false }
    }

    /// Takes the looks that are due when the script has ended. `collected`: a full collection was made since, and ended.
    fn look_at_end(&mut self, vm: &Vm, collected: bool) {
        self.ended = true;
        let Some(checker) = &mut self.checker else { return };
        if self.unreachable.is_none() {
            checker.look(vm.heap().view());
        }
        if collected {
            checker.look_complete(vm.heap().view());
        }
    }

    /// Takes the looks that are due when the state was closed and all finalizers were called.
    fn look_closed(&mut self, vm: &Vm) {
        if let Some(checker) = self.checker.as_mut().filter(|_| self.unreachable.is_none()) {
            checker.look_closed(vm.heap().view());
        }
    }

    /// What was seen. A broken invariant says more than a state that cannot be.
    pub fn seen(&self) -> Option<Seen<'_>> {
        let violation = self.checker.as_ref().and_then(Checker::violation).or(self.dangling.as_deref());
        violation.map(Seen::Broken).or(self.unreachable.as_ref().map(Seen::Unreachable))
    }

    /// The checker's part of an event.
    fn check<H: Names>(&mut self, heap: H, event: &Event<'_, H::Object>) -> ControlFlow<()> {
        match (&mut self.checker, event) {
            (Some(checker), _) => checker.event(heap, event),
            (None, Event::Dangling(object)) => {
                self.dangling = Some(moonphase_invariants::dangling_met(heap, *object));
                ControlFlow::Break(())
            }
            (None, _) => ControlFlow::Continue(()),
        }
    }

    /// The rest of an event that the checker has let pass: a broken invariant says more, so it has the first word.
    fn note<H: Names>(&mut self, heap: H, event: &Event<'_, H::Object>) -> ControlFlow<()> {
        if self.unreachable.is_some() {
            return ControlFlow::Break(());
        }
        let (Some(_), Some(coverage)) = (&self.checker, &mut self.coverage) else {
            return ControlFlow::Continue(());
        };
        if self.ended {
            return ControlFlow::Continue(());
        }
        let found = match (coverage.note(heap, event), event) {
            (Err(unreachable), Event::ClearWeak { .. }) => {
                self.found_in_step.get_or_insert(unreachable);
                return ControlFlow::Continue(());
            }
            (Ok(()), Event::StepEnd(..)) => self.found_in_step.take().map_or(Ok(()), Err),
            (found, _) => found,
        };
        match found {
            Ok(()) => ControlFlow::Continue(()),
            Err(unreachable) => {
                self.unreachable = Some(unreachable);
                ControlFlow::Break(())
            }
        }
    }
}

impl<H: Names> Observer<H> for Watch {
    fn interests(&self) -> Interests {
        match &self.checker {
            Some(checker) => checker.interests(),
            None => Interests { stores: false, steps: false, idle: false, fine: false },
        }
    }

    fn event(&mut self, heap: H, event: &Event<'_, H::Object>) -> ControlFlow<()> {
        self.check(heap, event)?;
        self.note(heap, event)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// The cells of state coverage. Those that are known to be out of reach are so for scripts that have no files.
fn coverage_of(settings: &Settings) -> Option<Coverage> {
    (settings.system == System::None).then(|| Coverage::new(&settings.gc))
}

/// The watch, and what else listens to a case.
struct CaseObserver {
    watch: Watch,
    /// Whether the heap is to be kept as it is when the checker ends the script.
    pictured: bool,
    snapshot: Option<Box<Snapshot>>,
    timed: bool,
    spent: Duration,
}

impl Watching for Watch {
    fn watch(&mut self) -> &mut Watch {
        self
    }
}

impl Watching for CaseObserver {
    fn watch(&mut self) -> &mut Watch {
        &mut self.watch
    }
}

impl<H: Names> Observer<H> for CaseObserver {
    fn interests(&self) -> Interests {
        Observer::<H>::interests(&self.watch)
    }

    fn event(&mut self, heap: H, event: &Event<'_, H::Object>) -> ControlFlow<()> {
        let watch = &mut self.watch;
        let timed_here = self.timed && watch.checker.is_some();
        let flow =
            if timed_here { timed(&mut self.spent, || watch.check(heap, event)) } else { watch.check(heap, event) };
        if flow.is_break() && self.pictured && self.snapshot.is_none() && watch.checker.is_some() {
            self.snapshot = Some(Box::new(Snapshot::of(heap)));
        }
        flow?;
        watch.note(heap, event)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use moonphase_invariants::{Level, check};

    use super::*;
    use crate::engine::Look;
    use crate::settings::Check;

    /// Closures that share an upvalue, and a store behind it once it is black: the founding bug.
    const SHARED: &[u8] = b"collectgarbage('incremental', 100, 100, 1)
        collectgarbage('stop')
        for _ = 1, 20 do collectgarbage('step') end
        debug.setupvalue(function() return x end, 1, {})";

    fn engine(gc: &str, check: Check) -> VmEngine {
        VmEngine::new(Settings { gc: gc.parse().unwrap(), check, ..Settings::default() })
    }

    fn explained(engine: &mut VmEngine) -> Run {
        let look = Look { history: true, timed: false };
        engine.run(&Case { look, ..Case::new(SHARED, "@case.lua") }, &Limits::default())
    }

    #[test]
    fn a_violation_comes_with_the_heap_in_which_it_was_seen() {
        let mut engine = engine("5.1", Check::At(Level::Barrier));
        let run = explained(&mut engine);
        assert_eq!(run.sightings[0].signature.as_str(), "black-to-white setupvalue upvalue->table");
        let snapshot = run.snapshot.expect("the heap");
        let broken = check(moonphase_invariants::Invariant::BlackToWhite, &*snapshot).unwrap_err();
        assert_eq!(broken.signature(), "black-to-white upvalue->table");
    }

    #[test]
    fn an_engine_keeps_no_heap_where_nothing_is_wrong_or_nobody_asks() {
        assert!(explained(&mut engine("5.4", Check::At(Level::Barrier))).snapshot.is_none());
        let run = engine("5.1", Check::At(Level::Barrier)).run(&Case::new(SHARED, "@case.lua"), &Limits::default());
        assert!(run.snapshot.is_none() && run.sightings.len() == 1);
    }

    #[test]
    fn an_engine_that_checks_nothing_says_that_it_tells_of_nothing() {
        assert_eq!(engine("5.4", Check::Off).abilities(), Abilities::NONE);
        assert_eq!(engine("5.4", Check::At(Level::Full)).abilities(), Abilities::ALL);
    }
}
