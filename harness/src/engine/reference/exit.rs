//! `os.exit(status, true)` closes the state in the midst of what it does, and the process ends: nothing of Lua comes back from
//! that. So it is done in a copy of the process, whose output the script goes on with.

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, Read, Write};

use mlua::ffi::{self, lua_State};

use super::host::Host;
use crate::outcome::End;

/// The longest that the copy may take, seconds: as finalizers may run without end.
const PATIENCE: u32 = 20;

/// Closes the state as `os_exit` does in `loslib.c`. Afterwards the host has what was printed and how the script ended.
///
/// # Errors
/// There is no more process or pipe to be had.
///
/// # Safety
/// A function of Lua must have called, in this state.
#[allow(unsafe_code)]
pub(super) unsafe fn close(state: *mut lua_State, host: &Host, status: c_int) -> io::Result<()> {
    // SAFETY: the caller's. The copy of the process has this thread alone, and all that this thread had; it ends in `finish`. What C
    // has not written of a file is written once, before there are two that could.
    unsafe {
        if !host.is_copy() {
            libc::fflush(std::ptr::null_mut());
            let (mut reader, writer) = io::pipe()?;
            match libc::fork() {
                -1 => return Err(io::Error::last_os_error()),
                0 => {
                    drop(reader);
                    libc::alarm(PATIENCE);
                    host.become_copy(writer.into());
                }
                child => {
                    drop(writer);
                    let mut text = Vec::new();
                    reader.read_to_end(&mut text)?;
                    let mut how = 0;
                    libc::waitpid(child, &mut how, 0);
                    if libc::WIFSIGNALED(how) {
                        // As if it had happened here.
                        libc::raise(libc::WTERMSIG(how));
                    }
                    let told: (Vec<u8>, End) = postcard::from_bytes(&text).map_err(io::Error::other)?;
                    host.go_on_with(told);
                    return Ok(());
                }
            }
        }
        ffi::lua_close(state);
        finish(host, status)
    }
}

/// Ends the copy of the process.
#[allow(unsafe_code)]
pub(super) fn finish(host: &Host, status: c_int) -> ! {
    let (told, outcome) = host.last_words(status);
    // Where nobody listens any more, nobody wants to know.
    let text = postcard::to_stdvec(&outcome).unwrap_or_default();
    let _ = told.map(|pipe| File::from(pipe).write_all(&text));
    // SAFETY: it is safe to end.
    unsafe { libc::_exit(0) }
}
