//! Reads and writes of fields: every kind of key, in a constant, a local variable and an upvalue, of tables without a
//! metatable, with one, and of chains of them, into every register that may already be in use.

use super::maker::Maker;

/// Expressions for keys: those that instructions have room for, those that constants have room for, and neither.
const KEYS: [&str; 22] = [
    "\"present\"",
    "\"present\"",
    "\"missing\"",
    "\"missing\"",
    "\"inherited\"",
    "\"a string that is longer than the short strings, which are interned\"",
    "1",
    "2",
    "2.0",
    "3",
    "255",
    "256",
    "0",
    "-1",
    "0x7fffffffffffffff",
    "2^53",
    "2.5",
    "true",
    "false",
    "nil",
    "0/0",
    "print",
];

/// What a metatable does for a key that its table lacks, once as `__index` and once as `__newindex`.
const HANDLERS: [(&str, &str); 4] = [
    (
        "function(_, key) log[#log + 1] = key return key end",
        "function(t, key, value) log[#log + 1] = value rawset(t, key, value) end",
    ),
    ("function() end", "function() end"),
    ("function(_, key) error(key) end", "function(_, key) error(key) end"),
    ("12", "12"),
];

impl Maker {
    /// A table, perhaps the last of a chain of tables, and what becomes of reading and writing its fields.
    pub fn indexing(&mut self) {
        self.block("do", "end", |maker| {
            maker.line("local log = {}");
            let tables = maker.between(1, 4);
            for index in 1..=tables {
                let table = maker.link(index);
                maker.line(format!("local t{index} = {table}"));
            }
            for _ in 0..maker.between(2, 6) {
                maker.field_accesses(tables);
            }
            maker.line("show(\"index log\", log)");
        });
    }

    /// A table whose metatable, if it has one, may lead to the table made before it.
    fn link(&mut self, index: usize) -> String {
        let contents = self.pick(&[
            "{}",
            "{present = 1}",
            "{10, 20, 30, present = \"here\"}",
            "{10, nil, 30, [256] = 1, [2.5] = 2, [true] = 3, inherited = 4}",
        ]);
        let (reading, writing) = (self.pick(&HANDLERS).0, self.pick(&HANDLERS).1);
        let mut fields = Vec::new();
        for (event, handler) in [("__index", reading), ("__newindex", writing)] {
            match self.below(8) {
                0..=3 if index > 1 => fields.push(format!("{event} = t{}", index - 1)),
                4 | 5 => fields.push(format!("{event} = {handler}")),
                _ => {}
            }
        }
        if fields.is_empty() && self.one_in(2) {
            return contents.to_owned();
        }
        format!("setmetatable({contents}, {{{}}})", fields.join(", "))
    }

    /// A few accesses in a protected call, to a table and with keys that are local variables of the call or upvalues.
    fn field_accesses(&mut self, tables: usize) {
        let table = match self.below(12) {
            0 => self.pick(&["\"text\"", "12", "nil"]).to_owned(),
            _ => format!("t{}", self.between(1, tables)),
        };
        let (key, value) = (self.pick(&KEYS), self.pick(&KEYS));
        let declaration = format!("local t, k, v = {table}, {key}, {value}");
        self.block("do", "end", |maker| {
            let outside = maker.one_in(3);
            if outside {
                maker.line(&declaration);
            }
            maker.block("try(\"index\", function()", "end)", |maker| {
                if !outside {
                    maker.line(&declaration);
                }
                for _ in 0..maker.between(1, 3) {
                    let access = maker.field_access();
                    maker.line(access);
                }
                maker.line("return t, k, v");
            });
        });
    }

    fn field_access(&mut self) -> String {
        let constant = self.pick(&KEYS);
        // The key may be a name, a constant or a variable.
        let field = match self.below(6) {
            0 => self.pick(&["t.present", "t.missing", "t.inherited"]).to_owned(),
            1 | 2 => format!("t[{constant}]"),
            _ => "t[k]".to_owned(),
        };
        match self.below(16) {
            0..=2 => format!("t = {field}"),
            3 | 4 => format!("k = {field}"),
            5 | 6 => format!("v = {field}"),
            7..=9 => format!("{field} = {}", self.pick(&["v", "k", "nil", "1", "\"x\"", "t", "v and k"])),
            10 => format!("t, k = {field}, v"),
            11 => format!("{field}, k = k, {field}"),
            12 => format!("{field} = {field}"),
            13 => format!("if {field} then v = {field} end"),
            // Not the length: of several borders it may be any.
            14 => format!("v = {} {field}", self.pick(&["not", "1 ..", "nil ==", "-", "v or"])),
            _ => self
                .pick(&["t:present(k)", "v = t:missing(v)", "k = t[k][k]", "t[k][k] = v", "do return t[k], t[v] end"])
                .to_owned(),
        }
    }
}
