//! Small languages inside of Lua: string literals, patterns, formats, layouts of `pack`.

use super::maker::Maker;

/// Bytes as a string literal.
pub(super) fn quote(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(char::from(byte));
            }
            b' '..=b'~' => text.push(char::from(byte)),
            b'\n' => text.push_str("\\n"),
            // All three digits where another one follows.
            _ if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => text.push_str(&format!("\\{byte:03}")),
            _ => text.push_str(&format!("\\{byte}")),
        }
    }
    text.push('"');
    text
}

const CLASSES: [&str; 28] = [
    ".",
    "%a",
    "%d",
    "%s",
    "%w",
    "%x",
    "%p",
    "%l",
    "%u",
    "%c",
    "%g",
    "%A",
    "%D",
    "%S",
    "%W",
    "[abc]",
    "[^a-c]",
    "[%d_]",
    "[]]",
    "[a-]",
    "[^%s]",
    "[%a_][%w_]",
    "a",
    "b",
    "x",
    "o",
    "%%",
    "%.",
];
const DAMAGED: [&str; 12] = ["%", "[a", "[", "(a", "a)", "%b", "%f", "%2", "[^", "[%", "(()", "%0"];
const CONVERSIONS: [char; 18] =
    ['d', 'i', 'o', 'x', 'X', 'c', 's', 'q', 'a', 'A', 'e', 'E', 'f', 'F', 'g', 'G', 'u', 'p'];
const LAYOUTS: [&str; 36] = [
    "b", "B", "h", "H", "l", "L", "j", "J", "T", "i", "I", "i1", "i2", "i3", "i5", "i7", "i8", "i9", "i16", "I1", "I3",
    "I8", "I9", "I16", "f", "d", "n", "s", "s1", "s2", "s4", "s8", "z", "x", "c3", "c10",
];
const LAYOUT_WORDS: [&str; 16] =
    ["<", ">", "=", "!", "!2", "!4", "!8", "!16", " ", "Xb", "Xi4", "X", "i17", "c", "y", "!3"];

impl Maker {
    /// A pattern as a string literal; a damaged one now and then.
    pub fn pattern(&mut self) -> String {
        let mut pattern = String::new();
        if self.one_in(5) {
            pattern.push('^');
        }
        let mut captures = 0;
        for _ in 0..self.between(0, 4) {
            match self.below(12) {
                0 => {
                    captures += 1;
                    pattern.push_str("()");
                }
                1 | 2 => {
                    captures += 1;
                    let inner = self.single();
                    pattern.push_str(&format!("({inner})"));
                }
                3 if captures > 0 => pattern.push_str(&format!("%{captures}")),
                4 => pattern.push_str(self.pick(&["%b()", "%bxy", "%f[%w]", "%f[%a]%a+", "%f[%z]"])),
                5 if self.one_in(3) => pattern.push_str(self.pick(&DAMAGED)),
                _ => {
                    let single = self.single();
                    pattern.push_str(&single);
                }
            }
        }
        if self.one_in(5) {
            pattern.push('$');
        }
        quote(pattern.as_bytes())
    }

    fn single(&mut self) -> String {
        let class = self.pick(&CLASSES);
        let repeat = self.pick(&["", "", "", "*", "+", "-", "?"]);
        format!("{class}{repeat}")
    }

    /// The replacement of a `gsub`.
    pub fn replacement(&mut self) -> String {
        match self.below(8) {
            0..=2 => self.pick(&["\"<%0>\"", "\"%1\"", "\"x\"", "\"\"", "\"%%\"", "\"%1%1\""]).to_owned(),
            3 => self.pick(&["\"%2\"", "\"%\"", "\"%x\"", "\"%9\""]).to_owned(),
            4 => "{a = \"1\", b = false, x = 2, o = 0.5, [\"10\"] = \"ten\"}".to_owned(),
            5 => "function(...) return (select(\"#\", ...)) end".to_owned(),
            6 => self.pick(&["function(a) return a == \"a\" and \"A\" end", "function() return {} end"]).to_owned(),
            _ => self.pick(&["string.upper", "error", "12", "true", "nil"]).to_owned(),
        }
    }

    /// A format and its arguments.
    pub fn format(&mut self) -> Vec<String> {
        let mut format = String::new();
        let mut arguments = vec![String::new()];
        for _ in 0..self.between(1, 3) {
            let conversion = self.pick(&CONVERSIONS);
            format.push('%');
            for _ in 0..self.pick(&[0, 0, 0, 1, 1, 2]) {
                format.push(self.pick(&['-', '+', ' ', '#', '0']));
            }
            if self.one_in(3) {
                let end = self.pick(&[25, 25, 25, 25, 25, 120]);
                format.push_str(&self.below(end).to_string());
            }
            if self.one_in(3) {
                let end = self.pick(&[18, 18, 18, 18, 18, 120]);
                format.push_str(&format!(".{}", self.below(end)));
            }
            format.push(if self.one_in(60) { self.pick(&['y', '%', 'D', 'h', '\0']) } else { conversion });
            format.push_str(self.pick(&["", "|", " and "]));
            if self.one_in(40) {
                continue;
            }
            let argument = match conversion {
                _ if self.one_in(12) && !matches!(conversion, 'p' | 's') => self.value(),
                'c' => self.pick(&["0", "65", "255", "10"]).to_owned(),
                's' if self.one_in(2) => self.string(),
                // One with an address would be as wide as that.
                's' if self.one_in(4) => "setmetatable({}, {__tostring = function() return \"text\" end})".to_owned(),
                's' => self.plain(),
                'q' if self.one_in(4) => self.string(),
                'q' => self.plain(),
                // Of what has an address that would be printed.
                'p' => self.pick(&["nil", "1", "true", "2.5"]).to_owned(),
                'd' | 'i' | 'o' | 'x' | 'X' if self.one_in(6) => self.pick(&["3.0", "\"12\"", "2.5", "-1"]).to_owned(),
                'd' | 'i' | 'o' | 'x' | 'X' | 'u' => self.integer(),
                _ => self.number(),
            };
            arguments.push(argument);
        }
        if self.one_in(10) {
            format.push_str("%%");
        }
        if self.one_in(40) {
            format.push('%');
        }
        arguments[0] = quote(format.as_bytes());
        arguments
    }

    /// A layout of `string.pack` as a string literal, and values for it.
    pub fn layout(&mut self) -> Vec<String> {
        let mut layout = String::new();
        let mut values = Vec::new();
        for _ in 0..self.between(1, 4) {
            if self.one_in(3) {
                layout.push_str(self.pick(&LAYOUT_WORDS));
            }
            let option = self.pick(&LAYOUTS);
            layout.push_str(option);
            match option.as_bytes()[0] {
                b'x' => {}
                b'f' | b'd' | b'n' => values.push(self.number()),
                b's' | b'z' | b'c' => values.push(self.string()),
                _ if self.one_in(3) => values.push(self.integer()),
                _ => values.push(self.small()),
            }
        }
        if self.one_in(15) {
            values.pop();
        }
        if self.one_in(15)
            && let Some(last) = values.last_mut()
        {
            *last = self.value();
        }
        values.insert(0, quote(layout.as_bytes()));
        values
    }

    /// UTF-8, or nearly, as a string literal.
    pub fn utf8(&mut self) -> String {
        self.pick(&[
            r#""""#,
            r#""abc""#,
            r#""h\u{e9}llo""#,
            r#""\u{20ac}\u{10348}x""#,
            r#""\u{7fffffff}""#,
            r#""\u{d800}""#,
            r#""\u{10ffff}\u{110000}""#,
            r#""a\x80b""#,
            r#""\xff""#,
            r#""\xe2\x82""#,
            r#""\xc0\x80""#,
            r#""\xf8\x88\x80\x80\x80""#,
            r#""\0\u{7f}\u{80}""#,
        ])
        .to_owned()
    }
}
