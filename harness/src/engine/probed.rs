//! C Luas with the probe inside: their heaps are looked at while a script runs.
//!
//! With the check `full` everything is looked at before every instruction; with the usual check (`barrier`), everything after the
//! collector has worked, and at a glance after something was written or freed; with `step`, everything after the collector has worked
//! and nothing else.

use std::num::NonZeroU32;
use std::ops::ControlFlow;

use moonphase_heap::{Abilities, Heap, Names, Phase};
use moonphase_invariants::{Checker, History, Invariant, Level, ObjectInfo, Violation};
use moonphase_probe::{self as probe, Drive, Glance, Moment, MomentKind, ProbedLua, Ticks};
use moonphase_vm::Schedule;

use super::{Case, Engine, Run, Sighting, puc};
use crate::finding::Signature;
use crate::language::{Feature, Language};
use crate::limits::Limits;
use crate::outcome::{End, LimitKind, Outcome, Output};
use crate::report::{Deed, Explanation, Place, Thing};
use crate::settings::Check;
use crate::words::Words;

/// Refuses what is not the script's to use, in words that all versions of Lua understand.
const PRELUDE: &str = r#"
local function refused(name)
  return nil, (name and tostring(name) .. ": " or "") .. "Operation not permitted", 1
end
local function fails(name)
  error((name and tostring(name) .. ": " or "") .. "Operation not permitted", 2)
end
io.open, io.popen, io.tmpfile, os.remove, os.rename, os.execute = refused, refused, refused, refused, refused, refused
os.tmpname, dofile, package.loadlib = fails, fails, refused
os.getenv = function() return nil end
loadfile = function(name) return nil, "cannot open " .. tostring(name) end
package.path, package.cpath = "", ""
for _, name in ipairs({ "lines", "input", "output" }) do
  local original = io[name]
  io[name] = function(file, ...)
    if type(file) == "string" then
      fails(file)
    end
    return original(file, ...)
  end
end
"#;

/// What the clocks of scripts say: the first second of 2025.
const NOW: i64 = 1_735_689_600;

/// A C Lua under a check.
pub struct ProbedEngine {
    name: String,
    language: Language,
    lua: ProbedLua,
    check: Check,
}

impl ProbedEngine {
    /// An engine of this name, for scripts in its language. It is asked what it adds to that.
    ///
    /// # Errors
    /// Why it does not run.
    pub fn new(name: String, lua: ProbedLua, language: Language, check: Check) -> Result<ProbedEngine, String> {
        let limits = Limits::default();
        let asking = Case::new(b"print(debug.upvaluejoin ~= nil and debug.upvalueid ~= nil)", "@case.lua");
        let ran = lua.run(&script_of(&lua, &asking, &limits, None), &mut |_| ControlFlow::Continue(()));
        let ran = ran.map_err(|error| error.to_string())?;
        match ran.end {
            probe::End::Returned => {}
            probe::End::Error(message) | probe::End::NoState(message) => {
                return Err(String::from_utf8_lossy(&message).into_owned());
            }
            other => return Err(format!("{other:?}")),
        }
        let language = if ran.output == b"true\n" { language.with(Feature::UpvalueJoin) } else { language };
        Ok(ProbedEngine { name, language, lua, check })
    }
}

fn script_of<'c>(lua: &ProbedLua, case: &Case<'c>, limits: &Limits, level: Option<Level>) -> probe::Script<'c> {
    probe::Script {
        source: case.source,
        chunk_name: case.chunk_name,
        prelude: PRELUDE,
        memory_limit: limits.memory_bytes,
        output_limit: limits.output_bytes as u64,
        now: NOW,
        ticks: if level == Some(Level::Full) { Ticks::All } else { Ticks::Eventful },
        tick_limit: limits.instructions,
        collects: true,
        drive: drive_of(case.schedule, lua.has_emergencies()),
        generational: *case.schedule == Schedule::Generational,
    }
}

/// How a schedule drives the collector of a C Lua: stress and generational by its debt, a random one by debt, by steps or by requests
/// that fail, more or less often.
fn drive_of(schedule: &Schedule, has_emergencies: bool) -> Drive {
    let rate = |rate: u32| NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
    match *schedule {
        Schedule::Stress => Drive::Debt { rate: rate(1), seed: 0 },
        Schedule::Generational => Drive::Debt { rate: rate(8), seed: 0 },
        Schedule::Random(seed) => {
            let rate = rate(1 << (seed / 3 % 8));
            match seed % 3 {
                0 => Drive::Steps { rate, seed },
                1 if has_emergencies => Drive::Requests { rate, seed },
                _ => Drive::Debt { rate, seed },
            }
        }
        _ => Drive::None,
    }
}

impl ProbedEngine {
    /// What was done right before a violation was seen: the script runs once more, the same to the address, and is looked at before
    /// and after its last instruction.
    fn deed_before(
        &self,
        violation: &Violation,
        (number, ended): (u64, bool),
        case: &Case<'_>,
        limits: &Limits,
    ) -> Option<Deed> {
        let before = if ended { number } else { number.checked_sub(1)? };
        let (holder, target) = (violation.parent.as_ref()?.id, violation.child.as_ref()?.id);
        let mut deed = None;
        let script = script_of(&self.lua, case, limits, Some(Level::Full));
        let ran = self.lua.run(&script, &mut |moment| {
            let is_last = moment.number() == number && (moment.kind == MomentKind::Ended) == ended;
            match (&mut deed, moment.kind) {
                (None, MomentKind::Tick) if moment.number() == before => {
                    let heap = moment.look();
                    let next = moment.deed(heap);
                    let closure = next.closure.map(|closure| {
                        let has_holder = refers(heap, closure, holder);
                        (Thing::of(ObjectInfo::of(heap, closure)), has_holder)
                    });
                    deed = Some(Deed {
                        native: next.native,
                        name: next.name,
                        api: None,
                        place: heap.location().map(|location| Place::of(&location, case.chunk_name.as_bytes())),
                        closure_has_holder: closure.as_ref().is_some_and(|(_, has_holder)| *has_holder),
                        closure: closure.map(|(closure, _)| closure),
                        wrote: !heap.numbered(holder).is_some_and(|holder| refers(heap, holder, target)),
                        worked: false,
                        barriers: 0,
                    });
                }
                (Some(deed), MomentKind::Tick | MomentKind::Ended) if is_last => {
                    deed.api = moment.function().map(str::to_owned);
                    return ControlFlow::Break(());
                }
                (Some(deed), MomentKind::Barrier) => deed.barriers += 1,
                (Some(deed), MomentKind::StepBegin { .. }) => deed.worked = true,
                _ => {}
            }
            ControlFlow::Continue(())
        });
        ran.ok().and(deed)
    }
}

/// Whether an object refers to the one of this number.
fn refers<H: Heap>(heap: H, from: H::Object, to: u32) -> bool {
    let mut found = false;
    heap.references(from, |edge| found |= heap.id(edge.target) == to);
    found
}

/// Looks at the heap when there is reason to.
struct Watch {
    checker: Option<Checker>,
    level: Option<Level>,
    /// Objects freed until the last tick that was told.
    freed: u64,
    /// Where the collector was when it began to work.
    before: Phase,
    /// What it has done since the last tick.
    worked: Worked,
    /// The tick before which the heap was looked at last, and whether the script had ended.
    looked: (u64, bool),
    /// The last tick before which everything was looked at and nothing was wrong.
    sound: u64,
    /// Where set, everything is looked at before each tick after this one, and nothing before.
    after: Option<u64>,
}

/// What the collector has done.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worked {
    Nothing,
    /// It went on in a phase of an incremental cycle.
    WithinPhase,
    Much,
}

impl Watch {
    fn new(level: Option<Level>, after: Option<u64>) -> Watch {
        Watch {
            checker: level.map(Checker::new),
            level,
            freed: 0,
            before: Phase::Pause,
            worked: Worked::Nothing,
            looked: (0, false),
            sound: 0,
            after,
        }
    }

    fn violation(&self) -> Option<&Violation> {
        self.checker.as_ref().and_then(Checker::violation)
    }

    fn told(&mut self, moment: &Moment<'_>) -> ControlFlow<()> {
        match moment.kind {
            MomentKind::StepBegin { .. } => {
                self.before = moment.phase();
                return ControlFlow::Continue(());
            }
            MomentKind::StepEnd { full } => {
                // From pause to pause is a whole cycle.
                let phase = moment.phase();
                let within = !full && phase == self.before && phase != Phase::Pause && !moment.is_generational();
                self.worked = self.worked.max(if within { Worked::WithinPhase } else { Worked::Much });
                return ControlFlow::Continue(());
            }
            MomentKind::Barrier => return ControlFlow::Continue(()),
            MomentKind::Tick | MomentKind::Ended => {}
        }
        let Some(checker) = &mut self.checker else { return ControlFlow::Continue(()) };
        let worked = std::mem::replace(&mut self.worked, Worked::Nothing);
        let freed = std::mem::replace(&mut self.freed, moment.frees()) != moment.frees();
        let marking = moment.phase().is_marking();
        let whole = match (self.level, worked) {
            _ if let Some(after) = self.after => moment.number() > after,
            (Some(Level::Full), _) | (Some(Level::Barrier), Worked::Much) => true,
            (Some(Level::Barrier), _) if moment.kind == MomentKind::Ended || moment.has_moved() => true,
            (Some(Level::Barrier), _) if freed => moment.is_suspicious(Glance::All),
            (Some(Level::Barrier), Worked::WithinPhase) => marking && moment.is_suspicious(Glance::Marked),
            (Some(Level::Barrier), Worked::Nothing) => marking && moment.is_suspicious(Glance::Written),
            (_, worked) => worked != Worked::Nothing,
        };
        if !whole {
            return ControlFlow::Continue(());
        }
        self.looked = (moment.number(), moment.kind == MomentKind::Ended);
        let heap = moment.look();
        let is_complete = moment.is_complete() && self.level != Some(Level::Step);
        if is_complete && checker.look_complete(heap).is_some() || checker.look(heap).is_some() {
            return ControlFlow::Break(());
        }
        self.sound = moment.number();
        ControlFlow::Continue(())
    }
}

impl Engine for ProbedEngine {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn version(&self) -> String {
        self.lua.release()
    }

    fn language(&self) -> &Language {
        &self.language
    }

    fn words(&self) -> &'static Words {
        &puc::WORDS
    }

    fn abilities(&self) -> Abilities {
        Abilities::NONE
    }

    fn follows(&self, schedule: &Schedule) -> bool {
        match schedule {
            Schedule::None | Schedule::Stress | Schedule::Random(_) => true,
            Schedule::Generational => self.language.has(Feature::Modes),
            _ => false,
        }
    }

    fn run(&mut self, case: &Case<'_>, limits: &Limits) -> Run {
        let level = self.check.level();
        let mut watch = Watch::new(level, None);
        let ran = match self.lua.run(&script_of(&self.lua, case, limits, level), &mut |moment| watch.told(moment)) {
            Ok(ran) => ran,
            Err(_) => return Run::of_outcome(Outcome { lines: Vec::new(), end: End::Limit(LimitKind::Memory) }),
        };
        // Of black and white every glance tells. All else may have been wrong before it was seen: the script runs again, to look at
        // everything since nothing was wrong.
        let is_late = |violation: &Violation| violation.invariant != Invariant::BlackToWhite;
        if level == Some(Level::Barrier) && watch.violation().is_some_and(is_late) {
            let mut closer = Watch::new(level, Some(watch.sound));
            let script = script_of(&self.lua, case, limits, Some(Level::Full));
            if self.lua.run(&script, &mut |moment| closer.told(moment)).is_ok() && closer.violation().is_some() {
                watch = closer;
            }
        }
        let looked = watch.looked;
        let outcome = outcome_of(ran, limits);
        let violation = watch.checker.and_then(Checker::into_violation);
        let sightings = violation.map(|mut violation| {
            violation.event = looked.0;
            let explanation = case.look.history.then(|| {
                let deed = self.deed_before(&violation, looked, case, limits);
                let chunk = case.chunk_name.as_bytes();
                Box::new(Explanation::of_violation(&violation, &History::default(), chunk).with_deed(deed))
            });
            Sighting { signature: Signature::of_violation(&violation), explanation }
        });
        Run { sightings: sightings.into_iter().collect(), ..Run::of_outcome(outcome) }
    }

    fn run_alone(&mut self, case: &Case<'_>, limits: &Limits) -> Option<Run> {
        // A hook makes room on the stack, and so hides what is wrong with stacks.
        let script = probe::Script { ticks: Ticks::None, ..script_of(&self.lua, case, limits, None) };
        let ran = self.lua.run(&script, &mut |_| ControlFlow::Continue(())).ok()?;
        Some(Run::of_outcome(outcome_of(ran, limits)))
    }
}

/// What a script did, as runs are compared by it.
fn outcome_of(ran: probe::Ran, limits: &Limits) -> Outcome {
    let mut output = Output::new(limits.output_bytes);
    // It was held to the same limit.
    let _ = output.write(&ran.output);
    let end = match ran.end {
        probe::End::Returned => End::Returned,
        probe::End::Error(message) => End::of_error(&message, &puc::WORDS),
        probe::End::Exit(status) => End::Exit(status),
        probe::End::OutputFull => End::Limit(LimitKind::Output),
        probe::End::TicksOut => End::Limit(LimitKind::Instructions),
        // Where nothing was found there was no room for a state.
        probe::End::Stopped | probe::End::NoState(_) => End::Limit(LimitKind::Memory),
    };
    Outcome { lines: output.take_lines(), end }
}
