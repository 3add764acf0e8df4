//! The functions of the library that are ours, as C functions: what they do, say and look like to a script is what those of
//! Lua do, but that output is captured, the process does not end, and the machine may be out of reach.
//!
//! Where a script may not use the machine, each function that would is there and is refused, as by our own VM: what cannot
//! be had is the same in both.
//!
//! Errors leave these functions by `longjmp`: nothing that has a destructor lives when one is raised.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use mlua::ffi::{self, lua_CFunction, lua_State};
use moonphase_heap::Mode;
use moonphase_vm::System;

use super::exit;
use super::host::{Host, current, raise, tick};
use super::stock::Stock;
use crate::outcome::End;

const FILE: &CStr = c"FILE*";
const NOT_PERMITTED: &CStr = c"Operation not permitted";
const NO_LIBRARIES: &CStr = c"dynamic libraries not enabled; check your Lua installation";
/// Where Lua looks for modules if nobody says anything else (`luaconf.h`).
const PATH: &CStr = c"/usr/local/share/lua/5.4/?.lua;/usr/local/share/lua/5.4/?/init.lua;/usr/local/lib/lua/5.4/?.lua;\
    /usr/local/lib/lua/5.4/?/init.lua;./?.lua;./?/init.lua";
const C_PATH: &CStr = c"/usr/local/lib/lua/5.4/?.so;/usr/local/lib/lua/5.4/loadall.so;./?.so";

/// Where a thread's table of what a script sees as the registry is kept in the registry.
const SEEN_REGISTRY: &CStr = c"moonphase registry";

/// Puts our functions into the libraries of a fresh state.
///
/// # Safety
/// The state must be alive and have the whole library.
#[allow(unsafe_code)]
pub(super) unsafe fn install(state: *mut lua_State, host: &Host) {
    // SAFETY: the caller's; each function takes from the stack what it pushes.
    unsafe {
        ffi::luaL_checkstack(state, 10, ptr::null());
        let mut stock = Stock::default();
        ffi::lua_pushcfunction(state, print);
        ffi::lua_setglobal(state, c"print".as_ptr());
        ffi::lua_pushglobaltable(state);
        stock.collectgarbage = replace(state, c"collectgarbage", collectgarbage);
        ffi::lua_pop(state, 1);

        ffi::lua_getglobal(state, c"io".as_ptr());
        stock.streams = Some([c"stdin", c"stdout", c"stderr"].map(|name| {
            ffi::lua_getfield(state, -1, name.as_ptr());
            let stream = ffi::lua_touserdata(state, -1) as usize;
            ffi::lua_pop(state, 1);
            stream
        }));
        stock.write = replace(state, c"write", write);
        if host.system == System::None {
            replace(state, c"open", open);
            replace(state, c"popen", popen);
            replace(state, c"tmpfile", tmpfile);
            stock.lines = replace(state, c"lines", lines);
            stock.input = replace(state, c"input", input);
            stock.output = replace(state, c"output", output);
        }
        ffi::lua_pop(state, 1);

        ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, FILE.as_ptr());
        ffi::lua_getfield(state, -1, c"__index".as_ptr());
        stock.write_file = replace(state, c"write", write_file);
        stock.seek_file = replace(state, c"seek", seek_file);
        ffi::lua_pop(state, 2);

        ffi::lua_getglobal(state, c"os".as_ptr());
        replace(state, c"exit", os_exit);
        if host.system == System::None {
            replace(state, c"execute", execute);
            replace(state, c"remove", remove);
            replace(state, c"rename", rename);
            replace(state, c"tmpname", tmpname);
            replace(state, c"getenv", getenv);
            replace(state, c"setlocale", setlocale);
            stock.date = replace(state, c"date", date);
            stock.time = replace(state, c"time", time);
        }
        ffi::lua_pop(state, 1);

        ffi::lua_getglobal(state, c"debug".as_ptr());
        stock.gethook = replace(state, c"gethook", gethook);
        stock.sethook = replace(state, c"sethook", sethook);
        if host.system == System::None {
            see_registry(state);
            replace(state, c"getregistry", getregistry);
            replace(state, c"debug", debug);
        }
        ffi::lua_pop(state, 1);

        if host.system == System::None {
            ffi::lua_pushcfunction(state, loadfile);
            ffi::lua_setglobal(state, c"loadfile".as_ptr());
            ffi::lua_pushcfunction(state, dofile);
            ffi::lua_setglobal(state, c"dofile".as_ptr());
            ffi::lua_getglobal(state, c"package".as_ptr());
            replace(state, c"loadlib", loadlib);
            replace(state, c"searchpath", searchpath);
            for (name, path) in [(c"path", PATH), (c"cpath", C_PATH)] {
                ffi::lua_pushstring(state, path.as_ptr());
                ffi::lua_setfield(state, -2, name.as_ptr());
            }
            ffi::lua_getfield(state, -1, c"searchers".as_ptr());
            for (place, searcher) in [(2, search_path as lua_CFunction), (3, search_c), (4, search_c_root)] {
                ffi::lua_pushcfunction(state, searcher);
                ffi::lua_rawseti(state, -2, place);
            }
            ffi::lua_pop(state, 2);
        }
        host.stock.set(stock);
    }
}

/// Puts a function into the library on top of the stack, and gives that which was there.
#[allow(unsafe_code)]
unsafe fn replace(state: *mut lua_State, name: &CStr, function: lua_CFunction) -> Option<lua_CFunction> {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_getfield(state, -1, name.as_ptr());
        let stock = ffi::lua_tocfunction(state, -1);
        ffi::lua_pop(state, 1);
        ffi::lua_pushcfunction(state, function);
        ffi::lua_setfield(state, -2, name.as_ptr());
        stock
    }
}

/// Does what the function of Lua does, in the frame of ours.
#[allow(unsafe_code)]
unsafe fn call(state: *mut lua_State, stock: Option<lua_CFunction>) -> c_int {
    match stock {
        // SAFETY: the caller's: the function is one of Lua, which takes its arguments from the frame that there is.
        Some(stock) => unsafe { stock(state) },
        None => 0,
    }
}

/// The mode that the arguments of `collectgarbage` ask for.
#[allow(unsafe_code)]
unsafe fn asked_mode(state: *mut lua_State) -> Option<Mode> {
    // SAFETY: the caller's; a string stays on the stack while it is looked at.
    unsafe {
        if ffi::lua_type(state, 1) != ffi::LUA_TSTRING {
            return None;
        }
        match CStr::from_ptr(ffi::lua_tostring(state, 1)).to_bytes() {
            b"incremental" => Some(Mode::Incremental),
            b"generational" => Some(Mode::Generational),
            _ => None,
        }
    }
}

#[allow(unsafe_code)]
unsafe fn bytes<'s>(text: *const c_char, length: usize) -> &'s [u8] {
    // SAFETY: the caller's: Lua says that so many bytes are there.
    unsafe { std::slice::from_raw_parts(text.cast(), length) }
}

/// Writes to the captured output.
#[allow(unsafe_code)]
unsafe fn emit(state: *mut lua_State, text: &[u8]) {
    // SAFETY: the caller's.
    unsafe {
        if current().emit(text).is_err() {
            raise(state);
        }
    }
}

/// Raises an error whose message is on top of the stack, with the position of the caller in front.
#[allow(unsafe_code)]
unsafe fn positioned(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        ffi::luaL_where(state, 1);
        ffi::lua_insert(state, -2);
        ffi::lua_concat(state, 2);
        ffi::lua_error(state)
    }
}

/// Pushes texts as one.
#[allow(unsafe_code)]
unsafe fn push(state: *mut lua_State, texts: &[*const c_char]) {
    // SAFETY: the caller's.
    unsafe {
        ffi::luaL_checkstack(state, 10, ptr::null());
        for &text in texts {
            ffi::lua_pushstring(state, text);
        }
        ffi::lua_concat(state, c_int::try_from(texts.len()).unwrap_or(0));
    }
}

/// The results of what the machine refuses: nil, a message and the number of the error.
#[allow(unsafe_code)]
unsafe fn refused(state: *mut lua_State, name: *const c_char) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_pushnil(state);
        if name.is_null() {
            ffi::lua_pushstring(state, NOT_PERMITTED.as_ptr());
        } else {
            push(state, &[name, c": ".as_ptr(), NOT_PERMITTED.as_ptr()]);
        }
        ffi::lua_pushinteger(state, 1);
        3
    }
}

macro_rules! functions {
    ($($(#[$meta:meta])* fn $name:ident($state:ident) $body:block)*) => {$(
        $(#[$meta])*
        #[allow(unsafe_code)]
        unsafe extern "C-unwind" fn $name($state: *mut lua_State) -> c_int {
            // SAFETY: Lua calls its functions with a living state and room for 20 values, while the host is present.
            unsafe { $body }
        }
    )*};
}

functions! {
    /// `luaB_print` (`lbaselib.c`).
    fn print(state) {
        let count = ffi::lua_gettop(state);
        for argument in 1..=count {
            let mut length = 0;
            let text = ffi::luaL_tolstring(state, argument, &raw mut length);
            if argument > 1 {
                emit(state, b"\t");
            }
            emit(state, bytes(text, length));
            ffi::lua_pop(state, 1);
        }
        emit(state, b"\n");
        0
    }

    /// `io_write` (`liolib.c`).
    fn write(state) {
        let stock = current().stock.get();
        ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, c"_IO_output".as_ptr());
        if !is_written(state, -1, &stock) {
            ffi::lua_pop(state, 1);
            return call(state, stock.write);
        }
        write_arguments(state, 1)
    }

    /// `f_write`.
    fn write_file(state) {
        let stock = current().stock.get();
        if !is_written(state, 1, &stock) {
            return call(state, stock.write_file);
        }
        ffi::lua_pushvalue(state, 1);
        write_arguments(state, 2)
    }

    /// `f_seek`: the standard streams have no positions.
    fn seek_file(state) {
        let stock = current().stock.get();
        let stream = ffi::lua_touserdata(state, 1) as usize;
        if stock.streams.is_none_or(|streams| !streams.contains(&stream)) {
            return call(state, stock.seek_file);
        }
        const MODES: [*const c_char; 4] = [c"set".as_ptr(), c"cur".as_ptr(), c"end".as_ptr(), ptr::null()];
        ffi::luaL_checkoption(state, 2, c"cur".as_ptr(), MODES.as_ptr());
        ffi::luaL_optinteger(state, 3, 0);
        ffi::lua_pushnil(state);
        ffi::lua_pushstring(state, c"Illegal seek".as_ptr());
        ffi::lua_pushinteger(state, 29);
        3
    }

    /// `os_exit` (`loslib.c`): ends the script, and not the process.
    fn os_exit(state) {
        let status = if ffi::lua_isboolean(state, 1) != 0 {
            i32::from(ffi::lua_toboolean(state, 1) == 0)
        } else {
            // C takes the low bits, too.
            ffi::luaL_optinteger(state, 1, 0) as i32
        };
        let host = current();
        if ffi::lua_toboolean(state, 2) != 0 && exit::close(state, host, status).is_ok() {
            // It has ended there.
        } else if host.is_copy() {
            exit::finish(host, status);
        } else {
            host.stop(End::Exit(status));
        }
        ffi::lua_sethook(state, Some(tick), ffi::LUA_MASKCOUNT, 1);
        raise(state)
    }

    /// `luaB_collectgarbage`: a script that asks for a mode is told what it would be told, and the collector stays in incremental mode.
    /// In generational mode the releases of Lua 5.4 use what they have freed: see the rule `old0` of our policies, and
    /// `corpus/open-upvalue-older-than-its-thread.lua`. No script can tell otherwise.
    fn collectgarbage(state) {
        let mode = asked_mode(state);
        let count = call(state, current().stock.get().collectgarbage);
        if let Some(mode) = mode
            && ffi::lua_type(state, -1) == ffi::LUA_TSTRING
        {
            let before = match current().ask_mode(mode) {
                Mode::Incremental => c"incremental",
                Mode::Generational => c"generational",
            };
            let kept: [c_int; 3] = [0; 3];
            ffi::lua_gc(state, ffi::LUA_GCINC, kept[0], kept[1], kept[2]);
            ffi::lua_pushstring(state, before.as_ptr());
            return 1;
        }
        count
    }

    /// `db_gethook` (`ldblib.c`): a script does not see our hook.
    fn gethook(state) {
        if is_ours(state) {
            ffi::lua_pushnil(state);
            return 1;
        }
        call(state, current().stock.get().gethook)
    }

    /// `db_sethook`: without a hook of the script there is ours again.
    fn sethook(state) {
        let count = call(state, current().stock.get().sethook);
        let thread = hooked_thread(state);
        if ffi::lua_gethook(thread).is_none() {
            current().hook(thread);
        }
        count
    }

    fn open(state) {
        let name = ffi::luaL_checkstring(state, 1);
        let mode = CStr::from_ptr(ffi::luaL_optstring(state, 2, c"r".as_ptr()));
        if !is_mode(mode.to_bytes()) {
            return ffi::luaL_argerror(state, 2, c"invalid mode".as_ptr());
        }
        refused(state, name)
    }

    fn popen(state) {
        let command = ffi::luaL_checkstring(state, 1);
        let mode = CStr::from_ptr(ffi::luaL_optstring(state, 2, c"r".as_ptr()));
        if !matches!(mode.to_bytes(), b"r" | b"w") {
            return ffi::luaL_argerror(state, 2, c"invalid mode".as_ptr());
        }
        refused(state, command)
    }

    fn tmpfile(state) {
        refused(state, ptr::null())
    }

    fn lines(state) {
        if ffi::lua_isnoneornil(state, 1) != 0 {
            return call(state, current().stock.get().lines);
        }
        refuse_file(state)
    }

    fn input(state) {
        if ffi::lua_isstring(state, 1) == 0 {
            return call(state, current().stock.get().input);
        }
        refuse_file(state)
    }

    fn output(state) {
        if ffi::lua_isstring(state, 1) == 0 {
            return call(state, current().stock.get().output);
        }
        refuse_file(state)
    }

    fn execute(state) {
        if ffi::luaL_optstring(state, 1, ptr::null()).is_null() {
            ffi::lua_pushboolean(state, 0);
            return 1;
        }
        refused(state, ptr::null())
    }

    fn remove(state) {
        let name = ffi::luaL_checkstring(state, 1);
        refused(state, name)
    }

    fn rename(state) {
        ffi::luaL_checkstring(state, 1);
        ffi::luaL_checkstring(state, 2);
        refused(state, ptr::null())
    }

    fn tmpname(state) {
        ffi::lua_pushstring(state, c"unable to generate a unique filename".as_ptr());
        positioned(state)
    }

    fn getenv(state) {
        ffi::luaL_checkstring(state, 1);
        ffi::lua_pushnil(state);
        1
    }

    /// The only locale is that of C.
    fn setlocale(state) {
        const CATEGORIES: [*const c_char; 7] = [
            c"all".as_ptr(), c"collate".as_ptr(), c"ctype".as_ptr(), c"monetary".as_ptr(), c"numeric".as_ptr(),
            c"time".as_ptr(), ptr::null(),
        ];
        let name = ffi::luaL_optstring(state, 1, ptr::null());
        ffi::luaL_checkoption(state, 2, c"all".as_ptr(), CATEGORIES.as_ptr());
        if name.is_null() || matches!(CStr::from_ptr(name).to_bytes(), b"" | b"C" | b"POSIX") {
            ffi::lua_pushstring(state, c"C".as_ptr());
        } else {
            ffi::lua_pushnil(state);
        }
        1
    }

    /// It is always the epoch.
    fn date(state) {
        if ffi::lua_isnoneornil(state, 2) != 0 {
            ffi::luaL_optstring(state, 1, ptr::null());
            ffi::lua_settop(state, 1);
            ffi::lua_pushinteger(state, 0);
        }
        call(state, current().stock.get().date)
    }

    fn time(state) {
        if ffi::lua_isnoneornil(state, 1) != 0 {
            ffi::lua_pushinteger(state, 0);
            return 1;
        }
        call(state, current().stock.get().time)
    }

    fn debug(state) {
        ffi::lua_settop(state, 0);
        0
    }

    fn getregistry(state) {
        ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, SEEN_REGISTRY.as_ptr());
        1
    }

    fn loadfile(state) {
        ffi::luaL_optstring(state, 1, ptr::null());
        ffi::luaL_optstring(state, 2, ptr::null());
        ffi::lua_pushnil(state);
        no_file(state);
        2
    }

    fn dofile(state) {
        ffi::luaL_optstring(state, 1, ptr::null());
        no_file(state);
        ffi::lua_error(state)
    }

    fn loadlib(state) {
        ffi::luaL_checkstring(state, 1);
        ffi::luaL_checkstring(state, 2);
        ffi::lua_pushnil(state);
        ffi::lua_pushstring(state, NO_LIBRARIES.as_ptr());
        ffi::lua_pushstring(state, c"absent".as_ptr());
        3
    }

    fn searchpath(state) {
        let name = ffi::luaL_checkstring(state, 1);
        let path = ffi::luaL_checkstring(state, 2);
        let separator = ffi::luaL_optstring(state, 3, c".".as_ptr());
        let directory = ffi::luaL_optstring(state, 4, c"/".as_ptr());
        ffi::lua_pushnil(state);
        no_files(state, name, path, separator, directory);
        2
    }

    fn search_path(state) {
        let name = ffi::luaL_checkstring(state, 1);
        search(state, name, c"path")
    }

    fn search_c(state) {
        let name = ffi::luaL_checkstring(state, 1);
        search(state, name, c"cpath")
    }

    fn search_c_root(state) {
        let name = ffi::luaL_checkstring(state, 1);
        let Some(dot) = CStr::from_ptr(name).to_bytes().iter().position(|&byte| byte == b'.') else { return 0 };
        ffi::lua_pushlstring(state, name, dot);
        let root = ffi::lua_tostring(state, -1);
        search(state, root, c"cpath")
    }
}

/// Whether a value is a standard stream that scripts write to.
#[allow(unsafe_code)]
unsafe fn is_written(state: *mut lua_State, index: c_int, stock: &Stock) -> bool {
    // SAFETY: the caller's.
    let stream = unsafe { ffi::lua_touserdata(state, index) } as usize;
    stock.streams.is_some_and(|streams| streams[1..].contains(&stream))
}

#[allow(unsafe_code)]
unsafe extern "C" {
    unsafe fn snprintf(buffer: *mut c_char, size: usize, format: *const c_char, ...) -> c_int;
}

/// `g_write`: writes arguments from `first` on to the standard stream on top of the stack, which is the result.
#[allow(unsafe_code)]
unsafe fn write_arguments(state: *mut lua_State, first: c_int) -> c_int {
    // SAFETY: the caller's; a number takes less room than there is.
    unsafe {
        let stream = ffi::lua_touserdata(state, -1) as usize;
        let captured = current().stock.get().streams.is_some_and(|[_, output, _]| output == stream);
        for argument in first..ffi::lua_gettop(state) {
            let mut number: [c_char; 64] = [0; 64];
            let mut length = 0;
            let text = if ffi::lua_type(state, argument) != ffi::LUA_TNUMBER {
                ffi::luaL_checklstring(state, argument, &raw mut length)
            } else {
                let written = if ffi::lua_isinteger(state, argument) != 0 {
                    let value = ffi::lua_tointeger(state, argument);
                    snprintf(number.as_mut_ptr(), number.len(), c"%lld".as_ptr(), value)
                } else {
                    let value = ffi::lua_tonumber(state, argument);
                    snprintf(number.as_mut_ptr(), number.len(), c"%.14g".as_ptr(), value)
                };
                length = usize::try_from(written).unwrap_or(0);
                number.as_ptr()
            };
            // What goes to standard error is no output.
            if captured {
                emit(state, bytes(text, length));
            }
        }
        1
    }
}

/// The thread that a function of hooks is about.
#[allow(unsafe_code)]
unsafe fn hooked_thread(state: *mut lua_State) -> *mut lua_State {
    // SAFETY: the caller's.
    unsafe { if ffi::lua_isthread(state, 1) != 0 { ffi::lua_tothread(state, 1) } else { state } }
}

#[allow(unsafe_code)]
unsafe fn is_ours(state: *mut lua_State) -> bool {
    // SAFETY: the caller's.
    let hook = unsafe { ffi::lua_gethook(hooked_thread(state)) };
    hook.is_some_and(|hook| ptr::fn_addr_eq(hook, tick as ffi::lua_Hook))
}

/// `l_checkmode` (`liolib.c`).
fn is_mode(mode: &[u8]) -> bool {
    let [b'r' | b'w' | b'a', rest @ ..] = mode else { return false };
    matches!(rest.strip_prefix(b"+").unwrap_or(rest), b"" | b"b")
}

/// `opencheckfile`.
#[allow(unsafe_code)]
unsafe fn refuse_file(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        let name = ffi::luaL_checkstring(state, 1);
        push(state, &[c"cannot open file '".as_ptr(), name, c"' (".as_ptr(), NOT_PERMITTED.as_ptr(), c")".as_ptr()]);
        positioned(state)
    }
}

/// Pushes why the file of the first argument is not loaded.
#[allow(unsafe_code)]
unsafe fn no_file(state: *mut lua_State) {
    // SAFETY: the caller's.
    unsafe {
        let name = ffi::luaL_optstring(state, 1, c"stdin".as_ptr());
        push(state, &[c"cannot open ".as_ptr(), name, c": files are not available".as_ptr()]);
    }
}

/// Pushes the list of the files in which a module is not (`searchpath` of `loadlib.c`).
#[allow(unsafe_code)]
unsafe fn no_files(
    state: *mut lua_State,
    name: *const c_char,
    path: *const c_char,
    separator: *const c_char,
    directory: *const c_char,
) {
    // SAFETY: the caller's.
    unsafe {
        let separated = *separator != 0;
        let name = if separated { ffi::luaL_gsub(state, name, separator, directory) } else { name };
        let files = ffi::luaL_gsub(state, path, c"?".as_ptr(), name);
        let files = ffi::luaL_gsub(state, files, c";".as_ptr(), c"'\n\tno file '".as_ptr());
        push(state, &[c"no file '".as_ptr(), files, c"'".as_ptr()]);
        let below = if separated { 3 } else { 2 };
        ffi::lua_insert(state, -1 - below);
        ffi::lua_pop(state, below);
    }
}

/// A searcher that finds no file.
#[allow(unsafe_code)]
unsafe fn search(state: *mut lua_State, name: *const c_char, path: &CStr) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, c"_LOADED".as_ptr());
        ffi::lua_getfield(state, -1, c"package".as_ptr());
        ffi::lua_getfield(state, -1, path.as_ptr());
        let files = ffi::lua_tostring(state, -1);
        if files.is_null() {
            push(state, &[c"'package.".as_ptr(), path.as_ptr(), c"' must be a string".as_ptr()]);
            return positioned(state);
        }
        no_files(state, name, files, c".".as_ptr(), c"/".as_ptr());
        1
    }
}

/// Makes what a script sees as the registry: that of Lua without what this host keeps there.
#[allow(unsafe_code)]
unsafe fn see_registry(state: *mut lua_State) {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_createtable(state, 2, 8);
        for index in [ffi::LUA_RIDX_MAINTHREAD, ffi::LUA_RIDX_GLOBALS] {
            ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, index);
            ffi::lua_rawseti(state, -2, index);
        }
        for name in [c"_LOADED", c"_PRELOAD", c"_CLIBS", FILE, c"_IO_input", c"_IO_output"] {
            ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, name.as_ptr());
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
        ffi::lua_setfield(state, ffi::LUA_REGISTRYINDEX, SEEN_REGISTRY.as_ptr());
    }
}
