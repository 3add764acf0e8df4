//! The first phase: reductions of the model, which know what depends on what.

use moonphase_vm::LuaVersion;

use super::Session;
use crate::script::Script;

/// Calls of the judge without any success after which the search goes on over the text.
///
/// Greedy reduction takes its steps early; what comes after them is mostly a long search for another timing, which the
/// second phase finds in fewer calls.
const PATIENCE: u64 = 120;

/// The smallest model that a short greedy search finds. The judge has kept the text of `script` already.
pub(super) fn reduce(session: &mut Session<'_>, script: &Script) -> Script {
    let mut last_success = session.calls;
    script.shrink(&mut |candidate| {
        if session.calls - last_success >= PATIENCE || session.spent() {
            return false;
        }
        let keeps = session.keeps(&candidate.render(LuaVersion::default()).text);
        if keeps {
            last_success = session.calls;
        }
        keeps
    })
}
