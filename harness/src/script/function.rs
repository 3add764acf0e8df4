//! Functions of a script: what they capture and what they do.
//!
//! A function captures locals of the scope that it is made in. Its upvalues are numbered in the order in which its text
//! mentions them, nested functions included, since that is how Lua numbers them. `_ENV` is always the last one, if it
//! is captured at all: only [`FunctionResult::Count`] needs it, and only at the end. So the numbers below
//! [`Shape::upvalues`] never reach `_ENV`, which all functions of a chunk share.

use arbitrary::{Arbitrary, Unstructured};
use mutatis::Mutate;
use serde::{Deserialize, Serialize};

use super::{FunctionId, Place, several};

/// How many locals a scope may have.
pub(super) const MAX_SCOPE_LOCALS: usize = 4;

/// A function that gets a variable of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub struct NewFunction {
    /// The variable.
    pub id: FunctionId,
    /// Where the variable lives; functions of a module live in the module.
    pub place: Place,
    /// What the function does.
    pub body: Body,
}

/// What a function does when it is called. Captured locals are given by their number in the scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Mutate)]
pub struct Body {
    /// Changes to upvalues, in order.
    pub actions: Vec<Action>,
    /// What it returns.
    pub result: FunctionResult,
}

impl<'a> Arbitrary<'a> for Body {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let local = u.arbitrary()?;
        let captures = |locals| FunctionResult::Captures(locals);
        Ok(match u.arbitrary::<u8>()? % 16 {
            0..=3 => Body { actions: vec![], result: captures(vec![local]) },
            4 => Body { actions: vec![], result: captures(vec![local, u.arbitrary()?]) },
            5 | 6 => Body { actions: vec![Action::Assign(local)], result: captures(vec![]) },
            7 => Body { actions: vec![Action::Assign(local)], result: captures(vec![u.arbitrary()?]) },
            8 => Body { actions: vec![], result: FunctionResult::Count(local) },
            9..=11 => Body { actions: vec![], result: FunctionResult::Closure(u.arbitrary()?) },
            12 | 13 => Body { actions: vec![u.arbitrary()?], result: captures(vec![local]) },
            _ => Body { actions: several(u, 0, 2)?, result: u.arbitrary()? },
        })
    }
}

/// A change that a function makes to an upvalue. `v` is the function's parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum Action {
    /// `up = v`
    Assign(u8),
    /// `up = { up }`
    Wrap(u8),
    /// `up = { v }`
    FreshTable(u8),
    /// `up = ("x"):rep(50)`
    FreshString(u8),
    /// `up, other = other, up`
    Swap(u8, u8),
}

/// What a function returns.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum FunctionResult {
    /// The values of upvalues.
    Captures(#[arbitrary(with = one_or_two)] Vec<u8>),
    /// Counts an upvalue up (from 0, when it holds no number) and returns it.
    Count(u8),
    /// A new closure that captures through this function.
    Closure(Inner),
}

fn one_or_two(u: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    several(u, 1, 2)
}

impl Default for FunctionResult {
    fn default() -> Self {
        FunctionResult::Captures(vec![0])
    }
}

/// A closure that a function makes and returns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub struct Inner {
    /// Whether it also captures a local of the function that makes it.
    pub own: bool,
    /// An action on captured locals.
    pub action: Option<Action>,
    /// The captured local that it returns.
    pub result: u8,
}

impl Action {
    /// The captured locals, in the order of their mention.
    pub(super) fn captures(self) -> impl Iterator<Item = u8> {
        let (first, second) = match self {
            Action::Assign(a) | Action::Wrap(a) | Action::FreshTable(a) | Action::FreshString(a) => (a, None),
            Action::Swap(a, b) => (a, Some(b)),
        };
        std::iter::once(first).chain(second)
    }

    fn captures_mut(&mut self) -> impl Iterator<Item = &mut u8> {
        let (first, second) = match self {
            Action::Assign(a) | Action::Wrap(a) | Action::FreshTable(a) | Action::FreshString(a) => (a, None),
            Action::Swap(a, b) => (a, Some(b)),
        };
        std::iter::once(first).chain(second)
    }

    /// Whether its text mentions the parameter.
    pub(super) fn uses_parameter(self) -> bool {
        matches!(self, Action::Assign(_) | Action::FreshTable(_))
    }
}

/// What the rest of a script may rely on about a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The captured locals by upvalue number, the first being upvalue 1; `_ENV` is not among them.
    pub captures: Vec<u8>,
    /// The number of upvalues of the closure that a call returns, where it does return one.
    pub returns_closure: Option<u8>,
}

impl Shape {
    /// A function about which nothing is known but that it has `upvalues` upvalues.
    pub(super) fn opaque(upvalues: u8) -> Self {
        Shape { captures: (0..upvalues).collect(), returns_closure: None }
    }

    /// How many upvalues may be set and joined.
    pub fn upvalues(&self) -> u8 {
        // A scope has at most MAX_SCOPE_LOCALS locals.
        self.captures.len() as u8
    }
}

fn mention(captures: &mut Vec<u8>, local: u8) {
    if !captures.contains(&local) {
        captures.push(local);
    }
}

impl Inner {
    /// The captured locals of the enclosing scope, in the order of their mention.
    fn captures(&self) -> Vec<u8> {
        let mut captures = Vec::new();
        for local in self.action.iter().flat_map(|action| action.captures()).chain([self.result]) {
            mention(&mut captures, local);
        }
        captures
    }
}

impl Body {
    /// Calls `visit` with every number of a captured local.
    pub(super) fn for_each_capture(&mut self, visit: &mut dyn FnMut(&mut u8)) {
        self.actions.iter_mut().flat_map(Action::captures_mut).for_each(&mut *visit);
        match &mut self.result {
            FunctionResult::Captures(results) => results.iter_mut().for_each(visit),
            FunctionResult::Count(local) => visit(local),
            FunctionResult::Closure(inner) => {
                inner.action.iter_mut().flat_map(Action::captures_mut).for_each(&mut *visit);
                visit(&mut inner.result);
            }
        }
    }

    /// Makes every number of a captured local smaller than `locals`, which must not be 0, and the body short.
    pub(super) fn fixup(&mut self, locals: u8) {
        self.actions.truncate(3);
        if let FunctionResult::Captures(results) = &mut self.result {
            results.truncate(3);
            // A function without upvalues would be of no use to what sets and joins them.
            if results.is_empty() && self.actions.is_empty() {
                results.push(0);
            }
        }
        self.for_each_capture(&mut |local| *local %= locals);
        if let FunctionResult::Captures(results) = &mut self.result {
            results.dedup();
        }
        for action in &mut self.actions {
            if let Action::Swap(a, b) = *action
                && a == b
            {
                *action = Action::Wrap(a);
            }
        }
        if let FunctionResult::Closure(Inner { action: Some(action), .. }) = &mut self.result
            && let Action::Swap(a, b) = *action
            && a == b
        {
            *action = Action::Wrap(a);
        }
    }

    /// The upvalues that the function has.
    pub fn shape(&self) -> Shape {
        let mut captures = Vec::new();
        for local in self.actions.iter().flat_map(|action| action.captures()) {
            mention(&mut captures, local);
        }
        let mut returns_closure = None;
        match &self.result {
            FunctionResult::Captures(results) => results.iter().for_each(|&local| mention(&mut captures, local)),
            FunctionResult::Count(local) => mention(&mut captures, *local),
            FunctionResult::Closure(inner) => {
                let own = inner.captures();
                own.iter().for_each(|&local| mention(&mut captures, local));
                returns_closure = Some(own.len() as u8 + u8::from(inner.own));
            }
        }
        Shape { captures, returns_closure }
    }

    /// The text of the function as an expression, without indentation, one statement a line.
    ///
    /// `names` are those of the scope's locals.
    pub(super) fn lines(&self, names: &[String]) -> Vec<String> {
        let mut statements = Vec::new();
        let mut parameter = self.actions.iter().any(|action| action.uses_parameter());
        statements.extend(self.actions.iter().map(|action| action_text(*action, names)));
        match &self.result {
            FunctionResult::Captures(results) if results.is_empty() => {}
            FunctionResult::Captures(results) => {
                let results: Vec<_> = results.iter().map(|&local| name(names, local)).collect();
                statements.push(format!("return {}", results.join(", ")));
            }
            FunctionResult::Count(local) => {
                let local = name(names, *local);
                statements.push(format!("{local} = (tonumber({local}) or 0) + 1"));
                statements.push(format!("return {local}"));
            }
            FunctionResult::Closure(inner) => {
                if inner.own {
                    parameter = true;
                    statements.push("local own = { v }".to_owned());
                }
                let mut inside: Vec<_> = inner.action.iter().map(|action| action_text(*action, names)).collect();
                let own = if inner.own { ", own" } else { "" };
                inside.push(format!("return {}{own}", name(names, inner.result)));
                let wants_parameter = inner.action.is_some_and(Action::uses_parameter);
                let mut lines = function_lines(wants_parameter, inside);
                lines[0].insert_str(0, "return ");
                statements.extend(lines);
            }
        }
        function_lines(parameter, statements)
    }
}

/// The name of a local of the scope.
pub(super) fn name(names: &[String], local: u8) -> &str {
    names.get(usize::from(local)).map_or("nil", String::as_str)
}

fn action_text(action: Action, names: &[String]) -> String {
    match action {
        Action::Assign(local) => format!("{} = v", name(names, local)),
        Action::Wrap(local) => format!("{0} = {{ {0} }}", name(names, local)),
        Action::FreshTable(local) => format!("{} = {{ v }}", name(names, local)),
        Action::FreshString(local) => format!("{} = (\"x\"):rep(50)", name(names, local)),
        Action::Swap(a, b) => format!("{0}, {1} = {1}, {0}", name(names, a), name(names, b)),
    }
}

/// A function expression around statements: on one line where there is only one statement.
pub(super) fn function_lines(parameter: bool, statements: Vec<String>) -> Vec<String> {
    let head = if parameter { "function(v)" } else { "function()" };
    match <[String; 1]>::try_from(statements) {
        Ok([only]) => vec![format!("{head} {only} end")],
        Err(statements) => {
            let mut lines = vec![head.to_owned()];
            lines.extend(statements.into_iter().map(|statement| format!("  {statement}")));
            lines.push("end".to_owned());
            lines
        }
    }
}
