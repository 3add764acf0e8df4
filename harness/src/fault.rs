//! Planted faults, as options and headers name them: collectors that are wrong in one known way.
//!
//! They are in the VM where the feature `faults` is, which is on unless it is switched off. Without it there is no fault,
//! and naming one is an error that says so; nothing else depends on the feature.

use std::fmt::{self, Write};
use std::str::FromStr;

pub use moonphase_probe::fault::Fault as CFault;
use moonphase_vm::Options;

use crate::engine::EngineName;

#[cfg(feature = "faults")]
pub use moonphase_vm::gc::{Fault, UnknownFault};

#[cfg(not(feature = "faults"))]
pub use absent::{Fault, UnknownFault};

/// A fault of our VM, or of a C Lua.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Planted {
    /// Of our VM.
    Ours(Fault),
    /// Of a stock engine.
    Theirs(&'static CFault),
}

impl Planted {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Planted::Ours(fault) => fault.name(),
            Planted::Theirs(fault) => fault.name,
        }
    }

    /// The engine that it lives in.
    pub fn engine(self) -> EngineName {
        match self {
            Planted::Ours(_) => EngineName::Moonphase,
            Planted::Theirs(fault) => EngineName::of_stock(fault.stock),
        }
    }

    /// The fault, if it is one of our VM.
    pub fn ours(self) -> Option<Fault> {
        match self {
            Planted::Ours(fault) => Some(fault),
            Planted::Theirs(_) => None,
        }
    }

    /// The fault, if it is one of a C Lua.
    pub fn theirs(self) -> Option<&'static CFault> {
        match self {
            Planted::Ours(_) => None,
            Planted::Theirs(fault) => Some(fault),
        }
    }

    /// Every fault of an engine.
    pub fn of(engine: &EngineName) -> Vec<Planted> {
        let ours = Fault::ALL.iter().map(|&fault| Planted::Ours(fault));
        let theirs = CFault::all().map(Planted::Theirs);
        ours.chain(theirs).filter(|fault| fault.engine() == *engine).collect()
    }
}

impl From<Fault> for Planted {
    fn from(fault: Fault) -> Planted {
        Planted::Ours(fault)
    }
}

impl fmt::Display for Planted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Planted {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Planted, UnknownFault> {
        match text.parse() {
            Ok(fault) => Ok(Planted::Theirs(fault)),
            Err(_) => text.parse().map(Planted::Ours),
        }
    }
}

/// Puts a fault into the collector of a VM that is to be made.
#[cfg(feature = "faults")]
pub fn plant(options: &mut Options, fault: Option<Fault>) {
    options.fault = fault;
}

/// Puts a fault into the collector of a VM that is to be made: there is none.
#[cfg(not(feature = "faults"))]
pub fn plant(_: &mut Options, fault: Option<Fault>) {
    if let Some(fault) = fault {
        match fault {}
    }
}

/// The page that says what each fault is, in Markdown.
pub fn catalogue() -> String {
    let mut page = "# Planted faults\n\n\
        Collectors that are wrong in one known way, to measure what finds them: `--fault NAME` plants one, and\n\
        `moonphase faults` finds each. `moonphase faults --list` prints this page.\n\n\
        | fault | policy | what is wrong | had by |\n|---|---|---|---|\n"
        .to_owned();
    for &fault in Fault::ALL {
        let (name, gc, breaks) = (fault.name(), fault.policy(), fault.breaks());
        // Writing to a string cannot fail.
        let _ = writeln!(page, "| `{name}` | `{gc}` | {breaks} | {} |", fault.origin().unwrap_or_default());
    }
    page.push_str(
        "\n## In C\n\nEdits of single functions of the stock engines, which `moonphase faults --engine lua51` (or `lua54`) plants.\n\n\
        | fault | file | function | what is wrong |\n|---|---|---|---|\n",
    );
    for CFault { name, file, function, breaks, .. } in CFault::all() {
        let _ = writeln!(page, "| `{name}` | `{file}` | `{function}` | {breaks} |");
    }
    page
}

#[cfg(not(feature = "faults"))]
mod absent {
    use std::fmt;
    use std::str::FromStr;

    /// A fault that can be planted into a collector: in this build there is none.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum Fault {}

    #[allow(missing_docs)]
    impl Fault {
        pub const ALL: &'static [Fault] = &[];

        pub fn name(self) -> &'static str {
            match self {}
        }

        pub fn breaks(self) -> &'static str {
            match self {}
        }

        pub fn policy(self) -> &'static str {
            match self {}
        }

        pub fn origin(self) -> Option<&'static str> {
            match self {}
        }
    }

    impl fmt::Display for Fault {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            match *self {}
        }
    }

    /// A fault was named.
    #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
    #[error("this build has no planted faults: build it with the feature 'faults'")]
    pub struct UnknownFault;

    impl FromStr for Fault {
        type Err = UnknownFault;

        fn from_str(_: &str) -> Result<Self, Self::Err> {
            Err(UnknownFault)
        }
    }
}

#[cfg(all(test, feature = "faults"))]
mod tests {
    use std::collections::BTreeSet;

    use moonphase_vm::gc::Policy;

    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own_and_lives_in_a_correct_policy() {
        let names: BTreeSet<_> = Fault::ALL.iter().map(|fault| fault.name()).collect();
        assert_eq!(names.len(), Fault::ALL.len());
        for &fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(fault));
            let policy: Policy = fault.policy().parse().unwrap_or_else(|error| panic!("{fault}: {error}"));
            assert!(policy.is_sound(), "{fault}");
        }
    }

    #[test]
    fn the_page_about_faults_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/faults.md");
        let saved = std::fs::read_to_string(path).unwrap_or_default();
        assert!(saved == catalogue(), "docs/faults.md is not what `moonphase faults --list` prints");
    }
}
