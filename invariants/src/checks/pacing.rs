//! `pacing`: a collector that nobody has stopped works before the program has allocated more than the parameters say, and
//! nobody but a finalizer, or who closes the state, has stopped it from inside.
//!
//! Collectors count in their own ways, so what is asked leaves them room. What the collector allows the program when it has
//! worked must not be more than the parameters can mean. Where it is due, instructions that make objects let it work, as do
//! native functions that make many; so few objects are made meanwhile.

use crate::Invariant;
use crate::breach::{Breach, Verdict};
use moonphase_heap::{Heap, Mode, Phase, Stopped};

/// The most objects that are made while the collector is due: those that one instruction, or native function, makes.
const OBJECTS: u32 = 200;

/// Bytes by which counts may differ.
const SLACK: i64 = 4096;

/// The collector has just said how much the program may allocate.
pub(crate) fn check_credit<H: Heap>(heap: H) -> Verdict<H::Object> {
    let pacing = heap.pacing();
    let most = most_credit(heap);
    if pacing.credit <= most {
        return Ok(());
    }
    let sentence = format!(
        "the collector lets the program allocate {} bytes before it works again, of {} that there are; its parameters mean \
         no more than {most}",
        pacing.credit,
        heap.bytes()
    );
    Err(Breach::of_heap(Invariant::Pacing, sentence))
}

fn most_credit<H: Heap>(heap: H) -> i64 {
    let pacing = heap.pacing();
    let bytes = heap.bytes() as u64;
    let percent = |percent: u64| (bytes / 100 + 1).saturating_mul(percent);
    let most = match (heap.mode(), heap.phase()) {
        (Mode::Generational, _) => percent(pacing.minor_growth.max(pacing.pause)),
        // The pause is that of what has lived, which is no more than there is.
        (Mode::Incremental, Phase::Pause) => percent(pacing.pause.saturating_sub(100)),
        // A step does at most all that there is to do in a cycle, and is paid for that.
        (Mode::Incremental, _) => pacing.step.saturating_add(bytes),
    };
    i64::try_from(most).unwrap_or(i64::MAX).saturating_add(SLACK)
}

/// What is known since the collector worked last.
#[derive(Default)]
pub(crate) struct Due {
    /// The newest object when it was first seen to be due.
    since: Option<u32>,
    /// Whether it has been seen not to be stopped from inside. Who makes a state stops it until the state is complete.
    started: bool,
}

impl Due {
    /// A step begins, or whoever pays is not the program.
    pub(crate) fn paid(&mut self) {
        self.since = None;
    }

    /// Looks whether it has been due for too long. `stops`: something runs that stops the collector from inside.
    pub(crate) fn check<H: Heap>(&mut self, heap: H, stops: bool) -> Verdict<H::Object> {
        let pacing = heap.pacing();
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
