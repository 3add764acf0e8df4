//! `pacing`: a collector that nobody has stopped works before the program has allocated more than the parameters say, and
//! nobody but a finalizer, or who closes the state, has stopped it from inside.
//!
//! Collectors count in their own ways, so what is asked leaves them room. What the collector allows the program when it has
//! worked must not be more than the parameters can mean. Where it is due, instructions that make objects let it work, as do
//! native functions that make many; so few objects are made meanwhile.

use crate::Invariant;
use crate::breach::{Breach, Verdict};
use moonphase_heap::{Heap, Mode, Pacing, Phase, Stopped};

/// The most objects that are made while the collector is due: those that one instruction, or native function, makes.
const OBJECTS: u32 = 200;

/// Bytes by which counts may differ.
const SLACK: i64 = 4096;

/// What is known since the collector worked last.
#[derive(Default)]
pub(crate) struct Due {
    /// The newest object when it was first seen to be due.
    since: Option<u32>,
    /// Whether it has been seen not to be stopped from inside. Who makes a state stops it until the state is complete.
    started: bool,
    /// The most that was seen in this cycle, and in the one before. What is given back, of a stack for instance, may be allocated
    /// again before the collector works, and parameters may change after it has gone by them.
    most: [Most; 2],
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
}

impl Due {
    /// The collector has just said how much the program may allocate.
    pub(crate) fn check_credit<H: Heap>(&mut self, heap: H) -> Verdict<H::Object> {
        let pacing = heap.pacing();
        let now = Most::of(heap, &pacing);
        let Most { bytes, percent, step } = self.most[0].or(self.most[1]).or(now);
        self.most = match heap.mode() == Mode::Generational || heap.phase() == Phase::Pause {
            true => [now, self.most[0].or(now)],
            false => [self.most[0].or(now), self.most[1]],
        };
        let most = (bytes / 100 + 1).saturating_mul(percent).saturating_add(step);
        let most = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(SLACK);
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

    /// A step begins, or whoever pays is not the program.
    pub(crate) fn paid(&mut self) {
        self.since = None;
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
}
