//! Values as source text: expressions that cannot fail.

use super::maker::Maker;

/// The types that operators are tried on. Numbers are two of them, since they behave as two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Nil,
    Boolean,
    Integer,
    Float,
    String,
    Table,
    Function,
    Thread,
    Userdata,
}

impl Type {
    pub const ALL: [Type; 9] = [
        Type::Nil,
        Type::Boolean,
        Type::Integer,
        Type::Float,
        Type::String,
        Type::Table,
        Type::Function,
        Type::Thread,
        Type::Userdata,
    ];

    pub fn name(self) -> &'static str {
        ["nil", "boolean", "integer", "float", "string", "table", "function", "thread", "userdata"][self as usize]
    }
}

const INTEGERS: [&str; 26] = [
    "math.maxinteger",
    "math.mininteger",
    "0x7fffffffffffffff",
    "0xffffffffffffffff",
    "-9223372036854775807",
    "9223372036854775806",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967295",
    "4294967296",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "4611686018427387904",
    "127",
    "128",
    "255",
    "256",
    "65535",
    "62",
    "63",
    "64",
    "-63",
    "-64",
    "1000000",
];

const FLOATS: [&str; 34] = [
    "0.0",
    "-0.0",
    "0.5",
    "-0.5",
    "1.0",
    "-1.5",
    "2.5",
    "3.0",
    "0.1",
    "1e15",
    "1e16",
    "123456789012345680.0",
    "9007199254740992.0",
    "9007199254740993.0",
    "9223372036854775807.0",
    "-9223372036854775808.0",
    "9223372036854774784.0",
    "9223372036854775808",
    "1e100",
    "-1e100",
    "1e308",
    "1.7976931348623157e308",
    "2.2250738585072014e-308",
    "5e-324",
    "0x1p-1074",
    "0x.8p3",
    "0xA.8",
    "3.141592653589793",
    "1e-7",
    "123.456",
    "math.huge",
    "-math.huge",
    "(0/0)",
    "-(0/0)",
];

const STRINGS: [&str; 40] = [
    r#""""#,
    r#""a""#,
    r#""abc""#,
    r#""10""#,
    r#""-7""#,
    r#"" 10 ""#,
    r#""0x10""#,
    r#""0x1p4""#,
    r#""0xffffffffffffffffff""#,
    r#""1e1""#,
    r#""1e""#,
    r#""1e+""#,
    r#"".5""#,
    r#""5.""#,
    r#"".""#,
    r#""0x""#,
    r#""0x.""#,
    r#""- 1""#,
    r#""--1""#,
    r#""1 2""#,
    r#""1_000""#,
    r#""inf""#,
    r#""nan""#,
    r#""9223372036854775807""#,
    r#""9223372036854775808""#,
    r#""-9223372036854775808""#,
    r#""1\0""#,
    r#""\0""#,
    r#""a\0b""#,
    r#""\t 3 \n""#,
    r#""\xff\xfe""#,
    r#""h\u{e9}llo""#,
    r#""%d %s""#,
    r#""x,y;z""#,
    r#""Hello World 123""#,
    r#""The quick brown fox""#,
    r#""key = value""#,
    r#""(a(b)c)""#,
    r#""aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa""#,
    "[[\nlong\nstring]]",
];

impl Maker {
    /// A value of a type.
    pub fn value_of(&mut self, kind: Type) -> String {
        match kind {
            Type::Nil => "nil".to_owned(),
            Type::Boolean => self.pick(&["true", "false"]).to_owned(),
            Type::Integer => self.integer(),
            Type::Float => self.float(),
            Type::String => self.string(),
            Type::Table => self.table(),
            Type::Function => self.function(),
            Type::Thread => self.thread(),
            Type::Userdata => self.pick(&["io.stderr", "io.stdin"]).to_owned(),
        }
    }

    /// A type of number or string most of the time.
    pub fn any_type(&mut self) -> Type {
        match self.below(4) {
            0 => Type::ALL[self.below(Type::ALL.len())],
            1 => Type::Float,
            2 => Type::String,
            _ => Type::Integer,
        }
    }

    /// Any value.
    pub fn value(&mut self) -> String {
        let kind = Type::ALL[self.below(Type::ALL.len())];
        self.value_of(kind)
    }

    /// A value that equals itself and is shown as what it is.
    pub fn plain(&mut self) -> String {
        let kind = self.pick(&[Type::Boolean, Type::Integer, Type::Float, Type::String]);
        self.value_of(kind)
    }

    pub fn number(&mut self) -> String {
        if self.one_in(2) { self.integer() } else { self.float() }
    }

    pub fn small(&mut self) -> String {
        (self.below(14) as i64 - 3).to_string()
    }

    pub fn integer(&mut self) -> String {
        match self.below(8) {
            0..=3 => self.small(),
            4..=6 => self.pick(&INTEGERS).to_owned(),
            // The least one cannot be written as a literal.
            _ => ((self.bits() as i64) >> self.below(64)).max(-i64::MAX).to_string(),
        }
    }

    pub fn float(&mut self) -> String {
        match self.below(8) {
            0..=4 => self.pick(&FLOATS).to_owned(),
            5 | 6 => {
                let number = (self.bits() as i64 >> self.between(1, 60)) as f64 / self.pick(&[1.0, 10.0, 1000.0, 7.0]);
                format!("{number:?}")
            }
            _ => {
                let number = f64::from_bits(self.bits());
                if number.is_finite() { format!("{number:?}") } else { "1e309".to_owned() }
            }
        }
    }

    pub fn string(&mut self) -> String {
        match self.below(8) {
            0..=4 => self.pick(&STRINGS).to_owned(),
            5 => {
                let number = self.number();
                format!("tostring({number})")
            }
            _ => {
                let text = self.letters(20);
                super::text::quote(&text)
            }
        }
    }

    /// Letters, digits, spaces and a few others, at most so many.
    pub fn letters(&mut self, most: usize) -> Vec<u8> {
        const BYTES: &[u8] = b"aaabbcxyzABZ0129  __.,-+()[]%\t\n\0\x80\xff";
        let count = self.between(0, most);
        (0..count).map(|_| self.pick(BYTES)).collect()
    }

    pub fn table(&mut self) -> String {
        match self.below(8) {
            0 => "{}".to_owned(),
            1..=3 => self.sequence(),
            4 => "setmetatable({}, {__name = \"Kind\"})".to_owned(),
            5 => "setmetatable({1, 2, 3}, {__tostring = function() return \"three\" end, __len = function() return 3 end})"
                .to_owned(),
            6 => "setmetatable({}, {__index = function(_, key) return key end})".to_owned(),
            _ => {
                let (a, b) = (self.plain(), self.plain());
                format!("{{a = {a}, b = {b}, 1, 2}}")
            }
        }
    }

    /// A table that is a sequence.
    pub fn sequence(&mut self) -> String {
        let count = self.between(0, 6);
        let kind = self.below(4);
        let items = self.list(count, |maker| match kind {
            0 => maker.small(),
            1 => maker.string(),
            2 => maker.number(),
            _ => maker.plain(),
        });
        format!("{{{items}}}")
    }

    pub fn function(&mut self) -> String {
        self.pick(&[
            "function(...) return ... end",
            "function(a, b) return b, a end",
            "function() end",
            "function(a) return a .. \"!\" end",
            "function(a, b) return a < b end",
            "function() error(\"thrown\") end",
            "function() error({code = 7}) end",
            "function(...) return select(\"#\", ...) end",
            "string.upper",
            "math.floor",
            "rawequal",
            "type",
        ])
        .to_owned()
    }

    pub fn thread(&mut self) -> String {
        self.pick(&[
            "coroutine.create(function(...) return ... end)",
            "coroutine.create(function(a) local b = coroutine.yield(a) return b end)",
            "coroutine.create(function() error(\"inside\") end)",
            "coroutine.create(print)",
        ])
        .to_owned()
    }
}
