use std::collections::BTreeSet;

use moonphase_vm::{Options, Vm};

use super::*;
use crate::engine::reference::ReferenceEngine;
use crate::engine::vm::VmEngine;
use crate::engine::{Case, Engine, puc};
use crate::limits::Limits;
use crate::outcome::{Comparison, End, compare};
use crate::settings::{Check, Settings};
use moonphase_vm::System;

#[test]
fn every_program_is_valid_lua() {
    for case in 0..2_000 {
        let program = generate(1, case);
        let mut vm = Vm::new(Options::default()).unwrap();
        let loaded = vm.load_chunk(&program.text, "@case.lua");
        if let Err(error) = loaded {
            panic!("case {case}: {error}\n{}", program.text);
        }
    }
}

#[test]
fn a_program_is_a_function_of_seed_and_case() {
    assert_eq!(generate(1, 2), generate(1, 2));
    assert_ne!(generate(1, 2).text, generate(1, 3).text);
    assert_ne!(generate(1, 2).text, generate(2, 2).text);
}

#[test]
fn the_catalog_is_the_library() {
    const NAMES: &str = "local names = {}
        for module, functions in pairs(package.loaded) do
          for name, value in pairs(functions) do
            if type(value) == 'function' then names[#names + 1] = (module == '_G' and '' or module .. '.') .. name end
          end
        end
        for name in pairs(getmetatable(io.stdout).__index) do names[#names + 1] = 'file.' .. name end
        return table.concat(names, ' ')";
    let library: String = Vm::new(Options::default()).unwrap().eval(NAMES).unwrap();
    let library: BTreeSet<&str> = library.split(' ').collect();
    assert_eq!(catalog::LIBRARY.iter().map(|function| function.name).collect::<BTreeSet<_>>(), library);
}

#[test]
fn every_function_and_nearly_every_operator_on_a_pair_of_types_comes_soon() {
    let mut census = Census::default();
    for case in 0..3_000 {
        census.add(&generate(7, case).uses);
    }
    let summary = census.summary();
    let missing: Vec<_> = summary.functions.iter().filter(|(_, count)| **count < 20).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(summary.operators.len(), 21 * 81 + 4 * 9);
    let missing = summary.operators.values().filter(|&&count| count == 0).count();
    assert!(missing < 60, "{missing}");
}

#[test]
fn programs_mostly_come_to_their_end_and_do_the_same_in_both_engines() {
    let mut ours = VmEngine::new(Settings { system: System::Full, check: Check::Off, ..Settings::default() });
    let mut reference = ReferenceEngine::with_system(System::Full);
    let (mut returned, mut agreed) = (0, 0);
    for case in 0..200 {
        let text = generate(11, case).text;
        let script = Case::new(text.as_bytes(), "@case.lua");
        let ours = ours.run(&script, &Limits::default()).outcome;
        let other = reference.run(&script, &Limits::default()).outcome;
        returned += u32::from(other.end == End::Returned);
        match compare(ours.in_words_of(&puc::WORDS), other.in_words_of(&puc::WORDS)) {
            Comparison::Agree => agreed += 1,
            Comparison::Inconclusive(_) => {}
            Comparison::Differ(difference) => panic!("case {case}: {difference:?}\n{text}"),
        }
    }
    assert!(agreed >= 198, "{agreed}");
    assert!(returned > 150, "{returned}");
}
