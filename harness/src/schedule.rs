//! Under which schedules of the collector a script is run.
//!
//! Our VM always runs a script without a schedule first; then under others, and all outcomes must agree (the schedule
//! oracle).

use std::fmt;
use std::str::FromStr;

use moonphase_vm::{Schedule, Turned, Turns, UnknownSchedule};
use serde::{Deserialize, Serialize};

/// A choice of schedules.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Schedules {
    /// What a campaign does if nobody says: one schedule after the other, a case each.
    Usual,
    /// Every kind of schedule for each case.
    All,
    /// This one.
    Only(#[serde(with = "crate::text")] Schedule),
}

impl Default for Schedules {
    fn default() -> Self {
        Schedules::Only(Schedule::None)
    }
}

impl Schedules {
    /// The schedules for a case of a campaign, beside the run without one. They depend on the seed and the number alone.
    pub fn of_case(&self, seed: u64, case: u64) -> Vec<Schedule> {
        let random = || Schedule::Random(mixed(seed, case));
        let shuffled = || Schedule::Shuffled(mixed(seed, case));
        match self {
            Schedules::Usual => match case % 5 {
                0 => vec![Schedule::Barriers],
                1 => vec![random()],
                2 => vec![Schedule::Stress],
                3 => vec![shuffled()],
                _ => vec![Schedule::Generational],
            },
            Schedules::All => {
                vec![Schedule::Stress, random(), shuffled(), Schedule::Barriers, Schedule::Generational]
            }
            Schedules::Only(Schedule::None) => Vec::new(),
            Schedules::Only(schedule) => vec![schedule.clone()],
        }
    }

    /// The only schedule; `None` where there may be several.
    pub fn only(&self) -> Option<&Schedule> {
        match self {
            Schedules::Only(schedule) => Some(schedule),
            Schedules::Usual | Schedules::All => None,
        }
    }

    /// The only schedule, `None` where that is none or there are several.
    pub fn one(&self) -> Option<&Schedule> {
        self.only().filter(|&schedule| *schedule != Schedule::None)
    }

    /// The schedules for a script that is no case of a campaign.
    pub fn of_script(&self) -> Vec<Schedule> {
        self.of_case(0, 0)
    }
}

/// A seed for a case, short enough to be read (the finalizer of SplitMix64, cut to 32 bits).
fn mixed(seed: u64, case: u64) -> u64 {
    let mut mixed = seed.wrapping_add(case.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ mixed >> 31) & 0xFFFF_FFFF
}

impl fmt::Display for Schedules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedules::Usual => f.write_str("usual"),
            Schedules::All => f.write_str("all"),
            Schedules::Only(schedule) => schedule.fmt(f),
        }
    }
}

impl FromStr for Schedules {
    type Err = UnknownSchedule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "usual" => Schedules::Usual,
            "all" => Schedules::All,
            _ => Schedules::Only(text.parse()?),
        })
    }
}

/// Turns that a schedule made at one point of a run; [`Turned`] as it travels between processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnsAt {
    /// The number of the point.
    pub point: u64,
    /// How many turns.
    pub turns: u32,
    /// The line that ran, 0 where none did.
    pub line: u32,
}

impl From<Turned> for TurnsAt {
    fn from(Turned { turns: Turns { point, turns }, line }: Turned) -> TurnsAt {
        TurnsAt { point, turns, line }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_read_back_from_their_names() {
        for text in ["usual", "all", "none", "stress", "random:12", "shuffled:12", "steps:3x4,9"] {
            assert_eq!(text.parse::<Schedules>().map(|schedules| schedules.to_string()).as_deref(), Ok(text));
        }
        assert!("some".parse::<Schedules>().is_err());
    }

    #[test]
    fn the_schedules_of_a_case_are_a_function_of_seed_and_number() {
        let of = |seed, case| Schedules::All.of_case(seed, case);
        assert_eq!(of(7, 3), of(7, 3));
        assert_ne!(of(7, 3), of(7, 4));
        assert_ne!(of(7, 3), of(8, 3));
        assert!(Schedules::default().of_case(1, 1).is_empty());
    }

    #[test]
    fn the_usual_choice_comes_to_every_kind() {
        let mut usual: Vec<_> = (0..10).flat_map(|case| Schedules::Usual.of_case(1, case)).collect();
        for kind in Schedules::All.of_case(1, 0) {
            let same = |other: &Schedule| std::mem::discriminant(other) == std::mem::discriminant(&kind);
            assert!(usual.iter().any(same), "{kind}");
            usual.retain(|other| !same(other));
        }
        assert!(usual.is_empty());
    }
}
