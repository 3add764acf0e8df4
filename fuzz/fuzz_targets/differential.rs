//! Scripts before all oracles: the checker, the quarantine, reference Lua.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::{Corpus, fuzz_crossover, fuzz_mutator, fuzz_target};
use moonphase::fuzzing::{self, Differential};

thread_local! {
    static TARGET: RefCell<Differential> = RefCell::new(Differential::new(&moonphase_fuzz::wishes()));
}

fuzz_target!(init: moonphase_fuzz::start(), |data: &[u8]| -> Corpus {
    TARGET.with_borrow_mut(|target| {
        let fate = target.run(data);
        moonphase_fuzz::finish(fate, &target.take_cells())
    })
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    fuzzing::mutate(data, size, max_size, seed)
});

fuzz_crossover!(|data1: &[u8], data2: &[u8], out: &mut [u8], seed: u32| {
    fuzzing::crossover(data1, data2, out, seed)
});
