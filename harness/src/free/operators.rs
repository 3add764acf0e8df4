//! Probes of operators, and objects whose metamethods answer to them.

use super::Use;
use super::catalog::{BINARY, LIBRARY, UNARY};
use super::literal::Type;
use super::maker::Maker;

/// Names of events of metamethods of two operands (manual §2.4).
const BINARY_EVENTS: [&str; 16] =
    ["add", "sub", "mul", "div", "idiv", "mod", "pow", "band", "bor", "bxor", "shl", "shr", "concat", "eq", "lt", "le"];

impl Maker {
    /// Operators on values of two types, where neither can fail by itself.
    pub fn operator_probes(&mut self) {
        for _ in 0..self.between(2, 6) {
            if self.one_in(8) {
                let (operator, operand) = (self.below(UNARY.len()), Type::ALL[self.below(Type::ALL.len())]);
                self.uses.push(Use::unary(operator, operand));
                let value = self.value_of(operand);
                self.operator_probe(UNARY[operator], &[value]);
            } else {
                let operator = self.below(BINARY.len());
                // All pairs of types alike, and numbers and strings once more.
                let (left, right) = if self.one_in(2) {
                    (Type::ALL[self.below(Type::ALL.len())], Type::ALL[self.below(Type::ALL.len())])
                } else {
                    (self.any_type(), self.any_type())
                };
                self.uses.push(Use::binary(operator, left, right));
                let values = [self.value_of(left), self.value_of(right)];
                self.operator_probe(BINARY[operator], &values);
            }
        }
    }

    /// The operands are constants, locals, upvalues, fields or globals: errors name them.
    fn operator_probe(&mut self, operator: &str, values: &[String]) {
        let mut before = Vec::new();
        let mut inside = Vec::new();
        let mut operands = Vec::new();
        for value in values {
            match self.below(6) {
                0 | 1 => operands.push(format!("({value})")),
                2 => {
                    let name = self.fresh("a");
                    inside.push(format!("local {name} = {value}"));
                    operands.push(name);
                }
                3 => {
                    let name = self.fresh("u");
                    before.push(format!("local {name} = {value}"));
                    operands.push(name);
                }
                4 => {
                    let name = self.fresh("t");
                    inside.push(format!("local {name} = {{field = {value}}}"));
                    operands.push(format!("{name}.field"));
                }
                // A library function that is a global too has two names.
                _ if !LIBRARY.iter().any(|function| function.name == value) => {
                    let name = self.fresh("G");
                    before.push(format!("{name} = {value}"));
                    operands.push(name);
                }
                _ => operands.push(format!("({value})")),
            }
        }
        let expression = match &operands[..] {
            [left, right] => format!("{left} {operator} {right}"),
            _ => format!("{operator} {}", operands[0]),
        };
        // `if` compiles comparisons to other instructions than a value does.
        let result = match self.below(6) {
            0 => format!("if {expression} then return \"yes\" else return \"no\" end"),
            1 => format!("return not ({expression})"),
            2 => format!("local r = {expression} return r, r"),
            _ => format!("return {expression}"),
        };
        // As many locals as there may be are not in the way of a block.
        self.block("do", "end", |maker| {
            for line in before {
                maker.line(line);
            }
            maker.block(format!("try(\"operator {operator}\", function()"), "end)", |maker| {
                for line in inside {
                    maker.line(line);
                }
                maker.line(result);
            });
        });
    }

    /// Two objects with metamethods, and what they make of operators.
    pub fn objects(&mut self) {
        self.block("do", "end", |maker| {
            maker.line("local log = {}");
            let metatables = maker.between(1, 2);
            for index in 1..=metatables {
                maker.line(format!("local meta{index} = {{}}"));
                for _ in 0..maker.between(1, 5) {
                    maker.metamethod(&format!("meta{index}"));
                }
            }
            let second = maker.between(1, metatables);
            maker.line("local x = setmetatable({1, 2, name = \"x\"}, meta1)");
            maker.line(format!("local y = setmetatable({{name = \"y\"}}, meta{second})"));
            for _ in 0..maker.between(2, 6) {
                let expression = maker.object_expression();
                if maker.one_in(4) {
                    maker.line(format!("show(\"object\", traced(function() return {expression} end))"));
                } else {
                    maker.line(format!("try(\"object\", function() return {expression} end)"));
                }
            }
            maker.line("show(\"object log\", log)");
        });
    }

    fn metamethod(&mut self, table: &str) {
        let event = self.pick(&BINARY_EVENTS);
        let line = match self.below(16) {
            0..=6 => {
                let result = self.pick(&[
                    "1",
                    "b",
                    "nil",
                    "rawequal(a, b)",
                    "\"r\"",
                    "error(\"in metamethod\")",
                    "rawequal(a, b), 2",
                ]);
                format!(
                    "{table}.__{event} = function(a, b) log[#log + 1] = {event:?} .. type(a) .. type(b) return {result} end"
                )
            }
            7 => {
                let event = self.pick(&["unm", "bnot", "len"]);
                format!("{table}.__{event} = function(a, b) return rawlen(a) + 10, rawequal(a, b) end")
            }
            8 => format!("{table}.__index = function(self, key) log[#log + 1] = key return key end"),
            9 => {
                let value = self.plain();
                format!("{table}.__index = {{inherited = {value}, m = function(self, ...) return ... end}}")
            }
            10 => format!("{table}.__newindex = function(self, key, value) rawset(self, key, type(value)) end"),
            11 => format!("{table}.__call = function(self, ...) return self.name, select(\"#\", ...), ... end"),
            12 => {
                let value = self.pick(&["\"text\"", "7", "nil", "error(\"no text\")"]);
                format!("{table}.__tostring = function() return {value} end")
            }
            13 => {
                let name = self.pick(&["\"Kind\"", "\"\"", "12"]);
                format!("{table}.__name = {name}")
            }
            14 => format!(
                "{table}.__pairs = function(self) return function(_, k) if not k then return 1, 2 end end, self, nil end"
            ),
            _ => {
                let value = self.pick(&["false", "\"locked\"", "12"]);
                format!("{table}.__metatable = {value}")
            }
        };
        self.line(line);
    }

    fn object_expression(&mut self) -> String {
        let operand = |maker: &mut Maker| match maker.below(5) {
            0 | 1 => "x".to_owned(),
            2 | 3 => "y".to_owned(),
            _ => format!("({})", maker.value()),
        };
        match self.below(16) {
            0..=6 => {
                let (left, right) = (operand(self), operand(self));
                let operator = self.pick(&BINARY);
                format!("{left} {operator} {right}")
            }
            7 => {
                let operator = self.pick(&UNARY);
                format!("{operator} x")
            }
            8 => self.pick(&["x.inherited", "y.missing", "x[1]", "x[nil]", "x[0/0]", "y.name.missing.more"]).to_owned(),
            9 => self
                .pick(&[
                    "(function() x.new = 1 return rawget(x, \"new\") end)()",
                    "(function() y[nil] = 1 end)()",
                    "(function() y[0/0] = 1 end)()",
                    "(function() x[1.0] = \"one\" return x[1] end)()",
                ])
                .to_owned(),
            10 => self.pick(&["x(1, nil, 3)", "y()", "x:m(1, 2)", "x.m.m()", "x:missing()", "(\"x\").y.z"]).to_owned(),
            11 => self.pick(&["tostring(x)", "string.format(\"%s %10.3s\", x, y)", "#tostring(y) > 0"]).to_owned(),
            12 => "(function() local n = 0 for k in pairs(x) do n = n + 1 if n > 9 then break end end return n end)()"
                .to_owned(),
            13 => self.pick(&["getmetatable(x) == meta1", "setmetatable(x, nil)", "getmetatable(y)"]).to_owned(),
            14 => {
                self.pick(&["x .. y .. 1", "1 .. 2 .. x", "x < y, x <= y, x > y, x >= y", "x == y, x ~= y"]).to_owned()
            }
            _ => self
                .pick(&["table.concat(x)", "table.unpack(y)", "rawlen(x), rawequal(x, y)", "next(y, \"none\")"])
                .to_owned(),
        }
    }
}
