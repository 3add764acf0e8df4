//! Policies: the rules in which the collectors of the Luas differ, where no correct script can see the difference.

use std::fmt;
use std::str::FromStr;

/// Who is the parent of the barrier when `debug.setupvalue` stores into an upvalue of a Lua closure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupvalueRule {
    /// The closure, though it is the upvalue that holds the value: the fault of Lua 5.1. A white value stored behind a
    /// black upvalue is not marked if the closure is not black.
    Closure,
    /// The upvalue: Lua 5.2 and later.
    Upvalue,
}

/// What happens to the colour of an upvalue that is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosingRule {
    /// A gray one becomes black, with a barrier, while marking, and white while sweeping: Lua 5.1 and 5.2.
    ByPhase,
    /// One that is not white becomes black, with a barrier: Lua 5.4.
    Black,
}

/// The rules of a collector. See [`Policy::PRESETS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// The preset that the policy began as.
    pub preset: &'static str,
    /// Parent of the barrier of `debug.setupvalue`.
    pub setupvalue: SetupvalueRule,
    /// Colours when an upvalue is closed.
    pub closing: ClosingRule,
}

impl Policy {
    /// The rules of Lua 5.1, with the `upvaluejoin` of 5.2.
    pub const LUA_51: Policy =
        Policy { preset: "5.1", setupvalue: SetupvalueRule::Closure, closing: ClosingRule::ByPhase };
    /// The rules of Lua 5.2.
    pub const LUA_52: Policy =
        Policy { preset: "5.2", setupvalue: SetupvalueRule::Upvalue, closing: ClosingRule::ByPhase };
    /// The rules of Lua 5.4.
    pub const LUA_54: Policy =
        Policy { preset: "5.4", setupvalue: SetupvalueRule::Upvalue, closing: ClosingRule::Black };

    /// Every preset, by name.
    pub const PRESETS: &'static [Policy] = &[Policy::LUA_51, Policy::LUA_52, Policy::LUA_54];

    /// The names and values of all rules, for messages and help.
    const RULES: &'static [(&'static str, &'static [&'static str])] =
        &[("setupvalue", &["closure", "upvalue"]), ("closing", &["by-phase", "black"])];

    /// Whether the rules keep the tri-colour invariant. A policy that does not leads to dangling references.
    pub fn is_sound(&self) -> bool {
        self.setupvalue != SetupvalueRule::Closure
    }

    /// Sets one rule by name.
    fn set(&mut self, rule: &str, value: &str) -> Result<(), PolicyError> {
        match (rule, value) {
            ("setupvalue", "closure") => self.setupvalue = SetupvalueRule::Closure,
            ("setupvalue", "upvalue") => self.setupvalue = SetupvalueRule::Upvalue,
            ("closing", "by-phase") => self.closing = ClosingRule::ByPhase,
            ("closing", "black") => self.closing = ClosingRule::Black,
            _ => {
                let known = Policy::RULES.iter().find(|(name, _)| *name == rule);
                return Err(match known {
                    Some((_, values)) => {
                        PolicyError::Value { rule: rule.into(), value: value.into(), known: values.join(", ") }
                    }
                    None => PolicyError::Rule {
                        rule: rule.into(),
                        known: Policy::RULES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
                    },
                });
            }
        }
        Ok(())
    }

    /// The values of the rules, in the order of the rules' list.
    fn values(&self) -> [(&'static str, &'static str); 2] {
        [
            (
                "setupvalue",
                match self.setupvalue {
                    SetupvalueRule::Closure => "closure",
                    SetupvalueRule::Upvalue => "upvalue",
                },
            ),
            (
                "closing",
                match self.closing {
                    ClosingRule::ByPhase => "by-phase",
                    ClosingRule::Black => "black",
                },
            ),
        ]
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
        for ((rule, value), (_, usual)) in self.values().into_iter().zip(base.values()) {
            if value != usual {
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
        for text in ["5.1", "5.2", "5.4", "5.1,setupvalue=upvalue", "5.4,setupvalue=closure,closing=by-phase"] {
            assert_eq!(text.parse::<Policy>().map(|policy| policy.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn a_wrong_policy_says_what_is_known() {
        let message = |text: &str| text.parse::<Policy>().map_err(|error| error.to_string());
        assert_eq!(message("6.0"), Err("unknown collector policy '6.0' (known: 5.1, 5.2, 5.4)".into()));
        assert_eq!(message("5.1,foo=1"), Err("unknown collector rule 'foo' (known: setupvalue, closing)".into()));
        assert_eq!(message("5.1,closing=red"), Err("rule 'closing' cannot be 'red' (known: by-phase, black)".into()));
        assert_eq!(message("5.1,closing"), Err("'closing' is not of the form rule=value".into()));
    }

    #[test]
    fn only_the_closure_as_parent_is_unsound() {
        assert!(!Policy::LUA_51.is_sound());
        assert!(Policy::LUA_52.is_sound() && Policy::LUA_54.is_sound());
        assert!("5.1,setupvalue=upvalue".parse::<Policy>().is_ok_and(|policy| policy.is_sound()));
    }
}
