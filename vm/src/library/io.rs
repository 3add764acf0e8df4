//! Input and output (manual §6.8): the standard streams, as far as a program needs them to write.
//!
//! What is written goes to the host's output; nothing is ever read. There are no files.

use super::{plain, register, set_field, write_output};
use crate::gc::Gc;
use crate::interpreter::{Builtin, Call, NativeResult, Throw, Vm};
use crate::value::{Userdata, Value, format_number};
use std::io::Write;

pub(crate) static FUNCTIONS: &[Builtin] = &[plain("read", read), plain("type", type_), plain("write", write)];

static METHODS: &[Builtin] = &[
    plain("close", close),
    plain("flush", flush),
    plain("read", read),
    plain("setvbuf", setvbuf),
    plain("write", write_to),
];

static TO_STRING: Builtin = plain("__tostring", tostring);

/// What the userdata of a stream holds.
enum Stream {
    Input,
    Output,
    Error,
}

const TYPE_NAME: &str = "FILE*";
/// Where the registry keeps the stream that `io.write` gives back.
const OUTPUT: &str = "_IO_output";

pub(crate) fn open(vm: &mut Vm) {
    let io = register(vm, "io", FUNCTIONS);
    let methods = vm.heap.new_table();
    super::add_functions(vm, methods, METHODS);
    let metatable = vm.heap.new_table();
    let name = vm.heap.new_string(TYPE_NAME.as_bytes());
    set_field(vm, metatable, "__name", Value::String(name));
    set_field(vm, metatable, "__index", Value::Table(methods));
    set_field(vm, metatable, "__tostring", Value::Builtin(&TO_STRING));
    let registry = vm.heap.registry();
    for (name, stream) in [("stdin", Stream::Input), ("stdout", Stream::Output), ("stderr", Stream::Error)] {
        let is_output = matches!(stream, Stream::Output);
        let userdata = vm.heap.new_userdata(Some(Box::new(stream)), 0);
        vm.heap.set_userdata_metatable(userdata, Some(metatable));
        set_field(vm, io, name, Value::Userdata(userdata));
        if is_output {
            set_field(vm, registry, OUTPUT, Value::Userdata(userdata));
        }
    }
}

fn stream(value: Value) -> Option<Gc<Userdata>> {
    match value {
        Value::Userdata(userdata) if stream_of(&userdata).is_some() => Some(userdata),
        _ => None,
    }
}

fn stream_of(userdata: &Userdata) -> Option<&Stream> {
    userdata.data.as_ref()?.downcast_ref()
}

fn check_stream(call: &mut Call<'_>) -> Result<Gc<Userdata>, Throw> {
    match stream(call.arg(0)) {
        Some(userdata) => Ok(userdata),
        None => Err(call.type_error(0, TYPE_NAME)),
    }
}

fn write(call: &mut Call<'_>) -> NativeResult {
    let registry = call.vm.heap.registry();
    let output = super::field(call.vm, registry, OUTPUT);
    write_arguments(call, 0, &Stream::Output)?;
    call.ret(output)
}

fn write_to(call: &mut Call<'_>) -> NativeResult {
    let userdata = check_stream(call)?;
    if let Some(stream) = stream_of(&userdata) {
        write_arguments(call, 1, stream)?;
    }
    call.ret(Value::Userdata(userdata))
}

fn write_arguments(call: &mut Call<'_>, first: usize, stream: &Stream) -> Result<(), Throw> {
    for index in first..call.arg_count() {
        let mut text = Vec::new();
        match call.arg(index) {
            number @ (Value::Integer(_) | Value::Float(_)) => {
                format_number(number, &mut text);
                // Unlike `tostring`, this does not mark floats that look like integers.
                if text.ends_with(b".0") {
                    text.truncate(text.len() - 2);
                }
            }
            _ => text.extend_from_slice(call.check_string(index)?.as_bytes()),
        }
        match stream {
            Stream::Output => write_output(call, &text)?,
            // What cannot be shown there is lost, as in C without looking at the result.
            Stream::Input => {}
            Stream::Error => drop(std::io::stderr().write_all(&text)),
        }
    }
    Ok(())
}

fn read(call: &mut Call<'_>) -> NativeResult {
    call.ret(Value::Nil)
}

fn type_(call: &mut Call<'_>) -> NativeResult {
    let value = call.check_any(0)?;
    match stream(value) {
        Some(_) => call.ret_bytes(b"file"),
        None => call.ret(Value::Nil),
    }
}

fn flush(call: &mut Call<'_>) -> NativeResult {
    let userdata = check_stream(call)?;
    call.ret(Value::Userdata(userdata))
}

fn setvbuf(call: &mut Call<'_>) -> NativeResult {
    check_stream(call)?;
    call.ret(true)
}

fn close(call: &mut Call<'_>) -> NativeResult {
    check_stream(call)?;
    let message = call.new_string(b"cannot close standard file")?;
    call.ret_all(&[Value::Nil, Value::String(message)])
}

fn tostring(call: &mut Call<'_>) -> NativeResult {
    let userdata = check_stream(call)?;
    call.ret_bytes(format!("file (0x{:014x})", userdata.header.id()).as_bytes())
}
