//! Shrinks a script while a judge says that it still shows what it showed.
//!
//! First it looks for a text that makes the collector's steps itself and shows the same whenever they come to the right
//! moment, since whatever a reduction takes away shifts all other steps. Where there is none, it reduces the model, if one
//! is known (`model`). Then it goes on over the Lua text by its syntax tree (`syntax`).
//! The minimizer knows nothing of engines, checkers or findings: a [`Judge`] runs each candidate, and only what the judge
//! was asked about and kept is ever returned. It asks at most once about any text, and all its choices depend on nothing but
//! the original and the answers, so that the same original and judge give the same result (unless a deadline cuts the
//! search short).

mod expressions;
mod inline;
mod lists;
mod model;
mod schedule;
mod statements;
mod syntax;
mod timing;
pub(crate) mod tree;
mod variables;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Instant;

use moonphase_vm::syntax::ast::Chunk;
use moonphase_vm::syntax::{SyntaxError, code_lines, print_chunk};

use crate::language::Language;
use crate::script::Script;

pub(crate) use schedule::{generational, one_statement_a_line, while_loading, with_bursts, with_hooks, with_steps};

/// The name of the chunks that are read here; it shows in no result.
const CHUNK_NAME: &[u8] = b"=minimize";

/// What to shrink.
#[derive(Clone, Debug)]
pub enum Shrinkable {
    /// A script whose model is known.
    Script(Script),
    /// Lua text. Only its code counts: comments don't survive.
    Text(String),
}

/// What a judge says about a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It shows the same, and runs on the references.
    Keeps,
    /// It doesn't.
    Loses,
    /// Nobody wants to know any more: the search is to end with the best so far.
    Enough,
}

/// Decides whether a text still shows what is to be kept.
///
/// The same text must always get the same answer.
pub trait Judge {
    /// Runs the text. This is the expensive part of minimizing.
    fn judge(&mut self, text: &str) -> Answer;
}

impl<F: FnMut(&str) -> Answer> Judge for F {
    fn judge(&mut self, text: &str) -> Answer {
        self(text)
    }
}

/// How long to search.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The greatest number of calls of the judge.
    pub max_calls: u64,
    /// When to stop, with the best so far.
    pub deadline: Option<Instant>,
}

impl Default for Budget {
    /// Far more calls than usual scripts need, and no deadline.
    fn default() -> Self {
        Budget { max_calls: 20_000, deadline: None }
    }
}

/// The result of minimizing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimized {
    /// The smallest text that the judge kept; the original text if it doesn't reproduce.
    pub text: String,
    /// Its lines, one statement a line.
    pub code_lines: usize,
    /// How often the judge was asked.
    pub calls: u64,
    /// Whether the judge kept the original text.
    pub reproduced: bool,
}

/// Shrinks `shrinkable`, which is in this language, as far as `budget` allows.
///
/// The result is never larger than the original, in code lines and then in bytes, as
/// [`print_chunk`] lays them out; but a loop over a range of steps may take more bytes than a number of steps.
pub fn minimize(shrinkable: Shrinkable, language: &Language, judge: &mut dyn Judge, budget: Budget) -> Minimized {
    let mut session = Session::new(judge, *language, budget);
    let mut text = match &shrinkable {
        Shrinkable::Script(script) => script.render(language).text,
        Shrinkable::Text(text) => text.clone(),
    };
    let reproduced = session.keeps(&text);
    if reproduced {
        if let (Shrinkable::Script(script), false) = (&shrinkable, language.has(crate::language::Feature::Modes)) {
            text = model::reduce(&mut session, script).render(language).text;
        }
        let mut parsed = session.printed(&text);
        let settled = parsed.clone().and_then(|(chunk, printed)| syntax::settle(&mut session, chunk, printed));
        match (settled, &shrinkable) {
            (Some(settled), _) => parsed = Some(settled),
            (None, Shrinkable::Script(script)) => {
                text = model::reduce(&mut session, script).render(language).text;
                parsed = session.printed(&text);
            }
            (None, Shrinkable::Text(_)) => {}
        }
        if let Some((chunk, printed)) = parsed {
            text = syntax::reduce(&mut session, chunk, printed);
        }
    }
    Minimized { code_lines: session.lines_of(&text), text, calls: session.calls, reproduced }
}

/// Shrinks `script` as a model only: the quick part of minimizing it, and the text is still one that was rendered.
pub(crate) fn minimize_model(script: &Script, language: &Language, judge: &mut dyn Judge, budget: Budget) -> Minimized {
    let mut session = Session::new(judge, *language, budget);
    let mut text = script.render(language).text;
    let reproduced = session.keeps(&text);
    if reproduced {
        text = model::reduce(&mut session, script).render(language).text;
    }
    Minimized { code_lines: session.lines_of(&text), text, calls: session.calls, reproduced }
}

/// The judge with what it has said so far and the budget.
struct Session<'j> {
    judge: &'j mut dyn Judge,
    language: Language,
    budget: Budget,
    calls: u64,
    /// The judge has had enough.
    enough: bool,
    answers: HashMap<String, bool>,
}

impl<'j> Session<'j> {
    fn new(judge: &'j mut dyn Judge, language: Language, budget: Budget) -> Session<'j> {
        Session { judge, language, budget, calls: 0, enough: false, answers: HashMap::new() }
    }

    /// The tree of a text.
    fn parse(&self, text: &str) -> Result<Chunk, SyntaxError> {
        self.language.parse(text.as_bytes(), CHUNK_NAME)
    }

    /// The code lines of a text; the number of its lines if it isn't Lua.
    fn lines_of(&self, text: &str) -> usize {
        self.parse(text).map_or_else(|_| text.lines().count(), |chunk| code_lines(&chunk))
    }

    /// Whether the judge keeps the text. When the budget is spent, no text is kept that hasn't been judged before.
    fn keeps(&mut self, text: &str) -> bool {
        if let Some(&known) = self.answers.get(text) {
            return known;
        }
        if self.spent() {
            return false;
        }
        self.calls += 1;
        let answer = self.judge.judge(text);
        self.enough |= answer == Answer::Enough;
        let keeps = answer == Answer::Keeps;
        self.answers.insert(text.to_owned(), keeps);
        keeps
    }

    /// The tree of a text and how it is printed, if the judge keeps that too.
    fn printed(&mut self, text: &str) -> Option<(Chunk, String)> {
        let chunk = self.parse(text).ok()?;
        let printed = print_chunk(&chunk);
        self.keeps(&printed).then_some((chunk, printed))
    }

    /// Whether the judge must not be asked any more.
    fn spent(&self) -> bool {
        self.enough
            || self.calls >= self.budget.max_calls
            || self.budget.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
