//! Policies: the rules in which the collectors of the Luas differ, where no correct script can see the difference.
//!
//! What scripts can see follows the language instead: those rules are [`Semantics`](crate::gc::Semantics).

use crate::gc::{Mode, Rules};
use moonphase_heap::{MarkedStrings, ShortStrings, UpvalueStorage, Waiting};
use std::fmt;
use std::str::FromStr;

/// An enum whose values have names in options.
macro_rules! rule {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $value:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$about])* $value,)* }

        impl $name {
            /// The names of all values.
            pub const NAMES: &'static [&'static str] = &[$($text),*];

            /// The name in options.
            pub fn name(self) -> &'static str {
                match self { $($name::$value => $text,)* }
            }

            fn named(text: &str) -> Option<$name> {
                match text { $($text => Some($name::$value),)* _ => None }
            }
        }
    };
}

rule! {
    /// Who is the parent of the barrier when `debug.setupvalue` stores into an upvalue of a Lua closure.
    SetupvalueRule {
        /// The closure, though it is the upvalue that holds the value: the fault of Lua 5.1. A white value stored behind
        /// a black upvalue is not marked if the closure is not black.
        Closure = "closure",
        /// The upvalue: Lua 5.2 and 5.4.
        Upvalue = "upvalue",
    }
}

rule! {
    /// Who keeps the open upvalues, where upvalues are objects.
    OpenRule {
        /// One list of the whole state: Lua 5.1 and 5.2. Only closures keep an open upvalue alive. In the atomic phase the
        /// values of all gray ones are marked; a dead one is revived when its slot is captured again, and freed when it
        /// is closed. The sweep meets them with their thread. Closing a gray one makes it black, with a barrier, while
        /// marking, and white while sweeping.
        Global = "global",
        /// Their thread, which keeps them alive: Lua 5.4. In the atomic phase the values of those are marked whose thread is
        /// not. Closing one that is not white makes it black, with a barrier.
        ByThread = "by-thread",
    }
}

rule! {
    /// Which way a barrier works that could work either way.
    DirectionRule {
        /// It marks the child.
        Forward = "forward",
        /// It makes the parent gray again.
        Backward = "backward",
    }
}

rule! {
    /// How a full collection begins in the middle of marking.
    FullCollectionRule {
        /// It forgets the gray lists, sweeps everything to white, and marks anew, also from pause: Lua 5.1.
        Restart = "restart",
        /// It goes straight to sweep. As the white was not flipped nothing is freed, and the marks are undone: Lua 5.2 and
        /// later.
        ToSweep = "to-sweep",
    }
}

rule! {
    /// Which lists there are, and in which order they are swept.
    SweepRule {
        /// The string table, then all objects; those with finalizers stand at the end of that list, behind the main
        /// thread. The ones that wait for their finalizer are not swept: Lua 5.1.
        Strings = "strings+all",
        /// The string table, objects with finalizers, all others. The ones that wait for their finalizer are not swept,
        /// and finalizers are called after any step: Lua 5.2.
        StringsFinalizable = "strings+finalizable+all",
        /// All objects, those with finalizers, those that wait for them: Lua 5.3 and 5.4.
        Lists = "all+finalizable+to-be-finalized",
    }
}

rule! {
    /// The colour of a string that is marked.
    StringRule {
        /// Gray, though on no gray list: Lua 5.1.
        Gray = "gray",
        /// Black: Lua 5.2 and later.
        Black = "black",
    }
}

rule! {
    /// What a forward barrier with an old parent makes old0. Marking an upvalue marks its value as well, and marking a
    /// userdata without user values its metatable.
    Old0Rule {
        /// The child alone: the fault of Lua 5.4 (up to 5.4.9) and 5.5.1 after `debug.upvaluejoin`. What else was marked is
        /// young and no longer white, so no barrier acts when it is stored into an old object, and once the child lets go of it
        /// a minor collection frees it.
        Child = "child",
        /// All that is marked.
        Marked = "marked",
    }
}

/// What upvalues are to the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upvalues {
    /// Objects. Joining one calls a forward barrier from the closure to it.
    Objects {
        /// Who keeps the open ones.
        open: OpenRule,
        /// The parent of the barrier of `debug.setupvalue`.
        setupvalue: SetupvalueRule,
    },
    /// Counted and not collected: one lives until no closure holds it. Whatever is stored into a closed one, by whom so
    /// ever, is marked while the collector marks: Lua 5.3.
    Counted,
}

/// The rules of a collector. See [`Policy::PRESETS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// The preset that the policy began as.
    pub preset: &'static str,
    /// What upvalues are.
    pub upvalues: Upvalues,
    /// The barrier when a table gets a metatable.
    pub table_metatable: DirectionRule,
    /// The barrier when a userdata gets a user value.
    pub user_value: DirectionRule,
    /// How a full collection begins.
    pub full_collection: FullCollectionRule,
    /// What is swept when.
    pub sweep: SweepRule,
    /// The colour of marked strings.
    pub strings: StringRule,
    /// What forward barriers of generational mode make old.
    pub old0: Old0Rule,
    /// The mode that the collector starts in.
    pub mode: Mode,
    /// Whether the collector has a generational mode, where the other rules allow one.
    pub generational: bool,
}

impl Policy {
    /// The rules of Lua 5.1, with an `upvaluejoin` like that of 5.2.
    pub const LUA_51: Policy = Policy {
        preset: "5.1",
        upvalues: Upvalues::Objects { open: OpenRule::Global, setupvalue: SetupvalueRule::Closure },
        table_metatable: DirectionRule::Backward,
        user_value: DirectionRule::Forward,
        full_collection: FullCollectionRule::Restart,
        sweep: SweepRule::Strings,
        strings: StringRule::Gray,
        old0: Old0Rule::Marked,
        mode: Mode::Incremental,
        generational: false,
    };
    /// The rules of Lua 5.2.
    pub const LUA_52: Policy = Policy {
        preset: "5.2",
        upvalues: Upvalues::Objects { open: OpenRule::Global, setupvalue: SetupvalueRule::Upvalue },
        full_collection: FullCollectionRule::ToSweep,
        sweep: SweepRule::StringsFinalizable,
        strings: StringRule::Black,
        ..Policy::LUA_51
    };
    /// The rules of Lua 5.3.
    pub const LUA_53: Policy = Policy {
        preset: "5.3",
        upvalues: Upvalues::Counted,
        table_metatable: DirectionRule::Forward,
        sweep: SweepRule::Lists,
        ..Policy::LUA_52
    };
    /// The rules of Lua 5.4.
    pub const LUA_54: Policy = Policy {
        preset: "5.4",
        upvalues: Upvalues::Objects { open: OpenRule::ByThread, setupvalue: SetupvalueRule::Upvalue },
        user_value: DirectionRule::Backward,
        generational: true,
        ..Policy::LUA_53
    };

    /// The rules of Lua 5.4, whose collector starts in generational mode.
    pub const GENERATIONAL: Policy = Policy { preset: "generational", mode: Mode::Generational, ..Policy::LUA_54 };

    /// Every preset, by name.
    pub const PRESETS: &'static [Policy] =
        &[Policy::LUA_51, Policy::LUA_52, Policy::LUA_53, Policy::LUA_54, Policy::GENERATIONAL];

    /// The names and values of all rules, for messages and help. Each rule makes sense after those before it.
    pub const RULES: &'static [(&'static str, &'static [&'static str])] = &[
        ("upvalues", &["global", "by-thread", "counted"]),
        ("setupvalue", SetupvalueRule::NAMES),
        ("table-metatable", DirectionRule::NAMES),
        ("user-value", DirectionRule::NAMES),
        ("full-collection", FullCollectionRule::NAMES),
        ("sweep", SweepRule::NAMES),
        ("strings", StringRule::NAMES),
        ("old0", Old0Rule::NAMES),
    ];

    /// Whether the rules keep the tri-colour invariant. A policy that does not leads to dangling references.
    pub fn is_sound(&self) -> bool {
        let wrong_parent = matches!(self.upvalues, Upvalues::Objects { setupvalue: SetupvalueRule::Closure, .. });
        let left_young = self.has_generational() && self.old0 == Old0Rule::Child;
        !wrong_parent && !left_young
    }

    /// Whether the collector has a generational mode. Those before 5.4 have none, and it relies on the rules of 5.4: that
    /// nothing living turns white when an upvalue is closed while sweeping, that all objects are in lists by age, and that
    /// marked strings are black.
    pub fn has_generational(&self) -> bool {
        self.generational
            && self.keeps_open_upvalues()
            && self.sweep == SweepRule::Lists
            && self.strings == StringRule::Black
    }

    /// The policy with its faulty rules put right, if it has any.
    pub fn corrected(mut self) -> Policy {
        if let Upvalues::Objects { setupvalue, .. } = &mut self.upvalues {
            *setupvalue = SetupvalueRule::Upvalue;
        }
        self.old0 = Old0Rule::Marked;
        self
    }

    /// What whoever checks a heap of this policy may assume.
    pub fn rules(&self) -> Rules {
        Rules {
            short_strings: if self.sweeps_strings() { ShortStrings::InTable } else { ShortStrings::InAll },
            marked_strings: match self.strings {
                StringRule::Gray => MarkedStrings::Gray,
                StringRule::Black => MarkedStrings::Black,
            },
            upvalues: match self.upvalues {
                Upvalues::Objects { open: OpenRule::Global, .. } => UpvalueStorage::OpenApart,
                Upvalues::Objects { open: OpenRule::ByThread, .. } => UpvalueStorage::InAll,
                Upvalues::Counted => UpvalueStorage::Counted,
            },
            waiting: match self.sweep {
                SweepRule::Strings => Waiting::KeptUnmarked,
                SweepRule::StringsFinalizable => Waiting::Kept,
                SweepRule::Lists => Waiting::Swept,
            },
        }
    }

    /// Whether upvalues are objects whose open ones are in one list.
    #[inline(always)]
    pub(super) fn has_global_upvalues(&self) -> bool {
        matches!(self.upvalues, Upvalues::Objects { open: OpenRule::Global, .. })
    }

    /// Whether a thread keeps its open upvalues alive, even those that no closure refers to.
    #[inline(always)]
    pub(super) fn keeps_open_upvalues(&self) -> bool {
        matches!(self.upvalues, Upvalues::Objects { open: OpenRule::ByThread, .. })
    }

    /// Whether upvalues are counted and not collected.
    #[inline(always)]
    pub(crate) fn counts_upvalues(&self) -> bool {
        self.upvalues == Upvalues::Counted
    }

    /// Whether interned strings are in the string table only, and swept there.
    #[inline(always)]
    pub(super) fn sweeps_strings(&self) -> bool {
        self.sweep != SweepRule::Lists
    }

    /// Sets one rule by name.
    fn set(&mut self, rule: &str, value: &str) -> Result<(), PolicyError> {
        let known = Policy::RULES.iter().find(|(name, _)| *name == rule);
        let Some((_, values)) = known else {
            let known = Policy::RULES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            return Err(PolicyError::Rule { rule: rule.into(), known });
        };
        self.try_set(rule, value).ok_or_else(|| match (rule, self.upvalues) {
            ("setupvalue", Upvalues::Counted) => PolicyError::Counted,
            _ => PolicyError::Value { rule: rule.into(), value: value.into(), known: values.join(", ") },
        })
    }

    fn try_set(&mut self, rule: &str, value: &str) -> Option<()> {
        match (rule, &mut self.upvalues) {
            ("upvalues", upvalues) => match (value, &mut *upvalues) {
                ("counted", _) => *upvalues = Upvalues::Counted,
                (_, Upvalues::Objects { open, .. }) => *open = OpenRule::named(value)?,
                (_, Upvalues::Counted) => {
                    let open = OpenRule::named(value)?;
                    *upvalues = Upvalues::Objects { open, setupvalue: SetupvalueRule::Upvalue };
                }
            },
            ("setupvalue", Upvalues::Objects { setupvalue, .. }) => *setupvalue = SetupvalueRule::named(value)?,
            ("table-metatable", _) => self.table_metatable = DirectionRule::named(value)?,
            ("user-value", _) => self.user_value = DirectionRule::named(value)?,
            ("full-collection", _) => self.full_collection = FullCollectionRule::named(value)?,
            ("sweep", _) => self.sweep = SweepRule::named(value)?,
            ("strings", _) => self.strings = StringRule::named(value)?,
            ("old0", _) => self.old0 = Old0Rule::named(value)?,
            _ => return None,
        }
        Some(())
    }

    /// The values of the rules that the policy has, in the order of the rules' list.
    fn values(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let (upvalues, setupvalue) = match self.upvalues {
            Upvalues::Objects { open, setupvalue } => (open.name(), Some(setupvalue.name())),
            Upvalues::Counted => ("counted", None),
        };
        let values = [
            Some(upvalues),
            setupvalue,
            Some(self.table_metatable.name()),
            Some(self.user_value.name()),
            Some(self.full_collection.name()),
            Some(self.sweep.name()),
            Some(self.strings.name()),
            Some(self.old0.name()),
        ];
        Policy::RULES.iter().zip(values).filter_map(|((rule, _), value)| Some((*rule, value?)))
    }
}

impl Default for Policy {
    fn default() -> Self {
        Policy::LUA_54
    }
}

/// A policy that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum PolicyError {
    #[error("unknown collector policy '{preset}' (known: {known})")]
    Preset { preset: String, known: String },
    #[error("unknown collector rule '{rule}' (known: {known})")]
    Rule { rule: String, known: String },
    #[error("rule '{rule}' cannot be '{value}' (known: {known})")]
    Value { rule: String, value: String, known: String },
    #[error("counted upvalues have no rule 'setupvalue': what is stored is always marked")]
    Counted,
    #[error("'{0}' is not of the form rule=value")]
    Form(String),
}

impl FromStr for Policy {
    type Err = PolicyError;

    /// Reads `PRESET[,rule=value…]`, for example `5.1,setupvalue=upvalue`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(',');
        let preset = parts.next().unwrap_or_default();
        let mut policy =
            *Policy::PRESETS.iter().find(|policy| policy.preset == preset).ok_or_else(|| PolicyError::Preset {
                preset: preset.into(),
                known: Policy::PRESETS.iter().map(|policy| policy.preset).collect::<Vec<_>>().join(", "),
            })?;
        for part in parts {
            let (rule, value) = part.split_once('=').ok_or_else(|| PolicyError::Form(part.into()))?;
            policy.set(rule.trim(), value.trim())?;
        }
        Ok(policy)
    }
}

impl fmt::Display for Policy {
    /// The shortest text that reads back as this policy.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.preset)?;
        let Some(base) = Policy::PRESETS.iter().find(|policy| policy.preset == self.preset) else {
            return Ok(());
        };
        for (rule, value) in self.values() {
            if !base.values().any(|usual| usual == (rule, value)) {
                write!(f, ",{rule}={value}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_reads_back_from_its_text() {
        for text in [
            "5.1",
            "5.2",
            "5.3",
            "5.4",
            "generational",
            "generational,setupvalue=closure,old0=child",
            "5.1,setupvalue=upvalue",
            "5.4,setupvalue=closure,table-metatable=backward",
            "5.3,upvalues=global,setupvalue=upvalue,sweep=strings+all",
            "5.1,upvalues=counted",
        ] {
            assert_eq!(text.parse::<Policy>().map(|policy| policy.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn every_value_of_every_rule_can_be_set() {
        for (rule, values) in Policy::RULES {
            for value in *values {
                let policy: Policy = format!("5.4,{rule}={value}").parse().unwrap();
                assert!(policy.values().any(|set| set == (*rule, *value)), "{rule}={value}");
            }
        }
    }

    #[test]
    fn a_wrong_policy_says_what_is_known() {
        let message = |text: &str| text.parse::<Policy>().unwrap_err().to_string();
        assert_eq!(message("6.0"), "unknown collector policy '6.0' (known: 5.1, 5.2, 5.3, 5.4, generational)");
        assert!(message("5.1,foo=1").starts_with("unknown collector rule 'foo' (known: upvalues, setupvalue, "));
        assert_eq!(message("5.1,strings=red"), "rule 'strings' cannot be 'red' (known: gray, black)");
        assert_eq!(message("5.1,strings"), "'strings' is not of the form rule=value");
        let counted = "counted upvalues have no rule 'setupvalue': what is stored is always marked";
        assert_eq!(message("5.3,setupvalue=upvalue"), counted);
    }

    #[test]
    fn only_the_closure_as_parent_and_children_alone_becoming_old_are_unsound() {
        assert!(!Policy::LUA_51.is_sound());
        assert!([Policy::LUA_52, Policy::LUA_53, Policy::LUA_54, Policy::GENERATIONAL].iter().all(Policy::is_sound));
        assert!("5.1,setupvalue=upvalue".parse::<Policy>().is_ok_and(|policy| policy.is_sound()));
        assert!("5.4,old0=child".parse::<Policy>().is_ok_and(|policy| !policy.is_sound()));
        assert!("5.2,old0=child".parse::<Policy>().is_ok_and(|policy| policy.is_sound()), "it has no such mode");
        assert!("5.1,upvalues=counted".parse::<Policy>().is_ok_and(|policy| policy.is_sound()));
    }
}
