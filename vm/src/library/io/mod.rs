//! Input and output (manual §6.8).
//!
//! A file is a userdata that holds a [`Stream`]: one of the standard streams, which are the host's, or an open file, where
//! the host lets the program use its machine. A closed file keeps its userdata. No Lua code runs while a stream is in use, so
//! none is ever used twice at once.

mod file;
mod read;

use super::string::charge_bytes;
use super::system::{bad_descriptor, exec_result, file_result, illegal_seek, path, permit, words};
use super::{before_zero, field, plain, register, set_field};
use crate::gc::{Gc, Object};
use crate::interpreter::{Buffering, Builtin, Call, NativeResult, Throw, Vm};
use crate::value::{Userdata, Value, format_g};
use file::{Mode, OpenFile};
use moonphase_heap::Heap as _;
use read::{Failure, Format, Item};
use std::cell::RefCell;
use std::io::{self, BufRead, Seek, SeekFrom, Write};

pub(crate) static FUNCTIONS: &[Builtin] = &[
    plain("close", close_default),
    plain("flush", flush_default),
    plain("input", input),
    plain("lines", lines_of_name),
    plain("open", open_name),
    plain("output", output),
    plain("popen", popen),
    plain("read", read_default),
    plain("tmpfile", tmpfile),
    plain("type", type_),
    plain("write", write_default),
];

static METHODS: &[Builtin] = &[
    plain("close", close),
    plain("flush", flush),
    plain("lines", lines),
    plain("read", read),
    plain("seek", seek),
    plain("setvbuf", setvbuf),
    plain("write", write),
];

static METAMETHODS: &[Builtin] = &[plain("__close", finalize), plain("__gc", finalize), plain("__tostring", tostring)];

/// The iterator of `lines`. Its upvalues are the file, whether to close it at its end, and the formats.
static READ_LINE: Builtin = plain("for iterator", read_line);

/// The name of the type, under which the registry keeps the metatable.
const TYPE_NAME: &str = "FILE*";
/// Formats that `lines` takes (PUC Lua's `MAXARGLINE`).
const MOST_FORMATS: usize = 250;

/// A file that is used where none is given: where the registry keeps it, and its name in messages.
struct Default {
    key: &'static str,
    name: &'static str,
}

const INPUT: Default = Default { key: "_IO_input", name: "input" };
const OUTPUT: Default = Default { key: "_IO_output", name: "output" };

/// What a file is.
enum Stream {
    Closed,
    Input,
    Output,
    Error,
    Open(Box<OpenFile>),
}

/// What the userdata of a file holds.
type Handle = RefCell<Stream>;

/// Makes the library.
pub(crate) fn open(vm: &mut Vm) {
    let io = register(vm, "io", FUNCTIONS);
    let methods = vm.heap.new_table();
    super::add_functions(vm, methods, METHODS);
    let metatable = vm.heap.new_table();
    let name = vm.heap.new_string(TYPE_NAME.as_bytes());
    set_field(vm, metatable, "__name", Value::String(name));
    set_field(vm, metatable, "__index", Value::Table(methods));
    super::add_functions(vm, metatable, METAMETHODS);
    let registry = vm.heap.registry();
    set_field(vm, registry, TYPE_NAME, Value::Table(metatable));
    for (name, stream, default) in [
        ("stdin", Stream::Input, Some(INPUT)),
        ("stdout", Stream::Output, Some(OUTPUT)),
        ("stderr", Stream::Error, None),
    ] {
        let file = vm.heap.new_userdata(Some(Box::new(Handle::new(stream))), 0);
        vm.heap.set_userdata_metatable(file, Some(metatable));
        set_field(vm, io, name, Value::Userdata(file));
        if let Some(default) = default {
            set_field(vm, registry, default.key, Value::Userdata(file));
        }
    }
}

// Files among values.

fn handle(file: &Userdata) -> Option<&Handle> {
    file.data.as_ref()?.downcast_ref()
}

fn file_in(value: Value) -> Option<Gc<Userdata>> {
    match value {
        Value::Userdata(file) if handle(&file).is_some() => Some(file),
        _ => None,
    }
}

fn is_closed(file: Gc<Userdata>) -> bool {
    handle(&file).is_none_or(|handle| matches!(*handle.borrow(), Stream::Closed))
}

/// The first argument, which must be a file.
fn check_file(call: &mut Call<'_>) -> Result<Gc<Userdata>, Throw> {
    match file_in(call.arg(0)) {
        Some(file) => Ok(file),
        None => Err(call.type_error(0, TYPE_NAME)),
    }
}

fn check_not_closed(call: &mut Call<'_>, file: Gc<Userdata>) -> Result<Gc<Userdata>, Throw> {
    if is_closed(file) { Err(call.error("attempt to use a closed file")) } else { Ok(file) }
}

/// The first argument, which must be an open file.
fn check_open(call: &mut Call<'_>) -> Result<Gc<Userdata>, Throw> {
    let file = check_file(call)?;
    check_not_closed(call, file)
}

/// A default file, open or not; programs can take it out of the registry.
fn default_file(call: &mut Call<'_>, default: &Default) -> Option<Gc<Userdata>> {
    let registry = call.vm.heap.registry();
    file_in(field(call.vm, registry, default.key))
}

/// A default file, which must be open.
fn check_default(call: &mut Call<'_>, default: &Default) -> Result<Gc<Userdata>, Throw> {
    match default_file(call, default) {
        Some(file) if !is_closed(file) => Ok(file),
        _ => Err(call.error(format!("default {} file is closed", default.name))),
    }
}

fn new_file(call: &mut Call<'_>, file: OpenFile) -> Value {
    let stream = Stream::Open(Box::new(file));
    let file = call.vm.heap.new_userdata(Some(Box::new(Handle::new(stream))), 0);
    let file = call.vm.made(file);
    let registry = call.vm.heap.registry();
    if let Value::Table(metatable) = field(call.vm, registry, TYPE_NAME) {
        call.vm.heap.set_userdata_metatable(file, Some(metatable));
    }
    Value::Userdata(file)
}

/// A new file as the result, or why there is none.
fn return_file(call: &mut Call<'_>, opened: io::Result<OpenFile>, name: Option<&[u8]>) -> NativeResult {
    match opened {
        Ok(file) => {
            let file = new_file(call, file);
            call.ret(file)
        }
        Err(error) => file_result(call, Err(error), name),
    }
}

// Opening and closing.

fn open_path(call: &Call<'_>, name: &[u8], mode: Mode) -> io::Result<OpenFile> {
    permit(call)?;
    OpenFile::open(path(name), mode)
}

/// Opens a file that must be there.
fn open_or_fail(call: &mut Call<'_>, name: &[u8], mode: Mode) -> Result<Value, Throw> {
    match open_path(call, name, mode) {
        Ok(file) => Ok(new_file(call, file)),
        Err(error) => {
            let reason = words(&error);
            Err(call.error([b"cannot open file '", before_zero(name), b"' (", reason.as_bytes(), b")"].concat()))
        }
    }
}

/// The second argument as a mode, where these are allowed.
fn check_mode(call: &mut Call<'_>, allowed: impl Fn(&[u8]) -> bool) -> Result<Mode, Throw> {
    let text = call.opt_string(1)?;
    let text = text.as_ref().map_or(b"r".as_slice(), |text| before_zero(text.as_bytes()));
    match Mode::parse(text).filter(|_| allowed(text)) {
        Some(mode) => Ok(mode),
        None => Err(call.arg_error(1, "invalid mode")),
    }
}

fn open_name(call: &mut Call<'_>) -> NativeResult {
    let name = call.check_string(0)?;
    let mode = check_mode(call, |_| true)?;
    let opened = open_path(call, name.as_bytes(), mode);
    return_file(call, opened, Some(name.as_bytes()))
}

fn popen(call: &mut Call<'_>) -> NativeResult {
    let command = call.check_string(0)?;
    let mode = check_mode(call, |text| matches!(text, b"r" | b"w"))?;
    let opened = permit(call).and_then(|()| {
        flush_all(call.vm);
        OpenFile::process(command.as_bytes(), mode)
    });
    return_file(call, opened, Some(command.as_bytes()))
}

/// Flushes everything that the program has written: a process that it starts may look at it, or write to the same place.
fn flush_all(vm: &mut Vm) {
    // Who wrote it will hear of an error that lasts.
    let _ = vm.flush_output();
    for object in vm.heap.view().objects().filter(|object| !object.is_freed()) {
        if let Object::Userdata(file) = object.erased().unpack()
            && let Some(handle) = handle(&file)
            && let Stream::Open(file) = &mut *handle.borrow_mut()
        {
            let _ = file.flush();
        }
    }
}

fn tmpfile(call: &mut Call<'_>) -> NativeResult {
    let opened = permit(call).and_then(|()| OpenFile::temporary());
    return_file(call, opened, None)
}

/// Takes an open file out of its userdata, which is closed then. Standard streams stay where they are.
fn take_open(file: Gc<Userdata>) -> Option<Box<OpenFile>> {
    let mut stream = handle(&file)?.borrow_mut();
    match std::mem::replace(&mut *stream, Stream::Closed) {
        Stream::Open(open) => Some(open),
        other => {
            *stream = other;
            None
        }
    }
}

/// Closes a file that is not closed, and gives how that went.
fn close_file(call: &mut Call<'_>, file: Gc<Userdata>) -> NativeResult {
    let Some(open) = take_open(file) else {
        call.push(Value::Nil);
        call.ret_bytes(b"cannot close standard file")?;
        return Ok(2);
    };
    match open.close() {
        Ok(Some(status)) => exec_result(call, Ok(status)),
        Ok(None) => file_result(call, Ok(()), None),
        Err(error) => file_result(call, Err(error), None),
    }
}

fn close(call: &mut Call<'_>) -> NativeResult {
    let file = check_open(call)?;
    close_file(call, file)
}

fn close_default(call: &mut Call<'_>) -> NativeResult {
    if call.arg_count() > 0 {
        return close(call);
    }
    match default_file(call, &OUTPUT) {
        Some(file) => {
            check_not_closed(call, file)?;
            close_file(call, file)
        }
        None => Err(call.type_error(0, TYPE_NAME)),
    }
}

/// What `__gc` and `__close` do.
fn finalize(call: &mut Call<'_>) -> NativeResult {
    if let Some(open) = take_open(check_file(call)?) {
        // Nobody asks how it went.
        let _ = open.close();
    }
    Ok(0)
}

fn type_(call: &mut Call<'_>) -> NativeResult {
    let value = call.check_any(0)?;
    match file_in(value) {
        Some(file) if is_closed(file) => call.ret_bytes(b"closed file"),
        Some(_) => call.ret_bytes(b"file"),
        None => call.ret(Value::Nil),
    }
}

fn tostring(call: &mut Call<'_>) -> NativeResult {
    let file = check_file(call)?;
    if is_closed(file) {
        return call.ret_bytes(b"file (closed)");
    }
    call.ret_bytes(format!("file (0x{:014x})", file.header.id()).as_bytes())
}

// Default files.

/// `io.input` and `io.output`: changes a default file, if an argument says so, and gives it.
fn change_default(call: &mut Call<'_>, default: &Default, mode: Mode) -> NativeResult {
    let registry = call.vm.heap.registry();
    let file = match call.arg(0) {
        Value::Nil => {
            let file = field(call.vm, registry, default.key);
            return call.ret(file);
        }
        Value::String(_) | Value::Integer(_) | Value::Float(_) => {
            let name = call.check_string(0)?;
            open_or_fail(call, name.as_bytes(), mode)?
        }
        _ => Value::Userdata(check_open(call)?),
    };
    call.set_field(registry, default.key, file);
    call.ret(file)
}

fn input(call: &mut Call<'_>) -> NativeResult {
    change_default(call, &INPUT, Mode::READ)
}

fn output(call: &mut Call<'_>) -> NativeResult {
    change_default(call, &OUTPUT, Mode::WRITE)
}

// Reading.

/// Reads one item.
fn read_item(call: &mut Call<'_>, file: Gc<Userdata>, format: Format) -> Result<Item, Failure> {
    let Some(handle) = handle(&file) else { return Err(bad_descriptor().into()) };
    match &mut *handle.borrow_mut() {
        Stream::Input => {
            let mut input = call.vm.take_input();
            if input.buffer().is_empty() {
                call.vm.flush_before_input();
            }
            let item = format.read(call, &mut input as &mut dyn BufRead);
            call.vm.give_input(input);
            item
        }
        Stream::Open(open) => format.read(call, &mut **open),
        Stream::Output | Stream::Error | Stream::Closed => Err(bad_descriptor().into()),
    }
}

/// Reads by these formats, the first of which is argument number `first`, and pushes what was read, up to the first thing that
/// was not there. The inner error is that of the file.
fn read_formats(
    call: &mut Call<'_>,
    file: Gc<Userdata>,
    formats: &[Value],
    first: usize,
) -> Result<io::Result<usize>, Throw> {
    let mut count = 0;
    loop {
        let format = match formats.get(count) {
            Some(&value) => Format::of(call, value, first + count)?,
            None if count == 0 => Format::Line { keep_end: false },
            None => return Ok(Ok(count)),
        };
        count += 1;
        match read_item(call, file, format) {
            Ok(Item::Bytes(bytes)) => drop(call.ret_bytes(&bytes)?),
            Ok(Item::Number(number)) => call.push(number),
            Ok(Item::Nothing) => {
                call.push(Value::Nil);
                return Ok(Ok(count));
            }
            Err(Failure::Throw(throw)) => return Err(throw),
            Err(Failure::File(error)) => return Ok(Err(error)),
        }
        if count >= formats.len() {
            return Ok(Ok(count));
        }
    }
}

fn read_arguments(call: &mut Call<'_>, file: Gc<Userdata>, first: usize) -> NativeResult {
    let formats = call.args().get(first..).unwrap_or_default().to_vec();
    match read_formats(call, file, &formats, first)? {
        Ok(count) => Ok(count),
        Err(error) => file_result(call, Err(error), None),
    }
}

fn read(call: &mut Call<'_>) -> NativeResult {
    let file = check_open(call)?;
    read_arguments(call, file, 1)
}

fn read_default(call: &mut Call<'_>) -> NativeResult {
    let file = check_default(call, &INPUT)?;
    read_arguments(call, file, 0)
}

/// The iterator that reads from a file by the formats after the first argument.
fn line_iterator(call: &mut Call<'_>, file: Value, close_at_end: bool) -> Result<Value, Throw> {
    let formats = call.args().get(1..).unwrap_or_default();
    if formats.len() > MOST_FORMATS {
        return Err(call.arg_error(MOST_FORMATS + 1, "too many arguments"));
    }
    let upvalues = [&[file, Value::Boolean(close_at_end)], formats].concat();
    Ok(Value::NativeClosure(call.new_native_closure(&READ_LINE, &upvalues)))
}

fn lines(call: &mut Call<'_>) -> NativeResult {
    let file = Value::Userdata(check_open(call)?);
    let iterator = line_iterator(call, file, false)?;
    call.ret(iterator)
}

fn lines_of_name(call: &mut Call<'_>) -> NativeResult {
    if call.arg(0).is_nil() {
        let Some(file) = default_file(call, &INPUT) else { return Err(call.type_error(0, TYPE_NAME)) };
        check_not_closed(call, file)?;
        let iterator = line_iterator(call, Value::Userdata(file), false)?;
        return call.ret(iterator);
    }
    let name = call.check_string(0)?;
    let file = open_or_fail(call, name.as_bytes(), Mode::READ)?;
    let iterator = line_iterator(call, file, true)?;
    // The file is the value that a generic `for` closes.
    call.ret_all(&[iterator, Value::Nil, Value::Nil, file])
}

fn read_line(call: &mut Call<'_>) -> NativeResult {
    let Some(file) = file_in(call.upvalue(0)).filter(|&file| !is_closed(file)) else {
        return Err(call.error("file is already closed"));
    };
    let upvalues = call.upvalues();
    match read_formats(call, file, upvalues.get(2..).unwrap_or_default(), 1)? {
        Ok(count) if !call.pushed(count)[0].is_falsy() => Ok(count),
        Ok(_) => {
            if !call.upvalue(1).is_falsy()
                && let Some(open) = take_open(file)
            {
                let _ = open.close();
            }
            Ok(0)
        }
        Err(error) => Err(call.error(words(&error))),
    }
}

// Writing.

fn write_bytes(call: &mut Call<'_>, file: Gc<Userdata>, bytes: &[u8]) -> Result<io::Result<()>, Throw> {
    charge_bytes(call, bytes.len())?;
    let Some(handle) = handle(&file) else { return Ok(Err(bad_descriptor())) };
    Ok(match &mut *handle.borrow_mut() {
        Stream::Output => call.vm.write_output(bytes)?,
        Stream::Error => call.vm.write_error(bytes),
        Stream::Open(open) => open.write_all(bytes),
        Stream::Input | Stream::Closed => Err(bad_descriptor()),
    })
}

/// Writes the arguments from `first` on and gives the file back, or says what went wrong.
fn write_arguments(call: &mut Call<'_>, file: Gc<Userdata>, first: usize) -> NativeResult {
    let mut result = Ok(());
    let mut number = Vec::new();
    for index in first..call.arg_count() {
        number.clear();
        let written = match call.arg(index) {
            Value::Integer(integer) => write_bytes(call, file, integer.to_string().as_bytes())?,
            Value::Float(float) => {
                format_g(float, 14, false, &mut number);
                write_bytes(call, file, &number)?
            }
            _ => {
                let text = call.check_string(index)?;
                write_bytes(call, file, text.as_bytes())?
            }
        };
        result = result.and(written);
    }
    match result {
        Ok(()) => call.ret(Value::Userdata(file)),
        Err(error) => file_result(call, Err(error), None),
    }
}

fn write(call: &mut Call<'_>) -> NativeResult {
    let file = check_open(call)?;
    write_arguments(call, file, 1)
}

fn write_default(call: &mut Call<'_>) -> NativeResult {
    let file = check_default(call, &OUTPUT)?;
    write_arguments(call, file, 0)
}

fn flush_file(call: &mut Call<'_>, file: Gc<Userdata>) -> NativeResult {
    let result = match handle(&file).map(|handle| handle.borrow_mut()).as_deref_mut() {
        Some(Stream::Output) => call.vm.flush_for_program()?,
        Some(Stream::Open(open)) => open.flush(),
        _ => Ok(()),
    };
    file_result(call, result, None)
}

fn flush(call: &mut Call<'_>) -> NativeResult {
    let file = check_open(call)?;
    flush_file(call, file)
}

fn flush_default(call: &mut Call<'_>) -> NativeResult {
    let file = check_default(call, &OUTPUT)?;
    flush_file(call, file)
}

fn setvbuf(call: &mut Call<'_>) -> NativeResult {
    const MODES: [(&str, Buffering); 3] = [("no", Buffering::No), ("full", Buffering::Full), ("line", Buffering::Line)];
    let file = check_open(call)?;
    let (_, buffering) = MODES[call.check_option(1, None, &MODES.map(|(name, _)| name))?];
    // The size is a hint.
    call.opt_integer(2, 0)?;
    let result = match handle(&file).map(|handle| handle.borrow_mut()).as_deref_mut() {
        Some(Stream::Output) => {
            call.vm.set_output_buffering(buffering);
            if buffering == Buffering::No { call.vm.flush_for_program()? } else { Ok(()) }
        }
        Some(Stream::Open(open)) => open.set_buffering(buffering),
        _ => Ok(()),
    };
    file_result(call, result, None)
}

/// `file:seek`. The host's streams have no positions.
fn seek(call: &mut Call<'_>) -> NativeResult {
    let file = check_open(call)?;
    let whence = call.check_option(1, Some("cur"), &["set", "cur", "end"])?;
    let offset = call.opt_integer(2, 0)?;
    let to = match whence {
        // A negative position is the system's to refuse.
        0 => SeekFrom::Start(offset as u64),
        1 => SeekFrom::Current(offset),
        _ => SeekFrom::End(offset),
    };
    let position = match handle(&file).map(|handle| handle.borrow_mut()).as_deref_mut() {
        Some(Stream::Open(open)) => open.seek(to),
        _ => Err(illegal_seek()),
    };
    match position {
        Ok(position) => call.ret(position as i64),
        Err(error) => file_result(call, Err(error), None),
    }
}
