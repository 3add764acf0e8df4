//! Fixup of what suspends, calls back, fills stacks and ends.

use super::*;

/// The most levels that a coroutine is suspended inside of.
const MAX_LEVELS: usize = 4;
/// The highest tower, in its own units.
const MAX_HEIGHT: u8 = 120;
/// The most steps that a hook makes, which is called at every instruction.
const MAX_HOOK_STEPS: u8 = 8;
/// The most steps where a function of the library calls back, and where a handler fails: they are made some 200 times.
const MAX_REPEATED_STEPS: u8 = 2;
/// How many operations may follow the end of a script.
const MAX_AFTER_EXIT: usize = 2;

impl Fixer {
    pub(super) fn suspended_scope(&mut self, scope: &mut SuspendedScope) -> Option<()> {
        let SuspendedScope { id, place, locals, functions, levels, steps, ending } = scope;
        levels.truncate(MAX_LEVELS);
        *steps = (*steps).min(MAX_STEPS);
        let count = self.scope_locals(locals);
        self.scope_functions(functions, count)?;
        self.define_coroutine(id, place, false);
        if *ending == Ending::Dropped {
            self.coroutines.iter_mut().filter(|coroutine| coroutine.new == id.0).for_each(|c| c.gone = true);
        }
        Some(())
    }

    pub(super) fn drop_coroutine(&mut self, DropCoroutine { coroutine }: &mut DropCoroutine) -> Option<()> {
        if self.in_coroutine || self.in_callback {
            return None;
        }
        self.coroutine(coroutine, |_| true)?;
        self.coroutines.iter_mut().filter(|variable| variable.new == coroutine.0).for_each(|c| c.gone = true);
        Some(())
    }

    pub(super) fn callback(&mut self, Callback { site, body }: &mut Callback) -> Option<()> {
        let outer = std::mem::replace(&mut self.in_callback, true);
        let nested = self.nested(body, self.in_coroutine, self.in_protected || site.catches());
        self.in_callback = outer;
        nested?;
        (!body.is_empty()).then_some(())
    }

    pub(super) fn hooked_call(&mut self, call: &mut HookedCall) -> Option<()> {
        let HookedCall { function, argument, steps, inside, collect, .. } = call;
        *inside &= !*collect || self.may_count_survivors().is_some();
        self.function(function)?;
        self.value(argument);
        *steps = (*steps).clamp(1, MAX_HOOK_STEPS);
        Some(())
    }

    pub(super) fn tower(&mut self, Tower { of, height, steps, watched }: &mut Tower) {
        *height = (*height).clamp(1, MAX_HEIGHT);
        // Nothing that has a finalizer may become garbage while a stack overflows.
        if of.overflows() && !self.is_plain_main() {
            *of = TowerKind::Calls;
        }
        *watched &= !of.overflows();
        let is_repeated = matches!(of, TowerKind::NativeOverflow | TowerKind::HandlerOverflow);
        *steps = (*steps).min(if is_repeated { MAX_REPEATED_STEPS } else { MAX_STEPS });
    }

    pub(super) fn exit(&mut self, exit: &mut Exit) -> Option<()> {
        exit.status = exit.status.map(|status| status % 4);
        (self.depth == 0 && self.following <= MAX_AFTER_EXIT).then_some(())
    }
}
