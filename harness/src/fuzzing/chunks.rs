//! Binary chunks before the VM: those that it makes, and what mutation makes of them.
//!
//! An input is a binary chunk, or a text that is compiled and dumped. There is no oracle but the process, which must
//! outlive every chunk; a sanitizer sees more. Most changes of a byte are refused by the verifier, and rightly, so most
//! mutations know what an instruction is and stay close to what passes.

use std::borrow::Cow;
use std::rc::Rc;

use moonphase_vm::bytecode::{Constant, HEADER_LENGTH, Instruction, Opcode, Template, is_binary};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{CHUNK_NAME, FRESH, Fate, LANGUAGE, TRIES, below, fresh, run_limited};

/// A program with instructions of every kind, which generated scripts do not have.
const INSTRUCTIONS: &[u8] = include_bytes!("../../../vm/tests/instructions.lua");
/// One mutation in so many is one of bytes.
const BYTEWISE: u32 = 4;
/// Numbers that are tried as opcodes: those that are some, and a few that are none.
const OPCODES: u64 = 96;

/// Loads and runs a chunk, with and without a collector that turns at every point.
///
/// # Panics
/// What was verified and dumped again is refused.
pub fn run_chunk(bytes: &[u8]) -> Fate {
    let chunk = if is_binary(bytes) {
        Cow::Borrowed(bytes)
    } else {
        match compiled(bytes) {
            Some(template) => Cow::Owned(template.dump(false)),
            None => return Fate::Rejected,
        }
    };
    let Ok(template) = Template::undump(&chunk) else { return Fate::Rejected };
    if let Err(error) = Template::undump(&template.dump(false)) {
        panic!("moonphase found: a verified chunk is refused when it is dumped again: {error}");
    }
    run_limited(&chunk)
}

/// Mutates the input in the first `size` bytes of `data` in place, and returns its new size, at most `max_size`.
/// `bytewise` is the fuzzing engine's own mutator.
pub fn mutate_chunk(
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
    bytewise: impl FnOnce(&mut [u8], usize, usize) -> usize,
) -> usize {
    let mut rng = ChaCha8Rng::seed_from_u64(seed.into());
    let old = &data[..size.min(data.len())];
    let made = if size <= 1 || seed.is_multiple_of(FRESH) {
        Some(new_chunk(&mut rng))
    } else if !is_binary(old) {
        compiled(old).map(|template| template.dump(flip(&mut rng)))
    } else if rng.next_u32().is_multiple_of(BYTEWISE) {
        None
    } else {
        Template::undump(old).ok().map(|template| changed_chunk(&template, &mut rng))
    };
    match made {
        Some(chunk) if chunk.len() <= max_size => {
            data[..chunk.len()].copy_from_slice(&chunk);
            chunk.len()
        }
        // The header is of no interest to mutation.
        _ if size.min(max_size) > HEADER_LENGTH => {
            HEADER_LENGTH + bytewise(&mut data[HEADER_LENGTH..], size - HEADER_LENGTH, max_size - HEADER_LENGTH)
        }
        _ => bytewise(data, size, max_size),
    }
}

/// The code of a text, if it compiles.
fn compiled(source: &[u8]) -> Option<Template> {
    LANGUAGE.compile(source, CHUNK_NAME.as_bytes()).ok()
}

/// The chunk with something changed, by a change that passes verification if there is one among a few.
fn changed_chunk(template: &Template, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut tries = 0..TRIES;
    loop {
        let mut mutant = template.clone();
        change(&mut mutant, rng);
        let chunk = mutant.dump(false);
        if tries.next().is_none() || Template::undump(&chunk).is_ok() {
            return chunk;
        }
    }
}

/// A chunk that nobody has touched.
fn new_chunk(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let strip = flip(rng);
    let template = match rng.next_u32() % 4 {
        0 => compiled(INSTRUCTIONS),
        _ => compiled(fresh(rng.next_u32()).render(&LANGUAGE).text.as_bytes()),
    };
    template.expect("generated scripts are valid Lua").dump(strip)
}

fn flip(rng: &mut ChaCha8Rng) -> bool {
    rng.next_u32().is_multiple_of(2)
}

/// Changes one thing in one of the functions.
fn change(template: &mut Template, rng: &mut ChaCha8Rng) {
    let mut function = template;
    while !function.prototypes.is_empty() && flip(rng) {
        let index = below(rng, function.prototypes.len());
        function = &mut function.prototypes[index];
    }
    let mut code = function.code.to_vec();
    let at = below(rng, code.len());
    match rng.next_u32() % 8 {
        // Keeps the code as long as it is.
        0 if at + 1 < code.len() => code.swap(at, at + 1),
        // The lines are left out, for they would not fit.
        1 if code.len() > 1 => {
            code.remove(at);
            function.lines = Rc::from([]);
            function.locals.clear();
        }
        2 => {
            let other = code[below(rng, code.len())];
            code.insert(at, other);
            function.lines = Rc::from([]);
        }
        3 => {
            let kinds = [Constant::Nil, Constant::Boolean(true), Constant::Integer(-1), Constant::Float(0.5)];
            let index = below(rng, function.constants.len());
            if let Some(constant) = function.constants.get_mut(index) {
                *constant = kinds[below(rng, kinds.len())].clone();
            }
        }
        4 => match rng.next_u32() % 3 {
            0 => function.max_stack = function.max_stack.wrapping_add_signed(1 - 2 * (rng.next_u32() % 2) as i8),
            1 => function.parameters = below(rng, 6) as u8,
            _ => function.variadic ^= true,
        },
        _ => code[at] = changed(code[at], function.max_stack, rng),
    }
    function.code = code.into();
}

/// The instruction with another opcode or operand. Operands are mostly registers that there are.
fn changed(instruction: Instruction, registers: u8, rng: &mut ChaCha8Rng) -> Instruction {
    let mut opcode = instruction.opcode();
    let mut operands = [instruction.a(), instruction.b(), instruction.c()];
    match rng.next_u32() % 4 {
        0 => opcode = Opcode::ALL[(rng.next_u64() % OPCODES) as usize],
        _ => {
            let operand = &mut operands[below(rng, 3)];
            *operand = match rng.next_u32() % 4 {
                0 => operand.wrapping_add(1),
                1 => operand.wrapping_sub(1),
                _ => below(rng, usize::from(registers) + 1) as u8,
            };
        }
    }
    let [a, b, c] = operands;
    Instruction::abc(opcode, a, b, c)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 1 << 16;

    #[test]
    fn mutants_do_no_harm_and_many_pass_verification() {
        let mut data = vec![0; SIZE];
        let mut size = 0;
        let mut passed = 0;
        for seed in 0..2000 {
            size = mutate_chunk(&mut data, size, SIZE, seed, |data, size, _| {
                let at = seed as usize % size.max(1);
                data[at] ^= 1 << (seed % 8);
                size
            });
            match run_chunk(&data[..size]) {
                Fate::Rejected => size = 0,
                _ => passed += 1,
            }
        }
        assert!((400..2000).contains(&passed), "{passed}");
    }

    #[test]
    fn text_is_an_input_and_mutates_into_a_chunk() {
        assert_eq!(run_chunk(b"return 1"), Fate::Executed);
        assert_eq!(run_chunk(b"while true do end"), Fate::Inconclusive);
        assert_eq!(run_chunk(b"return = 1"), Fate::Rejected);
        let mut data = b"return 1".to_vec();
        data.resize(SIZE, 0);
        let size = mutate_chunk(&mut data, 8, SIZE, 1, |_, _, _| 0);
        assert_eq!(run_chunk(&data[..size]), Fate::Executed);
        assert!(is_binary(&data));
    }

    #[test]
    fn no_chunk_is_larger_than_asked_for() {
        let mut data = vec![0; SIZE];
        for max_size in [0, 1, 34, 36, 200] {
            for seed in 0..40 {
                assert!(mutate_chunk(&mut data, max_size, max_size, seed, |_, size, _| size) <= max_size);
            }
        }
    }
}
