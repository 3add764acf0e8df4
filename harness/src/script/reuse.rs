//! Functions of the library that are used again after they failed.

use arbitrary::Arbitrary;
use mutatis::Mutate;
use serde::{Deserialize, Serialize};

use super::Value;
use super::payload::{burst, payloads};
use super::render::{Renderer, step_text};
use crate::language::Feature;

payloads! {
    /// Lets a function of the library fail and uses it again, or what it failed on. Prints whether it failed as far as every
    /// correct Lua does the same.
    ReuseFailed {
        /// What fails.
        what: Fallible,
        /// The error, where the script raises it.
        error: Value,
        /// How many steps there are between the failure and the use.
        #[arbitrary(with = burst)]
        steps: u8,
    }
}

/// What fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum Fallible {
    /// The iterator of `string.gmatch` with a pattern that is malformed.
    #[default]
    Malformed,
    /// The same with a pattern that is too complex. What the iterator does next is not printed: that differs.
    Complex,
    /// The function that `coroutine.wrap` returned, by an error through a to-be-closed variable.
    Wrapped,
    /// `string.gsub`, by its replacement.
    Replacement,
    /// `table.sort`, by its comparison. The list still has all of its items.
    Sort,
    /// The iterator of `utf8.codes`.
    Codes,
    /// `require`, by the loader of the module.
    Module,
}

impl Renderer {
    pub(super) fn reuse_failed(&mut self, ReuseFailed { what, error, steps }: &ReuseFailed) {
        let raise = format!("error({})", self.value(*error));
        let (before, call, again): (Vec<String>, &str, &[&str]) = match what {
            Fallible::Malformed => {
                (vec!["local f = string.gmatch(\"a\", \"[a\")".to_owned()], "f", &["print((pcall(f)))"])
            }
            Fallible::Complex => (
                vec!["local f = string.gmatch((\"a\"):rep(300), (\"a?\"):rep(300))".to_owned()],
                "f",
                &["for _ = 1, 3 do pcall(f) end"],
            ),
            Fallible::Wrapped => {
                let step = if *steps > 0 { step_text(0, *steps) } else { String::new() };
                let mut before =
                    vec!["local f = coroutine.wrap(function()".to_owned(), format!("  {raise}"), "end)".to_owned()];
                if self.has(Feature::Attributes) {
                    let guard =
                        format!("  local guard <close> = setmetatable({{}}, {{ __close = function() {step} end }})");
                    before.insert(1, guard);
                }
                (before, "f", &["print((pcall(f)))"])
            }
            Fallible::Replacement => {
                let function = format!("local function f(c) n = n + 1 if n == 2 then {raise} end return c end");
                let before = vec!["local n = 0".to_owned(), function];
                (before, "string.gsub, \"abc\", \"%w\", f", &["print((string.gsub(\"abc\", \"%w\", f)))"])
            }
            Fallible::Sort => {
                let before = vec![
                    "local list, n = {}, 0".to_owned(),
                    "for i = 1, 10 do list[i] = { i * 7 % 11 } end".to_owned(),
                    format!("local function f(a, b) n = n + 1 if n == 6 then {raise} end return a[1] < b[1] end"),
                ];
                let again = &[
                    "table.sort(list, f)",
                    "for i, item in ipairs(list) do list[i] = item[1] end",
                    "print(table.concat(list, \" \"))",
                ];
                (before, "table.sort, list, f", again)
            }
            Fallible::Codes => {
                let before = vec!["local f, s, i = utf8.codes(\"\\xFF\")".to_owned()];
                (before, "f, s, i", &["print((pcall(f, s, i)))"])
            }
            Fallible::Module => {
                let before = vec![format!("package.preload.broken = function() {raise} end")];
                let again = &[
                    "package.preload.broken = function() return {} end",
                    "print((pcall(require, \"broken\")))",
                    "package.preload.broken, package.loaded.broken = nil, nil",
                ];
                (before, "require, \"broken\"", again)
            }
        };
        self.push("do");
        self.indented(|inner| {
            before.iter().for_each(|line| inner.push(line));
            inner.push(format!("print((pcall({call})))"));
            if *steps > 0 {
                inner.push(step_text(0, *steps));
            }
            again.iter().for_each(|line| inner.push(line));
        });
        self.push("end");
    }
}
