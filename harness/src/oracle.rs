//! The oracles: puts one script before all of them.
//!
//! The invariant and dangling oracles are what the subject sees of its own heap; the differential oracle compares its
//! outcome with those of the references, and the schedule oracle with its own under schedules of the collector. The crash
//! oracle speaks where an engine with a process of its own dies; where an engine dies that is in this process, the
//! supervisor speaks in its place.
//!
//! Where two outcomes differ, the references are asked once more, in other circumstances (`circumstance`): a script that makes
//! a reference differ from itself at the same place or before is no finding, since it depends on what correct Luas do each
//! in their own way.
//!
//! The oracles know engines by their trait alone.

use std::time::{Duration, Instant};

use moonphase_heap::Abilities;
use moonphase_vm::Schedule;
use serde::{Deserialize, Serialize};

use crate::circumstance::{Circumstance, Dependence};
use crate::engine::{self, Activity, Case, Engine, Engines, Look, OpenError, Role, Run};
use crate::finding::{FindingKind, Oracle, Signature};
use crate::language::Language;
use crate::limits::Limits;
use crate::outcome::{Comparison, Difference, End, Inconclusive, Outcome, Told, compare};
use crate::report::{Between, Explanation};
use crate::settings::{Check, Reference, Settings};

/// The name under which every engine sees the script.
pub const CHUNK_NAME: &str = "@case.lua";

/// Where the time of a case went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// Making the script, seconds.
    pub generate: f64,
    /// The subject without the checker, seconds.
    pub vm: f64,
    /// The checker, seconds. Measured in some of the cases and extrapolated.
    pub check: f64,
    /// The references, seconds.
    pub reference: f64,
    /// Comparing outcomes, seconds.
    pub compare: f64,
}

impl Times {
    /// Adds the times of another case.
    pub fn add(&mut self, other: &Times) {
        self.generate += other.generate;
        self.vm += other.vm;
        self.check += other.check;
        self.reference += other.reference;
        self.compare += other.compare;
    }
}

/// What the oracles say of a script.
pub struct Judgement {
    /// What is wrong, if something is.
    pub detected: Option<Signature>,
    /// What explains it: a death in any case, others if that was asked for.
    pub explanation: Option<Box<Explanation>>,
    /// Why outcomes could not be compared.
    pub inconclusive: Option<Inconclusive>,
    /// The schedule under which it went wrong.
    pub schedule: Schedule,
    /// What the subject made of it under that schedule.
    pub subject: Run,
    /// What each reference made of it that was asked, in their order.
    pub references: Vec<Outcome>,
    /// Engine runs.
    pub executions: u32,
    /// Where the time went.
    pub times: Times,
}

/// What is asked about a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Whether it shows something.
    Detect,
    /// Whether it still shows what this oracle has found, and whether it runs on the references, for the minimizer.
    Minimize(Oracle),
    /// As well all that explains a finding.
    Explain,
}

/// All oracles with their engines.
pub struct Oracles {
    subject: Box<dyn Engine>,
    references: Vec<Box<dyn Engine>>,
    limits: Limits,
    /// The only oracle that may speak, `None` for all.
    alone: Option<Oracle>,
    /// The checker's part of the time of runs without and with a schedule.
    shares: [CheckerShare; 2],
}

/// Part of a run's time that the checker takes, as last measured.
#[derive(Clone, Copy, Debug, Default)]
struct CheckerShare {
    share: f64,
    runs: u64,
}

/// One case in so many is measured inside.
const MEASURED: u64 = 32;

/// So many runs show what differs from run to run; two may well put few keys in the same order, or take the same time.
const RUNS: usize = 9;

impl Oracles {
    /// Oracles with the engines that the settings ask for.
    ///
    /// # Errors
    /// An engine cannot be had.
    pub fn new(settings: &Settings, limits: Limits) -> Result<Oracles, OpenError> {
        Ok(Oracles::with(engine::open(settings)?, limits))
    }

    /// Oracles with these engines.
    pub fn with(engines: Engines, limits: Limits) -> Oracles {
        let Engines { subject, references } = engines;
        Oracles { subject, references, limits, alone: None, shares: Default::default() }
    }

    /// One oracle without the help of the others: only for it are the invariants checked, the reference asked, and outcomes
    /// under schedules compared. Freed objects are in quarantine for each of them; a script that makes the collector touch
    /// one is not run further.
    ///
    /// # Errors
    /// An engine cannot be had.
    pub fn alone(oracle: Oracle, settings: &Settings, limits: Limits) -> Result<Oracles, OpenError> {
        let check = if oracle == Oracle::Invariant { settings.check } else { Check::Off };
        let reference = if oracle == Oracle::Differential { settings.reference } else { Reference::None };
        let settings = Settings { check, reference, ..settings.clone() };
        Ok(Oracles { alone: Some(oracle), ..Oracles::new(&settings, limits)? })
    }

    /// The language of the subject.
    pub fn language(&self) -> &Language {
        self.subject.language()
    }

    /// The numbers of the cells that the subject covered for the first time since the last call.
    pub fn take_new_cells(&mut self) -> Vec<u16> {
        self.subject.take_new_cells()
    }

    /// The numbers of all cells that the subject covered since the last call.
    pub fn take_cells(&mut self) -> Vec<u16> {
        self.subject.take_cells()
    }

    /// Puts a script before the oracles: without a schedule and then under each of these that the subject follows, until
    /// something is found. `announce` is told which engine runs, in case that it never returns.
    ///
    /// The references run at most once: first to compare a script in which the subject has seen nothing wrong, or last for
    /// the minimizer, which wants to know whether what shows a finding of the subject alone runs there.
    pub fn judge(
        &mut self,
        source: &[u8],
        schedules: &[Schedule],
        purpose: Purpose,
        announce: &mut dyn FnMut(Activity),
    ) -> Judgement {
        let mut times = Times::default();
        announce(Activity::Run(Role::Subject));
        let subject = self.run(source, &Schedule::None, purpose, &mut times);
        let mut judgement = Judgement {
            detected: None,
            explanation: None,
            inconclusive: None,
            schedule: Schedule::None,
            subject,
            references: Vec::new(),
            executions: 1,
            times,
        };
        self.hear(&mut judgement);
        self.compare_alone(source, purpose, &mut judgement);
        let compares = !matches!(purpose, Purpose::Minimize(Oracle::Invariant | Oracle::Dangling | Oracle::Schedule));
        if compares && judgement.detected.is_none() {
            self.ask_references(source, purpose, &mut judgement, announce);
        }
        // References run without a schedule, and are compared with such a run.
        let schedules = if self.alone == Some(Oracle::Differential) { &[] } else { schedules };
        for schedule in schedules {
            if judgement.detected.is_some() {
                break;
            }
            if !self.subject.follows(schedule) {
                continue;
            }
            announce(Activity::Run(Role::Subject));
            let run = self.run(source, schedule, purpose, &mut judgement.times);
            judgement.executions += 1;
            announce(Activity::Compare);
            self.add_scheduled(source, run, schedule, purpose, &mut judgement, announce);
        }
        let shows = matches!(purpose, Purpose::Minimize(_)) && judgement.detected.is_some();
        if shows && judgement.references.is_empty() {
            self.ask_references(source, purpose, &mut judgement, announce);
        }
        judgement
    }

    /// Compares the run with one in which nobody looks on, where that is another way to run. Only a script that came to its end is
    /// run so: nothing else would stop it.
    fn compare_alone(&mut self, source: &[u8], purpose: Purpose, judgement: &mut Judgement) {
        let is_asked = self.alone.is_none_or(|oracle| oracle == Oracle::Schedule)
            && !matches!(purpose, Purpose::Minimize(Oracle::Invariant | Oracle::Dangling | Oracle::Differential));
        let has_ended = matches!(judgement.subject.outcome.end, End::Returned | End::Error(_) | End::Exit(_));
        if !is_asked || !has_ended || judgement.detected.is_some() {
            return;
        }
        let case = Case::new(source, CHUNK_NAME);
        let (run, time) = measure(|| self.subject.run_alone(&case, &self.limits));
        let Some(run) = run else { return };
        judgement.executions += 1;
        judgement.times.vm += time.as_secs_f64();
        let words = self.subject.words();
        let with = judgement.subject.outcome.in_words_of(words);
        let mut contrast = contrast(FindingKind::Schedule, run.outcome.in_words_of(words), with);
        if matches!(contrast.comparison, Comparison::Differ(_)) {
            // Stacks are smaller without hooks, so the collector comes to its moments later: some scripts show that.
            let timed = self.run(source, &Schedule::Stress, Purpose::Detect, &mut judgement.times);
            if let Comparison::Differ(_) = compare(timed.outcome.in_words_of(words), with) {
                contrast.excuse(Dependence::Timing);
            }
        }
        let name = self.subject.name();
        let names = || (format!("{name} without hooks"), format!("{name} with a hook at each instruction"));
        judgement.add_contrast(contrast, Between::Hooks, purpose, names);
    }

    /// Runs the references one after the other, until one differs.
    fn ask_references(
        &mut self,
        source: &[u8],
        purpose: Purpose,
        judgement: &mut Judgement,
        announce: &mut dyn FnMut(Activity),
    ) {
        let shown = judgement.detected.is_some();
        for number in 0..self.references.len() {
            let role = role(number);
            announce(Activity::Run(role));
            let run = self.run_reference(number, source, Circumstance::Usual, judgement);
            announce(Activity::Compare);
            if judgement.detected.is_none() {
                let ours = judgement.subject.outcome.in_words_of(self.subject.words());
                let theirs = run.outcome.in_words_of(self.references[number].words());
                let mut contrast = contrast(FindingKind::Differential, ours, theirs);
                if let Comparison::Differ(difference) = &contrast.comparison
                    && let Some(dependence) =
                        self.dependence(number, source, difference, &run.outcome, |_| true, judgement, announce)
                {
                    contrast.excuse(dependence);
                }
                let names = || (self.subject.name(), self.references[number].name());
                judgement.add_contrast(contrast, Between::Engines, purpose, names);
                // The subject lives, or its death was found before.
                if self.alone.is_none() && judgement.detected.is_none() {
                    judgement.add(death(&run, role));
                }
            }
            judgement.references.push(run.outcome);
            if judgement.detected.is_some() && !shown {
                return;
            }
        }
    }

    /// Runs a reference, and adds the time that it takes.
    fn run_reference(
        &mut self,
        number: usize,
        source: &[u8],
        circumstance: Circumstance,
        judgement: &mut Judgement,
    ) -> Run {
        let case = Case { circumstance, ..Case::new(source, CHUNK_NAME) };
        let (run, time) = measure(|| self.references[number].run(&case, &self.limits));
        judgement.executions += 1;
        judgement.times.reference += time.as_secs_f64();
        run
    }

    /// What the script depends on, where that may be why two outcomes differ: a reference differs from itself no later. `usual`
    /// is what the reference makes of the script in the usual circumstances.
    #[expect(clippy::too_many_arguments, reason = "a question with all that it is about")]
    fn dependence(
        &mut self,
        number: usize,
        source: &[u8],
        difference: &Difference,
        usual: &Outcome,
        may_be: impl Fn(Dependence) -> bool,
        judgement: &mut Judgement,
        announce: &mut dyn FnMut(Activity),
    ) -> Option<Dependence> {
        announce(Activity::Run(role(number)));
        let words = self.references[number].words();
        let differ = |one: &Outcome, other: &Outcome| match compare(one.in_words_of(words), other.in_words_of(words)) {
            Comparison::Differ(its) => its.place() <= difference.place(),
            Comparison::Agree | Comparison::Inconclusive(_) => false,
        };
        let circumstances = self.references[number].circumstances();
        if circumstances.is_empty() {
            return None;
        }
        let mut run = |circumstance| self.run_reference(number, source, circumstance, judgement).outcome;
        let found = if (1..RUNS).any(|_| differ(&run(Circumstance::Usual), usual)) {
            // It differs from run to run: by what, if not where that is held still.
            let cause = circumstances.iter().copied().filter(|circumstance| circumstance.is_steady()).find(|&steady| {
                let first = run(steady);
                (1..2 * RUNS).all(|_| !differ(&run(steady), &first))
            });
            Some(cause.and_then(Circumstance::dependence).unwrap_or(Dependence::Run))
        } else {
            circumstances.iter().find_map(|&circumstance| {
                let dependence = circumstance.dependence().filter(|&dependence| may_be(dependence))?;
                let this = run(circumstance);
                let differs = match circumstance.opposite() {
                    Circumstance::Usual => differ(&this, usual),
                    opposite => differ(&this, &run(opposite)),
                };
                // What differs again is not held still by it, and has agreed before by chance.
                let again = !circumstance.is_steady() || (1..RUNS).all(|_| !differ(&run(circumstance), &this));
                (differs && again).then_some(dependence)
            })
        };
        found.filter(|&dependence| may_be(dependence))
    }

    /// Takes in what the subject made of the script under a schedule, where nothing had been found before. What is kept is
    /// the run that shows something.
    fn add_scheduled(
        &mut self,
        source: &[u8],
        run: Run,
        schedule: &Schedule,
        purpose: Purpose,
        judgement: &mut Judgement,
        announce: &mut dyn FnMut(Activity),
    ) {
        let before = std::mem::replace(&mut judgement.subject, run);
        self.hear(judgement);
        if judgement.detected.is_none() && self.alone.is_none_or(|oracle| oracle == Oracle::Schedule) {
            let told = |outcome| Outcome::in_words_of(outcome, self.subject.words());
            let mut contrast = contrast(FindingKind::Schedule, told(&judgement.subject.outcome), told(&before.outcome));
            if let Comparison::Differ(difference) = &contrast.comparison
                && let Some(dependence) = self.dependence_of_subject(source, difference, judgement, announce)
            {
                contrast.excuse(dependence);
            }
            let names = || {
                let name = self.subject.name();
                (format!("{name} with schedule {schedule}"), format!("{name} without"))
            };
            judgement.add_contrast(contrast, Between::Schedules, purpose, names);
        }
        if judgement.detected.is_some() {
            judgement.schedule = schedule.clone();
        } else {
            judgement.subject = before;
        }
    }

    /// What the script depends on, where that may be why two runs of the subject differ. All else that circumstances are about
    /// is the same in each run of an engine.
    fn dependence_of_subject(
        &mut self,
        source: &[u8],
        difference: &Difference,
        judgement: &mut Judgement,
        announce: &mut dyn FnMut(Activity),
    ) -> Option<Dependence> {
        let may_be = |dependence| matches!(dependence, Dependence::Timing | Dependence::Clock | Dependence::Run);
        (0..self.references.len()).find_map(|number| {
            let usual = match judgement.references.get(number) {
                Some(outcome) => outcome.clone(),
                None => {
                    announce(Activity::Run(role(number)));
                    self.run_reference(number, source, Circumstance::Usual, judgement).outcome
                }
            };
            self.dependence(number, source, difference, &usual, may_be, judgement, announce)
        })
    }

    /// Takes in what the subject saw, or else that it died: if all oracles are asked, or the one alone that speaks of it. What
    /// the checker says of freed objects is its own.
    fn hear(&self, judgement: &mut Judgement) {
        let seen = match self.alone {
            None | Some(Oracle::Invariant | Oracle::Dangling) => judgement.subject.sightings.first(),
            Some(_) => None,
        };
        let heard = match seen {
            Some(sighting) => Some((sighting.signature.clone(), sighting.explanation.clone())),
            None if self.alone.is_none() => death(&judgement.subject, Role::Subject),
            None => None,
        };
        judgement.add(heard);
    }

    /// Runs the subject, and adds the time that it takes.
    fn run(&mut self, source: &[u8], schedule: &Schedule, purpose: Purpose, times: &mut Times) -> Run {
        let measured = &mut self.shares[usize::from(*schedule != Schedule::None)];
        measured.runs += 1;
        // Where nobody looks into the heap, no time goes there.
        let looks = self.subject.abilities() != Abilities::NONE;
        let look = Look { history: purpose == Purpose::Explain, timed: looks && measured.runs % MEASURED == 1 };
        let case = Case { schedule, look, ..Case::new(source, CHUNK_NAME) };
        let (run, whole) = measure(|| self.subject.run(&case, &self.limits));
        if look.timed && !whole.is_zero() {
            measured.share = run.checking.as_secs_f64() / whole.as_secs_f64();
        }
        let whole = whole.as_secs_f64();
        times.vm += whole * (1.0 - measured.share);
        times.check += whole * measured.share;
        run
    }
}

impl Judgement {
    /// Takes in what was found, where nothing had been found before.
    fn add(&mut self, found: Option<(Signature, Option<Box<Explanation>>)>) {
        if let Some((signature, explanation)) = found {
            self.detected = Some(signature);
            self.explanation = explanation;
        }
    }

    /// Takes in how two outcomes compare. `names` are those of the two runs, for an explanation.
    fn add_contrast(
        &mut self,
        contrast: Contrast,
        between: Between,
        purpose: Purpose,
        names: impl FnOnce() -> (String, String),
    ) {
        self.times.compare += contrast.seconds;
        self.detected = contrast.detected;
        match contrast.comparison {
            Comparison::Agree => {}
            Comparison::Inconclusive(reason) => self.inconclusive = Some(reason),
            Comparison::Differ(difference) if purpose == Purpose::Explain => {
                let (ours, other) = names();
                self.explanation = Some(Box::new(Explanation::of_difference(&difference, between, &ours, &other)));
            }
            Comparison::Differ(_) => {}
        }
    }
}

/// Two outcomes, compared.
struct Contrast {
    comparison: Comparison,
    detected: Option<Signature>,
    seconds: f64,
}

impl Contrast {
    /// The difference is none of the engines' making.
    fn excuse(&mut self, dependence: Dependence) {
        self.comparison = Comparison::Inconclusive(Inconclusive::DependsOn(dependence));
        self.detected = None;
    }
}

/// The role of a reference.
fn role(number: usize) -> Role {
    // There are not so many references.
    Role::Reference(u8::try_from(number).unwrap_or(u8::MAX))
}

fn contrast(kind: FindingKind, ours: Told<'_>, other: Told<'_>) -> Contrast {
    let (comparison, time) = measure(|| compare(ours, other));
    let detected = match &comparison {
        Comparison::Differ(difference) => Some(differing(kind, difference, ours.outcome, other.outcome)),
        Comparison::Agree | Comparison::Inconclusive(_) => None,
    };
    Contrast { comparison, detected, seconds: time.as_secs_f64() }
}

fn measure<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// The finding that the death of an engine is, with what explains it.
fn death(run: &Run, role: Role) -> Option<(Signature, Option<Box<Explanation>>)> {
    let End::Died(how) = &run.outcome.end else { return None };
    let explanation = Explanation::of_crash(Activity::Run(role), Some(how), None, &run.stderr);
    Some((Signature::of_crash(role.name(), how), Some(Box::new(explanation))))
}

/// The finding that a difference is: `differential output returned/error`. Its signature says how the scripts ended and
/// whether a line differs. What was printed is the script's own, but for the name of a probe in brackets with which both
/// lines begin.
fn differing(kind: FindingKind, difference: &Difference, ours: &Outcome, other: &Outcome) -> Signature {
    let word = |outcome: &Outcome| match outcome.end {
        End::Returned => "returned",
        End::Error(_) => "error",
        End::Limit(_) => "limit",
        End::Died(_) => "died",
        End::Exit(_) => "exit",
    };
    let what = if difference.line.is_some() { "output" } else { "end" };
    let probe = match (probe(&difference.ours), probe(&difference.reference)) {
        (Some(ours), Some(other)) if ours == other => format!(" {ours}"),
        _ => String::new(),
    };
    Signature::new(kind, &format!("{what} {}/{}{probe}", word(ours), word(other)))
}

/// The name of the probe that printed a line: `string.rep` in `[string.rep] true ""`.
fn probe(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix('[')?.split_once(']')?;
    (!name.is_empty() && name.is_ascii()).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use moonphase_invariants::Invariant;

    use super::*;
    use crate::circumstance::Timing;
    use crate::engine::{Sighting, puc};
    use crate::language::Language;
    use crate::words::Words;

    /// What was run where: the name of the engine, with the schedule.
    type Log = Rc<RefCell<Vec<String>>>;

    /// An engine that makes the same of every script, and something else under a schedule.
    struct Fake {
        name: &'static str,
        plain: Run,
        /// The schedule that it follows, and what comes of it.
        scheduled: Option<(Schedule, Run)>,
        /// The circumstances that it makes, and what comes of each.
        otherwise: &'static [Circumstance],
        other: Run,
        log: Log,
    }

    impl Engine for Fake {
        fn name(&self) -> String {
            self.name.to_owned()
        }

        fn version(&self) -> String {
            "0".to_owned()
        }

        fn language(&self) -> &Language {
            &Language::LUA_54
        }

        fn words(&self) -> &'static Words {
            &puc::WORDS
        }

        fn follows(&self, schedule: &Schedule) -> bool {
            self.scheduled.as_ref().is_some_and(|(followed, _)| followed == schedule)
        }

        fn circumstances(&self) -> &'static [Circumstance] {
            self.otherwise
        }

        fn run(&mut self, case: &Case<'_>, _: &Limits) -> Run {
            assert_eq!((case.source, case.chunk_name), (&b"print(1)"[..], CHUNK_NAME));
            self.log.borrow_mut().push(format!("{} {}", self.name, case.schedule));
            let run = match &self.scheduled {
                Some((schedule, run)) if schedule == case.schedule => run,
                _ if case.circumstance != Circumstance::Usual => &self.other,
                _ => &self.plain,
            };
            let mut run = run.clone();
            for sighting in &mut run.sightings {
                sighting.explanation = case.look.history.then(|| Box::new(Explanation::NotRepeated));
            }
            run
        }
    }

    fn printing(line: &str) -> Run {
        Run::of_outcome(Outcome { lines: vec![line.as_bytes().to_vec()], end: End::Returned })
    }

    fn dying(how: &str) -> Run {
        let run = Run::of_outcome(Outcome { lines: Vec::new(), end: End::Died(how.to_owned()) });
        Run { stderr: "its last words".to_owned(), ..run }
    }

    fn seeing(invariant: Invariant) -> Run {
        let signature = Signature::new(FindingKind::Invariant(invariant), "table->table");
        Run { sightings: vec![Sighting { signature, explanation: None }], ..printing("1") }
    }

    /// A subject, references, and what is said of them.
    struct Bench {
        oracles: Oracles,
        log: Log,
        announced: Vec<Activity>,
    }

    fn bench(subject: Run, scheduled: Option<(Schedule, Run)>, references: Vec<Run>) -> Bench {
        let log = Log::default();
        let engine = |name, plain: Run, scheduled| -> Box<dyn Engine> {
            let other = plain.clone();
            Box::new(Fake { name, plain, scheduled, otherwise: &[], other, log: Rc::clone(&log) })
        };
        let engines = Engines {
            subject: engine("subject", subject, scheduled),
            references: references
                .into_iter()
                .zip(["first", "second"])
                .map(|(run, name)| engine(name, run, None))
                .collect(),
        };
        Bench { oracles: Oracles::with(engines, Limits::default()), log: Rc::clone(&log), announced: Vec::new() }
    }

    impl Bench {
        fn judge(&mut self, purpose: Purpose) -> Judgement {
            let schedules = [Schedule::Barriers, Schedule::Stress];
            self.oracles.judge(b"print(1)", &schedules, purpose, &mut |activity| self.announced.push(activity))
        }

        fn ran(&self) -> Vec<String> {
            self.log.borrow().clone()
        }
    }

    fn text(judgement: &Judgement) -> Option<&str> {
        judgement.detected.as_ref().map(Signature::as_str)
    }

    #[test]
    fn engines_that_agree_show_nothing_and_only_schedules_that_are_followed_are_run() {
        let mut bench = bench(printing("1"), Some((Schedule::Stress, printing("1"))), vec![printing("1"); 2]);
        let judgement = bench.judge(Purpose::Detect);
        assert!(judgement.detected.is_none() && judgement.inconclusive.is_none());
        assert_eq!(bench.ran(), ["subject none", "first none", "second none", "subject stress"]);
        assert_eq!((judgement.executions, judgement.references.len()), (4, 2));
        let [first, second] = [0, 1].map(|number| Activity::Run(Role::Reference(number)));
        let subject = Activity::Run(Role::Subject);
        let announced = [subject, first, Activity::Compare, second, Activity::Compare, subject, Activity::Compare];
        assert_eq!(bench.announced, announced);
    }

    #[test]
    fn what_the_subject_sees_is_found_and_explained_by_it() {
        for (invariant, oracle) in
            [(Invariant::BlackToWhite, Oracle::Invariant), (Invariant::Dangling, Oracle::Dangling)]
        {
            let mut bench = bench(seeing(invariant), None, vec![printing("2")]);
            let judgement = bench.judge(Purpose::Explain);
            let signature = judgement.detected.unwrap();
            assert_eq!((signature.oracle(), signature.kind()), (oracle, FindingKind::Invariant(invariant)));
            assert_eq!(judgement.explanation, Some(Box::new(Explanation::NotRepeated)));
            // Whoever has found something asks nobody else, but for the minimizer.
            assert_eq!(bench.ran(), ["subject none"]);
            assert_eq!(bench.judge(Purpose::Minimize(oracle)).references.len(), 1);
        }
    }

    #[test]
    fn a_reference_that_does_something_else_is_found_whichever_it_is() {
        let mut bench = bench(printing("1"), None, vec![printing("1"), printing("2")]);
        let judgement = bench.judge(Purpose::Explain);
        assert_eq!(text(&judgement), Some("differential output returned/returned"));
        let Some(Explanation::Disagreement(disagreement)) = judgement.explanation.as_deref() else { panic!() };
        assert_eq!((disagreement.our_name.as_str(), disagreement.reference_name.as_str()), ("subject", "second"));
    }

    #[test]
    fn an_outcome_that_depends_on_the_schedule_is_found_with_the_schedule() {
        let mut bench = bench(printing("1"), Some((Schedule::Stress, printing("2"))), vec![printing("1")]);
        let judgement = bench.judge(Purpose::Explain);
        assert_eq!(text(&judgement), Some("schedule output returned/returned"));
        assert_eq!(judgement.schedule, Schedule::Stress);
        assert_eq!(judgement.subject.outcome, printing("2").outcome);
        let Some(Explanation::Disagreement(disagreement)) = judgement.explanation.as_deref() else { panic!() };
        assert_eq!(disagreement.our_name, "subject with schedule stress");
    }

    /// What is said where the reference prints these lines, and others in these circumstances.
    fn judge_with(
        subject: Run,
        scheduled: Option<Run>,
        plain: Run,
        other: Run,
        may: &'static [Circumstance],
    ) -> Judgement {
        let scheduled = scheduled.map(|run| (Schedule::Stress, run));
        let mut bench = bench(subject, scheduled, vec![plain.clone()]);
        let log = Log::default();
        bench.oracles.references =
            vec![Box::new(Fake { name: "first", plain, scheduled: None, otherwise: may, other, log })];
        bench.judge(Purpose::Detect)
    }

    const TIMING: &[Circumstance] = &[Circumstance::Timing(Timing::Never)];

    #[test]
    fn where_the_reference_differs_from_itself_no_difference_is_a_finding() {
        let [one, two, three] = ["1", "2", "3"].map(printing);
        let depends = |dependence| Some(Inconclusive::DependsOn(dependence));
        let judgement = judge_with(one.clone(), None, two.clone(), three.clone(), TIMING);
        assert_eq!((text(&judgement), judgement.inconclusive), (None, depends(Dependence::Timing)));
        let judgement = judge_with(one.clone(), Some(two.clone()), one.clone(), three.clone(), TIMING);
        assert_eq!((text(&judgement), judgement.inconclusive), (None, depends(Dependence::Timing)));
        let judgement = judge_with(one.clone(), None, two.clone(), three.clone(), &[Circumstance::Clock]);
        assert_eq!((text(&judgement), judgement.inconclusive), (None, depends(Dependence::Clock)));
        // Random numbers are the same under every schedule of the subject.
        let judgement = judge_with(one.clone(), Some(two.clone()), one.clone(), three, &[Circumstance::Seed]);
        assert_eq!(text(&judgement), Some("schedule output returned/returned"));
        let judgement = judge_with(one, None, two.clone(), two, TIMING);
        assert_eq!(text(&judgement), Some("differential output returned/returned"));
    }

    #[test]
    fn a_reference_that_differs_from_itself_later_on_excuses_nothing() {
        let lines = |lines: &[&str]| {
            let lines = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
            Run::of_outcome(Outcome { lines, end: End::Returned })
        };
        let [plain, other] = [lines(&["a", "b"]), lines(&["a", "c"])];
        let judgement = judge_with(lines(&["x", "b"]), None, plain.clone(), other.clone(), TIMING);
        assert_eq!(text(&judgement), Some("differential output returned/returned"));
        let judgement = judge_with(lines(&["a", "x"]), None, plain, other, TIMING);
        assert_eq!(text(&judgement), None);
    }

    #[test]
    fn a_subject_that_dies_is_a_finding_with_or_without_a_schedule() {
        let judgement = bench(dying("SIGSEGV"), None, vec![printing("1")]).judge(Purpose::Explain);
        assert_eq!(text(&judgement), Some("crash vm SIGSEGV"));
        assert_eq!(judgement.detected.as_ref().map(Signature::oracle), Some(Oracle::Crash));
        assert!(judgement.inconclusive.is_none());
        let Some(Explanation::Crash(crash)) = judgement.explanation.as_deref() else { panic!() };
        assert_eq!((crash.activity, crash.death.as_deref()), (Activity::Run(Role::Subject), Some("SIGSEGV")));
        assert_eq!(crash.stderr, "its last words");

        let mut bench = bench(printing("1"), Some((Schedule::Stress, dying("exit code 7"))), vec![printing("1")]);
        let judgement = bench.judge(Purpose::Detect);
        assert_eq!((text(&judgement), &judgement.schedule), (Some("crash vm exit-code-7"), &Schedule::Stress));
    }

    #[test]
    fn a_reference_that_dies_is_a_finding_that_says_so_and_no_difference() {
        let mut bench = bench(printing("1"), None, vec![dying("SIGSEGV"), printing("1")]);
        let judgement = bench.judge(Purpose::Detect);
        assert_eq!(text(&judgement), Some("crash reference SIGSEGV"));
        assert_eq!(judgement.inconclusive, Some(Inconclusive::ReferenceDied));
        assert_eq!(bench.ran(), ["subject none", "first none"]);
    }

    #[test]
    fn an_oracle_alone_speaks_of_nothing_else() {
        let judge = |oracle, subject, scheduled, references| {
            let mut bench = bench(subject, scheduled, references);
            bench.oracles.alone = Some(oracle);
            text(&bench.judge(Purpose::Detect)).map(str::to_owned)
        };
        assert_eq!(judge(Oracle::Schedule, dying("SIGSEGV"), None, Vec::new()), None);
        assert_eq!(judge(Oracle::Differential, seeing(Invariant::Lists), None, vec![printing("1")]), None);
        assert_eq!(judge(Oracle::Differential, printing("1"), None, vec![dying("SIGSEGV")]), None);
        let scheduled = || Some((Schedule::Stress, printing("2")));
        assert_eq!(judge(Oracle::Invariant, printing("1"), scheduled(), Vec::new()), None);
        let found = judge(Oracle::Schedule, printing("1"), scheduled(), Vec::new());
        assert_eq!(found.as_deref(), Some("schedule output returned/returned"));
    }
}
