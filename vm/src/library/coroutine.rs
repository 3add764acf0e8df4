//! Coroutines (manual §6.2).

use super::{check_function, control, plain, register};
use crate::gc::{Gc, ScopeEnd};
use crate::interpreter::{Builtin, Call, Control, NativeResult, Throw, Vm};
use crate::value::{Thread, ThreadStatus, Value};

pub(crate) static FUNCTIONS: &[Builtin] = &[
    plain("create", create),
    control("resume", Control::Resume),
    plain("running", running),
    plain("status", status),
    plain("wrap", wrap),
    control("yield", Control::Yield),
    plain("isyieldable", isyieldable),
    plain("close", close),
];

/// What the functions run that `coroutine.wrap` makes.
static WRAPPED: Builtin = control("wrap", Control::Wrapped);

pub(crate) fn open(vm: &mut Vm) {
    register(vm, "coroutine", FUNCTIONS);
}

fn check_thread(call: &mut Call<'_>) -> Result<Gc<Thread>, Throw> {
    match call.arg(0) {
        Value::Thread(thread) => Ok(thread),
        _ => Err(call.type_error(0, "thread")),
    }
}

fn create(call: &mut Call<'_>) -> NativeResult {
    let function = check_function(call, 0)?;
    let thread = call.new_coroutine(function);
    call.ret(Value::Thread(thread))
}

fn wrap(call: &mut Call<'_>) -> NativeResult {
    let function = check_function(call, 0)?;
    let thread = call.new_coroutine(function);
    let closure = call.new_native_closure(&WRAPPED, &[Value::Thread(thread)]);
    call.ret(Value::NativeClosure(closure))
}

fn running(call: &mut Call<'_>) -> NativeResult {
    let current = call.vm.heap.current();
    let is_main = current == call.vm.heap.main_thread();
    call.ret_all(&[Value::Thread(current), Value::Boolean(is_main)])
}

fn status_name(call: &Call<'_>, thread: Gc<Thread>) -> &'static str {
    if thread == call.vm.heap.current() {
        return "running";
    }
    match thread.status.get() {
        ThreadStatus::Suspended => "suspended",
        ThreadStatus::Running => "running",
        ThreadStatus::Normal => "normal",
        ThreadStatus::Dead => "dead",
    }
}

fn status(call: &mut Call<'_>) -> NativeResult {
    let thread = check_thread(call)?;
    let name = status_name(call, thread);
    call.ret_bytes(name.as_bytes())
}

fn isyieldable(call: &mut Call<'_>) -> NativeResult {
    let thread = if call.arg_count() == 0 { call.vm.heap.current() } else { check_thread(call)? };
    let yieldable = if thread == call.vm.heap.current() {
        call.vm.is_yieldable()
    } else {
        thread != call.vm.heap.main_thread() && thread.native_boundaries == 0
    };
    call.ret(yieldable)
}

fn close(call: &mut Call<'_>) -> NativeResult {
    let thread = check_thread(call)?;
    match status_name(call, thread) {
        "suspended" | "dead" => match call.vm.close_coroutine(thread, ScopeEnd::CoroutineClose)? {
            Ok(()) => call.ret(true),
            Err(error) => call.ret_all(&[Value::Boolean(false), error]),
        },
        busy => Err(call.error(format!("cannot close a {busy} coroutine"))),
    }
}
