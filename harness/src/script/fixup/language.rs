//! What a language lacks: operations that need it are dropped, or say something that the language has.

use super::*;

/// The most locals where functions have few upvalues: a function may mention them all, and the helpers of the prelude.
const MAX_LOCALS_AS_UPVALUES: usize = 36;

impl Fixer {
    /// The most locals, over all functions of the script.
    pub(super) fn max_locals(&self) -> usize {
        if self.language.has(Feature::ManyUpvalues) { MAX_LOCALS } else { MAX_LOCALS_AS_UPVALUES }
    }

    /// Lets an operation say only what the language has; `None` where it cannot say anything of its kind.
    pub(super) fn translate(&self, operation: &mut Operation) -> Option<()> {
        if self.language.has_all() {
            return Some(());
        }
        operation.kind().is_in(&self.language).then_some(())?;
        let lacks = |feature| !self.language.has(feature);
        if lacks(Feature::UpvalueJoin) {
            operation.take_joins_out();
        }
        match operation {
            Operation::ClosedScope(scope) => scope.closing = self.closing(scope.closing),
            Operation::SuspendedScope(SuspendedScope { levels, ending, .. }) => {
                // All the others call what yields.
                levels.retain(|level| *level == Level::Resumed || !lacks(Feature::YieldAcrossCalls));
                if *ending == Ending::Closed && lacks(Feature::CoroutineClose) {
                    *ending = Ending::Dropped;
                }
            }
            Operation::MisplacedResume(MisplacedResume { call: call @ CoroutineCall::Close, .. })
                if lacks(Feature::CoroutineClose) =>
            {
                *call = CoroutineCall::Resume;
            }
            Operation::Callback(Callback { site, .. }) => match site {
                Site::Close if lacks(Feature::Attributes) => *site = Site::Call,
                Site::Length if lacks(Feature::TableLength) => *site = Site::Index,
                _ => {}
            },
            Operation::Tower(Tower { of: of @ TowerKind::CallChain, .. }) if lacks(Feature::CallChains) => {
                *of = TowerKind::Calls;
            }
            Operation::Exit(Exit { close, .. }) => *close &= !lacks(Feature::CloseAtExit),
            Operation::DebugProbe(DebugProbe { call, number, .. }) => {
                if *call == ProbeCall::UpvalueId && lacks(Feature::UpvalueJoin) {
                    *call = ProbeCall::GetUpvalue;
                }
                if *number == ExtremeNumber::Integer && lacks(Feature::Integers) {
                    *number = ExtremeNumber::Smallest;
                }
            }
            Operation::ReuseFailed(ReuseFailed { what: what @ Fallible::Codes, .. }) if lacks(Feature::Utf8) => {
                *what = Fallible::Malformed;
            }
            Operation::NewFinalizable(NewFinalizable { finalizer, .. }) => *finalizer = self.finalizer(*finalizer),
            Operation::SetMetatable(SetMetatable { gc, .. }) => *gc = gc.filter(|_| !lacks(Feature::TableFinalizers)),
            Operation::FinalizeNested(FinalizeNested { works, .. }) => {
                let modes = [FinalizerWork::Generational, FinalizerWork::Incremental];
                if lacks(Feature::Modes) {
                    works.iter_mut().filter(|work| modes.contains(work)).for_each(|work| *work = FinalizerWork::Step);
                }
            }
            Operation::CopyFunction(CopyFunction { strip, .. }) => *strip &= !lacks(Feature::StrippedDumps),
            Operation::ReadFunction(ReadFunction { chunk: Chunk { form: form @ ChunkForm::Stripped, .. }, .. })
                if lacks(Feature::StrippedDumps) =>
            {
                *form = ChunkForm::Dump;
            }
            Operation::LateField(LateField { field: field @ MetaField::Length, .. }) if lacks(Feature::TableLength) => {
                *field = MetaField::Index;
            }
            _ => {}
        }
        Some(())
    }

    fn closing(&self, closing: Closing) -> Closing {
        let lacks = |feature| !self.language.has(feature);
        match closing {
            Closing::Goto | Closing::Backward if lacks(Feature::Goto) => Closing::Loop,
            Closing::Guard if lacks(Feature::Attributes) => Closing::Recaptured,
            Closing::ReturnGuard if lacks(Feature::Attributes) => Closing::Return,
            Closing::Killed if lacks(Feature::CoroutineClose) => Closing::Dropped,
            Closing::For(leave, after) => {
                let leave = match leave {
                    Leave::Goto if lacks(Feature::Goto) => Leave::End,
                    Leave::Killed if lacks(Feature::CoroutineClose) => Leave::Dropped,
                    leave => leave,
                };
                let after = match after {
                    After::Guard if lacks(Feature::Attributes) => After::Nothing,
                    after => after,
                };
                Closing::For(leave, after)
            }
            closing => closing,
        }
    }

    fn finalizer(&self, finalizer: Finalizer) -> Finalizer {
        let lacks = |feature| !self.language.has(feature);
        match finalizer {
            Finalizer::Again | Finalizer::SaveAgain if lacks(Feature::FinalizedAgain) => Finalizer::Save,
            Finalizer::Throw | Finalizer::ThrowTable | Finalizer::ThrowNil if lacks(Feature::ContainedFinalizers) => {
                Finalizer::Allocate
            }
            Finalizer::Options if lacks(Feature::RestInFinalizers) => Finalizer::Collect,
            finalizer => finalizer,
        }
    }
}

impl Operation {
    /// Takes `upvaluejoin` out of an operation of another kind.
    pub(in super::super) fn take_joins_out(&mut self) {
        match self {
            Operation::Reload(reload) if reload.keep != Keep::Nothing => reload.keep = Keep::Copy,
            Operation::HotFix(fix) => fix.share = false,
            Operation::ClosedScope(scope) => scope.joined = None,
            Operation::DebugProbe(probe) if probe.call == ProbeCall::UpvalueJoin => probe.call = ProbeCall::UpvalueId,
            Operation::NewFinalizable(finalizable)
                if matches!(finalizable.finalizer, Finalizer::UpvalueJoin | Finalizer::Reload | Finalizer::Load) =>
            {
                finalizable.finalizer = Finalizer::Assign;
            }
            _ => {}
        }
    }
}

impl Value {
    /// Takes a fresh object in the place of one that a variable holds.
    pub(super) fn make_fresh(&mut self) {
        match self {
            Value::Table(_) => *self = Value::NewTable,
            Value::Function(_) => *self = Value::NewClosure(1),
            _ => {}
        }
    }
}
