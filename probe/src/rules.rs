//! What a checker may assume of the heaps of each version, with the place in its sources.

use moonphase_heap::{MarkedStrings, Rules, ShortStrings, UpvalueStorage, Waiting};

/// The rules of a version, by `LUA_VERSION_NUM`.
pub(crate) fn rules_of(version: u32) -> Rules {
    match version {
        501 => Rules {
            // `luaS_newlstr` in `lstring.c` links strings into `g->strt` alone.
            short_strings: ShortStrings::InTable,
            // `reallymarkobject` in `lgc.c` makes a string gray, and nobody makes it black.
            marked_strings: MarkedStrings::Gray,
            // `luaF_findupval` in `lfunc.c` links open ones into the list of their thread and into `g->uvhead`.
            upvalues: UpvalueStorage::OpenApart,
            // `luaC_separateudata` moves them to `g->tmudata`, which no sweep comes to; `marktmu` is called by `atomic` alone.
            waiting: Waiting::KeptUnmarked,
        },
        _ => Rules {
            // `createstrobj` in `lstring.c` makes all strings by `luaC_newobj`, which links them into `g->allgc`.
            short_strings: ShortStrings::InAll,
            // `reallymarkobject` in `lgc.c`: `set2black` for strings.
            marked_strings: MarkedStrings::Black,
            // `newupval` in `lfunc.c` makes upvalues by `luaC_newobj`.
            upvalues: UpvalueStorage::InAll,
            // `restartcollection` in `lgc.c` marks them by `markbeingfnz`; `GCSswptobefnz` sweeps them.
            waiting: Waiting::Swept,
        },
    }
}
