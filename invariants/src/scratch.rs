//! What looks at one heap share and keep from one look to the next.

use crate::id_set::IdSet;
use crate::known::Known;
use crate::old::OldPart;
use crate::sweep::SweptUntil;

/// See the module.
#[derive(Default)]
pub(crate) struct Scratch {
    /// A set that each look fills anew.
    pub(crate) ids: IdSet,
    /// The members of gray lists. Each look fills it anew.
    pub(crate) gray: IdSet,
    pub(crate) old: OldPart,
    pub(crate) known: Known,
    /// When nothing living was last found to refer to anything dead.
    pub(crate) closed: SweptUntil,
}
