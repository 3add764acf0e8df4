//! Shrinking one finding, with candidates judged in a worker process.
//!
//! A finding that was made under a schedule is to need none: once it is small, the schedule's turns become steps that the
//! script makes itself. Where that shows something else, the schedule stays, as the few turns that are needed.

use std::mem::discriminant;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use moonphase_vm::{Schedule, Turns};

use super::job::{CaseReport, Ended, Job};
use super::lane::IsolationError;
use super::protocol::CaseInput;
use super::supervisor::Isolated;
use super::triage::{Listener, Shrinking, Shrunk, Triage, isolation};
use crate::finding::{Oracle, Signature};
use crate::minimize::{
    Answer, Budget, Judge, Minimized, Shrinkable, generational, minimize, minimize_model, one_statement_a_line,
    while_loading, with_bursts, with_hooks, with_steps,
};
use crate::oracle::Purpose;
use crate::outcome::End;
use crate::schedule::{Schedules, TurnsAt};
use crate::settings::{Reference, Settings};

/// How long shrinking one finding may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many scripts may be judged for it.
const MAX_CALLS: u64 = 60_000;
/// Parts of the instructions that a candidate may use, the smallest first.
const FEWER_INSTRUCTIONS: [u64; 1] = [4];
/// How many explicit schedules may be judged.
const MAX_SCHEDULES: u64 = 1_000;

impl Triage<'_> {
    /// Shrinks a script that shows `detected`. `None` where it does not show it.
    ///
    /// Candidates that loop or grow without end are many, and each uses up all it may. So they may use little, if the script
    /// itself shows its finding with that. Where the script is to do nothing but show it, twice what the script itself needs is
    /// enough.
    ///
    /// # Errors
    /// Workers do not work.
    pub fn shrink(&self, shrinkable: &Shrinkable, detected: &Signature) -> Result<Option<Shrunk>, IsolationError> {
        let start = Instant::now();
        let mut narrow = Triage { limits: self.limits.narrow(), ..self.clone() };
        if self.settings.reference == Reference::None {
            let text = match shrinkable {
                Shrinkable::Script(script) => script.render(&self.settings.lua).text,
                Shrinkable::Text(text) => text.clone(),
            };
            for part in FEWER_INSTRUCTIONS {
                let few = narrow.limits.with_fewer_instructions(part);
                let half = Triage { limits: few.with_fewer_instructions(2), ..self.clone() };
                let mut judge = IsolatedJudge::new(&half, self.settings.schedules.of_script(), detected)?;
                if judge.judge(&text) == Answer::Keeps {
                    narrow.limits = few;
                    break;
                }
            }
        }
        if let Some(shrunk) = shrink_within(&narrow, shrinkable.clone(), detected, start)? {
            let mut judge = IsolatedJudge::new(self, shrunk.settings.schedules.of_script(), detected)?;
            let answer = judge.judge(&shrunk.text);
            if let Some(failure) = judge.failure {
                return Err(failure);
            }
            if answer != Answer::Loses {
                return Ok(Some(shrunk));
            }
        }
        shrink_within(self, shrinkable.clone(), detected, start)
    }
}

/// The same under the limits of `triage`, as one of a finding's searches that all began at `start`.
fn shrink_within(
    triage: &Triage<'_>,
    shrinkable: Shrinkable,
    detected: &Signature,
    start: Instant,
) -> Result<Option<Shrunk>, IsolationError> {
    let judge = IsolatedJudge::new(triage, triage.settings.schedules.of_script(), detected)?;
    let mut shrinker = Shrinker { triage, judge, calls: 0, deadline: start + PATIENCE };
    let minimized = shrinker.run(shrinkable, detected)?;
    if let Some(failure) = shrinker.judge.failure {
        return Err(failure);
    }
    let Some(minimized) = minimized else { return Ok(None) };
    let settings = Settings { schedules: Schedules::Only(shrinker.judge.schedule), ..triage.settings.clone() };
    let text = Triage { settings: settings.clone(), ..triage.clone() }.with_header(minimized.text.as_bytes(), detected);
    // A header before text that is UTF-8 is.
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(Some(Shrunk { text, settings, lines: minimized.code_lines, time: start.elapsed(), calls: shrinker.calls }))
}

struct Shrinker<'a> {
    triage: &'a Triage<'a>,
    judge: IsolatedJudge<'a>,
    calls: u64,
    deadline: Instant,
}

impl Shrinker<'_> {
    fn run(&mut self, shrinkable: Shrinkable, detected: &Signature) -> Result<Option<Minimized>, IsolationError> {
        // Without a schedule there is no other one to differ from.
        if self.judge.schedule == Schedule::None || detected.oracle() == Oracle::Schedule {
            return self.minimize(shrinkable).map(|minimized| self.with_few_turns(minimized)).transpose();
        }
        // Both ways to reduce a script need it to show the finding after many a change. The quick one comes before the
        // schedule is replaced, the thorough one after, or else under the schedule.
        let shrinkable = match shrinkable {
            Shrinkable::Script(script) => {
                let budget = self.budget();
                let reduced = minimize_model(&script, &self.triage.settings.lua, &mut self.judge, budget);
                self.calls += reduced.calls;
                if !reduced.reproduced {
                    return Ok(None);
                }
                reduced.text
            }
            Shrinkable::Text(text) => text,
        };
        if let Some(unscheduled) = self.without_schedule(&shrinkable, false)? {
            return Ok(Some(unscheduled));
        }
        self.prefer_regular(&shrinkable);
        let Some(minimized) = self.minimize(Shrinkable::Text(shrinkable)) else { return Ok(None) };
        self.judge.settle(&minimized.text);
        if let Some(unscheduled) = self.without_schedule(&minimized.text, true)? {
            return Ok(Some(unscheduled));
        }
        self.with_few_turns(minimized).map(Some)
    }

    /// Lets the text make the schedule's turns itself, and minimizes that; `None` where it shows something else then, and
    /// nothing has changed. Costly proposals are tried only if that is wanted.
    fn without_schedule(&mut self, text: &str, costly: bool) -> Result<Option<Minimized>, IsolationError> {
        let language = self.triage.settings.lua;
        let Some(text) = one_statement_a_line(text, &language) else { return Ok(None) };
        let turned = self.turns(&text, &self.judge.schedule)?;
        let scheduled = std::mem::take(&mut self.judge.schedule);
        let modes = if scheduled == Schedule::Generational { generational(&text, &language) } else { Vec::new() };
        let costly = costly.then(|| {
            let loading = while_loading(&text, &language);
            loading.chain(with_bursts(&text, &language)).chain(with_hooks(&text, &language))
        });
        let costly = costly.into_iter().flatten();
        let candidates =
            std::iter::once(text.clone()).chain(modes).chain(with_steps(&text, &language, &turned)).chain(costly);
        for candidate in candidates {
            if self.keeps(&candidate)
                && let Some(minimized) = self.minimize(Shrinkable::Text(candidate))
            {
                return Ok(Some(minimized));
            }
        }
        self.judge.schedule = scheduled;
        Ok(None)
    }

    /// Takes a schedule that is the same everywhere in the place of a random one, whose turns all shift with every change
    /// of the text. Where none of those shows the finding, some more random ones stand by.
    fn prefer_regular(&mut self, text: &str) {
        if !matches!(self.judge.schedule, Schedule::Random(_) | Schedule::Shuffled(_)) {
            return;
        }
        let random = std::mem::take(&mut self.judge.schedule);
        for regular in [Schedule::Stress, Schedule::Barriers] {
            self.judge.schedule = regular;
            if self.keeps(text) {
                return;
            }
        }
        self.judge.schedule = random;
        self.judge.others =
            [Schedule::Stress, Schedule::Barriers].into_iter().chain((1..=6).map(Schedule::Random)).collect();
    }

    fn budget(&self) -> Budget {
        Budget { max_calls: MAX_CALLS.saturating_sub(self.calls), deadline: Some(self.deadline) }
    }

    /// Runs the minimizer with what is left of the budget, until that changes nothing: it settles the collector's timing first, and
    /// under the new one more may go. A script that is short is left, where each one takes a look at a C heap.
    fn minimize(&mut self, shrinkable: Shrinkable) -> Option<Minimized> {
        const SHORT: usize = 12;
        let mut best = self.minimize_once(shrinkable)?;
        while (best.code_lines > SHORT || self.triage.settings.engine.is_ours())
            && let Some(again) = self.minimize_once(Shrinkable::Text(best.text.clone()))
            && again.text.len() < best.text.len()
        {
            best = again;
        }
        Some(best)
    }

    fn minimize_once(&mut self, shrinkable: Shrinkable) -> Option<Minimized> {
        let budget = self.budget();
        let minimized = minimize(shrinkable, &self.triage.settings.lua, &mut self.judge, budget);
        self.calls += minimized.calls;
        minimized.reproduced.then_some(minimized)
    }

    /// Whether a text shows the finding, as far as the budget goes.
    fn keeps(&mut self, text: &str) -> bool {
        if self.calls >= MAX_CALLS || Instant::now() >= self.deadline {
            return false;
        }
        self.calls += 1;
        self.judge.judge(text) == Answer::Keeps
    }

    /// The turns that a schedule makes in a script, up to what it shows.
    fn turns(&self, text: &str, schedule: &Schedule) -> Result<Vec<TurnsAt>, IsolationError> {
        let schedules = Schedules::Only(schedule.clone());
        let settings = Settings { schedules, ..self.triage.settings.clone() };
        let ended = Triage { settings, ..self.triage.clone() }.examine(text.as_bytes(), Purpose::Explain)?;
        Ok(ended.report.map(|report| report.turned).unwrap_or_default())
    }

    /// Puts the few turns that are needed in the place of a schedule. Where the schedule's other turns are gone, more of the
    /// text may go, and then more turns.
    fn with_few_turns(&mut self, minimized: Minimized) -> Result<Minimized, IsolationError> {
        let mut best = self.with_fewer_turns(minimized)?;
        while matches!(self.judge.schedule, Schedule::Steps(_)) {
            let schedule = self.judge.schedule.clone();
            let Some(smaller) = self.minimize(Shrinkable::Text(best.text.clone())) else { break };
            if smaller.text == best.text {
                break;
            }
            best = self.with_fewer_turns(smaller)?;
            if self.judge.schedule == schedule {
                break;
            }
        }
        Ok(best)
    }

    /// Puts explicit turns in the place of a schedule, and takes away those that are not needed.
    fn with_fewer_turns(&mut self, minimized: Minimized) -> Result<Minimized, IsolationError> {
        if matches!(self.judge.schedule, Schedule::None | Schedule::Generational) {
            return Ok(minimized);
        }
        let turned = self.turns(&minimized.text, &self.judge.schedule)?;
        let mut steps: Vec<Turns> = turned.iter().map(|&TurnsAt { point, turns, .. }| Turns { point, turns }).collect();
        let schedule = std::mem::take(&mut self.judge.schedule);
        let last = self.calls.saturating_add(MAX_SCHEDULES);
        let mut shows = |steps: &[Turns]| {
            self.judge.schedule = Schedule::Steps(steps.to_vec());
            self.calls < last && self.keeps(&minimized.text)
        };
        if steps.is_empty() || !shows(&steps) {
            self.judge.schedule = schedule;
            return Ok(minimized);
        }
        let mut length = steps.len();
        while length > 0 {
            let mut at = 0;
            while at < steps.len() {
                let end = (at + length).min(steps.len());
                let smaller = smaller(&steps, at, end).into_iter().find(|candidate| shows(candidate));
                match smaller {
                    Some(smaller) => steps = smaller,
                    None => at = end,
                }
            }
            length /= 2;
        }
        self.judge.schedule = Schedule::Steps(steps);
        Ok(minimized)
    }
}

/// Explicit schedules without some of the steps, with all of those turns at the last of their points, or with fewer turns.
fn smaller(steps: &[Turns], at: usize, end: usize) -> Vec<Vec<Turns>> {
    let with = |part: &[Turns]| [&steps[..at], part, &steps[end..]].concat();
    let mut candidates = Vec::new();
    if end - at < steps.len() {
        candidates.push(with(&[]));
    }
    let turns: u32 = steps[at..end].iter().map(|step| step.turns).sum();
    let Turns { point, .. } = steps[end - 1];
    if end - at > 1 {
        candidates.push(with(&[Turns { point, turns }]));
    } else {
        let fewer = [turns / 2, turns - 1].into_iter().filter(|&fewer| fewer > 0);
        candidates.extend(fewer.map(|turns| with(&[Turns { point, turns }])));
    }
    candidates
}

/// Judges candidates in a worker process.
struct IsolatedJudge<'a> {
    isolated: Isolated<CaseReport>,
    wanted: &'a Signature,
    /// The schedule that candidates are judged under first: the one that has kept a candidate last.
    schedule: Schedule,
    /// Those that are tried next. A candidate is kept if any schedule keeps it.
    others: Vec<Schedule>,
    /// Whether there is a reference to run candidates on.
    compares: bool,
    /// How the first candidate ends on references, which is the original. Others may end
    /// otherwise than by returning only as it does.
    original_ends: Option<Vec<End>>,
    stop: &'a AtomicBool,
    listener: Listener<'a>,
    /// Scripts judged, and the lines of the smallest that was kept.
    shrinking: Shrinking,
    failure: Option<IsolationError>,
}

impl<'a> IsolatedJudge<'a> {
    /// A judge that runs candidates under the first of these schedules, and has heard of none yet.
    fn new(triage: &Triage<'a>, schedules: Vec<Schedule>, wanted: &'a Signature) -> Result<Self, IsolationError> {
        let job = Job::of_given(triage.settings.clone(), triage.limits, Purpose::Minimize(wanted.oracle()));
        Ok(IsolatedJudge {
            isolated: Isolated::new(triage.command.clone(), isolation(&triage.settings, &triage.limits), &job)?,
            wanted,
            schedule: schedules.into_iter().next().unwrap_or_default(),
            others: Vec::new(),
            compares: triage.settings.reference != Reference::None,
            original_ends: None,
            stop: triage.stop,
            listener: triage.listener,
            shrinking: Shrinking { judged: 0, lines: usize::MAX },
            failure: None,
        })
    }

    /// Keeps to the one schedule under which a text that was kept shows the finding.
    fn settle(&mut self, text: &str) {
        while self.judge_under(self.schedule.clone(), text) == Answer::Loses {
            let Some(other) = self.others.pop() else { return };
            self.schedule = other;
        }
        self.others.clear();
    }

    fn judge_under(&mut self, schedule: Schedule, text: &str) -> Answer {
        if self.stop.load(Ordering::Relaxed) || self.failure.is_some() {
            return Answer::Enough;
        }
        let text = text.as_bytes().to_vec();
        let ended = match self.isolated.run_one(CaseInput::Scheduled { text, schedule }) {
            Ok(end) => Ended::from(end),
            Err(error) => {
                self.failure = Some(error);
                return Answer::Enough;
            }
        };
        let Some(detected) = &ended.detected else { return Answer::Loses };
        if detected != self.wanted {
            return Answer::Loses;
        }
        if !self.compares || detected.oracle() == Oracle::Crash {
            return Answer::Keeps;
        }
        let ends = ended.report.map(|report| report.reference_ends).unwrap_or_default();
        let original = self.original_ends.get_or_insert_with(|| ends.clone());
        let is_of = |end: &End, others: &[End]| others.iter().any(|other| discriminant(other) == discriminant(end));
        let may_end = |end: &End| match end {
            End::Returned => true,
            End::Error(_) | End::Exit(_) | End::Limit(_) => is_of(end, original),
            End::Died(_) => false,
        };
        if !ends.is_empty() && ends.iter().all(may_end) { Answer::Keeps } else { Answer::Loses }
    }
}

impl Judge for IsolatedJudge<'_> {
    fn judge(&mut self, text: &str) -> Answer {
        let mut answer = self.judge_under(self.schedule.clone(), text);
        for other in 0..self.others.len() {
            if answer != Answer::Loses {
                break;
            }
            answer = self.judge_under(self.others[other].clone(), text);
            if answer == Answer::Keeps {
                std::mem::swap(&mut self.schedule, &mut self.others[other]);
            }
        }
        self.shrinking.judged += 1;
        if answer == Answer::Keeps {
            self.shrinking.lines = self.shrinking.lines.min(text.lines().count());
        }
        if let Listener(Some(listener)) = self.listener {
            listener(self.shrinking);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smaller_schedules_have_fewer_steps_or_turns() {
        let steps = |text: &str| match text.parse() {
            Ok(Schedule::Steps(steps)) => steps,
            other => panic!("{other:?}"),
        };
        let shown = |candidates: Vec<Vec<Turns>>| -> Vec<String> {
            candidates.into_iter().map(|steps| Schedule::Steps(steps).to_string()).collect()
        };
        assert_eq!(shown(smaller(&steps("steps:1,2x2,5"), 0, 2)), ["steps:5", "steps:2x3,5"]);
        assert_eq!(shown(smaller(&steps("steps:1,2x5"), 1, 2)), ["steps:1", "steps:1,2x2", "steps:1,2x4"]);
        assert_eq!(shown(smaller(&steps("steps:7x2"), 0, 1)), ["steps:7", "steps:7"]);
    }
}
