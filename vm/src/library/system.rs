//! What the libraries share of their dealings with the operating system: whether a program may, what results look like, and
//! what differs between platforms.

use super::before_zero;
use crate::interpreter::{Call, NativeResult, System};
use crate::value::Value;
use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus};

/// Numbers of errors that do not come from the system: Linux, the BSDs and macOS agree on them.
const NOT_PERMITTED: i32 = 1;
const BAD_DESCRIPTOR: i32 = 9;
const ILLEGAL_SEEK: i32 = 29;

/// Fails where the host keeps the machine from the program.
pub(super) fn permit(call: &Call<'_>) -> io::Result<()> {
    match call.vm.options.system {
        System::Full => Ok(()),
        System::None => Err(io::Error::from_raw_os_error(NOT_PERMITTED)),
    }
}

/// The error of reading a file that was opened for writing, or the other way round.
pub(super) fn bad_descriptor() -> io::Error {
    io::Error::from_raw_os_error(BAD_DESCRIPTOR)
}

/// The error of seeking in what has no positions.
pub(super) fn illegal_seek() -> io::Error {
    io::Error::from_raw_os_error(ILLEGAL_SEEK)
}

/// The system's own words for an error.
pub(super) fn words(error: &io::Error) -> String {
    let mut text = error.to_string();
    if error.raw_os_error().is_some()
        && let Some(number) = text.rfind(" (os error ")
    {
        text.truncate(number);
    }
    text
}

/// A file name as C sees it.
pub(super) fn path(name: &[u8]) -> &Path {
    Path::new(platform::os_str(before_zero(name)))
}

/// The value of an environment variable.
pub(super) fn variable(name: &[u8]) -> Option<Vec<u8>> {
    std::env::var_os(platform::os_str(before_zero(name))).map(|value| value.into_encoded_bytes())
}

/// A command for the system's shell.
pub(super) fn shell(command: &[u8]) -> Command {
    let mut shell = platform::shell();
    shell.arg("-c").arg(platform::os_str(before_zero(command)));
    shell
}

/// True, or nil with a message and the number of the error (C's `luaL_fileresult`).
pub(super) fn file_result(call: &mut Call<'_>, result: io::Result<()>, name: Option<&[u8]>) -> NativeResult {
    let Err(error) = result else { return call.ret(true) };
    let mut message = Vec::new();
    if let Some(name) = name {
        message.extend_from_slice(before_zero(name));
        message.extend_from_slice(b": ");
    }
    message.extend_from_slice(words(&error).as_bytes());
    call.push(Value::Nil);
    call.ret_bytes(&message)?;
    call.ret(i64::from(error.raw_os_error().unwrap_or(0)))?;
    Ok(3)
}

/// How a process ended (C's `luaL_execresult`): true or nil, `exit` or `signal`, and the status or the signal.
pub(super) fn exec_result(call: &mut Call<'_>, result: io::Result<ExitStatus>) -> NativeResult {
    let status = match result {
        Ok(status) => status,
        Err(error) => return file_result(call, Err(error), None),
    };
    let (how, number) = match (status.code(), platform::signal(status)) {
        (Some(code), _) => ("exit", code),
        (None, signal) => ("signal", signal.unwrap_or(0)),
    };
    call.push(if status.success() { Value::Boolean(true) } else { Value::Nil });
    call.ret_bytes(how.as_bytes())?;
    call.ret(i64::from(number))?;
    Ok(3)
}

pub(super) use platform::{OwnedHandle, processor_seconds};

#[cfg(unix)]
mod platform {
    use std::ffi::OsStr;
    pub(in crate::library) use std::os::fd::OwnedFd as OwnedHandle;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{Command, ExitStatus};

    pub(super) fn os_str(bytes: &[u8]) -> &OsStr {
        OsStr::from_bytes(bytes)
    }

    /// The shell under the name that C's `popen` gives it, which it puts before its messages.
    pub(super) fn shell() -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.arg0("sh");
        shell
    }

    pub(super) fn signal(status: ExitStatus) -> Option<i32> {
        status.signal()
    }

    /// Seconds for which this process has kept processors busy.
    pub(in crate::library) fn processor_seconds() -> f64 {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        time.tv_sec as f64 + (time.tv_nsec / 1000) as f64 / 1e6
    }
}

#[cfg(not(unix))]
mod platform {
    use std::ffi::OsStr;
    pub(in crate::library) use std::os::windows::io::OwnedHandle;
    use std::process::{Command, ExitStatus};
    use std::sync::OnceLock;
    use std::time::Instant;

    pub(super) fn os_str(bytes: &[u8]) -> &OsStr {
        // There is no file of an empty name.
        OsStr::new(std::str::from_utf8(bytes).unwrap_or_default())
    }

    pub(super) fn shell() -> Command {
        Command::new("/bin/sh")
    }

    pub(super) fn signal(_: ExitStatus) -> Option<i32> {
        None
    }

    /// Seconds since the first call, as C's `clock` counts there.
    pub(in crate::library) fn processor_seconds() -> f64 {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_secs_f64()
    }
}
