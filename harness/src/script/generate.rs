//! The one generator of scripts: entropy in, valid scripts out.
//!
//! Entropy comes as bytes through [`Arbitrary`], so that a campaign, libFuzzer and property tests share it. It decides
//! only which kinds of operations follow each other and what their fields are; [`Script::fixup`] makes sense of them.
//!
//! Nothing here knows what breaks a collector. The weights only see to it that closures share upvalues, live at places
//! that are marked at different times, and are changed at every phase of a cycle.

use std::collections::BTreeSet;

use arbitrary::{Arbitrary, Unstructured};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::language::Language;

/// What the generator may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GeneratorOptions {
    /// The language in which scripts must be valid.
    pub language: Language,
    /// Kinds of operations that scripts must not contain. Without [`OpKind::UpvalueJoin`] their text has no call of
    /// `upvaluejoin` at all: reloads and hot fixes then copy values instead of sharing upvalues.
    pub disabled: BTreeSet<OpKind>,
}

impl GeneratorOptions {
    /// Whether every kind is allowed, so that no single one need be asked.
    fn allows_all(&self) -> bool {
        self.language.has_all() && self.disabled.is_empty()
    }

    fn allows(&self, kind: OpKind) -> bool {
        kind.is_in(&self.language) && (self.disabled.is_empty() || self.enables(kind))
    }

    /// Whether neither the kind nor a kind that it includes is disabled.
    fn enables(&self, kind: OpKind) -> bool {
        let parts: &[OpKind] = match kind {
            OpKind::Mix => &[OpKind::UpvalueJoin, OpKind::SetUpvalue],
            OpKind::CopyFunction => &[OpKind::SetUpvalue],
            _ => &[],
        };
        !self.disabled.contains(&kind) && parts.iter().all(|&part| self.enables(part))
    }
}

/// As much entropy as the longest script needs.
const ENTROPY: usize = 4096;

/// The script of one case, which is a function of these arguments and of nothing else.
pub fn generate(seed: u64, case: u64, options: &GeneratorOptions) -> Script {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&case.to_le_bytes());
    let mut entropy = [0; ENTROPY];
    ChaCha8Rng::from_seed(key).fill_bytes(&mut entropy);
    Script::from_entropy(&mut Unstructured::new(&entropy), options)
}

impl Script {
    /// A valid script from entropy; less entropy gives a shorter script.
    pub fn from_entropy(u: &mut Unstructured<'_>, options: &GeneratorOptions) -> Script {
        let mut generator = Generator { options, body: Vec::new() };
        // Running out of entropy ends the script early, which is not a failure.
        let _ = generator.script(u);
        let mut script = Script { body: generator.body };
        script.fixup(Repair::Replace, &options.language);
        script
    }
}

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Script::from_entropy(u, &GeneratorOptions::default()))
    }
}

/// Where an operation stands, which decides what makes sense there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Surroundings {
    /// Inside the body of a coroutine.
    pub(super) coroutine: bool,
    /// Inside a protected call.
    pub(super) protected: bool,
    /// How many blocks are around it.
    pub(super) depth: usize,
}

impl Surroundings {
    /// The surroundings inside the block of `operation`.
    pub(super) fn inside(self, operation: &Operation) -> Surroundings {
        match operation {
            Operation::NewCoroutine(_) => Surroundings { coroutine: true, protected: false, depth: self.depth + 1 },
            Operation::Protected(_) => Surroundings { protected: true, depth: self.depth + 1, ..self },
            Operation::Callback(_) => Surroundings { coroutine: false, depth: self.depth + 1, ..self },
            _ => Surroundings { depth: self.depth + 1, ..self },
        }
    }
}

/// The kinds that make the objects which others work on.
const MAKERS: &[OpKind] = &[
    OpKind::NewTable,
    OpKind::NewTable,
    OpKind::NewTable,
    OpKind::NewScope,
    OpKind::NewScope,
    OpKind::NewScope,
    OpKind::NewScope,
    OpKind::NewFactory,
    OpKind::Instantiate,
    OpKind::NewModule,
    OpKind::NewModule,
    OpKind::NewWeakTable,
    OpKind::NewCoroutine,
    OpKind::ClosedScope,
    OpKind::CoroutineScope,
];

/// The kinds that print what others stored.
const READERS: &[OpKind] =
    &[OpKind::Show, OpKind::Show, OpKind::ShowCall, OpKind::ShowCall, OpKind::ShowUpvalue, OpKind::ShowField];

struct Generator<'o> {
    options: &'o GeneratorOptions,
    body: Block,
}

impl Generator<'_> {
    fn script(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let start = u.arbitrary::<u8>()?;
        // The smallest step that Lua allows makes one turn of the collector of `collectgarbage("step", 0)`. The others stay
        // in the mode of the policy or the schedule.
        if self.options.allows(OpKind::SetPace) && start % 16 >= 3 {
            let multiplier = *u.choose(&[100, 100, 100, 40, 400])?;
            self.body.push(Operation::SetPace(SetPace { pause: 100, multiplier, size: 1 }));
        }
        if self.options.allows(OpKind::SetGenerational) && u.arbitrary::<u8>()?.is_multiple_of(6) {
            self.body.push(draw(OpKind::SetGenerational, u, self.options, Surroundings::default())?);
        }
        if self.options.allows(OpKind::StopCollector) && start & 0x60 != 0 {
            self.body.push(Operation::StopCollector(StopCollector {}));
        }
        let makers: Vec<_> = MAKERS.iter().copied().filter(|&kind| self.options.allows(kind)).collect();
        for _ in 0..u.int_in_range(4..=9)? {
            if makers.is_empty() {
                break;
            }
            let kind = *u.choose(&makers)?;
            let operation = draw(kind, u, self.options, Surroundings::default())?;
            self.body.push(operation);
        }
        for _ in 0..u.int_in_range(10..=36)? {
            if u.is_empty() {
                break;
            }
            let Some(kind) = choose_kind(u, self.options, Surroundings::default())? else { break };
            let operation = draw(kind, u, self.options, Surroundings::default())?;
            self.body.push(operation);
        }
        // Whatever was lost is missed by those who use it, however late that is.
        let readers: Vec<_> = READERS.iter().copied().filter(|&kind| self.options.allows(kind)).collect();
        for _ in 0..u.int_in_range(1..=4)? {
            if readers.is_empty() || u.is_empty() {
                break;
            }
            let kind = *u.choose(&readers)?;
            let operation = draw(kind, u, self.options, Surroundings::default())?;
            self.body.push(operation);
        }
        if self.options.allows(OpKind::Exit) && u.arbitrary::<u8>()?.is_multiple_of(24) {
            let end = self.body.len() - usize::from(u.arbitrary::<u8>()? % 2);
            self.body.insert(end, draw(OpKind::Exit, u, self.options, Surroundings::default())?);
        }
        Ok(())
    }
}

/// How often `kind` is drawn in these surroundings.
fn weight(kind: OpKind, surroundings: Surroundings) -> u32 {
    match kind {
        OpKind::Yield => kind.weight() * 6 * u32::from(surroundings.coroutine),
        OpKind::Throw => {
            kind.weight() * (12 * u32::from(surroundings.protected) + 2 * u32::from(surroundings.coroutine))
        }
        OpKind::NewCoroutine | OpKind::Loop | OpKind::Protected | OpKind::Callback if surroundings.depth >= 2 => 0,
        OpKind::CountWeak | OpKind::CountFinalized if surroundings.depth > 0 => 0,
        // Only the end of a script may end it.
        OpKind::Exit => 0,
        _ => kind.weight(),
    }
}

/// Draws a kind of operation; `None` if no kind is left that could stand here.
fn choose_kind(
    u: &mut Unstructured<'_>,
    options: &GeneratorOptions,
    surroundings: Surroundings,
) -> arbitrary::Result<Option<OpKind>> {
    // The sums of the weights so far.
    let mut total = 0;
    let all = options.allows_all();
    let sums: [u32; OpKind::ALL.len()] = std::array::from_fn(|index| {
        let kind = OpKind::ALL[index];
        total += if all || options.allows(kind) { weight(kind, surroundings) } else { 0 };
        total
    });
    if total == 0 {
        return Ok(None);
    }
    let drawn = u.int_in_range(0..=total - 1)?;
    Ok(Some(OpKind::ALL[sums.partition_point(|&sum| sum <= drawn)]))
}

/// An operation of the given kind, with a block where it has one; it needs fixup.
pub(super) fn draw(
    kind: OpKind,
    u: &mut Unstructured<'_>,
    options: &GeneratorOptions,
    surroundings: Surroundings,
) -> arbitrary::Result<Operation> {
    let mut operation = kind.draw(u)?;
    restrict(&mut operation, options);
    let inside = surroundings.inside(&operation);
    if let Some(block) = operation.block_mut() {
        for _ in 0..u.int_in_range(2..=6)? {
            if u.is_empty() {
                break;
            }
            let Some(kind) = choose_kind(u, options, inside)? else { break };
            block.push(draw(kind, u, options, inside)?);
            // What follows would not run.
            if kind == OpKind::Throw {
                break;
            }
        }
    }
    Ok(operation)
}

/// Takes out of an operation what the options rule out.
fn restrict(operation: &mut Operation, options: &GeneratorOptions) {
    if !options.allows(OpKind::UpvalueJoin) {
        operation.take_joins_out();
    }
    if !options.allows(OpKind::SetUpvalue) {
        match operation {
            Operation::Reload(reload) if reload.keep == Keep::Copy => {
                reload.keep = if options.allows(OpKind::UpvalueJoin) { Keep::Join } else { Keep::Nothing };
            }
            Operation::HotFix(fix) => {
                fix.share = true;
                if !options.allows(OpKind::UpvalueJoin) {
                    fix.locals = vec![FixLocal::Own(Value::NewTable)];
                }
            }
            Operation::LoadChunk(load) => load.set = false,
            Operation::DebugProbe(probe) if probe.call == ProbeCall::SetUpvalue => probe.call = ProbeCall::GetUpvalue,
            Operation::NewFinalizable(finalizable)
                if matches!(finalizable.finalizer, Finalizer::SetUpvalue | Finalizer::Load) =>
            {
                finalizable.finalizer = Finalizer::Assign;
            }
            _ => {}
        }
    }
}
