//! The second phase: reductions of the Lua text, by its syntax tree.
//!
//! A pass proposes candidates for one site of the tree after the other; the search takes each candidate that is
//! smaller and that the judge keeps, and repeats its passes until none of them finds anything. Two kinds of steps help
//! it over what a greedy search cannot pass: a smaller candidate is also tried with slightly different numbers of
//! collector steps (removing objects changes when the collector comes to the others), and a detour may begin with a
//! larger text, if that leads to a smaller one.

use moonphase_vm::syntax::ast::{Chunk, Expression, ExpressionKind};
use moonphase_vm::syntax::print_chunk;

use super::tree::{edit_block, for_each_expression};
use super::{Session, expressions, inline, lists, statements, timing, variables};
use crate::language::Language;

/// Proposes candidates for the site of that number; `None` if there are fewer sites.
type Pass = fn(&Chunk, usize) -> Option<Vec<Chunk>>;

/// Passes that change what the script does, those that take most away first.
const REDUCTIONS: &[Pass] = &[
    statements::unwrap,
    statements::drop_branches,
    statements::join_repetitions,
    inline::calls,
    inline::results,
    inline::joins,
    variables::inline_values,
    expressions::simplify,
    expressions::drop_parts,
    expressions::drop_parameters,
    expressions::returned_functions,
    lists::drop_items,
    variables::fields_to_variables,
    variables::merge_declarations,
];

/// Passes for the sake of the reader, at the end.
const POLISH: &[Pass] = &[
    statements::fold_runs,
    statements::fewer_turns,
    variables::function_statements,
    variables::renumber,
    timing::one_step,
    expressions::smaller_numbers,
    expressions::drop_numbers_of_the_collector,
];

/// How many lines a text may have for the costly searches to be worth it.
const SHORT: usize = 40;

/// How few lines are so few that the most costly attempts at fewer are not worth it.
const ENOUGH: usize = 10;

/// The size of a text, the most important part first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Size {
    lines: usize,
    bytes: usize,
    /// The sum of the integers in it.
    numbers: u64,
}

impl Size {
    /// The size of a chunk, given with its text.
    pub(super) fn of(chunk: &Chunk, text: &str) -> Size {
        let mut numbers = 0_u64;
        for_each_expression(&mut chunk.block.clone(), &mut |expression: &mut Expression| {
            if let ExpressionKind::Integer(value) = expression.kind {
                numbers = numbers.saturating_add(value.unsigned_abs());
            }
        });
        Size { lines: text.lines().count(), bytes: text.len(), numbers }
    }
}

/// A much smaller text that shows the same by steps that it makes itself, in whatever state the collector is by then: the
/// start for all further reductions, whatever the turns of the collector were that made the first one show it. `None`
/// where there is no such text, or no turn is needed. `text` is that of `chunk`, and the judge has kept it.
pub(super) fn settle(session: &mut Session<'_>, chunk: Chunk, text: String) -> Option<(Chunk, String)> {
    /// Fresh closures that are tried, each at many moments.
    const COPIES: usize = 4;
    let mut search = Search::new(session, chunk, text);
    if search.session.keeps(&print_chunk(&timing::without_turns(&search.best))) {
        return None;
    }
    let until = search.until_shown();
    let language = search.session.language;
    let mut starts = staged_copies(&until, &language);
    starts.retain(|start| start.block.statements.last() != until.block.statements.last());
    starts.truncate(COPIES);
    starts.extend(timing::stagings(&until, &language));
    starts.extend(timing::stressed(&until, &language));
    search.settled_from(starts).then_some((search.best, search.text))
}

/// The smallest text that is found. `text` is that of `chunk`, and the judge has kept it.
pub(super) fn reduce(session: &mut Session<'_>, chunk: Chunk, text: String) -> String {
    let language = session.language;
    let mut search = Search::new(session, chunk, text);
    if search.size.lines > SHORT {
        search.reduce();
    }
    if !search.stage() {
        search.reduce();
        search.stage();
    }
    search.detour(|chunk| inline::everywhere(chunk, &language), |detour| detour.reduce());
    search.steps = Steps::Free;
    search.reduce();
    search.stage();
    search.detour(inline::copies, |detour| detour.reduce());
    if search.size.lines > ENOUGH {
        search.detour(|chunk| staged_copies(chunk, &language), |detour| detour.reduce());
    }
    search.polish();
    search.range();
    search.text
}

/// Fresh closures in the last statement, after a burst of steps.
fn staged_copies(chunk: &Chunk, language: &Language) -> Vec<Chunk> {
    timing::stagings(chunk, language)
        .iter()
        .filter(|staged| timing::ends_with_burst(staged))
        .flat_map(inline::copies)
        .collect()
}

/// A search with the smallest text so far, which the judge has kept.
struct Search<'s, 'j> {
    session: &'s mut Session<'j>,
    best: Chunk,
    text: String,
    size: Size,
    steps: Steps,
}

/// What a search does about the collector's steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Steps {
    /// Calls of the collector stay as they are. Without them a text may go on to show the same by the collector's own
    /// steps, which any change to the script shifts.
    Fixed,
    /// They stay, but candidates with fewer lines are also tried with other numbers of turns.
    Retimed,
    /// They are reduced like everything else.
    Reduced,
    /// They are reduced, and candidates with fewer lines are also tried with other numbers of turns.
    Free,
}

impl Steps {
    fn keeps_calls(self) -> bool {
        matches!(self, Steps::Fixed | Steps::Retimed)
    }

    fn retimes(self) -> bool {
        matches!(self, Steps::Retimed | Steps::Free)
    }
}

impl<'s, 'j> Search<'s, 'j> {
    fn new(session: &'s mut Session<'j>, best: Chunk, text: String) -> Search<'s, 'j> {
        let size = Size::of(&best, &text);
        Search { session, best, text, size, steps: Steps::Reduced }
    }

    /// Runs the reductions until nothing gets smaller.
    fn reduce(&mut self) {
        loop {
            let mut changed = self.remove_statements();
            for pass in REDUCTIONS {
                changed |= self.run(*pass);
            }
            // Taking statements out of their loop makes the text depend on the number of steps, so it comes last.
            if !changed {
                self.run(timing::fewer_turns);
            }
            if !(changed || self.run(timing::narrow)) || self.session.spent() {
                return;
            }
        }
    }

    fn polish(&mut self) {
        loop {
            let mut changed = false;
            for pass in POLISH {
                changed |= self.run(*pass);
            }
            if !changed || self.session.spent() {
                return;
            }
            self.reduce();
        }
    }

    /// Runs a pass over all sites. A site is tried again after a success, since something else may stand there now.
    fn run(&mut self, pass: Pass) -> bool {
        let mut changed = false;
        let mut site = 0;
        while !self.session.spent() {
            let Some(candidates) = pass(&self.best, site) else { break };
            if candidates.into_iter().any(|candidate| self.offer(candidate)) {
                changed = true;
            } else {
                site += 1;
            }
        }
        changed
    }

    /// Removes ranges of statements in every block, large ranges first and from the end, since later statements use
    /// what earlier ones define.
    fn remove_statements(&mut self) -> bool {
        let mut changed = false;
        let mut number = 0;
        while let Some(count) = edit_block(&mut self.best, number, |block| block.statements.len()) {
            let mut size = count.div_ceil(2).max(1);
            if number > 0 {
                size = count.max(1);
            }
            loop {
                let mut end = edit_block(&mut self.best, number, |block| block.statements.len()).unwrap_or(0);
                while end > 0 && !self.session.spent() {
                    let start = end.saturating_sub(size);
                    let mut candidate = self.best.clone();
                    edit_block(&mut candidate, number, |block| drop(block.statements.drain(start..end)));
                    changed |= self.offer(candidate);
                    end = start;
                }
                if size == 1 {
                    break;
                }
                size = size.div_ceil(2);
            }
            number += 1;
        }
        changed
    }

    /// Takes the candidate if it is smaller and kept, perhaps with other numbers of steps.
    fn offer(&mut self, candidate: Chunk) -> bool {
        let before = self.size.lines;
        let Some(size) = self.consider(&candidate) else { return false };
        if self.size == size {
            return true;
        }
        self.steps.retimes()
            && size.lines < before
            && (ENOUGH..=SHORT).contains(&size.lines)
            && timing::retimed(&candidate).any(|other| self.consider(&other).is_some_and(|size| self.size == size))
    }

    /// Takes the candidate if it is smaller and kept. Gives its size if it is smaller, taken or not.
    fn consider(&mut self, candidate: &Chunk) -> Option<Size> {
        let text = print_chunk(candidate);
        let size = Size::of(candidate, &text);
        if size >= self.size || (self.steps.keeps_calls() && collector_calls(&text) != collector_calls(&self.text)) {
            return None;
        }
        // What isn't Lua any more needs no judge. The parsed tree is the one that its text says.
        let parsed = self.session.parse(&text).ok()?;
        if self.session.keeps(&text) {
            (self.best, self.text, self.size) = (parsed, text, size);
        }
        Some(size)
    }

    /// Reduces a text that does not depend on the moment of a step, and only then looks for the moment.
    fn stage(&mut self) -> bool {
        let until = self.until_shown();
        let starts = timing::stagings(&until, &self.session.language);
        self.settled_from(starts)
    }

    /// Takes the first of these texts, which do not depend on the moment of a step, that becomes something smaller.
    fn settled_from(&mut self, starts: Vec<Chunk>) -> bool {
        self.detours(starts, |staged| {
            staged.steps = Steps::Fixed;
            staged.reduce();
            staged.steps = Steps::Retimed;
            staged.reduce();
            staged.detour(inline::copies, |detour| detour.reduce());
            staged.steps = Steps::Free;
            staged.reduce();
        })
    }

    /// Tries each size of a step in a loop in the place of a number of steps, where that takes no more lines.
    fn range(&mut self) {
        let Some(start) = timing::over_a_range(&self.best) else { return };
        let Some(mut ranged) = self.from(&start) else { return };
        if !ranged.session.keeps(&ranged.text) {
            return;
        }
        ranged.reduce();
        let Search { best, text, size, .. } = ranged;
        if size.lines <= self.size.lines {
            (self.best, self.text, self.size) = (best, text, size);
        }
    }

    /// The text up to the statement that shows what the judge wants: what follows that has no part in it but to be there
    /// when the collector comes to the constants and functions of the script.
    fn until_shown(&mut self) -> Chunk {
        let count = self.best.block.statements.len();
        // The judge keeps the text that stops before `shown`, but none that is known to stop before `hidden` or earlier.
        let (mut hidden, mut shown) = (0, count);
        let mut back = 1;
        while shown - hidden > 1 {
            // The last statement is the likely one, after it those close to it.
            let middle = hidden + (shown - hidden) / 2;
            let at = if hidden == 0 { middle.max(count.saturating_sub(back)) } else { middle };
            back *= 4;
            if self.session.keeps(&print_chunk(&timing::stopped_before(&self.best, at))) {
                shown = at;
            } else {
                hidden = at;
            }
        }
        let mut until = self.best.clone();
        until.block.statements.truncate(shown);
        until
    }

    /// Takes the first detour that ends at something smaller, after the given search. Long texts have too many.
    fn detour(&mut self, propose: impl Fn(&Chunk) -> Vec<Chunk>, search: fn(&mut Search<'_, '_>)) -> bool {
        self.size.lines <= SHORT && self.detours(propose(&self.best), search)
    }

    /// A search that begins with another text, which nobody has judged.
    fn from(&mut self, start: &Chunk) -> Option<Search<'_, 'j>> {
        let text = print_chunk(start);
        let best = self.session.parse(&text).ok()?;
        let steps = self.steps;
        Some(Search { steps, ..Search::new(self.session, best, text) })
    }

    /// Takes the first of these texts that becomes something smaller by the given search.
    fn detours(&mut self, starts: Vec<Chunk>, search: fn(&mut Search<'_, '_>)) -> bool {
        /// Detours that begin well but end at nothing smaller.
        const ATTEMPTS: usize = 4;
        let mut attempts = 0;
        for start in starts {
            let Some(mut detour) = self.from(&start) else { continue };
            if attempts >= ATTEMPTS || !detour.begins() {
                continue;
            }
            attempts += 1;
            search(&mut detour);
            let Search { best, text, size, .. } = detour;
            if size < self.size {
                (self.best, self.text, self.size) = (best, text, size);
                return true;
            }
        }
        false
    }

    /// Whether the judge keeps the text that a detour begins with, perhaps with another number of steps.
    fn begins(&mut self) -> bool {
        if self.session.keeps(&self.text) {
            return true;
        }
        if !timing::has_burst(&self.best) {
            return false;
        }
        for other in timing::at_any_time(&self.best).collect::<Vec<_>>() {
            let text = print_chunk(&other);
            if self.session.keeps(&text) {
                self.size = Size::of(&other, &text);
                (self.best, self.text) = (other, text);
                return true;
            }
        }
        false
    }
}

/// The text of each call of the collector.
fn collector_calls(text: &str) -> Vec<&str> {
    let calls = text.split("collectgarbage(").skip(1);
    calls.map(|rest| rest.split_once(')').map_or(rest, |(arguments, _)| arguments)).collect()
}
