//! Lua text over the whole library, mutated: whatever it does, the VM outlives it.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_crossover, fuzz_mutator, fuzz_target, fuzzer_mutate};
use moonphase::fuzzing;

fuzz_target!(init: moonphase_fuzz::start(), |data: &[u8]| -> Corpus {
    moonphase_fuzz::finish(fuzzing::run_library(data), &[])
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    fuzzing::mutate_library(data, size, max_size, seed, fuzzer_mutate)
});

fuzz_crossover!(|data1: &[u8], data2: &[u8], out: &mut [u8], seed: u32| {
    fuzzing::crossover_library(data1, data2, out, seed)
});
