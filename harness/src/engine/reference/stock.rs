//! What the library of Lua was before ours was put into it.

use mlua::ffi::lua_CFunction;

/// The functions of Lua that ours stand before.
#[derive(Clone, Copy, Default)]
pub(super) struct Stock {
    pub(super) collectgarbage: Option<lua_CFunction>,
    pub(super) write: Option<lua_CFunction>,
    pub(super) write_file: Option<lua_CFunction>,
    pub(super) seek_file: Option<lua_CFunction>,
    pub(super) lines: Option<lua_CFunction>,
    pub(super) input: Option<lua_CFunction>,
    pub(super) output: Option<lua_CFunction>,
    pub(super) date: Option<lua_CFunction>,
    pub(super) time: Option<lua_CFunction>,
    pub(super) gethook: Option<lua_CFunction>,
    pub(super) sethook: Option<lua_CFunction>,
    /// The standard streams, as userdata: input, output, error.
    pub(super) streams: Option<[usize; 3]>,
}
