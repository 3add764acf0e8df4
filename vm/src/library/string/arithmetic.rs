//! The arithmetic metamethods of strings: a string that says a number counts as that number (manual §3.4.3).

use crate::interpreter::arithmetic::Operator;
use crate::interpreter::{Builtin, Call, NativeResult, to_number};
use crate::library::plain;
use crate::value::Value;

/// What the metatable of strings holds beside `__index`.
pub(super) static METAMETHODS: &[Builtin] = &[
    plain("__add", |call| arithmetic(call, Operator::Add)),
    plain("__sub", |call| arithmetic(call, Operator::Sub)),
    plain("__mul", |call| arithmetic(call, Operator::Mul)),
    plain("__mod", |call| arithmetic(call, Operator::Mod)),
    plain("__pow", |call| arithmetic(call, Operator::Pow)),
    plain("__div", |call| arithmetic(call, Operator::Div)),
    plain("__idiv", |call| arithmetic(call, Operator::IDiv)),
    plain("__unm", |call| arithmetic(call, Operator::Unm)),
];

fn arithmetic(call: &mut Call<'_>, operator: Operator) -> NativeResult {
    let (left, right) = (call.arg(0), call.arg(1));
    if let (Some(left), Some(right)) = (to_number(left), to_number(right)) {
        let result = call.arithmetic(operator, left, right)?;
        return call.ret(result);
    }
    // The string's metamethod came first; the other operand may have one that knows better.
    let event = operator.metamethod();
    let handler = match right {
        Value::String(_) => Value::Nil,
        _ => call.heap().metamethod_of(right, event),
    };
    if handler.is_nil() {
        let action = event.name().trim_start_matches('_');
        let (left, right) = (left.type_name(), right.type_name());
        return Err(call.error(format!("attempt to {action} a '{left}' with a '{right}'")));
    }
    let result = call.call1(handler, &[left, right])?;
    call.ret(result)
}
