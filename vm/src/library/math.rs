//! Mathematics (manual §6.7), with the functions of earlier versions that stock builds of Lua 5.4 keep.
//!
//! Random numbers come from xoshiro256**, as in Lua 5.4; the first seed is the host's, so that a run can be repeated.

use super::{plain, register, set_field};
use crate::interpreter::{Builtin, Call, NativeResult, Vm, to_integer};
use crate::random;
use crate::value::{FloatRounding, Value, float_to_integer};

pub(crate) static FUNCTIONS: &[Builtin] = &[
    plain("abs", abs),
    plain("ceil", ceil),
    plain("floor", floor),
    plain("max", max),
    plain("min", min),
    plain("fmod", fmod),
    plain("modf", modf),
    plain("log", log),
    plain("exp", |call| unary(call, f64::exp)),
    plain("sqrt", |call| unary(call, f64::sqrt)),
    plain("sin", |call| unary(call, f64::sin)),
    plain("cos", |call| unary(call, f64::cos)),
    plain("tan", |call| unary(call, f64::tan)),
    plain("asin", |call| unary(call, f64::asin)),
    plain("acos", |call| unary(call, f64::acos)),
    plain("atan", atan),
    plain("deg", |call| unary(call, |x| x * (180.0 / std::f64::consts::PI))),
    plain("rad", |call| unary(call, |x| x * (std::f64::consts::PI / 180.0))),
    plain("tointeger", tointeger),
    plain("type", type_),
    plain("ult", ult),
    plain("random", random),
    plain("randomseed", randomseed),
    plain("cosh", |call| unary(call, f64::cosh)),
    plain("sinh", |call| unary(call, f64::sinh)),
    plain("tanh", |call| unary(call, f64::tanh)),
    plain("log10", |call| unary(call, f64::log10)),
    plain("pow", pow),
    plain("frexp", frexp),
    plain("ldexp", ldexp),
];

pub(crate) fn open(vm: &mut Vm) {
    let math = register(vm, "math", FUNCTIONS);
    set_field(vm, math, "pi", Value::Float(std::f64::consts::PI));
    set_field(vm, math, "huge", Value::Float(f64::INFINITY));
    set_field(vm, math, "maxinteger", Value::Integer(i64::MAX));
    set_field(vm, math, "mininteger", Value::Integer(i64::MIN));
    vm.random = random::seeded(vm.options.seed, 0);
}

fn unary(call: &mut Call<'_>, function: fn(f64) -> f64) -> NativeResult {
    let x = call.check_float(0)?;
    call.ret(function(x))
}

/// A float without fraction, as an integer where one can hold it.
fn whole(value: f64) -> Value {
    float_to_integer(value, FloatRounding::Exact).map_or(Value::Float(value), Value::Integer)
}

fn abs(call: &mut Call<'_>) -> NativeResult {
    match call.arg(0) {
        Value::Integer(i) => call.ret(i.wrapping_abs()),
        _ => unary(call, f64::abs),
    }
}

fn floor(call: &mut Call<'_>) -> NativeResult {
    match call.arg(0) {
        Value::Integer(i) => call.ret(i),
        _ => {
            let x = call.check_float(0)?;
            call.ret(whole(x.floor()))
        }
    }
}

fn ceil(call: &mut Call<'_>) -> NativeResult {
    match call.arg(0) {
        Value::Integer(i) => call.ret(i),
        _ => {
            let x = call.check_float(0)?;
            call.ret(whole(x.ceil()))
        }
    }
}

fn fmod(call: &mut Call<'_>) -> NativeResult {
    match (call.arg(0), call.arg(1)) {
        (Value::Integer(_), Value::Integer(0)) => Err(call.arg_error(1, "zero")),
        (Value::Integer(a), Value::Integer(b)) => call.ret(a.wrapping_rem(b)),
        _ => {
            // In this order: both are arguments of one call in C, which compilers evaluate from the last.
            let b = call.check_float(1)?;
            let a = call.check_float(0)?;
            call.ret(a % b)
        }
    }
}

fn modf(call: &mut Call<'_>) -> NativeResult {
    if let Value::Integer(i) = call.arg(0) {
        return call.ret_all(&[Value::Integer(i), Value::Float(0.0)]);
    }
    let x = call.check_float(0)?;
    let integral = if x < 0.0 { x.ceil() } else { x.floor() };
    // An infinity minus itself would be no number.
    let fraction = if x == integral { 0.0 } else { x - integral };
    call.ret_all(&[whole(integral), Value::Float(fraction)])
}

fn log(call: &mut Call<'_>) -> NativeResult {
    let x = call.check_float(0)?;
    if call.arg(1).is_nil() {
        return call.ret(x.ln());
    }
    let base = call.check_float(1)?;
    call.ret(if base == 2.0 {
        x.log2()
    } else if base == 10.0 {
        x.log10()
    } else {
        x.ln() / base.ln()
    })
}

fn atan(call: &mut Call<'_>) -> NativeResult {
    let y = call.check_float(0)?;
    let x = if call.arg(1).is_nil() { 1.0 } else { call.check_float(1)? };
    call.ret(y.atan2(x))
}

fn pow(call: &mut Call<'_>) -> NativeResult {
    let x = call.check_float(0)?;
    let y = call.check_float(1)?;
    call.ret(x.powf(y))
}

fn frexp(call: &mut Call<'_>) -> NativeResult {
    let x = call.check_float(0)?;
    let (mantissa, exponent) = split(x);
    call.ret_all(&[Value::Float(mantissa), Value::Integer(exponent)])
}

/// A float as a mantissa in [0.5, 1) and an exponent of two.
fn split(x: f64) -> (f64, i64) {
    if x == 0.0 || !x.is_finite() {
        return (x, 0);
    }
    const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
    let (x, shifted) = if x.is_subnormal() { (x * TWO_TO_64, 64) } else { (x, 0) };
    let bits = x.to_bits();
    let exponent = (bits >> 52 & 0x7FF) as i64 - 1022;
    (f64::from_bits(bits & !(0x7FF << 52) | 1022 << 52), exponent - shifted)
}

fn ldexp(call: &mut Call<'_>) -> NativeResult {
    let x = call.check_float(0)?;
    let exponent = call.check_integer(1)? as i32;
    call.ret(scale(x, exponent))
}

/// `x * 2^exponent`, rounded once.
fn scale(x: f64, exponent: i32) -> f64 {
    let (mantissa, own) = split(x);
    if mantissa == 0.0 || !mantissa.is_finite() {
        return x;
    }
    let exponent = own + i64::from(exponent);
    if exponent > 1024 {
        return f64::INFINITY.copysign(x);
    }
    if exponent < -1080 {
        return 0f64.copysign(x);
    }
    // Both factors are powers of two that a float can hold; only the second product can round.
    let half = (exponent / 2) as i32;
    mantissa * 2f64.powi(half) * 2f64.powi(exponent as i32 - half)
}

fn max(call: &mut Call<'_>) -> NativeResult {
    extreme(call, |call, best, candidate| call.less_than(best, candidate))
}

fn min(call: &mut Call<'_>) -> NativeResult {
    extreme(call, |call, best, candidate| call.less_than(candidate, best))
}

fn extreme(
    call: &mut Call<'_>,
    better: fn(&mut Call<'_>, Value, Value) -> Result<bool, crate::interpreter::Throw>,
) -> NativeResult {
    call.check_any(0)?;
    let mut best = 0;
    for index in 1..call.arg_count() {
        if better(call, call.arg(best), call.arg(index))? {
            best = index;
        }
    }
    call.ret(call.arg(best))
}

fn tointeger(call: &mut Call<'_>) -> NativeResult {
    let value = call.check_any(0)?;
    call.ret(to_integer(value).map_or(Value::Nil, Value::Integer))
}

fn type_(call: &mut Call<'_>) -> NativeResult {
    match call.check_any(0)? {
        Value::Integer(_) => call.ret_bytes(b"integer"),
        Value::Float(_) => call.ret_bytes(b"float"),
        _ => call.ret(Value::Nil),
    }
}

fn ult(call: &mut Call<'_>) -> NativeResult {
    let a = call.check_integer(0)?;
    let b = call.check_integer(1)?;
    call.ret((a as u64) < (b as u64))
}

// Random numbers.

/// Projects a random number into `0..=limit`, without bias: draws again while it is outside.
fn project(mut random: u64, limit: u64, state: &mut [u64; 4]) -> u64 {
    let mask = u64::MAX.checked_shr(limit.leading_zeros()).unwrap_or(0);
    loop {
        random &= mask;
        if random <= limit {
            return random;
        }
        random = random::next(state);
    }
}

fn random(call: &mut Call<'_>) -> NativeResult {
    let random = random::next(&mut call.vm.random);
    let (low, high) = match call.arg_count() {
        0 => {
            // The high 53 bits make a float in [0, 1).
            const TWO_TO_53: f64 = 9_007_199_254_740_992.0;
            return call.ret((random >> 11) as f64 / TWO_TO_53);
        }
        1 => match call.check_integer(0)? {
            0 => return call.ret(random as i64),
            high => (1, high),
        },
        2 => (call.check_integer(0)?, call.check_integer(1)?),
        _ => return Err(call.error("wrong number of arguments")),
    };
    if low > high {
        return Err(call.arg_error(0, "interval is empty"));
    }
    let offset = project(random, (high as u64).wrapping_sub(low as u64), &mut call.vm.random);
    call.ret((low as u64).wrapping_add(offset) as i64)
}

fn randomseed(call: &mut Call<'_>) -> NativeResult {
    let (first, second) = if call.arg_count() == 0 {
        (call.vm.options.seed as i64, 0)
    } else {
        (call.check_integer(0)?, call.opt_integer(1, 0)?)
    };
    call.vm.random = random::seeded(first as u64, second as u64);
    call.ret_all(&[Value::Integer(first), Value::Integer(second)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_are_those_of_lua_for_the_same_seed() {
        // math.randomseed(42); print(math.random(0), math.random(0)) in Lua 5.4
        let mut state = random::seeded(42, 0);
        let numbers = [random::next(&mut state) as i64, random::next(&mut state) as i64];
        assert_eq!(numbers, [-1276290044721465627, 8333941968102511665]);
    }

    #[test]
    fn projection_stays_inside_the_interval() {
        let mut state = random::seeded(7, 0);
        for limit in [0, 1, 2, 6, 1000, u64::MAX - 1, u64::MAX] {
            for _ in 0..100 {
                let random = random::next(&mut state);
                assert!(project(random, limit, &mut state) <= limit);
            }
        }
    }

    #[test]
    fn splitting_and_scaling_are_inverse() {
        for x in [1.0, -0.75, 3e300, 5e-324, 1e-310, 0.0] {
            let (mantissa, exponent) = split(x);
            assert!(x == 0.0 || (0.5..1.0).contains(&mantissa.abs()));
            assert_eq!(scale(mantissa, exponent as i32), x);
        }
        assert_eq!(scale(1.0, 5000), f64::INFINITY);
        assert_eq!(scale(1.0, -5000), 0.0);
    }
}
