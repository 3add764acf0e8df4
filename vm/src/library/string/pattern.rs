//! The pattern matcher (manual §6.4.1), free of the VM.
//!
//! It backtracks by recursion, so its depth is bounded ([`MAX_DEPTH`], as in PUC Lua) and deeper matches are an
//! error, not a stack overflow. Its time is not bounded: it reports its work to [`Charge`], which may end it.
//! Patterns are checked as they are matched, so a malformed part that is never reached goes unnoticed, as in PUC
//! Lua.

use arrayvec::ArrayVec;
use std::ops::Range;

/// How deep the matcher nests (PUC Lua's `MAXCCALLS`).
const MAX_DEPTH: u32 = 200;
/// How many captures a pattern may have (PUC Lua's `LUA_MAXCAPTURES`).
pub(super) const MAX_CAPTURES: usize = 32;
/// Work is reported in portions of so many steps, at least.
const PORTION: u64 = 1024;

/// The character that quotes others, and begins classes.
pub(super) const ESCAPE: u8 = b'%';

/// Who pays for the matcher's work.
pub(super) trait Charge {
    /// Why the matcher must stop.
    type Stop;

    /// Accounts for so many steps more, each about one comparison of a byte.
    fn charge(&mut self, steps: u64) -> Result<(), Self::Stop>;
}

/// What is wrong with a pattern, or with a match of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PatternError {
    #[error("malformed pattern (ends with '%')")]
    EndsWithEscape,
    #[error("malformed pattern (missing ']')")]
    UnclosedSet,
    #[error("malformed pattern (missing arguments to '%b')")]
    NoBalanceArguments,
    #[error("missing '[' after '%f' in pattern")]
    NoFrontierSet,
    /// A back reference to a capture that is not there, or not complete.
    #[error("invalid capture index %{0}")]
    CaptureIndex(i32),
    /// A `)` without its `(`.
    #[error("invalid pattern capture")]
    NothingToClose,
    /// A `(` without its `)`.
    #[error("unfinished capture")]
    UnfinishedCapture,
    #[error("too many captures")]
    TooManyCaptures,
    #[error("pattern too complex")]
    TooDeep,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MatchError<Stop> {
    Pattern(PatternError),
    /// [`Charge`] ended the match.
    Stopped(Stop),
}

impl<Stop> From<PatternError> for MatchError<Stop> {
    fn from(error: PatternError) -> Self {
        MatchError::Pattern(error)
    }
}

/// The end of a match in the subject, if there is one.
type Outcome<C> = Result<Option<usize>, MatchError<<C as Charge>::Stop>>;

#[derive(Clone, Copy)]
struct Capture {
    start: usize,
    extent: Extent,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Its `)` has not been met.
    Open,
    /// `()`
    Position,
    Length(usize),
}

/// What a capture gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Captured {
    /// A part of the subject.
    Span(Range<usize>),
    /// A position in the subject, counted from 1.
    Position(i64),
}

/// A pattern item that matches one byte.
#[derive(Clone, Copy)]
enum Single<'a> {
    Any,
    Byte(u8),
    /// `%a` and the like.
    Class(Class),
    /// What stands between `[` and `]`.
    Set(&'a [u8]),
}

impl Single<'_> {
    #[inline]
    fn matches(self, byte: u8) -> bool {
        match self {
            Single::Any => true,
            Single::Byte(expected) => expected == byte,
            Single::Class(class) => class.contains(byte),
            Single::Set(set) => set_matches(set, byte),
        }
    }

    /// Steps that one comparison takes.
    fn cost(self) -> u64 {
        match self {
            Single::Set(set) => 1 + set.len() as u64 / 8,
            _ => 1,
        }
    }
}

/// The classes, a bit each.
mod class {
    pub(super) const ALPHABETIC: u16 = 1;
    pub(super) const CONTROL: u16 = 1 << 1;
    pub(super) const DIGIT: u16 = 1 << 2;
    pub(super) const GRAPHIC: u16 = 1 << 3;
    pub(super) const LOWERCASE: u16 = 1 << 4;
    pub(super) const PUNCTUATION: u16 = 1 << 5;
    pub(super) const SPACE: u16 = 1 << 6;
    pub(super) const UPPERCASE: u16 = 1 << 7;
    pub(super) const ALPHANUMERIC: u16 = 1 << 8;
    pub(super) const HEX_DIGIT: u16 = 1 << 9;
    pub(super) const ZERO: u16 = 1 << 10;
}

/// The classes that each byte belongs to.
static CLASSES_OF: [u16; 256] = {
    let mut classes = [0; 256];
    let mut index = 0;
    while index < classes.len() {
        let byte = index as u8;
        let belongs = [
            (class::ALPHABETIC, byte.is_ascii_alphabetic()),
            (class::CONTROL, byte.is_ascii_control()),
            (class::DIGIT, byte.is_ascii_digit()),
            (class::GRAPHIC, byte.is_ascii_graphic()),
            (class::LOWERCASE, byte.is_ascii_lowercase()),
            (class::PUNCTUATION, byte.is_ascii_punctuation()),
            // The vertical tab is not among Rust's white space.
            (class::SPACE, byte.is_ascii_whitespace() || byte == 0x0B),
            (class::UPPERCASE, byte.is_ascii_uppercase()),
            (class::ALPHANUMERIC, byte.is_ascii_alphanumeric()),
            (class::HEX_DIGIT, byte.is_ascii_hexdigit()),
            (class::ZERO, byte == 0),
        ];
        let mut next = 0;
        while next < belongs.len() {
            let (class, contains) = belongs[next];
            if contains {
                classes[index] |= class;
            }
            next += 1;
        }
        index += 1;
    }
    classes
};

/// The class of a letter (`%a`), or all bytes that are not in it (`%A`).
#[derive(Clone, Copy)]
struct Class {
    bit: u16,
    negated: bool,
}

impl Class {
    /// The class of a letter. Any other letter or byte stands for itself.
    fn of(letter: u8) -> Option<Class> {
        let bit = match letter.to_ascii_lowercase() {
            b'a' => class::ALPHABETIC,
            b'c' => class::CONTROL,
            b'd' => class::DIGIT,
            b'g' => class::GRAPHIC,
            b'l' => class::LOWERCASE,
            b'p' => class::PUNCTUATION,
            b's' => class::SPACE,
            b'u' => class::UPPERCASE,
            b'w' => class::ALPHANUMERIC,
            b'x' => class::HEX_DIGIT,
            // Deprecated, and still there.
            b'z' => class::ZERO,
            _ => return None,
        };
        Some(Class { bit, negated: letter.is_ascii_uppercase() })
    }

    #[inline]
    fn contains(self, byte: u8) -> bool {
        (CLASSES_OF[byte as usize] & self.bit != 0) != self.negated
    }
}

fn set_matches(set: &[u8], byte: u8) -> bool {
    let (negated, mut rest) = match set {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, set),
    };
    while let Some((&first, tail)) = rest.split_first() {
        let found;
        (found, rest) = match tail {
            [quoted, tail @ ..] if first == ESCAPE => {
                (Class::of(*quoted).map_or(*quoted == byte, |class| class.contains(byte)), tail)
            }
            [b'-', last, tail @ ..] => ((first..=*last).contains(&byte), tail),
            _ => (first == byte, tail),
        };
        if found {
            return !negated;
        }
    }
    negated
}

/// A subject with a pattern, and the captures of the last match.
pub(super) struct Matcher<'a> {
    subject: &'a [u8],
    /// Without its anchor.
    pattern: &'a [u8],
    captures: ArrayVec<Capture, MAX_CAPTURES>,
    /// How much deeper matches may nest.
    depth: u32,
    /// Work not yet reported.
    steps: u64,
}

impl<'a> Matcher<'a> {
    /// A matcher of a pattern, whose `^`, if it means the anchor, is not part of it.
    pub(super) fn new(subject: &'a [u8], pattern: &'a [u8]) -> Matcher<'a> {
        Matcher { subject, pattern, captures: ArrayVec::new(), depth: MAX_DEPTH, steps: 0 }
    }

    /// Matches the pattern at this place of the subject, and nowhere else. Gives the end of the match.
    pub(super) fn match_at<C: Charge>(&mut self, start: usize, charge: &mut C) -> Outcome<C> {
        self.captures.clear();
        self.depth = MAX_DEPTH;
        self.run(start, 0, charge)
    }

    /// How many captures the last match made.
    pub(super) fn capture_count(&self) -> usize {
        self.captures.len()
    }

    /// A capture of the last match, which spanned `whole`. Without captures the first one is the whole match.
    pub(super) fn capture(&self, index: usize, whole: Range<usize>) -> Result<Captured, PatternError> {
        let Some(&Capture { start, extent }) = self.captures.get(index) else {
            return match index {
                0 => Ok(Captured::Span(whole)),
                _ => Err(PatternError::CaptureIndex(index as i32 + 1)),
            };
        };
        match extent {
            Extent::Open => Err(PatternError::UnfinishedCapture),
            Extent::Position => Ok(Captured::Position(start as i64 + 1)),
            Extent::Length(length) => Ok(Captured::Span(start..start + length)),
        }
    }

    #[inline]
    fn work<C: Charge>(&mut self, steps: u64, charge: &mut C) -> Result<(), MatchError<C::Stop>> {
        self.steps += steps;
        if self.steps >= PORTION {
            charge.charge(std::mem::take(&mut self.steps)).map_err(MatchError::Stopped)?;
        }
        Ok(())
    }

    /// A byte of the pattern, 0 at its end: no item begins with 0, and no suffix is 0.
    #[inline]
    fn item(&self, at: usize) -> u8 {
        self.pattern.get(at).copied().unwrap_or(0)
    }

    /// Matches the rest of the pattern.
    fn run<C: Charge>(&mut self, from: usize, pattern: usize, charge: &mut C) -> Outcome<C> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return Err(PatternError::TooDeep.into());
        };
        self.depth = depth;
        let end = self.run_items(from, pattern, charge)?;
        self.depth += 1;
        Ok(end)
    }

    /// Goes from item to item as long as each can match in one way only.
    fn run_items<C: Charge>(&mut self, from: usize, pattern: usize, charge: &mut C) -> Outcome<C> {
        let (mut s, mut p) = (from, pattern);
        loop {
            self.work(1, charge)?;
            let Some(&item) = self.pattern.get(p) else {
                return Ok(Some(s));
            };
            match item {
                b'(' if self.item(p + 1) == b')' => return self.start_capture(s, p + 2, Extent::Position, charge),
                b'(' => return self.start_capture(s, p + 1, Extent::Open, charge),
                b')' => return self.end_capture(s, p + 1, charge),
                b'$' if p + 1 == self.pattern.len() => return Ok((s == self.subject.len()).then_some(s)),
                ESCAPE => match self.item(p + 1) {
                    b'b' => {
                        let Some(end) = self.balance(s, p + 2, charge)? else {
                            return Ok(None);
                        };
                        (s, p) = (end, p + 4);
                        continue;
                    }
                    b'f' => {
                        let Some(next) = self.frontier(s, p + 2, charge)? else {
                            return Ok(None);
                        };
                        p = next;
                        continue;
                    }
                    digit @ b'0'..=b'9' => {
                        let Some(end) = self.back_reference(s, digit, charge)? else {
                            return Ok(None);
                        };
                        (s, p) = (end, p + 2);
                        continue;
                    }
                    _ => {}
                },
                _ => {}
            }
            let (single, end) = self.single(p)?;
            self.work(single.cost(), charge)?;
            let matched = self.subject.get(s).is_some_and(|&byte| single.matches(byte));
            match (self.item(end), matched) {
                (b'?', true) => {
                    if let Some(found) = self.run(s + 1, end + 1, charge)? {
                        return Ok(Some(found));
                    }
                    p = end + 1;
                }
                (b'+', true) => return self.longest(s + 1, single, end + 1, charge),
                (b'*', true) => return self.longest(s, single, end + 1, charge),
                (b'-', true) => return self.shortest(s, single, end + 1, charge),
                (b'?' | b'*' | b'-', false) => p = end + 1,
                (_, true) => (s, p) = (s + 1, end),
                (_, false) => return Ok(None),
            }
        }
    }

    /// The single-byte item at a place of the pattern, and where it ends.
    fn single(&self, at: usize) -> Result<(Single<'a>, usize), PatternError> {
        match self.item(at) {
            ESCAPE => match self.pattern.get(at + 1) {
                Some(&quoted) => Ok((Class::of(quoted).map_or(Single::Byte(quoted), Single::Class), at + 2)),
                None => Err(PatternError::EndsWithEscape),
            },
            b'[' => {
                let (set, end) = self.set(at)?;
                Ok((Single::Set(set), end))
            }
            b'.' => Ok((Single::Any, at + 1)),
            byte => Ok((Single::Byte(byte), at + 1)),
        }
    }

    /// What stands inside the brackets that open at a place of the pattern, and where the set ends.
    fn set(&self, at: usize) -> Result<(&'a [u8], usize), PatternError> {
        let start = at + 1;
        let mut p = start;
        if self.item(p) == b'^' {
            p += 1;
        }
        // A `]` that comes first is a member.
        loop {
            p += match self.pattern.get(p) {
                None => return Err(PatternError::UnclosedSet),
                Some(&ESCAPE) if p + 1 < self.pattern.len() => 2,
                Some(_) => 1,
            };
            if self.item(p) == b']' {
                return Ok((&self.pattern[start..p], p + 1));
            }
        }
    }

    /// Matches an item as often as possible, then the rest, giving back one repetition after the other.
    fn longest<C: Charge>(&mut self, from: usize, single: Single<'a>, rest: usize, charge: &mut C) -> Outcome<C> {
        let mut end = from;
        let cost = single.cost();
        while self.subject.get(end).is_some_and(|&byte| single.matches(byte)) {
            self.work(cost, charge)?;
            end += 1;
        }
        loop {
            if let Some(found) = self.run(end, rest, charge)? {
                return Ok(Some(found));
            }
            if end == from {
                return Ok(None);
            }
            end -= 1;
        }
    }

    /// Matches the rest, taking one repetition more of the item as long as that fails.
    fn shortest<C: Charge>(&mut self, from: usize, single: Single<'a>, rest: usize, charge: &mut C) -> Outcome<C> {
        let mut start = from;
        loop {
            if let Some(found) = self.run(start, rest, charge)? {
                return Ok(Some(found));
            }
            self.work(single.cost(), charge)?;
            if !self.subject.get(start).is_some_and(|&byte| single.matches(byte)) {
                return Ok(None);
            }
            start += 1;
        }
    }

    fn start_capture<C: Charge>(&mut self, start: usize, rest: usize, extent: Extent, charge: &mut C) -> Outcome<C> {
        if self.captures.try_push(Capture { start, extent }).is_err() {
            return Err(PatternError::TooManyCaptures.into());
        }
        let found = self.run(start, rest, charge)?;
        if found.is_none() {
            self.captures.pop();
        }
        Ok(found)
    }

    fn end_capture<C: Charge>(&mut self, end: usize, rest: usize, charge: &mut C) -> Outcome<C> {
        let open = self.captures.iter().rposition(|capture| capture.extent == Extent::Open);
        let Some(index) = open else {
            return Err(PatternError::NothingToClose.into());
        };
        self.captures[index].extent = Extent::Length(end - self.captures[index].start);
        let found = self.run(end, rest, charge)?;
        if found.is_none() {
            self.captures[index].extent = Extent::Open;
        }
        Ok(found)
    }

    /// `%1`: the same text as a capture. A position capture has none, and matches nothing.
    fn back_reference<C: Charge>(&mut self, at: usize, digit: u8, charge: &mut C) -> Outcome<C> {
        let number = i32::from(digit - b'0');
        let capture = match digit {
            b'0' => None,
            _ => self.captures.get(usize::from(digit - b'1')),
        };
        let (start, length) = match capture {
            None | Some(Capture { extent: Extent::Open, .. }) => return Err(PatternError::CaptureIndex(number).into()),
            Some(Capture { extent: Extent::Position, .. }) => return Ok(None),
            Some(&Capture { start, extent: Extent::Length(length) }) => (start, length),
        };
        self.work(length as u64 / 32, charge)?;
        let text = &self.subject[start..start + length];
        Ok(self.subject[at..].starts_with(text).then_some(at + length))
    }

    /// `%bxy`, whose two bytes stand at `arguments`.
    fn balance<C: Charge>(&mut self, at: usize, arguments: usize, charge: &mut C) -> Outcome<C> {
        let &[open, close] = self.pattern.get(arguments..arguments + 2).unwrap_or_default() else {
            return Err(PatternError::NoBalanceArguments.into());
        };
        if self.subject.get(at) != Some(&open) {
            return Ok(None);
        }
        let mut nested = 1u64;
        for end in at + 1..self.subject.len() {
            self.work(1, charge)?;
            let byte = self.subject[end];
            // Where both are the same byte it closes.
            if byte == close {
                nested -= 1;
                if nested == 0 {
                    return Ok(Some(end + 1));
                }
            } else if byte == open {
                nested += 1;
            }
        }
        Ok(None)
    }

    /// `%f[set]`, whose set stands at `set`. Gives where the pattern goes on, if the place is a frontier.
    /// Beyond its ends the subject counts as 0.
    fn frontier<C: Charge>(&mut self, at: usize, set: usize, charge: &mut C) -> Outcome<C> {
        if self.item(set) != b'[' {
            return Err(PatternError::NoFrontierSet.into());
        }
        let (set, next) = self.set(set)?;
        self.work(Single::Set(set).cost(), charge)?;
        let previous = at.checked_sub(1).map_or(0, |before| self.subject[before]);
        let current = self.subject.get(at).copied().unwrap_or(0);
        Ok((!set_matches(set, previous) && set_matches(set, current)).then_some(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ends the match after so many steps.
    struct Allowance(u64);

    impl Charge for Allowance {
        type Stop = ();

        fn charge(&mut self, steps: u64) -> Result<(), ()> {
            self.0 = self.0.checked_sub(steps).ok_or(())?;
            Ok(())
        }
    }

    /// The first match, or what stopped it; then its captures, positions as `@n`.
    fn search(subject: &str, pattern: &str) -> Result<Option<Vec<String>>, MatchError<()>> {
        let (subject, pattern) = (subject.as_bytes(), pattern.as_bytes());
        let mut matcher = Matcher::new(subject, pattern);
        let text = |span: Range<usize>| String::from_utf8_lossy(&subject[span]).into_owned();
        for start in 0..=subject.len() {
            let Some(end) = matcher.match_at(start, &mut Allowance(1 << 24))? else {
                continue;
            };
            let mut found = vec![text(start..end)];
            for index in 0..matcher.capture_count() {
                found.push(match matcher.capture(index, start..end)? {
                    Captured::Span(span) => text(span),
                    Captured::Position(position) => format!("@{position}"),
                });
            }
            return Ok(Some(found));
        }
        Ok(None)
    }

    #[track_caller]
    fn finds(subject: &str, pattern: &str, expected: &[&str]) {
        let expected = expected.iter().map(|&text| text.to_owned()).collect();
        assert_eq!(search(subject, pattern), Ok(Some(expected)), "{pattern} in {subject}");
    }

    #[track_caller]
    fn finds_nothing(subject: &str, pattern: &str) {
        assert_eq!(search(subject, pattern), Ok(None), "{pattern} in {subject}");
    }

    #[track_caller]
    fn fails(subject: &str, pattern: &str, message: &str) {
        match search(subject, pattern) {
            Err(MatchError::Pattern(error)) => assert_eq!(error.to_string(), message, "{pattern}"),
            other => panic!("{pattern}: {other:?}"),
        }
    }

    #[test]
    fn repetitions_are_greedy_lazy_or_optional() {
        finds("xaaab", "a*", &[""]);
        finds("aaab", "a*", &["aaa"]);
        finds("xaaab", "a+", &["aaa"]);
        finds("aaab", "a-b", &["aaab"]);
        finds("aaab", "a-", &[""]);
        finds("xab", "xa?a?b", &["xab"]);
        finds("aaa", "a?aaa", &["aaa"]);
        finds_nothing("bbb", "a+");
        finds("a\0b", "a.b", &["a\0b"]);
    }

    #[test]
    fn sets_have_ranges_classes_and_complements() {
        finds("x-]7", "[]]", &["]"]);
        finds("x]7", "[^]x]", &["7"]);
        finds("x-7", "[a-]+", &["-"]);
        finds("hello World", "[%u][%l]*", &["World"]);
        finds("a%]b", "[%%%]]+", &["%]"]);
        finds("caffe", "[a-c]+", &["ca"]);
        finds("b-d", "[%a-z]+", &["b-d"]);
        finds_nothing("b", "[d-a]");
        finds("\u{b}\t x", "%s+", &["\u{b}\t "]);
        finds("a\0b", "%z", &["\0"]);
        finds("ab\0", "%Z+", &["ab"]);
    }

    #[test]
    fn captures_nest_and_give_positions() {
        finds("key = value", "(%w+) = (%w+)", &["key = value", "key", "value"]);
        finds("abc", "(a(b)(c))()", &["abc", "abc", "b", "c", "@4"]);
        finds("'it' \"is\"", "([\"'])(.-)%1", &["'it'", "'", "it"]);
        finds_nothing("aa", "()%1");
    }

    #[test]
    fn balances_and_frontiers_are_found() {
        finds("f(a(b)c) d)", "%b()", &["(a(b)c)"]);
        finds("|a|b|", "%b||", &["|a|"]);
        finds_nothing("(()", "^%b()$");
        finds("THE (quick) fox", "%f[%a]%a+%f[%A]", &["THE"]);
        finds("ab", "%f[%z]", &[""]);
    }

    #[test]
    fn a_dollar_is_an_anchor_only_at_the_end() {
        finds("a$b", "a$b", &["a$b"]);
        finds("ab", "b$", &["b"]);
        finds_nothing("ab", "a$");
    }

    #[test]
    fn malformed_patterns_are_named() {
        fails("a", "%", "malformed pattern (ends with '%')");
        fails("a", "[a", "malformed pattern (missing ']')");
        fails("a", "[]", "malformed pattern (missing ']')");
        fails("a", "[^]", "malformed pattern (missing ']')");
        fails("a", "[a%]", "malformed pattern (missing ']')");
        fails("a", "[a%", "malformed pattern (missing ']')");
        fails("a", "%b", "malformed pattern (missing arguments to '%b')");
        fails("a", "%bx", "malformed pattern (missing arguments to '%b')");
        fails("a", "%f", "missing '[' after '%f' in pattern");
        fails("a", "(a", "unfinished capture");
        fails("a", "a)", "invalid pattern capture");
        fails("a", "%1", "invalid capture index %1");
        fails("a", "%0", "invalid capture index %0");
        fails("a", "(%1)", "invalid capture index %1");
        fails("a", &"()".repeat(33), "too many captures");
    }

    #[test]
    fn a_malformed_end_that_is_not_reached_is_no_error() {
        finds_nothing("a", "b%");
        finds_nothing("", "a[");
    }

    #[test]
    fn nesting_is_bounded() {
        let subject = "a".repeat(300);
        finds(&subject, &"a?".repeat(199), &["a".repeat(199).as_str()]);
        fails(&subject, &"a?".repeat(200), "pattern too complex");
    }

    #[test]
    fn long_matches_can_be_stopped() {
        let subject = [b'a'; 1000];
        for pattern in [&b"a*a*a*a*a*b"[..], b"a-a-a-a-a-b", b".-.-.-.-%b()", b"[^b]*[^b]*[^b]*[^b]*c"] {
            let mut matcher = Matcher::new(&subject, pattern);
            assert_eq!(matcher.match_at(0, &mut Allowance(1 << 20)), Err(MatchError::Stopped(())));
        }
    }
}
