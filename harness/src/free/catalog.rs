//! The library of Lua 5.4 (manual §6): every function with what it takes.

/// A library function and its parameters, a letter each; those behind `?` may be left out.
///
/// `s` string, `u` UTF-8, `p` pattern, `n` number, `i` small integer, `I` integer, `b` boolean, `v` anything, `t` table, `l`
/// sequence, `f` function, `c` coroutine. An empty text is for functions without parameters, `*` for those whose calls
/// [`super::library`] makes by itself.
pub(super) struct Function {
    pub name: &'static str,
    pub parameters: &'static str,
}

macro_rules! functions {
    ($($name:literal $parameters:literal),* $(,)?) => {
        &[$(Function { name: $name, parameters: $parameters }),*]
    };
}

/// Every function of the library, and those of Lua 5.3 that 5.4 has as it is usually built. Methods of files are those of a
/// table `file`.
pub(super) static LIBRARY: &[Function] = functions![
    "assert" "v?vv", "collectgarbage" "*", "dofile" "*", "error" "*", "getmetatable" "v", "ipairs" "t", "load" "*",
    "loadfile" "*", "next" "*", "pairs" "t", "pcall" "f?vv", "print" "?vvv", "rawequal" "vv", "rawget" "tv", "rawlen" "t",
    "rawset" "tvv", "require" "*", "select" "I?vvv", "setmetatable" "*", "tonumber" "*", "tostring" "v", "type" "v",
    "warn" "*", "xpcall" "ff?vv",
    "coroutine.close" "c", "coroutine.create" "f", "coroutine.isyieldable" "?c", "coroutine.resume" "c?vv",
    "coroutine.running" "", "coroutine.status" "c", "coroutine.wrap" "*", "coroutine.yield" "*",
    "debug.debug" "", "debug.gethook" "*", "debug.getinfo" "*", "debug.getlocal" "*", "debug.getmetatable" "v",
    "debug.getregistry" "*", "debug.getupvalue" "fi", "debug.getuservalue" "v?i", "debug.sethook" "*", "debug.setlocal" "*",
    "debug.setmetatable" "*", "debug.setupvalue" "*", "debug.setuservalue" "vv?i", "debug.traceback" "*",
    "debug.upvalueid" "*", "debug.upvaluejoin" "*", "debug.setcstacklimit" "i",
    "io.close" "*", "io.flush" "*", "io.input" "*", "io.lines" "*", "io.open" "*", "io.output" "*", "io.popen" "*",
    "io.read" "*", "io.tmpfile" "", "io.type" "v", "io.write" "*",
    "file.close" "*", "file.flush" "*", "file.lines" "*", "file.read" "*", "file.seek" "*", "file.setvbuf" "*",
    "file.write" "*",
    "math.abs" "n", "math.acos" "n", "math.asin" "n", "math.atan" "n?n", "math.ceil" "n", "math.cos" "n", "math.cosh" "n", "math.deg" "n",
    "math.exp" "n", "math.floor" "n", "math.fmod" "nn", "math.frexp" "n", "math.ldexp" "ni", "math.log" "n?n", "math.log10" "n", "math.max" "n?nn", "math.min" "n?nn",
    "math.modf" "n", "math.pow" "nn", "math.rad" "n", "math.random" "*", "math.randomseed" "*", "math.sin" "n", "math.sinh" "n", "math.sqrt" "n",
    "math.tan" "n", "math.tanh" "n", "math.tointeger" "v", "math.type" "v", "math.ult" "II",
    "os.clock" "*", "os.date" "*", "os.difftime" "n?n", "os.execute" "*", "os.exit" "*", "os.getenv" "*", "os.remove" "*",
    "os.rename" "*", "os.setlocale" "*", "os.time" "*", "os.tmpname" "*",
    "package.loadlib" "*", "package.searchpath" "*",
    "string.byte" "s?II", "string.char" "*", "string.dump" "*", "string.find" "sp?Ib", "string.format" "*",
    "string.gmatch" "*", "string.gsub" "*", "string.len" "s", "string.lower" "s", "string.match" "sp?I",
    "string.pack" "*", "string.packsize" "*", "string.rep" "si?s", "string.reverse" "s", "string.sub" "sI?I",
    "string.unpack" "*", "string.upper" "s",
    "table.concat" "l?sii", "table.insert" "*", "table.move" "liii?l", "table.pack" "?vvv", "table.remove" "l?i",
    "table.sort" "*", "table.unpack" "l?ii",
    "utf8.char" "*", "utf8.codepoint" "u?IIb", "utf8.codes" "*", "utf8.len" "u?IIb", "utf8.offset" "uI?I",
];

/// The binary operators (manual §3.4).
pub(super) const BINARY: [&str; 21] = [
    "+", "-", "*", "/", "//", "%", "^", "&", "|", "~", "<<", ">>", "..", "==", "~=", "<", ">", "<=", ">=", "and", "or",
];

/// The unary operators.
pub(super) const UNARY: [&str; 4] = ["-", "not", "#", "~"];
