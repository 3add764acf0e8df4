//! Reductions: smaller scripts that may still show what a script shows.
//!
//! Every reduction is a valid script that is strictly cheaper, by [`Cost`], than the one it comes from; so taking them
//! in any order ends. [`Script::reductions`] lists them, big steps first. [`Script::shrink`] takes them greedily
//! as long as a predicate holds.
//!
//! Removing objects changes after how many turns the collector reaches the others. [`retimed`] and [`restaged`] follow
//! that: they give the same script with other steps.

use std::ops::Range;

use moonphase_vm::LuaVersion;

use super::rewrite::{restaged, restaged_by_one_step, retimed, rewrites};
use super::simplify::simpler;
use super::*;

/// How large a script is, the most important part first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost {
    /// Lines of its text with one statement a line, prelude included.
    pub lines: usize,
    /// Operations.
    pub operations: usize,
    /// Characters of its text.
    pub characters: usize,
    /// The sum of repetitions.
    pub repetitions: u64,
}

/// Where a block is: the operations, from the main chunk inwards, whose blocks lead to it.
type BlockPath = Vec<usize>;

#[derive(Debug)]
enum Edit {
    /// Removes operations and whatever uses what they define.
    Remove(BlockPath, Range<usize>),
    /// Removes an operation; whatever uses what it defines takes something else.
    Redirect(BlockPath, usize),
    /// Puts other operations in the place of some.
    Replace(BlockPath, Range<usize>, Block),
}

/// The reductions of a script, big ones first.
#[derive(Debug)]
pub struct Reductions<'s> {
    script: &'s Script,
    cost: Cost,
    edits: std::vec::IntoIter<Edit>,
}

impl Iterator for Reductions<'_> {
    type Item = Script;

    fn next(&mut self) -> Option<Script> {
        self.edits.by_ref().find_map(|edit| apply(self.script, self.cost, &edit))
    }
}

impl Script {
    /// The size of the script.
    pub fn cost(&self) -> Cost {
        let text = self.render(LuaVersion::default()).text;
        let mut repetitions = 0;
        self.for_each(&mut |operation| {
            repetitions += match operation {
                Operation::Step(Step { size, times }) => u64::from(*size) + u64::from(*times),
                Operation::Loop(Loop { times: count, .. })
                | Operation::Garbage(Garbage { count, .. })
                | Operation::Strings(Strings { count, .. }) => u64::from(*count),
                _ => 0,
            };
        });
        let lines = text.lines().map(|line| 1 + 2 * inline_blocks(line)).sum();
        Cost { lines, operations: self.len(), characters: text.len(), repetitions }
    }

    /// Smaller scripts, big steps first.
    pub fn reductions(&self) -> Reductions<'_> {
        let mut edits = removals(self);
        edits.extend(simplifications(self));
        Reductions { script: self, cost: self.cost(), edits: edits.into_iter() }
    }

    /// The smallest script that greedy reduction finds for which `keeps` is true; `self` if there is none.
    ///
    /// `keeps` decides about every candidate, and may end the search by saying no to all that follow.
    pub fn shrink(&self, keeps: &mut dyn FnMut(&Script) -> bool) -> Script {
        let mut best = self.clone();
        loop {
            let before = best.cost();
            remove_ranges(&mut best, keeps);
            simplify(&mut best, keeps);
            if best.cost() == before && !reduce_with_retiming(&mut best, keeps) {
                return best;
            }
        }
    }
}

/// How many functions and loops begin and end on one line; each would take two lines more with one statement a line.
fn inline_blocks(line: &str) -> usize {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let mut open = 0_usize;
    let mut closed = 0;
    for word in words {
        match word {
            "function" | "do" => open += 1,
            "end" if open > 0 => {
                open -= 1;
                closed += 1;
            }
            _ => {}
        }
    }
    closed
}

/// Removes ranges of the main chunk, large ones first, going on behind a range that had to stay.
fn remove_ranges(best: &mut Script, keeps: &mut dyn FnMut(&Script) -> bool) {
    let mut size = best.body.len().div_ceil(2).max(1);
    loop {
        // From the end, since later operations use earlier ones.
        let mut end = best.body.len();
        while end > 0 {
            let start = end.saturating_sub(size);
            let before = best.body.len();
            match apply(best, best.cost(), &Edit::Remove(Vec::new(), start..end)) {
                Some(candidate) if keeps(&candidate) => {
                    *best = candidate;
                    end = start.saturating_sub(before - best.body.len() - (end - start)).min(best.body.len());
                }
                _ => end = start,
            }
        }
        if size == 1 {
            return;
        }
        size = size.div_ceil(2);
    }
}

/// Applies reductions one by one, each time to the result of the last that could be taken.
fn simplify(best: &mut Script, keeps: &mut dyn FnMut(&Script) -> bool) {
    let mut skip = 0;
    loop {
        let cost = best.cost();
        let mut edits = removals(best);
        // Ranges have had their turn.
        edits.retain(|edit| !matches!(edit, Edit::Remove(path, _) if path.is_empty()));
        edits.extend(simplifications(best));
        let count = edits.len();
        let taken = edits.into_iter().enumerate().skip(skip).find_map(|(index, edit)| {
            apply(best, cost, &edit).filter(|candidate| keeps(candidate)).map(|candidate| (index, candidate))
        });
        match taken {
            // The list is another one now, but most of what comes before this place has failed just now.
            Some((index, candidate)) => {
                *best = candidate;
                skip = index.saturating_sub(1);
            }
            None if skip > 0 && count > 0 => skip = 0,
            None => return,
        }
    }
}

/// Takes a reduction that loses what is to be kept only because the collector now is elsewhere at that time.
fn reduce_with_retiming(best: &mut Script, keeps: &mut dyn FnMut(&Script) -> bool) -> bool {
    let cost = best.cost();
    let mut take = |best: &mut Script, candidate: Script| {
        let taken = candidate.cost() < cost && keeps(&candidate);
        if taken {
            *best = candidate;
        }
        taken
    };
    for form in &rewrites(best) {
        if restages(form, cost).any(|candidate| take(best, candidate)) {
            return true;
        }
    }
    let removals = (0..best.body.len()).rev().map(|at| Edit::Remove(Vec::new(), at..at + 1));
    let edits: Vec<_> = removals.chain(simplifications(best)).collect();
    for edit in edits {
        if let Some(reduced) = apply(best, cost, &edit)
            && reduced.cost().lines < cost.lines
        {
            let forms = rewrites(&reduced);
            let restaged = forms.iter().flat_map(|form| restages(form, cost));
            if retimed(&reduced).chain(restaged).any(|candidate| take(best, candidate)) {
                return true;
            }
        }
    }
    false
}

/// Every way to restage the script that takes fewer lines than `cost`.
fn restages(script: &Script, cost: Cost) -> impl Iterator<Item = Script> {
    // The candidates of one way differ in numbers only, so the first of them tells whether any is worth it.
    let shorter = |first: Option<Script>| first.is_some_and(|first| first.cost().lines < cost.lines);
    let one_step = shorter(restaged_by_one_step(script).next()).then(|| restaged_by_one_step(script));
    let burst = shorter(restaged(script).next()).then(|| restaged(script));
    one_step.into_iter().flatten().chain(burst.into_iter().flatten())
}

fn block_at<'s>(script: &'s mut Script, path: &[usize]) -> Option<&'s mut Block> {
    let mut block = &mut script.body;
    for &at in path {
        block = block.get_mut(at)?.block_mut()?;
    }
    Some(block)
}

/// The script with the edit, if that is smaller.
fn apply(script: &Script, cost: Cost, edit: &Edit) -> Option<Script> {
    let mut reduced = script.clone();
    let repair = match edit {
        Edit::Remove(path, range) => {
            block_at(&mut reduced, path)?.drain(range.clone());
            Repair::Remove
        }
        Edit::Redirect(path, at) => {
            block_at(&mut reduced, path)?.remove(*at);
            Repair::Replace
        }
        Edit::Replace(path, range, operations) => {
            block_at(&mut reduced, path)?.splice(range.clone(), operations.iter().cloned());
            Repair::Remove
        }
    };
    reduced.fixup(repair);
    (reduced.cost() < cost).then_some(reduced)
}

/// Calls `visit` with every block and its path, outer ones first.
fn for_each_block<'s>(block: &'s Block, path: &mut BlockPath, visit: &mut dyn FnMut(&BlockPath, &'s Block)) {
    visit(path, block);
    for (at, operation) in block.iter().enumerate() {
        if let Some(inner) = operation.block() {
            path.push(at);
            for_each_block(inner, path, visit);
            path.pop();
        }
    }
}

fn removals(script: &Script) -> Vec<Edit> {
    let mut edits = Vec::new();
    for_each_block(&script.body, &mut Vec::new(), &mut |path, block| {
        let mut size = block.len();
        while size > 0 {
            let starts = (0..block.len()).step_by(size);
            edits.extend(starts.map(|at| Edit::Remove(path.clone(), at..(at + size).min(block.len()))));
            size /= 2;
        }
        edits.extend((0..block.len()).map(|at| Edit::Redirect(path.clone(), at)));
    });
    edits
}

fn simplifications(script: &Script) -> Vec<Edit> {
    let mut edits = Vec::new();
    for_each_block(&script.body, &mut Vec::new(), &mut |path, block| {
        for (at, operation) in block.iter().enumerate() {
            let mut replace = |range, operations| edits.push(Edit::Replace(path.clone(), range, operations));
            if let Some(inner) = operation.block() {
                replace(at..at + 1, inner.clone());
            }
            if let (Operation::Step(first), Some(Operation::Step(second))) = (operation, block.get(at + 1))
                && first.size == second.size
                && let Some(times) = first.times.checked_add(second.times)
            {
                replace(at..at + 2, vec![Operation::Step(Step { size: first.size, times })]);
            }
            for simpler in simpler(operation) {
                replace(at..at + 1, vec![simpler]);
            }
        }
    });
    edits
}
