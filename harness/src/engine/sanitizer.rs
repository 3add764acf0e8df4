//! What sanitizers write when they end a process.

use serde::{Deserialize, Serialize};

/// A sanitizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Tool {
    /// AddressSanitizer.
    Address,
    /// UndefinedBehaviorSanitizer.
    Undefined,
}

impl Tool {
    /// All that there are.
    pub const ALL: [Tool; 2] = [Tool::Address, Tool::Undefined];

    /// The word for it in signatures.
    pub fn word(self) -> &'static str {
        match self {
            Tool::Address => "asan",
            Tool::Undefined => "ubsan",
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Tool::Address => "AddressSanitizer",
            Tool::Undefined => "UndefinedBehaviorSanitizer",
        }
    }
}

/// What a sanitizer has reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolReport {
    /// Which.
    pub tool: Tool,
    /// What it calls the error, in one word: `heap-use-after-free`.
    pub kind: String,
    /// The functions in which it happened, the innermost first, without those of the allocator and of the sanitizer.
    pub functions: Vec<String>,
}

/// What the names of functions begin with that only carry out what others got wrong: those of sanitizers, of the C library, and of
/// allocators, Lua's and the probe's among them.
const CARRIERS: [&str; 15] = [
    "__asan_",
    "__ubsan_",
    "__sanitizer_",
    "__interceptor_",
    "mem",
    "str",
    "malloc",
    "calloc",
    "realloc",
    "free",
    "l_alloc",
    "luaM_",
    "arena_",
    "_IO_",
    "abort",
];

impl ToolReport {
    /// The last report in what a process has written to standard error.
    pub fn read(stderr: &str) -> Option<ToolReport> {
        let address = stderr.rfind("ERROR: AddressSanitizer: ").map(|at| (at, Tool::Address));
        let undefined = stderr.rfind(": runtime error: ").map(|at| (at, Tool::Undefined));
        let (at, tool) = address.max(undefined)?;
        let text = &stderr[at..];
        let message = text.lines().next()?.split_once(": ")?.1;
        let message = message.split_once(": ").map_or("", |(_, rest)| rest);
        let kind = match tool {
            Tool::Address => {
                // `attempting double-free on 0x…`.
                let mut words = message.split_whitespace();
                words.find(|&word| word != "attempting").unwrap_or("error").trim_end_matches(':').to_owned()
            }
            // `signed integer overflow: 1 + 2 cannot be …`, `load of misaligned address 0x1 for type 'int'`.
            Tool::Undefined => {
                let words = message.split(':').next().unwrap_or_default().split_whitespace();
                let plain = |word: &&str| word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
                words.filter(plain).collect::<Vec<_>>().join("-")
            }
        };
        Some(ToolReport { tool, kind, functions: functions(text) })
    }
}

/// The functions of the first stack in a text: lines `#0 0x… in FUNCTION PLACE`, one below the other.
fn functions(text: &str) -> Vec<String> {
    let frame = |line: &str| line.trim_start().starts_with('#');
    let stack = text.lines().skip_while(|line| !frame(line)).take_while(|line| frame(line));
    let names = stack.filter_map(|line| line.split_once(" in ")?.1.split_whitespace().next());
    // Compilers make several of one function: `traversetable.part.0`.
    let names = names.map(|name| name.split('.').next().unwrap_or(name)).filter(|name| !name.starts_with('('));
    names.filter(|name| !CARRIERS.iter().any(|carrier| name.starts_with(carrier))).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Tool, String, Vec<String>) {
        let report = ToolReport::read(text).unwrap();
        (report.tool, report.kind, report.functions)
    }

    #[test]
    fn the_report_of_address_sanitizer_is_read() {
        let text = "=====\n==17==ERROR: AddressSanitizer: use-after-poison on address 0x52 at pc 0x51 bp 0x53 sp 0x53\n\
                    READ of size 1 at 0x52 thread T2\n    #0 0x7f in __interceptor_memcpy /a/b.cpp:1\n    \
                    #1 0x51 in reallymarkobject.part.0 /x/lgc.c:70\n    #2 0x51 in traverseclosure /x/lgc.c:255\n    \
                    #3 0x51  (/tmp/a.so+0x12)\n\n0x52 is located\n    #0 0x1 in other\n\
                    SUMMARY: AddressSanitizer: use-after-poison /x/lgc.c:70 in reallymarkobject\n";
        let functions = ["reallymarkobject", "traverseclosure"].map(str::to_owned).to_vec();
        assert_eq!(read(text), (Tool::Address, "use-after-poison".into(), functions));
        let twice = "==1==ERROR: AddressSanitizer: attempting double-free on 0x1 in thread T0:\n    #0 0x1 in free x\n    #1 0x1 in f x\n";
        assert_eq!(read(twice), (Tool::Address, "double-free".into(), vec!["f".into()]));
        let signal = "==1==ERROR: AddressSanitizer: SEGV on unknown address 0x0 (pc 0x1)\n    #0 0x1 in g /x.c:1:2\n";
        assert_eq!(read(signal), (Tool::Address, "SEGV".into(), vec!["g".into()]));
    }

    #[test]
    fn the_report_of_undefined_behavior_is_read() {
        let text = "/x/lvm.c:10:5: runtime error: signed integer overflow: 1 + 2 cannot be represented in type 'int'\n    \
                    #0 0x1 in luaV_execute /x/lvm.c:10:5\n";
        assert_eq!(read(text), (Tool::Undefined, "signed-integer-overflow".into(), vec!["luaV_execute".into()]));
        let text = "lvm.c:1:5: runtime error: 1e+20 is outside the range of representable values of type 'int'\n";
        let kind = "is-outside-the-range-of-representable-values-of-type";
        assert_eq!(read(text), (Tool::Undefined, kind.into(), vec![]));
    }

    #[test]
    fn what_is_no_report_is_none() {
        for text in ["", "Segmentation fault", "AddressSanitizer: ", "thread 'main' panicked at a.rs:1:1:\nno\n"] {
            assert_eq!(ToolReport::read(text), None);
        }
    }
}
