//! The places in a VM that write references.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! sites {
    ($($(#[$about:meta])* $site:ident = $name:literal,)*) => {
        /// A place in a VM that writes references into objects. Its name stands in events, signatures and reports.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Site { $($(#[$about])* $site,)* }

        impl Site {
            /// Every site, in the order of their declaration.
            pub const ALL: &'static [Site] = &[$(Site::$site),*];

            /// The name in signatures, such as `setupvalue`.
            pub fn name(self) -> &'static str {
                match self { $(Site::$site => $name,)* }
            }
        }
    };
}

sites! {
    /// A value stored into an existing or new table entry.
    TableStore = "table-store",
    /// A key added to a table.
    TableKey = "table-key",
    /// The items of a table constructor.
    TableList = "table-list",
    /// `setmetatable` on a table.
    TableMetatable = "table-metatable",
    /// A metatable for a userdata.
    UserdataMetatable = "userdata-metatable",
    /// A user value of a userdata.
    UserValue = "user-value",
    /// The assignment of an upvalue by Lua code.
    UpvalueStore = "upvalue-store",
    /// `debug.setupvalue`.
    Setupvalue = "setupvalue",
    /// `debug.upvaluejoin`.
    Upvaluejoin = "upvaluejoin",
    /// The prototype of a new closure.
    ClosurePrototype = "closure-prototype",
    /// An upvalue of the enclosing function, or an open one, given to a new closure.
    ClosureCapture = "closure-capture",
    /// An upvalue made for a new closure.
    ClosureFresh = "closure-fresh",
    /// The value that an upvalue takes with it when it is closed.
    UpvalueClose = "upvalue-close",
    /// An upvalue of a native closure.
    NativeUpvalue = "native-upvalue",
    /// A constant of a prototype that is being loaded.
    PrototypeConstant = "prototype-constant",
    /// A nested prototype.
    PrototypeNested = "prototype-nested",
    /// The name of an upvalue.
    PrototypeUpvalueName = "prototype-upvalue-name",
    /// The name of a local variable.
    PrototypeLocalName = "prototype-local-name",
    /// The source of a prototype.
    PrototypeSource = "prototype-source",
    /// The environment of a loaded chunk.
    ChunkEnvironment = "chunk-environment",
    /// The closure that a prototype keeps to use again. It is no reference.
    ClosureCache = "closure-cache",
}

impl Site {
    /// Whether the reference is one of a chunk that is being loaded, or of any new closure.
    pub fn is_loading(self) -> bool {
        use Site::*;
        matches!(
            self,
            PrototypeConstant
                | PrototypeNested
                | PrototypeUpvalueName
                | PrototypeLocalName
                | PrototypeSource
                | ClosurePrototype
                | ClosureFresh
                | ChunkEnvironment
        )
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
