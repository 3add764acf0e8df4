//! What the functions and hooks of one run share: the output, what ended the script, and when the collector runs.
//!
//! C functions without upvalues find it in a variable of the thread, so that a script cannot tell them from those of Lua.

use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;

use mlua::ffi::{self, lua_State};
use moonphase_heap::Mode;
use moonphase_vm::System;

use super::stock::Stock;
use crate::circumstance::Timing;
use crate::limits::LimitKind;
use crate::outcome::{End, Output};

/// Instructions between two looks at the instruction budget.
const HOOK_PERIOD: u32 = 1000;

/// Collections that a timing adds to a run: kilobytes that they go over, after which they come a quarter as often. That takes
/// a tenth of a second.
const COLLECTED: u64 = 100_000;

/// What one run shares.
pub(super) struct Host {
    /// What the script may use of the machine.
    pub(super) system: System,
    /// The functions that ours stand before.
    pub(super) stock: Cell<Stock>,
    output: RefCell<Output>,
    /// In a copy of the process: where it is to tell what came of it.
    told: RefCell<Option<OwnedFd>>,
    /// What ended the script in the midst. While it is set, every further instruction and call raises an error again, so that
    /// `pcall` in the script does not hide the end for good.
    stopped: RefCell<Option<End>>,
    /// What is printed is no part of the outcome any more; finalizers may still run.
    ended: Cell<bool>,
    /// Instructions left, `None` without a limit.
    left: Cell<Option<u64>>,
    timing: Option<Timing>,
    /// The mode of the collector that the script has asked for.
    mode: Cell<Mode>,
    /// Instructions between two calls of the hook, 0 without a hook.
    period: Cell<u32>,
    /// Kilobytes that collections may still go over before they come a quarter as often.
    collections: Cell<u64>,
}

thread_local! {
    static CURRENT: Cell<*const Host> = const { Cell::new(std::ptr::null()) };
}

/// Keeps a host where its functions find it.
pub(super) struct Present<'h>(PhantomData<&'h Host>);

impl Present<'_> {
    pub(super) fn new(host: &Host) -> Present<'_> {
        CURRENT.set(host);
        Present(PhantomData)
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        CURRENT.set(std::ptr::null());
    }
}

/// The host of the state that calls.
///
/// # Safety
/// A [`Present`] must live, and outlive what is returned.
#[allow(unsafe_code)]
pub(super) unsafe fn current<'h>() -> &'h Host {
    // SAFETY: the pointer is that of the host that the living `Present` borrows.
    unsafe { &*CURRENT.get() }
}

impl Host {
    pub(super) fn new(system: System, output: Output, instructions: Option<u64>, timing: Option<Timing>) -> Host {
        let budget = instructions.map(|budget| u32::try_from(budget).unwrap_or(HOOK_PERIOD).clamp(1, HOOK_PERIOD));
        let turns = timing.map(|timing| match timing {
            Timing::Never => HOOK_PERIOD / 10,
            Timing::Small => HOOK_PERIOD,
            Timing::Full(every) | Timing::Step(every) | Timing::Hasty(every) => every,
        });
        Host {
            system,
            stock: Cell::default(),
            output: RefCell::new(output),
            told: RefCell::new(None),
            stopped: RefCell::new(None),
            ended: Cell::new(false),
            left: Cell::new(instructions),
            timing,
            mode: Cell::new(if timing == Some(Timing::Small) { Mode::Generational } else { Mode::Incremental }),
            period: Cell::new(turns.or(budget).unwrap_or(0)),
            collections: Cell::new(COLLECTED),
        }
    }

    /// Writes to the output; an error where the script has ended or ends by that.
    pub(super) fn emit(&self, bytes: &[u8]) -> Result<(), ()> {
        if self.ended.get() {
            return Ok(());
        }
        if self.stopped.borrow().is_some() {
            return Err(());
        }
        self.output.borrow_mut().write(bytes).map_err(|_| self.stop(End::Limit(LimitKind::Output)))
    }

    /// The script has come to this end, in the midst of what it does.
    pub(super) fn stop(&self, end: End) {
        self.stopped.borrow_mut().get_or_insert(end);
    }

    /// Whether this is a copy of the process, in which the state is closed.
    pub(super) fn is_copy(&self) -> bool {
        self.told.borrow().is_some()
    }

    /// This is a copy of the process from now on.
    pub(super) fn become_copy(&self, told: OwnedFd) {
        self.told.replace(Some(told));
    }

    /// What a copy of the process is to tell of a program that ends with this status: all that was printed, and the end.
    pub(super) fn last_words(&self, status: c_int) -> (Option<OwnedFd>, (Vec<u8>, End)) {
        let end = self.stopped.borrow().clone().unwrap_or(End::Exit(status));
        (self.told.take(), (self.output.borrow_mut().take_bytes(), end))
    }

    /// The script has ended in a copy of the process, which has told this.
    pub(super) fn go_on_with(&self, (bytes, end): (Vec<u8>, End)) {
        let mut output = self.output.borrow_mut();
        output.take_bytes();
        // It has fitted before.
        let _ = output.write(&bytes);
        self.stop(end);
    }

    /// No more is part of the outcome.
    pub(super) fn mute(&self) {
        self.ended.set(true);
    }

    /// The outcome: what was printed, and what has ended the script in the midst.
    pub(super) fn outcome(&self) -> (Vec<Vec<u8>>, Option<End>) {
        (self.output.borrow_mut().take_lines(), self.stopped.borrow().clone())
    }

    /// Whether whatever runs is to be ended by an error.
    pub(super) fn raises(&self) -> bool {
        !self.ended.get() && self.stopped.borrow().is_some()
    }

    fn count(&self) {
        if let Some(left) = self.left.get() {
            let left = left.saturating_sub(u64::from(self.period.get()));
            self.left.set(Some(left));
            if left == 0 && !self.ended.get() {
                self.stop(End::Limit(LimitKind::Instructions));
            }
        }
    }

    /// Runs the collector as the timing says.
    #[allow(unsafe_code)]
    fn turn(&self, state: *mut lua_State) {
        let Some(timing) = self.timing else { return };
        // SAFETY: the state is that which calls the hook; `lua_gc` raises no errors, and does nothing in a finalizer.
        unsafe {
            match timing {
                Timing::Never => {
                    // A debt that no program works off.
                    const CREDIT: c_int = -(1 << 20);
                    ffi::lua_gc(state, ffi::LUA_GCSTEP, CREDIT);
                }
                Timing::Full(_) => {
                    ffi::lua_gc(state, ffi::LUA_GCCOLLECT);
                    self.thin_out(state);
                }
                Timing::Step(_) => {
                    ffi::lua_gc(state, ffi::LUA_GCSTEP, 0 as c_int);
                }
                Timing::Small => {}
                Timing::Hasty(_) => {
                    let [pause, multiplier]: [c_int; 2] = [4, 1000];
                    ffi::lua_gc(state, ffi::LUA_GCSETPAUSE, pause);
                    ffi::lua_gc(state, ffi::LUA_GCSETSTEPMUL, multiplier);
                    if ffi::lua_gc(state, ffi::LUA_GCISRUNNING) != 0 {
                        ffi::lua_gc(state, ffi::LUA_GCRESTART);
                    }
                }
            }
        }
    }

    /// Collections come a quarter as often once they have gone over so much; the whole run takes a small number of such parts.
    #[allow(unsafe_code)]
    fn thin_out(&self, state: *mut lua_State) {
        // SAFETY: as in `turn`.
        let kilobytes = unsafe { ffi::lua_gc(state, ffi::LUA_GCCOUNT) };
        match self.collections.get().checked_sub(u64::try_from(kilobytes).unwrap_or(0)) {
            Some(left) => self.collections.set(left),
            None => {
                self.collections.set(COLLECTED);
                self.period.set(self.period.get().saturating_mul(4));
            }
        }
    }

    /// Begins the timing in a fresh state.
    ///
    /// # Safety
    /// The state must be alive, and the host present.
    #[allow(unsafe_code)]
    pub(super) unsafe fn start(&self, state: *mut lua_State) {
        // SAFETY: the caller's.
        unsafe {
            if self.timing == Some(Timing::Small) {
                let [pause, multiplier, size]: [c_int; 3] = [1000, 4, 1];
                ffi::lua_gc(state, ffi::LUA_GCINC, pause, multiplier, size);
            }
            self.hook(state);
        }
    }

    /// The script asks for a mode. Gives the one before, as the script knows it.
    pub(super) fn ask_mode(&self, mode: Mode) -> Mode {
        self.mode.replace(mode)
    }

    /// Sets the hook of a thread that has none, where one is needed.
    ///
    /// # Safety
    /// The state must be alive, and the host present.
    #[allow(unsafe_code)]
    pub(super) unsafe fn hook(&self, state: *mut lua_State) {
        if let Ok(period @ 1..) = c_int::try_from(self.period.get()) {
            // SAFETY: the caller's.
            unsafe { ffi::lua_sethook(state, Some(tick), ffi::LUA_MASKCOUNT, period) };
        }
    }
}

/// The hook: counts instructions, runs the collector, and ends what is to be ended. New threads inherit it.
#[allow(unsafe_code)]
pub(super) unsafe extern "C-unwind" fn tick(state: *mut lua_State, _: *mut ffi::lua_Debug) {
    // SAFETY: hooks are called while the host is present. Nothing here that has a destructor lives when an error is raised.
    unsafe {
        let host = current();
        let period = host.period.get();
        host.count();
        host.turn(state);
        if host.raises() {
            ffi::lua_sethook(state, Some(tick), ffi::LUA_MASKCOUNT, 1);
            raise(state);
        }
        if host.period.get() != period {
            host.hook(state);
        }
    }
}

/// Raises the error of a script that has come to its end.
///
/// # Safety
/// The state must be alive, and nothing above it on the stack may have a destructor.
#[allow(unsafe_code)]
pub(super) unsafe fn raise(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_pushstring(state, c"the script has ended".as_ptr());
        ffi::lua_error(state)
    }
}
