//! Any bytes as a source, which our compiler accepts exactly when reference Lua's does.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target, fuzzer_mutate};
use moonphase::fuzzing;

fuzz_target!(init: moonphase_fuzz::start(), |data: &[u8]| -> Corpus {
    moonphase_fuzz::finish(fuzzing::compare_parsers(data), &[])
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    fuzzing::mutate_source(data, size, max_size, seed, fuzzer_mutate)
});
