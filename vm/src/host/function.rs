//! Native functions of the host.
//!
//! Such a function is a native closure whose only upvalue is a userdata with the Rust closure.

use super::{Error, FromValues, IntoValues, LuaValue};
use crate::gc::Gc;
use crate::interpreter::{Builtin, Call, Function, NativeResult, Vm};
use crate::value::{NativeClosure, Value};
use std::rc::Rc;

/// A function of the host behind its conversions.
type Erased = Rc<dyn Fn(&mut Vm, Vec<LuaValue>) -> Result<Vec<LuaValue>, Error>>;

static CALL: Builtin = Builtin { name: "?", function: Function::Plain(call) };

/// Makes the closure. Nothing refers to it yet.
pub(super) fn create<A: FromValues, R: IntoValues>(
    vm: &mut Vm,
    function: impl Fn(&mut Vm, A) -> Result<R, Error> + 'static,
) -> Gc<NativeClosure> {
    let erased: Erased = Rc::new(move |vm, arguments| {
        let arguments = A::from_values(arguments, vm)?;
        function(vm, arguments)?.into_values(vm)
    });
    let data = vm.heap.new_userdata(Some(Box::new(erased)), 0);
    // No turn of the collector comes in between.
    vm.heap.new_native_closure(&CALL, &[Value::Userdata(data)])
}

fn call(call: &mut Call<'_>) -> NativeResult {
    let function = match call.upvalue(0) {
        Value::Userdata(data) => data.data.as_ref().and_then(|data| data.downcast_ref::<Erased>()).cloned(),
        _ => None,
    };
    // `debug.setupvalue` can put anything there.
    let Some(function) = function else { return Err(call.error("the native function is gone")) };
    let arguments = (0..call.arg_count()).map(|index| call.vm.hold(call.arg(index))).collect();
    let results = match function(call.vm, arguments) {
        Ok(results) => results,
        Err(Error::Type { index, expected, got }) => {
            return Err(call.arg_error(index, format!("{expected} expected, got {got}")));
        }
        Err(error) => return Err(error.into_throw(call.vm)),
    };
    let top = call.vm.top();
    call.vm.ensure_stack(top, results.len())?;
    for value in &results {
        match call.vm.resolve(value) {
            Ok(value) => call.push(value),
            Err(error) => return Err(error.into_throw(call.vm)),
        }
    }
    Ok(results.len())
}
