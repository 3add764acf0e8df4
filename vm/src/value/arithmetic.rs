//! Arithmetic on numbers that Rust's operators don't give (manual §3.4.1, §3.4.2). The compiler folds constants with the
//! same functions that the interpreter runs.

/// Floor division of integers; the divisor is not 0.
#[inline(always)]
pub(crate) fn floor_divide(a: i64, b: i64) -> i64 {
    let quotient = a.wrapping_div(b);
    if a.wrapping_rem(b) != 0 && (a ^ b) < 0 { quotient - 1 } else { quotient }
}

/// Modulo of integers, with the sign of the divisor, which is not 0.
#[inline(always)]
pub(crate) fn modulo(a: i64, b: i64) -> i64 {
    let rest = a.wrapping_rem(b);
    if rest != 0 && (rest ^ b) < 0 { rest + b } else { rest }
}

/// Modulo of floats, with the sign of the divisor.
#[inline(always)]
pub(crate) fn float_modulo(a: f64, b: f64) -> f64 {
    let rest = a % b;
    if rest != 0.0 && (rest < 0.0) != (b < 0.0) { rest + b } else { rest }
}

/// Power of floats; squares are common.
#[inline(always)]
pub(crate) fn power(a: f64, b: f64) -> f64 {
    if b == 2.0 { a * a } else { a.powf(b) }
}

/// `a << b`, logical; a negative `b` shifts right.
#[inline(always)]
pub(crate) fn shift_left(a: i64, b: i64) -> i64 {
    match b {
        0..=63 => ((a as u64) << b) as i64,
        -63..=-1 => ((a as u64) >> -b) as i64,
        _ => 0,
    }
}
