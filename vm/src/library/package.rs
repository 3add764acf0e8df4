//! Modules (manual §6.3): `require` and `package`.
//!
//! Modules come from `package.preload` and, where the host lets the program read files, from `package.path`. No library of C
//! is loaded: the searchers look for them as in Lua, and what they find is an error.

use super::base::{compile_file, text_of};
use super::{LOADED, before_zero, field, is_function, plain, register, registry_table, set_field, system};
use crate::interpreter::{Builtin, Call, NativeResult, System, Throw, Vm};
use crate::value::Value;

pub(crate) static FUNCTIONS: &[Builtin] = &[plain("loadlib", loadlib), plain("searchpath", searchpath)];

static REQUIRE: Builtin = plain("require", require);

/// `package.searchers`, in the order in which they are asked.
static SEARCHERS: [Builtin; 4] = [
    plain("preload searcher", search_preload),
    plain("path searcher", search_path),
    plain("C searcher", search_c),
    plain("all-in-one searcher", search_c_root),
];

/// Where the registry keeps `package.preload` and the table `package` itself.
const PRELOAD: &str = "_PRELOAD";
const PACKAGE: &str = "_PACKAGE";

/// Where Lua looks for modules if nobody says anything else: fields of `package`, with the variables of the environment that
/// do.
const PATHS: [(&str, [&str; 2], &str); 2] = [
    (
        "path",
        ["LUA_PATH_5_4", "LUA_PATH"],
        "/usr/local/share/lua/5.4/?.lua;/usr/local/share/lua/5.4/?/init.lua;/usr/local/lib/lua/5.4/?.lua;\
         /usr/local/lib/lua/5.4/?/init.lua;./?.lua;./?/init.lua",
    ),
    ("cpath", ["LUA_CPATH_5_4", "LUA_CPATH"], "/usr/local/lib/lua/5.4/?.so;/usr/local/lib/lua/5.4/loadall.so;./?.so"),
];

/// What a Lua without dynamic libraries says of one.
const NO_LIBRARIES: &str = "dynamic libraries not enabled; check your Lua installation";

pub(crate) fn open(vm: &mut Vm) {
    let package = register(vm, "package", FUNCTIONS);
    let registry = vm.heap.registry();
    set_field(vm, registry, PACKAGE, Value::Table(package));
    let loaded = registry_table(vm, LOADED);
    set_field(vm, package, "loaded", Value::Table(loaded));
    let preload = registry_table(vm, PRELOAD);
    set_field(vm, package, "preload", Value::Table(preload));
    for (name, variables, default) in PATHS {
        // Where modules are is the business of a program that may read them, and of no other.
        let set = variables.iter().find_map(std::env::var_os).filter(|_| vm.options.system == System::Full);
        let path = set.map_or_else(|| default.as_bytes().to_vec(), |set| with_default(set.as_encoded_bytes(), default));
        let path = vm.heap.new_string(&path);
        set_field(vm, package, name, Value::String(path));
    }
    let config = vm.heap.new_string(b"/\n;\n?\n!\n-\n");
    set_field(vm, package, "config", Value::String(config));
    let searchers = vm.heap.new_table();
    for (index, searcher) in SEARCHERS.iter().enumerate() {
        vm.heap
            .table_set(searchers, Value::Integer(index as i64 + 1), Value::Builtin(searcher))
            .unwrap_or_else(|_| unreachable!("an integer is a valid key"));
    }
    set_field(vm, package, "searchers", Value::Table(searchers));
    let globals = vm.globals();
    set_field(vm, globals, REQUIRE.name, Value::Builtin(&REQUIRE));
}

/// A path in which the first `;;` stands for the default one (manual §6.3, `package.path`).
fn with_default(path: &[u8], default: &str) -> Vec<u8> {
    let Some(mark) = path.windows(2).position(|pair| pair == b";;") else { return path.to_vec() };
    let (before, after) = (&path[..mark], &path[mark + 2..]);
    let parts = [before, default.as_bytes(), after];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(&b';')
}

/// A field of the table `package`, with metamethods.
fn package_field(call: &mut Call<'_>, name: &str) -> Result<Value, Throw> {
    let registry = call.vm.heap.registry();
    let package = field(call.vm, registry, PACKAGE);
    let key = call.new_string(name.as_bytes())?;
    call.index(package, Value::String(key))
}

fn require(call: &mut Call<'_>) -> NativeResult {
    // A number becomes a string here, in its place among the arguments.
    call.check_string(0)?;
    let name = call.arg(0);
    let loaded = Value::Table(registry_table(call.vm, LOADED));
    let module = call.index(loaded, name)?;
    if !module.is_falsy() {
        return call.ret(module);
    }
    let (loader, data) = find_loader(call)?;
    call.push(data);
    let result = call.call1(loader, &[name, data])?;
    if !result.is_nil() {
        call.set_index(loaded, name, result)?;
    }
    let mut module = call.index(loaded, name)?;
    if module.is_nil() {
        module = Value::Boolean(true);
        call.set_index(loaded, name, module)?;
    }
    call.ret_all(&[module, data])
}

/// Asks the searchers for the loader of a module. Loader and its data stay pushed.
fn find_loader(call: &mut Call<'_>) -> Result<(Value, Value), Throw> {
    let name = call.arg(0);
    let Value::Table(searchers) = package_field(call, "searchers")? else {
        return Err(call.error("'package.searchers' must be a table"));
    };
    call.push(Value::Table(searchers));
    let mut tried = Vec::new();
    for index in 1.. {
        let searcher = searchers.get_integer(index);
        if searcher.is_nil() {
            break;
        }
        let count = call.call(searcher, &[name])?;
        let results = call.pushed(count);
        let (found, data) = (results.first().copied().unwrap_or_default(), results.get(1).copied().unwrap_or_default());
        if is_function(found) {
            return Ok((found, data));
        }
        for _ in 0..count {
            call.pop();
        }
        if let Value::String(_) | Value::Integer(_) | Value::Float(_) = found {
            tried.extend_from_slice(b"\n\t");
            tried.extend_from_slice(call.to_string(found)?.as_bytes());
        }
    }
    let name = call.check_string(0)?;
    let message = [b"module '".as_slice(), before_zero(name.as_bytes()), b"' not found:", &tried].concat();
    Err(call.error(message))
}

fn search_preload(call: &mut Call<'_>) -> NativeResult {
    let name = call.check_string(0)?;
    let preload = Value::Table(registry_table(call.vm, PRELOAD));
    let loader = call.index(preload, Value::String(name))?;
    if loader.is_nil() {
        let message = [b"no field package.preload['".as_slice(), before_zero(name.as_bytes()), b"']"].concat();
        return call.ret_bytes(&message);
    }
    call.push(loader);
    call.ret_bytes(b":preload:")?;
    Ok(2)
}

fn search_path(call: &mut Call<'_>) -> NativeResult {
    let name = before_zero(call.check_string(0)?.as_bytes()).to_vec();
    let file = match find_module(call, &name, "path")? {
        Ok(file) => file,
        Err(message) => return call.ret_bytes(&message),
    };
    match compile_file(call, Some(&file), None)? {
        Ok(function) => {
            call.push(function);
            call.ret_bytes(&file)?;
            Ok(2)
        }
        Err(error) => {
            // What a message handler has made of the error may be anything.
            let message = text_of(error).unwrap_or_else(|| b"(null)".to_vec());
            Err(loading_error(call, &name, &file, &message))
        }
    }
}

/// Looks for a library of C with the module's name.
fn search_c(call: &mut Call<'_>) -> NativeResult {
    let name = before_zero(call.check_string(0)?.as_bytes()).to_vec();
    search_library(call, &name, &name)
}

/// Looks for a library of C that has the module among others: that of the name's first part.
fn search_c_root(call: &mut Call<'_>) -> NativeResult {
    let name = before_zero(call.check_string(0)?.as_bytes()).to_vec();
    match name.iter().position(|&byte| byte == b'.') {
        Some(dot) => search_library(call, &name, &name[..dot]),
        // The module is the root, which has been looked for.
        None => Ok(0),
    }
}

fn search_library(call: &mut Call<'_>, name: &[u8], library: &[u8]) -> NativeResult {
    match find_module(call, library, "cpath")? {
        Ok(file) => Err(loading_error(call, name, &file, NO_LIBRARIES.as_bytes())),
        Err(message) => call.ret_bytes(&message),
    }
}

fn loading_error(call: &mut Call<'_>, name: &[u8], file: &[u8], message: &[u8]) -> Throw {
    call.error([b"error loading module '".as_slice(), name, b"' from file '", file, b"':\n\t", message].concat())
}

/// The file of a module by a path in `package`, or the list of those that it is not in.
fn find_module(call: &mut Call<'_>, name: &[u8], path: &str) -> Result<Result<Vec<u8>, Vec<u8>>, Throw> {
    let templates = match package_field(call, path)? {
        Value::String(templates) => before_zero(templates.as_bytes()).to_vec(),
        number @ (Value::Integer(_) | Value::Float(_)) => call.to_string(number)?.as_bytes().to_vec(),
        _ => return Err(call.error(format!("'package.{path}' must be a string"))),
    };
    find_file(call, name, &templates, b".", b"/")
}

fn loadlib(call: &mut Call<'_>) -> NativeResult {
    call.check_string(0)?;
    call.check_string(1)?;
    let message = call.new_string(NO_LIBRARIES.as_bytes())?;
    let stage = call.new_string(b"absent")?;
    call.ret_all(&[Value::Nil, Value::String(message), Value::String(stage)])
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        if !from.is_empty() && rest.starts_with(from) {
            result.extend_from_slice(to);
            rest = &rest[from.len()..];
        } else {
            result.push(rest[0]);
            rest = &rest[1..];
        }
    }
    result
}

/// The first readable file among the templates of a path, or the list of those that are not.
fn find_file(
    call: &mut Call<'_>,
    name: &[u8],
    path: &[u8],
    separator: &[u8],
    directory: &[u8],
) -> Result<Result<Vec<u8>, Vec<u8>>, Throw> {
    let name = replace(name, separator, directory);
    let marks = path.iter().filter(|&&byte| byte == b'?').count();
    call.reserve(path.len().saturating_add(marks.saturating_mul(name.len())))?;
    let files = replace(path, b"?", &name);
    if call.vm.options.system == System::Full && !files.is_empty() {
        for file in files.split(|&byte| byte == b';') {
            // Opening tells whether it is readable; a directory can be opened and is no module.
            if std::fs::File::open(system::path(file)).is_ok() {
                return Ok(Ok(file.to_vec()));
            }
        }
    }
    Ok(Err([b"no file '".as_slice(), &replace(&files, b";", b"'\n\tno file '"), b"'"].concat()))
}

fn searchpath(call: &mut Call<'_>) -> NativeResult {
    let mut texts = Vec::new();
    for index in 0..4 {
        let text = if index < 2 { Some(call.check_string(index)?) } else { call.opt_string(index)? };
        texts.push(text.map(|text| before_zero(text.as_bytes()).to_vec()));
    }
    let text = |index: usize, default: &[u8]| texts[index].clone().unwrap_or_else(|| default.to_vec());
    match find_file(call, &text(0, b""), &text(1, b""), &text(2, b"."), &text(3, b"/"))? {
        Ok(file) => call.ret_bytes(&file),
        Err(message) => {
            let message = call.new_string(&message)?;
            call.ret_all(&[Value::Nil, Value::String(message)])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::with_default;

    #[test]
    fn two_separators_stand_for_the_default_path() {
        for (path, expected) in [
            ("a", "a"),
            ("a;b", "a;b"),
            (";;", "D"),
            (";;a", "D;a"),
            ("a;;", "a;D"),
            ("a;;b", "a;D;b"),
            ("a;;b;;c", "a;D;b;;c"),
        ] {
            assert_eq!(with_default(path.as_bytes(), "D"), expected.as_bytes(), "{path}");
        }
    }
}
