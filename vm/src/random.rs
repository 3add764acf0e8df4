//! Random numbers by xoshiro256** (Blackman and Vigna), seeded as Lua 5.4 does it.

/// The next number.
pub(crate) fn next(state: &mut [u64; 4]) -> u64 {
    let [a, b, c, d] = *state;
    let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
    let (c, d) = (c ^ a, d ^ b);
    *state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
    result
}

/// Puts the items into a random order.
pub(crate) fn shuffle<T>(state: &mut [u64; 4], items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, (next(state) % (last as u64 + 1)) as usize);
    }
}

/// The state that Lua makes of two seeds.
pub(crate) fn seeded(first: u64, second: u64) -> [u64; 4] {
    let mut state = [first, 0xFF, second, 0];
    for _ in 0..16 {
        next(&mut state);
    }
    state
}
