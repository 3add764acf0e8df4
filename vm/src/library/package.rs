//! Modules (manual §6.3): `require` and `package`.
//!
//! Modules come from `package.preload` and, where the host lets the program read files, from `package.path`. There are no
//! C libraries.

use super::{LOADED, before_zero, field, is_function, plain, register, registry_table, set_field};
use crate::interpreter::{Builtin, Call, NativeResult, System, Throw, Vm};
use crate::value::Value;

pub(crate) static FUNCTIONS: &[Builtin] = &[plain("searchpath", searchpath)];

static REQUIRE: Builtin = plain("require", require);
static SEARCH_PRELOAD: Builtin = plain("preload searcher", search_preload);
static SEARCH_PATH: Builtin = plain("path searcher", search_path);

/// Where the registry keeps `package.preload` and the table `package` itself.
const PRELOAD: &str = "_PRELOAD";
const PACKAGE: &str = "_PACKAGE";

/// The path where files may be read.
const PATH: &str = "./?.lua;./?/init.lua";

pub(crate) fn open(vm: &mut Vm) {
    let package = register(vm, "package", FUNCTIONS);
    let registry = vm.heap.registry();
    set_field(vm, registry, PACKAGE, Value::Table(package));
    let loaded = registry_table(vm, LOADED);
    set_field(vm, package, "loaded", Value::Table(loaded));
    let preload = registry_table(vm, PRELOAD);
    set_field(vm, package, "preload", Value::Table(preload));
    let path = if vm.options.system == System::Full { PATH } else { "" };
    for (name, text) in [("path", path), ("cpath", ""), ("config", "/\n;\n?\n!\n-\n")] {
        let text = vm.heap.new_string(text.as_bytes());
        set_field(vm, package, name, Value::String(text));
    }
    let searchers = vm.heap.new_table();
    let list: &[&'static Builtin] =
        if vm.options.system == System::Full { &[&SEARCH_PRELOAD, &SEARCH_PATH] } else { &[&SEARCH_PRELOAD] };
    for (index, &searcher) in list.iter().enumerate() {
        vm.heap
            .table_set(searchers, Value::Integer(index as i64 + 1), Value::Builtin(searcher))
            .unwrap_or_else(|_| unreachable!("an integer is a valid key"));
    }
    set_field(vm, package, "searchers", Value::Table(searchers));
    let globals = vm.globals();
    set_field(vm, globals, REQUIRE.name, Value::Builtin(&REQUIRE));
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
    let path = match package_field(call, "path")? {
        Value::String(path) => before_zero(path.as_bytes()).to_vec(),
        _ => return Err(call.error("'package.path' must be a string")),
    };
    let file = match find_file(call, &name, &path, b".", b"/")? {
        Ok(file) => file,
        Err(message) => return call.ret_bytes(&message),
    };
    match super::base::compile_file(call, Some(&file), None)? {
        Ok(function) => {
            call.push(function);
            call.ret_bytes(&file)?;
            Ok(2)
        }
        Err(message) => {
            let text = [b"error loading module '".as_slice(), &name, b"' from file '", &file, b"':\n\t", &message];
            Err(call.error(text.concat()))
        }
    }
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
            if std::str::from_utf8(file).is_ok_and(|file| std::fs::File::open(file).is_ok()) {
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
