//! Reductions: smaller scripts that may still show what a script shows.
//!
//! Every reduction is a valid script that is strictly cheaper, by [`Cost`], than the one it comes from; so taking them
//! in any order ends. [`Script::reductions`] lists them, big steps first; the minimizer and the property tests take them.

use std::ops::Range;

use super::simplify::simpler;
use super::*;
use crate::language::Language;

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
    language: Language,
    cost: Cost,
    edits: std::vec::IntoIter<Edit>,
}

impl Iterator for Reductions<'_> {
    type Item = Script;

    fn next(&mut self) -> Option<Script> {
        self.edits.by_ref().find_map(|edit| apply(self.script, &self.language, self.cost, &edit))
    }
}

impl Script {
    /// The size of the script in a language.
    pub fn cost(&self, language: &Language) -> Cost {
        let text = self.render(language).text;
        let mut repetitions = 0;
        self.for_each(&mut |operation| {
            repetitions += operation.counts().into_iter().map(|&count| u64::from(count)).sum::<u64>();
            if let Operation::Step(Step { size, .. }) = operation {
                repetitions += u64::from(*size);
            }
        });
        let lines = text.lines().map(|line| 1 + 2 * inline_blocks(line)).sum();
        Cost { lines, operations: self.len(), characters: text.len(), repetitions }
    }

    /// Scripts that are smaller in a language, big steps first.
    pub fn reductions(&self, language: &Language) -> Reductions<'_> {
        let mut edits = removals(self);
        edits.extend(simplifications(self));
        Reductions { script: self, language: *language, cost: self.cost(language), edits: edits.into_iter() }
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

fn block_at<'s>(script: &'s mut Script, path: &[usize]) -> Option<&'s mut Block> {
    let mut block = &mut script.body;
    for &at in path {
        block = block.get_mut(at)?.block_mut()?;
    }
    Some(block)
}

/// The script with the edit, if that is smaller.
fn apply(script: &Script, language: &Language, cost: Cost, edit: &Edit) -> Option<Script> {
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
    reduced.fixup(repair, language);
    (reduced.cost(language) < cost).then_some(reduced)
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
