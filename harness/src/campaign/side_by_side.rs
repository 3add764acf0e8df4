//! Work on several things at a time, with results as if it were done one by one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// Does `work` for every item, several at a time, and gives the results to `deliver` in the order of the items. The first
/// failure in that order ends it.
///
/// # Errors
/// That failure.
pub fn in_order<I: Sync, T: Send, E: Send>(
    items: &[I],
    jobs: usize,
    work: impl Fn(&I) -> Result<T, E> + Sync,
    mut deliver: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..jobs.min(items.len()) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    if sender.send((index, work(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut due = 0;
        for (index, result) in receiver {
            early.insert(index, result);
            while let Some(result) = early.remove(&due) {
                deliver(result?)?;
                due += 1;
            }
        }
        Ok(())
    })
}
