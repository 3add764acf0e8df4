//! Time zones: how far local time is from UTC, and which time a local date is.

use super::date::{DAYS_PER_ERA, Date, SECONDS_PER_DAY};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// How local time differs from UTC at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offset {
    /// Seconds east of UTC.
    pub(super) seconds: i64,
    /// Whether that is daylight saving time.
    pub(super) is_dst: bool,
    /// The abbreviation.
    pub(super) name: String,
}

impl Offset {
    pub(super) fn utc(name: &str) -> Offset {
        Offset { seconds: 0, is_dst: false, name: name.to_owned() }
    }
}

/// The rules of local time.
pub(super) struct Zone(TimeZone);

/// Changes of the offset that are looked at on either side of a date for one with the daylight saving time that is asked for.
const NEAR_CHANGES: usize = 4;

/// What daylight saving time adds where a zone does not know it.
const USUAL_SHIFT: i64 = 3600;

impl Zone {
    pub(super) fn utc() -> Zone {
        Zone(TimeZone::UTC)
    }

    /// The zone of the machine; UTC if that is unknown.
    pub(super) fn local() -> Zone {
        Zone(TimeZone::try_system().unwrap_or(TimeZone::UTC))
    }

    /// The offset at a time in seconds since the epoch.
    pub(super) fn at(&self, seconds: i64) -> Offset {
        let info = self.0.to_offset_info(timestamp(seconds));
        Offset {
            seconds: info.offset().seconds().into(),
            is_dst: info.dst().is_dst(),
            name: info.abbreviation().to_owned(),
        }
    }

    /// The time of a local date, as C's `mktime` finds it: `is_dst` says whether the date is meant as daylight saving time.
    /// One that the clocks skip is counted from before the change.
    pub(super) fn seconds_of(&self, date: Date, is_dst: Option<bool>) -> i64 {
        let local = date.to_seconds();
        // The offset changes at most once in two days.
        let before = self.at(local - SECONDS_PER_DAY);
        let after = self.at(local + SECONDS_PER_DAY);
        let fits = |offset: &&Offset| self.at(local - offset.seconds).seconds == offset.seconds;
        let is_meant = |offset: &&Offset| is_dst.is_none_or(|is_dst| offset.is_dst == is_dst);
        let both = [&before, &after];
        if let Some(offset) = both.into_iter().filter(fits).find(is_meant) {
            return local - offset.seconds;
        }
        let likely = both.into_iter().find(fits).unwrap_or(&before);
        let offset = match is_dst {
            Some(is_dst) if is_dst != likely.is_dst => self
                .nearest_with(local - likely.seconds, is_dst)
                .unwrap_or(likely.seconds + if is_dst { USUAL_SHIFT } else { -USUAL_SHIFT }),
            _ => likely.seconds,
        };
        local - offset
    }

    /// The offset nearest to a time that is, or is not, daylight saving time.
    fn nearest_with(&self, seconds: i64, is_dst: bool) -> Option<i64> {
        let time = timestamp(seconds);
        let earlier = self.0.preceding(time).take(NEAR_CHANGES);
        let later = self.0.following(time).take(NEAR_CHANGES);
        let changes = earlier.chain(later).filter(|change| change.dst().is_dst() == is_dst);
        let nearest = changes.min_by_key(|change| change.timestamp().as_second().abs_diff(time.as_second()))?;
        Some(nearest.offset().seconds().into())
    }
}

/// A time for the rules of a zone. They know some ten thousand years on either side; where the calendar repeats itself, so do
/// they.
fn timestamp(seconds: i64) -> Timestamp {
    const ERA: i64 = DAYS_PER_ERA * SECONDS_PER_DAY;
    let known = if seconds < 0 { seconds.rem_euclid(ERA) - 10 * ERA } else { seconds % ERA };
    Timestamp::from_second(seconds).or_else(|_| Timestamp::from_second(known)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_york() -> Zone {
        Zone(TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").expect("rules"))
    }

    fn seconds_of(month: i64, day: i64, hour: i64, is_dst: Option<bool>) -> i64 {
        let date = Date { year: 2024, month, day, hour, minute: 30, second: 0, weekday: 0, yearday: 0 };
        new_york().seconds_of(date, is_dst) - date.to_seconds()
    }

    const STANDARD: i64 = 5 * 3600;
    const SUMMER: i64 = 4 * 3600;

    #[test]
    fn a_local_date_is_a_time_by_the_rules_of_its_zone() {
        assert_eq!(seconds_of(1, 1, 12, None), STANDARD);
        assert_eq!(seconds_of(7, 1, 12, None), SUMMER);
        // Clocks go from 2:00 to 3:00 on March 10, and from 2:00 to 1:00 on November 3.
        assert_eq!(seconds_of(3, 10, 1, None), STANDARD);
        assert_eq!(seconds_of(3, 10, 3, None), SUMMER);
        assert_eq!(seconds_of(3, 10, 2, None), STANDARD);
    }

    #[test]
    fn a_date_says_which_of_two_times_it_means() {
        assert_eq!(seconds_of(11, 3, 1, Some(true)), SUMMER);
        assert_eq!(seconds_of(11, 3, 1, Some(false)), STANDARD);
        assert_eq!(seconds_of(7, 1, 12, Some(false)), STANDARD);
        assert_eq!(seconds_of(1, 1, 12, Some(true)), SUMMER);
        let date = Date::from_seconds(0).expect("in range");
        assert_eq!(Zone::utc().seconds_of(date, Some(true)), -USUAL_SHIFT);
    }

    #[test]
    fn rules_go_on_beyond_the_years_that_are_known() {
        let zone = new_york();
        for years in [10_000, 1_000_000] {
            // July and January of a year that is a multiple of 400 after 2024.
            let era = years / 400 * DAYS_PER_ERA * SECONDS_PER_DAY;
            assert_eq!(zone.at(1_720_000_000 + era), zone.at(1_720_000_000));
            assert_eq!(zone.at(1_704_000_000 + era), zone.at(1_704_000_000));
        }
        assert_eq!(Zone::utc().at(i64::MIN), Offset::utc("UTC"));
    }
}
