//! Binary chunks, valid and mutated: whatever passes verification runs without harm.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target, fuzzer_mutate};
use moonphase::fuzzing;

fuzz_target!(init: moonphase_fuzz::start(), |data: &[u8]| -> Corpus {
    moonphase_fuzz::finish(fuzzing::run_chunk(data), &[])
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    fuzzing::mutate_chunk(data, size, max_size, seed, fuzzer_mutate)
});
