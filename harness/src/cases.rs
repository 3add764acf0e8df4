//! What the cases of a campaign are: the operations of [`crate::script`], or [`crate::free`] programs.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::free::{self, Use};
use crate::language::Language;
use crate::minimize::Shrinkable;
use crate::script::{self, GeneratorOptions, OpKind};

/// A kind of scripts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scripts {
    /// Operations that a collector finds hard.
    #[default]
    Operations,
    /// The whole language and its library.
    Free,
}

/// A word that names no kind of scripts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown scripts '{0}' (known: operations, free)")]
pub struct UnknownScripts(String);

impl fmt::Display for Scripts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scripts::Operations => "operations",
            Scripts::Free => "free",
        })
    }
}

impl FromStr for Scripts {
    type Err = UnknownScripts;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "operations" => Ok(Scripts::Operations),
            "free" => Ok(Scripts::Free),
            _ => Err(UnknownScripts(text.to_owned())),
        }
    }
}

/// Makes the cases of a campaign.
#[derive(Clone, Debug)]
pub struct Generator {
    /// What they are.
    pub scripts: Scripts,
    /// Seed of them all.
    pub seed: u64,
    /// Where operations are made: what the generator may do.
    pub options: GeneratorOptions,
}

/// A script as generated.
pub struct Generated {
    /// Lua text.
    pub text: String,
    /// What the minimizer starts from.
    pub shrinkable: Shrinkable,
    /// What it is sure to do, where that is counted.
    pub uses: Vec<Use>,
}

impl Generator {
    /// Operations but for those, or free programs, in a language.
    pub fn new(scripts: Scripts, seed: u64, language: Language, disabled: BTreeSet<OpKind>) -> Generator {
        Generator { scripts, seed, options: GeneratorOptions { language, disabled } }
    }

    /// One case, which is a function of the generator and the number, and of nothing else.
    pub fn case(&self, number: u64) -> Generated {
        match self.scripts {
            Scripts::Operations => {
                let script = script::generate(self.seed, number, &self.options);
                let text = script.render(&self.options.language).text;
                Generated { text, shrinkable: Shrinkable::Script(script), uses: Vec::new() }
            }
            Scripts::Free => {
                let program = free::generate(self.seed, number);
                Generated { shrinkable: Shrinkable::Text(program.text.clone()), text: program.text, uses: program.uses }
            }
        }
    }
}
