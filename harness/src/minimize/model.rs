//! The first phase: reductions of the model, which know what depends on what.

use super::Session;
use crate::script::Script;

/// Calls of the judge without any success after which the search goes on over the text.
///
/// Greedy reduction takes its steps early. Much of what it cannot take after them needs the collector at another place,
/// which the second phase finds in fewer calls.
const PATIENCE: u64 = 120;

/// The smallest model that a short greedy search finds. The judge has kept the text of `script` already.
pub(super) fn reduce(session: &mut Session<'_>, script: &Script) -> Script {
    let language = session.language;
    let mut best = script.clone();
    let mut last_success = session.calls;
    let mut skipped = 0;
    loop {
        let mut taken = None;
        for (index, candidate) in best.reductions(&language).enumerate().skip(skipped) {
            if session.calls - last_success >= PATIENCE || session.spent() {
                return best;
            }
            if session.keeps(&candidate.render(&language).text) {
                taken = Some((index, candidate));
                break;
            }
        }
        match taken {
            // The list is another one now, but most of what comes before this place has failed just now.
            Some((index, candidate)) => {
                best = candidate;
                skipped = index.saturating_sub(1);
                last_success = session.calls;
            }
            None if skipped > 0 => skipped = 0,
            None => return best,
        }
    }
}
