//! Other ways to say the same: scripts that do what a script does at another time or in another form.
//!
//! Removing objects changes after how many turns the collector reaches those that are left, so a reduction may lose
//! what a script shows only because the collector is elsewhere now. [`retimed`], [`restaged`] and
//! [`restaged_by_one_step`] change nothing but the steps; [`rewrites`] gives forms that are no smaller by themselves but get along with simpler steps.

use std::collections::HashSet;

use super::function::MAX_SCOPE_LOCALS;
use super::operation::MAX_STEPS;
use super::*;

/// The script with one of its last bursts of steps changed, small changes first.
///
/// Removing objects changes after how many turns the collector reaches those that are left; this follows it.
pub fn retimed(script: &Script) -> impl Iterator<Item = Script> {
    const BURSTS: usize = 3;
    const REACH: i16 = 14;
    let bursts = (0..script.body.len()).rev().filter(|&at| matches!(&script.body[at], Operation::Step(_)));
    let last: Vec<_> = bursts.take(BURSTS).collect();
    let changes = (1..=REACH).flat_map(|distance| [-distance, distance]);
    let attempts = changes.flat_map(move |change| last.clone().into_iter().map(move |at| (at, change)));
    attempts.filter_map(|(at, change)| {
        let mut candidate = script.clone();
        let Operation::Step(step) = candidate.body.get_mut(at)? else { return None };
        step.times =
            u8::try_from(i16::from(step.times) + change).ok().filter(|times| (1..=MAX_STEPS).contains(times))?;
        Some(candidate)
    })
}

/// A way to drive the collector: what comes first in the script, and the step near its end.
type Drive = (Block, Operation);

/// The script with nothing but one burst of small steps near the end of the main chunk.
pub fn restaged(script: &Script) -> impl Iterator<Item = Script> {
    const TURNS: u8 = 70;
    staged(
        script,
        (1..=TURNS).map(|times| {
            (vec![pace(100), Operation::StopCollector(StopCollector {})], Operation::Step(Step { size: 0, times }))
        }),
    )
}

/// The script with nothing but one step near the end of the main chunk.
///
/// A step of size 0 starts a cycle and settles the collector's debt, so the allocations that follow drive the collector
/// on; the pace decides how far.
pub fn restaged_by_one_step(script: &Script) -> impl Iterator<Item = Script> {
    let step = |size| Operation::Step(Step { size, times: 1 });
    let unpaced = (0..=8).map(move |size| (Block::new(), step(size)));
    let paced = (1..=100).map(move |quarter| (vec![pace(quarter * 4)], step(0)));
    staged(script, unpaced.chain(paced))
}

fn pace(multiplier: u16) -> Operation {
    Operation::SetPace(SetPace { pause: 100, multiplier, size: 1 })
}

/// The script with the collector driven in the given ways only.
fn staged(script: &Script, drives: impl Iterator<Item = Drive>) -> impl Iterator<Item = Script> {
    const POSITIONS: usize = 2;
    let mut body = script.body.clone();
    body.retain(|operation| {
        !matches!(
            operation.kind(),
            OpKind::Step
                | OpKind::SetPace
                | OpKind::FullCollection
                | OpKind::StopCollector
                | OpKind::RestartCollector
                | OpKind::Garbage
        )
    });
    drives.flat_map(move |(mut first, step)| {
        first.extend_from_slice(&body);
        let positions = 1..=POSITIONS.min(body.len());
        positions.map(move |from_end| {
            let mut body = first.clone();
            body.insert(body.len() - from_end, step.clone());
            let mut staged = Script { body };
            staged.fixup(Repair::Remove);
            staged
        })
    })
}

/// Forms of the script in which functions come to share an upvalue in another way, or live at other places.
///
/// They are valid, but not all of them are smaller.
pub(super) fn rewrites(script: &Script) -> Vec<Script> {
    let mut forms = vec![script.clone()];
    forms.extend(flattened(script));
    let mut shared = Vec::new();
    for form in &mut forms {
        form.fixup(Repair::Remove);
        for (at, operation) in form.body.iter().enumerate() {
            if let Operation::UpvalueJoin(join) = operation {
                shared.extend(shared_by_scope(form, at, join));
            }
        }
    }
    forms.extend(shared);
    // Each change on top of those before it.
    for change in [placed_elsewhere, made_later] {
        let mut changed = Vec::new();
        for form in &mut forms {
            form.fixup(Repair::Remove);
            for (at, operation) in form.body.iter().enumerate() {
                if let Operation::NewScope(scope) = operation {
                    changed.extend(change(form, at, scope));
                }
            }
        }
        forms.extend(changed);
    }
    let mut seen = HashSet::new();
    forms.iter_mut().for_each(|form| form.fixup(Repair::Remove));
    forms.retain(|form| seen.insert(form.clone()));
    forms
}

/// The script with scopes in the place of modules, factories and reloads; `None` if it has none of them.
fn flattened(script: &Script) -> Option<Script> {
    let mut body = Block::new();
    let mut factories = Vec::new();
    let mut modules = Vec::new();
    let mut renamed: Vec<(FunctionId, FunctionId)> = Vec::new();
    let mut next = script.len() as u16 * MAX_SCOPE_LOCALS as u16;
    let scope = |locals: &[Value], functions: Vec<NewFunction>| {
        Operation::NewScope(NewScope { open: false, locals: locals.to_vec(), functions })
    };
    for operation in &script.body {
        match operation {
            Operation::NewModule(module) => {
                modules.push(module);
                body.push(scope(&module.locals, module.functions.clone()));
            }
            Operation::NewFactory(factory) => factories.push(factory),
            Operation::Instantiate(Instantiate { factory, arguments, functions }) => {
                let made = factories.iter().find(|made| made.id == *factory)?;
                let mut locals = arguments.clone();
                locals.resize(usize::from(made.parameters), Value::Nil);
                let functions = functions.iter().zip(&made.functions);
                let functions =
                    functions.map(|(&Target { id, place }, body)| NewFunction { id, place, body: body.clone() });
                body.push(scope(&locals, functions.collect()));
            }
            Operation::Reload(Reload { module, keep, in_place: _ }) => {
                let module = modules.iter().find(|loaded| loaded.id == *module)?;
                let mut functions = module.functions.clone();
                let mut joins = Vec::new();
                for function in &mut functions {
                    let old = current(&renamed, function.id);
                    next = next.checked_add(1)?;
                    let new = FunctionId(next);
                    renamed.push((function.id, new));
                    for upvalue in 1..=function.body.shape().upvalues() {
                        let (function, from) = match keep {
                            Keep::Join => (new, old),
                            Keep::JoinOld => (old, new),
                            Keep::Copy | Keep::Nothing => continue,
                        };
                        joins.push(UpvalueJoin { function, upvalue, from, from_upvalue: upvalue });
                    }
                    function.id = new;
                }
                body.push(scope(&module.locals, functions));
                body.extend(joins.into_iter().map(Operation::UpvalueJoin));
            }
            _ => {
                let mut operation = operation.clone();
                for function in functions_used(&mut operation) {
                    *function = current(&renamed, *function);
                }
                body.push(operation);
            }
        }
    }
    (body != script.body).then_some(Script { body })
}

/// The name that a function has after reloads.
fn current(renamed: &[(FunctionId, FunctionId)], id: FunctionId) -> FunctionId {
    renamed.iter().rev().find(|(old, _)| *old == id).map_or(id, |(_, new)| *new)
}

/// The functions that the most frequent operations on functions use.
fn functions_used(operation: &mut Operation) -> Vec<&mut FunctionId> {
    match operation {
        Operation::SetUpvalue(SetUpvalue { function, .. })
        | Operation::Call(Call { function, .. })
        | Operation::CallMaker(CallMaker { maker: function, .. })
        | Operation::HotFix(HotFix { old: function, .. }) => vec![function],
        Operation::UpvalueJoin(UpvalueJoin { function, from, .. }) => vec![function, from],
        _ => Vec::new(),
    }
}

/// The script with the functions of a scope all in globals or all in locals, and in either order.
fn placed_elsewhere(script: &Script, at: usize, scope: &NewScope) -> Vec<Script> {
    let with = |place: Option<Place>, reverse: bool| {
        let mut scope = scope.clone();
        for function in &mut scope.functions {
            function.place = place.unwrap_or(function.place);
        }
        if reverse {
            scope.functions.reverse();
        }
        let mut rewrite = script.clone();
        rewrite.body[at] = Operation::NewScope(scope);
        rewrite
    };
    let mut rewrites = vec![with(Some(Place::Global), false), with(Some(Place::Local), false)];
    if scope.functions.len() > 1 {
        rewrites.extend([None, Some(Place::Global), Some(Place::Local)].map(|place| with(place, true)));
    }
    rewrites
}

/// Instead of a join: the function moves into the scope of the other one, and captures the same local.
fn shared_by_scope(script: &Script, at: usize, join: &UpvalueJoin) -> Option<Script> {
    let mut rewrite = script.clone();
    rewrite.body.remove(at);
    let joined = rewrite.body.iter_mut().find_map(|operation| {
        let functions = match operation {
            Operation::NewScope(NewScope { functions, .. }) | Operation::NewModule(NewModule { functions, .. }) => {
                functions
            }
            _ => return None,
        };
        let index = functions.iter().position(|function| function.id == join.function)?;
        Some(functions.remove(index))
    })?;
    let functions = rewrite.body.iter_mut().find_map(|operation| match operation {
        Operation::NewScope(NewScope { functions, .. }) | Operation::NewModule(NewModule { functions, .. }) => {
            functions.iter().any(|function| function.id == join.from).then_some(functions)
        }
        _ => None,
    })?;
    let from = functions.iter().find(|function| function.id == join.from)?.body.shape();
    let local = *from.captures.get(usize::from(join.from_upvalue.checked_sub(1)?))?;
    let body = Body { actions: Vec::new(), result: FunctionResult::Captures(vec![local]) };
    functions.push(NewFunction { id: joined.id, place: joined.place, body });
    Some(rewrite)
}

/// Instead of two functions of one scope: one, which makes the other near the end of the script.
fn made_later(script: &Script, at: usize, scope: &NewScope) -> Vec<Script> {
    let mut rewrites = Vec::new();
    for maker in 0..scope.functions.len() {
        for made in (0..scope.functions.len()).filter(|&made| made != maker) {
            let captures = |index: usize| scope.functions[index].body.shape().captures;
            let Some(&shared) = captures(maker).iter().find(|local| captures(made).contains(local)) else { continue };
            let mut scope = scope.clone();
            let inner = Inner { own: false, action: None, result: shared };
            scope.functions[maker].body = Body { actions: Vec::new(), result: FunctionResult::Closure(inner) };
            let call = Operation::CallMaker(CallMaker {
                id: scope.functions[made].id,
                place: Place::Local,
                maker: scope.functions[maker].id,
                argument: Value::Nil,
            });
            scope.functions.remove(made);
            let mut rewrite = script.clone();
            rewrite.body[at] = Operation::NewScope(scope);
            let last = rewrite.body.len() - 1;
            rewrite.body.insert(last.max(at + 1), call);
            rewrites.push(rewrite);
        }
    }
    rewrites
}
