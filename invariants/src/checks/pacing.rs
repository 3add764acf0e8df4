//! `pacing`: a collector that nobody has stopped works before the program has allocated more than the parameters say, and
//! nobody but a finalizer, or who closes the state, has stopped it from inside.
//!
//! What the collector allows the program when it has worked must not be more than the parameters can mean. The checker counts
//! for itself what lives when a cycle ends (`GCestimate`). What the program allocates must be counted. Where the collector is
//! due, instructions that make objects let it work, as do native functions that make many; so few objects are made meanwhile.
//! A minor collection must not begin where the heap has grown so much that a major one is due.

use crate::Invariant;
use crate::breach::{Breach, Verdict};
use moonphase_heap::{Heap, Mode, Pacing, Phase, StepKind, Stopped};

/// The most objects that are made while the collector is due: those that one instruction, or native function, makes.
const OBJECTS: u32 = 200;

/// Bytes by which counts may differ.
const SLACK: i64 = 4096;

/// What is known of how far the program and its collector are from each other.
#[derive(Default)]
pub(crate) struct Due {
    /// The newest object when the collector was first seen to be due.
    since: Option<u32>,
    /// Whether it has been seen not to be stopped from inside. Who makes a state stops it until the state is complete.
    started: bool,
    /// The most that was seen in this cycle, and in the one before. What is given back, of a stack for instance, may be allocated
    /// again before the collector works, and parameters may change after it has gone by them.
    most: [Most; 2],
    /// Bytes that were there at the end of the last marking, without what its sweep has freed. Allocation does not change it.
    alive: Option<i64>,
    /// The step that is under way.
    step: Option<Began>,
    /// The last collection of generational mode, of which it was not yet said how much the program may allocate after it.
    collected: Option<Collected>,
    /// Credit and bytes together, when the collector last said what the program may allocate. What is allocated makes one less
    /// and the other more.
    promised: Option<i64>,
}

/// How a step began.
#[derive(Clone, Copy)]
struct Began {
    mode: Mode,
    bytes: i64,
    credit: i64,
}

/// A collection of generational mode.
#[derive(Clone, Copy)]
struct Collected {
    kind: StepKind,
    began: Began,
}

/// The most that was seen of what decides when the collector is due.
#[derive(Clone, Copy, Default)]
struct Most {
    bytes: u64,
    /// Percent of the bytes.
    percent: u64,
    /// Bytes between two steps.
    step: u64,
}

impl Most {
    fn of<H: Heap>(heap: H, pacing: &Pacing) -> Most {
        // In incremental mode the pause is that of what has lived when marking ended. Inside of a cycle that is left of it which
        // began before it was due. A step does at most all that there is to do, and is paid for it.
        Most { bytes: heap.bytes() as u64, percent: pacing.minor_growth.max(pacing.pause).max(100), step: pacing.step }
    }

    fn or(self, other: Most) -> Most {
        Most {
            bytes: self.bytes.max(other.bytes),
            percent: self.percent.max(other.percent),
            step: self.step.max(other.step),
        }
    }

    /// The credit that this can mean.
    fn credit(self) -> i64 {
        let most = (self.bytes / 100 + 1).saturating_mul(self.percent).saturating_add(self.step);
        i64::try_from(most).unwrap_or(i64::MAX)
    }
}

/// So many percent of so many bytes.
fn percent(bytes: i64, percent: u64) -> i64 {
    (bytes / 100 + 1).saturating_mul(i64::try_from(percent).unwrap_or(i64::MAX))
}

impl Due {
    /// The most that the collector may allow the program now that it has worked.
    fn most_credit<H: Heap>(&self, heap: H, pacing: &Pacing) -> i64 {
        let bytes = heap.bytes() as i64;
        let pause = self.alive.map(|alive| percent(alive, pacing.pause) - bytes);
        match (heap.mode(), self.collected) {
            (Mode::Generational, Some(Collected { kind: StepKind::Major, began }))
                if began.mode == Mode::Generational =>
            {
                // After a bad one the collector pauses as in incremental mode.
                percent(bytes, pacing.minor_growth).max(pause.unwrap_or(0))
            }
            (Mode::Generational, Some(_)) => percent(bytes, pacing.minor_growth),
            (Mode::Incremental, _) if heap.phase() == Phase::Pause && pause.is_some() => pause.unwrap_or(0).max(0),
            _ => self.most[0].or(self.most[1]).credit(),
        }
    }

    /// The collector has just said how much the program may allocate.
    pub(crate) fn check_credit<H: Heap>(&mut self, heap: H) -> Verdict<H::Object> {
        let pacing = heap.pacing();
        let now = Most::of(heap, &pacing);
        let before = self.most[0].or(now);
        self.most[0] = before;
        let (most, major) = (self.most_credit(heap, &pacing).saturating_add(SLACK), self.check_major::<H>(&pacing));
        if heap.mode() == Mode::Generational || heap.phase() == Phase::Pause {
            self.most = [now, before];
        }
        self.collected = None;
        self.credited(heap);
        major?;
        let credit = pacing.credit;
        if credit <= most {
            return Ok(());
        }
        let sentence = format!(
            "the collector lets the program allocate {credit} bytes before it works again, of {} that there are: more than its \
             parameters mean",
            heap.bytes()
        );
        Err(Breach::of_heap(Invariant::Pacing, sentence))
    }

    /// What the program may allocate has just been said.
    pub(crate) fn credited<H: Heap>(&mut self, heap: H) {
        self.promised = Some(heap.pacing().credit.saturating_add(heap.bytes() as i64));
    }

    /// A step begins.
    pub(crate) fn step_begins<H: Heap>(&mut self, heap: H) {
        self.since = None;
        self.step = Some(Began { mode: heap.mode(), bytes: heap.bytes() as i64, credit: heap.pacing().credit });
        self.collected = None;
    }

    /// A step of this kind has ended, which began in this phase.
    pub(crate) fn step_ended<H: Heap>(&mut self, heap: H, kind: StepKind, phase: Phase) {
        let bytes = heap.bytes() as i64;
        let Some(began) = self.step.take() else { return };
        match kind {
            StepKind::Turn if matches!(phase, Phase::EnterAtomic | Phase::Atomic) => self.alive = Some(bytes),
            StepKind::Turn if phase.is_sweeping() => {
                self.alive = self.alive.map(|alive| alive - (began.bytes - bytes).max(0));
            }
            StepKind::Major if heap.mode() == Mode::Generational => self.alive = Some(bytes),
            // It is a bad one after a bad one. Its sweep has just begun, and dead objects before the first living one were freed
            // after they were counted (`stepgenfull` in Lua 5.4).
            StepKind::Major => self.alive = Some(began.bytes),
            _ => {}
        }
        if heap.mode() == Mode::Generational && matches!(kind, StepKind::Minor | StepKind::Major) {
            self.collected = Some(Collected { kind, began });
        }
    }

    /// The collector has worked by its own decision: whether a major collection was due where it was a minor one.
    fn check_major<H: Heap>(&self, pacing: &Pacing) -> Verdict<H::Object> {
        let (Some(alive), Some(Collected { kind: StepKind::Minor, began })) = (self.alive, self.collected) else {
            return Ok(());
        };
        let most = alive.saturating_add(percent(alive, pacing.major_growth)).saturating_add(SLACK);
        // Without debt a program has asked for a step, which is to be a minor collection.
        if began.credit >= 0 || began.bytes <= most {
            return Ok(());
        }
        let sentence = format!(
            "the heap has grown from {alive} to {} bytes since the last major collection, and a minor one was made: its parameters \
             ask for a major one",
            began.bytes
        );
        Err(Breach::of_heap(Invariant::Pacing, sentence))
    }

    /// Looks whether it has been due for too long. `stops`: something runs that stops the collector from inside.
    pub(crate) fn check<H: Heap>(&mut self, heap: H, stops: bool) -> Verdict<H::Object> {
        let pacing = heap.pacing();
        self.most[0] = self.most[0].or(Most::of(heap, &pacing));
        self.started |= pacing.stopped != Some(Stopped::Inside);
        if pacing.stopped == Some(Stopped::Inside) && self.started && !stops {
            let sentence = "the collector is stopped as for a finalizer, and none runs";
            return Err(Breach::of_heap(Invariant::Pacing, sentence));
        }
        let begins_mode = self
            .collected
            .is_some_and(|Collected { kind, began }| kind == StepKind::Major && began.mode == Mode::Incremental);
        if begins_mode && pacing.stopped != Some(Stopped::Inside) {
            // The collector has said nothing after its work, and leaves things as they were in incremental mode. After other
            // work that is right where somebody but the program has asked for a step.
            self.check_credit(heap)?;
        }
        self.check_counted(heap, &pacing)?;
        if pacing.stopped.is_some() || pacing.credit > 0 {
            self.since = None;
            return Ok(());
        }
        let made = heap.newest() - *self.since.get_or_insert(heap.newest());
        if made <= OBJECTS {
            return Ok(());
        }
        let sentence = format!("the collector is due and was not let work while {made} objects were made");
        Err(Breach::of_heap(Invariant::Pacing, sentence))
    }

    /// Whether what was allocated was counted.
    fn check_counted<H: Heap>(&self, heap: H, pacing: &Pacing) -> Verdict<H::Object> {
        let Some(promised) = self.promised else { return Ok(()) };
        let uncounted = pacing.credit.saturating_add(heap.bytes() as i64).saturating_sub(promised);
        if pacing.credit <= SLACK || uncounted <= SLACK {
            return Ok(());
        }
        let sentence = format!(
            "{uncounted} bytes that the program has allocated since the collector worked bring the next step no nearer"
        );
        Err(Breach::of_heap(Invariant::Pacing, sentence))
    }
}
