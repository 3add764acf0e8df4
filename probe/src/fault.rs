//! Faults that can be planted into the C sources of the stock engines: small edits of one function each.
//!
//! An edit says which words of a function become which others. The words are as few as tell the place; none of the sources is kept
//! here. A barrier that is taken away keeps its arguments, as operands of a comma.
//!
//! Every barrier that a script can be misled by is among them. Not planted are those that no script comes to, or comes to with
//! anything but a white holder: `lua_replace` and `lua_copy` into an upvalue of a native function, which no library does;
//! `lua_rawseti` of 5.4, which only hosts call; `lua_setiuservalue`, since no userdata of a script has user values; and, unless
//! an allocation fails in their midst, those of new closures and main functions (`luaF_initupvals`, `pushclosure`, `luaY_parser`,
//! `luaU_undump`, `lua_load` of 5.4). The name of an upvalue (`newupvalue` of 5.4) is known to the enclosing function already.

use std::fmt;
use std::str::FromStr;

use crate::Stock;

/// A C Lua that is wrong in one known way.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// Its name, which begins with that of its engine.
    pub name: &'static str,
    /// The engine.
    pub stock: Stock,
    /// The file that is changed.
    pub file: &'static str,
    /// The function in it.
    pub function: &'static str,
    /// The words that are replaced; they stand in the function once.
    pub words: &'static str,
    /// What replaces them.
    pub by: &'static str,
    /// What is wrong then, in a sentence.
    pub breaks: &'static str,
}

/// A name that no fault has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown fault '{0}'")]
pub struct UnknownFault(pub String);

macro_rules! faults {
    ($stock:ident: $($name:literal $file:literal $function:literal $words:literal => $by:literal, $breaks:literal;)*) => {
        &[$(Fault {
            name: $name,
            stock: Stock::$stock,
            file: $file,
            function: $function,
            words: $words,
            by: $by,
            breaks: $breaks,
        }),*]
    };
}

const LUA_51: &[Fault] = faults! { Lua51:
    "lua51-rawset" "lapi.c" "lua_rawset" "luaC_barriert(" => "(void)(", "`lua_rawset` has no barrier";
    "lua51-rawseti" "lapi.c" "lua_rawseti" "luaC_barriert(" => "(void)(", "`lua_rawseti` has no barrier";
    "lua51-setmetatable" "lapi.c" "lua_setmetatable" "luaC_objbarriert(" => "(void)(", "a table's metatable has no barrier";
    "lua51-userdata-metatable" "lapi.c" "lua_setmetatable" "luaC_objbarrier(" => "(void)(", "a userdata's metatable has no barrier";
    "lua51-setfenv" "lapi.c" "lua_setfenv" "luaC_objbarrier(" => "(void)(", "`lua_setfenv` has no barrier";
    "lua51-setupvalue" "lapi.c" "lua_setupvalue" "luaC_barrier(" => "(void)(", "`lua_setupvalue` has no barrier at all";
    "lua51-constant" "lcode.c" "addk" "luaC_barrier(" => "(void)(", "a constant of a function that is compiled has no barrier";
    "lua51-local-name" "lparser.c" "registerlocalvar" "luaC_objbarrier(" => "(void)(", "the name of a local variable has no barrier";
    "lua51-upvalue-name" "lparser.c" "indexupvalue" "luaC_objbarrier(" => "(void)(", "the name of an upvalue has no barrier";
    "lua51-nested" "lparser.c" "pushclosure" "luaC_objbarrier(" => "(void)(", "a nested function that is compiled has no barrier";
    "lua51-new-key" "ltable.c" "newkey" "luaC_barriert(" => "(void)(", "a new key has no barrier";
    "lua51-settable" "lvm.c" "luaV_settable" "luaC_barriert(" => "(void)(", "an assignment to a table has no barrier";
    "lua51-settable-parent" "lvm.c" "luaV_settable" "luaC_barriert(L, h, val)" => "luaC_barriert(L, hvalue(gt(L)), val)",
        "an assignment to a table gives its barrier the table of globals";
    "lua51-setupval" "lvm.c" "luaV_execute" "luaC_barrier(" => "(void)(", "an assignment to an upvalue has no barrier";
    "lua51-setupval-parent" "lvm.c" "luaV_execute" "luaC_barrier(L, uv, ra)" => "luaC_barrier(L, cl, ra)",
        "an assignment to an upvalue gives its barrier the closure";
    "lua51-setlist" "lvm.c" "luaV_execute" "luaC_barriert(" => "(void)(", "a table constructor has no barrier";
    "lua51-close" "lgc.c" "luaC_linkupval" "luaC_barrier(" => "(void)(", "the value of an upvalue that is closed has no barrier";
    "lua51-barrier-idle" "lgc.c" "luaC_barrierf" "reallymarkobject(g, v)" => "(void)(v)", "a forward barrier marks nothing";
    "lua51-barrier-unlisted" "lgc.c" "luaC_barrierback" "g->grayagain = o" => "(void)o", "a table that a barrier makes gray is on no list";
    "lua51-white-kept" "lgc.c" "atomic" "otherwhite(g)" => "g->currentwhite", "the white is not flipped";
    "lua51-weak-uncleared" "lgc.c" "atomic" "cleartable(g->weak)" => "(void)(g->weak)", "weak tables are not cleared";
    "lua51-upvalues-unmarked" "lgc.c" "atomic" "remarkupvals(g)" => "(void)(g)", "values of open upvalues are not marked again";
    "lua51-gray-again" "lgc.c" "atomic" "g->gray = g->grayagain" => "g->gray = NULL", "what was written meanwhile is not traversed again";
    "lua51-finalized-unmarked" "lgc.c" "atomic" "marktmu(g)" => "(void)(g)", "objects that wait for their finalizer are not marked";
    "lua51-finalized-black" "lgc.c" "GCTM" "makewhite(g, o)" => "(void)(o)", "a userdata that was finalized stays black";
    "lua51-basic-metatables" "lgc.c" "markmt" "markobject(g, g->mt[i])" => "(void)(g)", "metatables of basic types are not marked";
    "lua51-metatable-unmarked" "lgc.c" "traversetable" "markobject(g, h->metatable)" => "(void)(g)", "metatables of tables are not marked";
    "lua51-userdata-unmarked" "lgc.c" "reallymarkobject" "markobject(g, mt)" => "(void)(g)", "metatables of userdata are not marked";
    "lua51-environment-unmarked" "lgc.c" "traverseclosure" "markobject(g, cl->c.env)" => "(void)(g)", "environments of functions are not marked";
    "lua51-closure-upvalues" "lgc.c" "traverseclosure" "markobject(g, cl->l.upvals[i])" => "(void)(g)", "upvalues of closures are not marked";
    "lua51-constants-unmarked" "lgc.c" "traverseproto" "markvalue(g, &f->k[i])" => "(void)(g)", "constants are not marked";
    "lua51-weak-strings" "lgc.c" "iscleared" "stringmark(rawtsvalue(o))" => "(void)(o)", "strings in weak tables are not marked";
    "lua51-open-unswept" "lgc.c" "sweeplist" "sweepwholelist(L, &gco2th(curr)->openupval)" => "(void)(L)",
        "open upvalues are not swept";
    "lua51-string-dead" "lstring.c" "luaS_newlstr" "changewhite(o)" => "(void)(o)", "a dead string that is found again is not revived";
    "lua51-upvalue-dead" "lfunc.c" "luaF_findupval" "changewhite(obj2gco(p))" => "(void)(p)", "a dead open upvalue that is found again is not revived";
    "lua51-bytes" "lmem.c" "luaM_realloc_" "+ nsize" => "+ nsize + (nsize == 64)", "some bytes are counted that are not there";
};

const LUA_54: &[Fault] = faults! { Lua54:
    "lua54-rawset" "lapi.c" "aux_rawset" "luaC_barrierback(" => "(void)(", "`lua_rawset` has no barrier";
    "lua54-setmetatable" "lapi.c" "lua_setmetatable" "luaC_objbarrier(L, gcvalue(obj)" => "(void)(L, gcvalue(obj)", "a table's metatable has no barrier";
    "lua54-setupvalue" "lapi.c" "lua_setupvalue" "luaC_barrier(" => "(void)(", "`lua_setupvalue` has no barrier";
    "lua54-setupvalue-parent" "lapi.c" "lua_setupvalue" "luaC_barrier(L, owner, val)" => "luaC_barrier(L, gcvalue(fi), val)",
        "`lua_setupvalue` gives its barrier the closure, as 5.1 does";
    "lua54-upvaluejoin" "lapi.c" "lua_upvaluejoin" "luaC_objbarrier(" => "(void)(", "`lua_upvaluejoin` has no barrier";
    "lua54-constant" "lcode.c" "addk" "luaC_barrier(" => "(void)(", "a constant of a function that is compiled has no barrier";
    "lua54-local-name" "lparser.c" "registerlocalvar" "luaC_objbarrier(" => "(void)(", "the name of a local variable has no barrier";
    "lua54-nested" "lparser.c" "addprototype" "luaC_objbarrier(" => "(void)(", "a nested function that is compiled has no barrier";
    "lua54-loaded-string" "lundump.c" "loadStringN" "luaC_objbarrier(" => "(void)(", "a string of a binary chunk has no barrier";
    "lua54-loaded-nested" "lundump.c" "loadProtos" "luaC_objbarrier(" => "(void)(", "a nested function of a binary chunk has no barrier";
    "lua54-new-key" "ltable.c" "luaH_newkey" "luaC_barrierback(" => "(void)(", "a new key has no barrier";
    "lua54-settable" "lvm.c" "luaV_finishset" "luaC_barrierback(" => "(void)(", "a new entry of a table has no barrier";
    "lua54-setupval" "lvm.c" "luaV_execute" "luaC_barrier(" => "(void)(", "an assignment to an upvalue has no barrier";
    "lua54-setlist" "lvm.c" "luaV_execute" "luaC_barrierback(" => "(void)(", "a table constructor has no barrier";
    "lua54-close" "lfunc.c" "luaF_closeupval" "luaC_barrier(" => "(void)(", "the value of an upvalue that is closed has no barrier";
    "lua54-barrier-idle" "lgc.c" "luaC_barrier_" "reallymarkobject(g, v)" => "(void)(v)", "a forward barrier marks nothing";
    "lua54-barrier-age" "lgc.c" "luaC_barrier_" "setage(v, G_OLD0)" => "(void)(v)", "what a forward barrier marks for an old object stays young";
    "lua54-touched" "lgc.c" "luaC_barrierback_" "setage(o, G_TOUCHED1)" => "(void)(o)", "an old object that was written is not touched";
    "lua54-white-kept" "lgc.c" "atomic" "otherwhite(g)" => "g->currentwhite", "the white is not flipped";
    "lua54-weak-values" "lgc.c" "atomic" "clearbyvalues(g, g->weak, NULL)" => "(void)(g)", "weak values are not cleared";
    "lua54-all-weak-values" "lgc.c" "atomic" "clearbyvalues(g, g->allweak, NULL)" => "(void)(g)", "the values of all-weak tables are not cleared";
    "lua54-weak-keys" "lgc.c" "atomic" "clearbykeys(g, g->ephemeron)" => "(void)(g)", "the keys of ephemerons are not cleared";
    "lua54-all-weak-keys" "lgc.c" "atomic" "clearbykeys(g, g->allweak)" => "(void)(g)", "the keys of all-weak tables are not cleared";
    "lua54-ephemerons" "lgc.c" "convergeephemerons" "changed = 1" => "changed = 0", "ephemerons are traversed once";
    "lua54-upvalues-unmarked" "lgc.c" "remarkupvals" "markvalue(g, uv->v.p)" => "(void)(uv)", "values of open upvalues of unmarked threads are not marked again";
    "lua54-gray-again" "lgc.c" "atomic" "g->gray = grayagain" => "g->gray = NULL", "what was written meanwhile is not traversed again";
    "lua54-finalized-unmarked" "lgc.c" "atomic" "markbeingfnz(g)" => "0", "objects that wait for their finalizer are not marked";
    "lua54-finalized-flag" "lgc.c" "udata2finalize" "resetbit(o->marked, FINALIZEDBIT)" => "(void)(o)", "an object that was finalized keeps its mark for finalizing";
    "lua54-basic-metatables" "lgc.c" "markmt" "markobjectN(g, g->mt[i])" => "(void)(g)", "metatables of basic types are not marked";
    "lua54-closure-upvalues" "lgc.c" "traverseLclosure" "markobjectN(g, uv)" => "(void)(uv)", "upvalues of closures are not marked";
    "lua54-constants-unmarked" "lgc.c" "traverseproto" "markvalue(g, &f->k[i])" => "(void)(g)", "constants are not marked";
    "lua54-thread-again" "lgc.c" "traversethread" "linkgclist(th, g->grayagain)" => "(void)(th)", "threads are not traversed again";
    "lua54-weak-strings" "lgc.c" "iscleared" "markobject(g, o)" => "(void)(o)", "strings in weak tables are not marked";
    "lua54-survival" "lgc.c" "sweepgen" "G_OLD1,      /* from G_SURVIVAL" => "G_OLD,      /* from G_SURVIVAL", "survivors become old at once";
    "lua54-old0" "lgc.c" "sweepgen" "G_OLD1,      /* from G_OLD0" => "G_OLD,      /* from G_OLD0", "what a barrier made old is old at once";
    "lua54-touched2" "lgc.c" "correctgraylist" "G_TOUCHED1, G_TOUCHED2" => "G_TOUCHED1, G_OLD", "touched objects are traversed once";
    "lua54-touched-dropped" "lgc.c" "genlink" "linkobjgclist(o, g->grayagain)" => "(void)(o)", "touched objects leave the gray lists";
    "lua54-old1-unmarked" "lgc.c" "markold" "reallymarkobject(g, p)" => "(void)(p)", "objects that have just become old are not traversed";
    "lua54-old1-finalizable" "lgc.c" "youngcollection" "markold(g, g->finobj, g->finobjrold)" => "(void)(g)", "nor those that have a finalizer";
    "lua54-thread-old" "lgc.c" "sweep2old" "linkgclist(th, g->grayagain)" => "(void)(th)", "threads that become old are on no gray list";
    "lua54-pointer-survival" "lgc.c" "correctpointers" "checkpointer(&g->survival, o)" => "(void)(o)", "an object that leaves its list stays the first survivor";
    "lua54-pointer-old1" "lgc.c" "correctpointers" "checkpointer(&g->old1, o)" => "(void)(o)", "an object that leaves its list stays the first of its age";
    "lua54-sweep-pointer" "lgc.c" "luaC_checkfinalizer" "g->sweepgc = sweeptolive(L, g->sweepgc)" => "(void)(L)", "the sweep goes on from an object that has left the list";
    "lua54-finalizable-black" "lgc.c" "enterinc" "whitelist(g, g->finobj)" => "(void)(g)", "objects with finalizers stay black when generational mode is left";
    "lua54-string-dead" "lstring.c" "internshrstr" "changewhite(ts)" => "(void)(ts)", "a dead string that is found again is not revived";
    "lua54-bytes" "lmem.c" "luaM_realloc_" "+ nsize" => "+ nsize + (nsize == 64)", "some bytes are counted that are not there";
};

impl Fault {
    /// Every fault, those of one engine after the other.
    pub fn all() -> impl Iterator<Item = &'static Fault> + Clone {
        LUA_51.iter().chain(LUA_54)
    }

    /// The file with the fault; `None` where the words are not in that function, or more than once.
    pub fn plant(&self, source: &str) -> Option<String> {
        let is_head =
            |line: &str| line.contains(&format!("{} (", self.function)) && !line.starts_with([' ', '#', '*', '/']);
        let mut start = 0;
        // A declaration ends with a semicolon.
        while let Some(line) = source[start..].split_inclusive('\n').next() {
            if is_head(line) && !line.trim_end().ends_with(';') {
                let end = start + source[start..].find("\n}")?;
                let at = start + source[start..end].find(self.words)?;
                let after = at + self.words.len();
                let once = !source[after..end].contains(self.words);
                return once.then(|| [&source[..at], self.by, &source[after..]].concat());
            }
            start += line.len();
        }
        None
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl FromStr for &'static Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        Fault::all().find(|fault| fault.name == text).ok_or_else(|| UnknownFault(text.to_owned()))
    }
}
