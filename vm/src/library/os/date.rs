//! Dates of the proleptic Gregorian calendar, and their texts as C's `strftime` has them in the C locale.

use super::zone::Offset;

/// A broken-down time. The numbers count as a date table's do: months and days from 1, years from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    /// From 0 for Sunday.
    pub(super) weekday: i64,
    /// From 0 for the first of January.
    pub(super) yearday: i64,
}

pub(super) const SECONDS_PER_DAY: i64 = 86_400;
/// Days in 400 years, after which the calendar repeats itself.
pub(super) const DAYS_PER_ERA: i64 = 146_097;

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar. The month is in 1..=12, the day may be any.
fn days_to(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - 719_468
}

impl Date {
    /// The date of a time; `None` where its year is beyond what C's `struct tm` holds.
    pub(super) fn from_seconds(seconds: i64) -> Option<Date> {
        let days = seconds.div_euclid(SECONDS_PER_DAY);
        let rest = seconds.rem_euclid(SECONDS_PER_DAY);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(DAYS_PER_ERA);
        let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = (shifted_month + 2) % 12 + 1;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        i32::try_from(year - 1900).ok()?;
        Some(Date {
            year,
            month,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: (days + 4).rem_euclid(7),
            yearday: days - days_to(year, 1, 1),
        })
    }

    /// The time of a date, whose numbers may be out of their ranges. They are those of an `int`, so nothing overflows.
    pub(super) fn to_seconds(self) -> i64 {
        let months = self.month - 1;
        let days = days_to(self.year + months.div_euclid(12), months.rem_euclid(12) + 1, 1) + self.day - 1;
        days * SECONDS_PER_DAY + self.hour * 3600 + self.minute * 60 + self.second
    }

    /// Hour on a clock with twelve of them.
    fn hour_of_half(self) -> i64 {
        (self.hour + 11) % 12 + 1
    }

    /// Week of the year, where the first week begins with the first such day (0 for Sunday).
    fn week_from(self, first: i64) -> i64 {
        (self.yearday + 7 - (self.weekday - first).rem_euclid(7)) / 7
    }

    /// Year and week of ISO 8601: weeks begin on Monday and belong to the year of their Thursday.
    fn iso_week(self) -> (i64, i64) {
        let thursday = self.yearday - (self.weekday + 6) % 7 + 3;
        if thursday < 0 {
            let length = days_to(self.year, 1, 1) - days_to(self.year - 1, 1, 1);
            return (self.year - 1, (thursday + length) / 7 + 1);
        }
        let length = days_to(self.year + 1, 1, 1) - days_to(self.year, 1, 1);
        if thursday >= length { (self.year + 1, 1) } else { (self.year, thursday / 7 + 1) }
    }
}

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The text of one conversion specifier of C's `strftime` in the C locale; `None` where C has no such specifier.
pub(super) fn format(date: &Date, specifier: u8, zone: &Offset) -> Option<String> {
    // Both are in the ranges of their arrays.
    let day = DAYS[date.weekday as usize];
    let month = MONTHS[date.month as usize - 1];
    let Date { year, hour, minute, second, .. } = *date;
    let all = |specifiers: &str| -> Option<String> {
        specifiers.bytes().try_fold(String::new(), |text, byte| {
            let piece = if byte.is_ascii_alphabetic() { format(date, byte, zone)? } else { char::from(byte).into() };
            Some(text + &piece)
        })
    };
    Some(match specifier {
        b'a' => day[..3].to_owned(),
        b'A' => day.to_owned(),
        b'b' | b'h' => month[..3].to_owned(),
        b'B' => month.to_owned(),
        b'c' => return all("a b e H:M:S Y"),
        b'C' => format!("{:02}", year.div_euclid(100)),
        b'd' => format!("{:02}", date.day),
        b'D' | b'x' => return all("m/d/y"),
        b'e' => format!("{:2}", date.day),
        b'F' => return all("Y-m-d"),
        b'g' => format!("{:02}", date.iso_week().0.rem_euclid(100)),
        b'G' => date.iso_week().0.to_string(),
        b'H' => format!("{hour:02}"),
        b'I' => format!("{:02}", date.hour_of_half()),
        b'j' => format!("{:03}", date.yearday + 1),
        b'm' => format!("{:02}", date.month),
        b'M' => format!("{minute:02}"),
        b'n' => "\n".to_owned(),
        b'p' => if hour < 12 { "AM" } else { "PM" }.to_owned(),
        b'r' => return all("I:M:S p"),
        b'R' => return all("H:M"),
        b'S' => format!("{second:02}"),
        b't' => "\t".to_owned(),
        b'T' | b'X' => return all("H:M:S"),
        b'u' => ((date.weekday + 6) % 7 + 1).to_string(),
        b'U' => format!("{:02}", date.week_from(0)),
        b'V' => format!("{:02}", date.iso_week().1),
        b'w' => date.weekday.to_string(),
        b'W' => format!("{:02}", date.week_from(1)),
        b'y' => format!("{:02}", year.rem_euclid(100)),
        b'Y' => year.to_string(),
        b'z' => {
            let minutes = zone.seconds.abs() / 60;
            format!("{}{:02}{:02}", if zone.seconds < 0 { '-' } else { '+' }, minutes / 60, minutes % 60)
        }
        b'Z' => zone.name.clone(),
        b'%' => "%".to_owned(),
        _ => return None,
    })
}

/// The specifier that text after a `%` begins with, and its length. `E` and `O` only change what other locales show.
pub(super) fn specifier(text: &[u8]) -> Option<(u8, usize)> {
    match *text {
        [b'E', specifier, ..] if b"cCxXyY".contains(&specifier) => Some((specifier, 2)),
        [b'O', specifier, ..] if b"deHImMSuUVwWy".contains(&specifier) => Some((specifier, 2)),
        [specifier, ..] if b"aAbBcCdDeFgGhHIjmMnprRStTuUVwWxXyYzZ%".contains(&specifier) => Some((specifier, 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(seconds: i64, specifiers: &str) -> String {
        let date = Date::from_seconds(seconds).expect("in range");
        specifiers.bytes().map(|byte| format(&date, byte, &Offset::utc("GMT")).expect("known") + " ").collect()
    }

    #[test]
    fn dates_and_times_are_inverse() {
        for seconds in [0, -1, 951_782_399, 951_782_400, 1_700_000_000, -62_135_596_801, 253_402_300_800] {
            assert_eq!(Date::from_seconds(seconds).expect("in range").to_seconds(), seconds);
        }
        assert_eq!(Date::from_seconds(i64::MAX), None);
        assert_eq!(Date::from_seconds(i64::MIN), None);
    }

    #[test]
    fn numbers_out_of_range_are_carried_over() {
        let date = Date { year: 2020, month: 14, day: -3, hour: 25, minute: 61, second: -1, weekday: 0, yearday: 0 };
        let normalized = Date::from_seconds(date.to_seconds()).expect("in range");
        assert_eq!((normalized.year, normalized.month, normalized.day), (2021, 1, 29));
        assert_eq!((normalized.hour, normalized.minute, normalized.second), (2, 0, 59));
    }

    #[test]
    fn specifiers_are_those_of_the_c_locale() {
        assert_eq!(formatted(0, "cxXpr"), "Thu Jan  1 00:00:00 1970 01/01/70 00:00:00 AM 12:00:00 AM ");
        assert_eq!(formatted(1_700_000_000, "FTjUWVGguwyC"), "2023-11-14 22:13:20 318 46 46 46 2023 23 2 2 23 20 ");
        // The first of January 2021 is a Friday of the last week of 2020.
        assert_eq!(formatted(1_609_459_200, "GVUWj"), "2020 53 00 00 001 ");
        // The last of December 2018 is a Monday of the first week of 2019.
        assert_eq!(formatted(1_546_214_400, "GVUWj"), "2019 01 52 53 365 ");
    }

    #[test]
    fn a_date_tells_its_zone() {
        let date = Date::from_seconds(0).expect("in range");
        let zone = Offset { seconds: -(3 * 3600 + 1800 + 59), is_dst: true, name: "NDT".to_owned() };
        let text = |specifier| format(&date, specifier, &zone);
        assert_eq!([b'z', b'Z'].map(text), ["-0330", "NDT"].map(|text| Some(text.to_owned())));
    }
}
