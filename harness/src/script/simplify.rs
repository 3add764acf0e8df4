//! Simpler operations to take the place of one: the rules of reduction below the level of whole operations.
//!
//! A rule may give what is not simpler, or not valid, after all: reductions are fixed up, and taken only when they are
//! cheaper than what they come from.

use super::*;

type Change<'c> = &'c dyn Fn(&mut Operation);

/// What could take the place of `operation`.
pub(super) fn simpler(operation: &Operation) -> Vec<Operation> {
    let mut simpler = Vec::new();
    let mut offer = |change: Change<'_>| {
        let mut changed = operation.clone();
        change(&mut changed);
        if changed != *operation {
            simpler.push(changed);
        }
    };
    simpler_structure(operation, &mut offer);
    let mut scratch = operation.clone();
    for index in 0..bodies(&mut scratch).len() {
        for body in simpler_bodies(bodies(&mut scratch)[index]) {
            offer(&|operation| *bodies(operation)[index] = body.clone());
        }
    }
    for index in 0..places(&mut scratch).len() {
        for place in [Place::Local, Place::Global] {
            offer(&|operation| *places(operation)[index] = place);
        }
    }
    for index in 0..values(&mut scratch).len() {
        for value in [Value::Nil, Value::NewTable, Value::NewClosure(1), Value::FreshString(1)] {
            offer(&|operation| *values(operation)[index] = value);
        }
    }
    simpler
}

/// Simplifies what is neither a value, a place nor the body of a function.
fn simpler_structure(operation: &Operation, offer: &mut dyn FnMut(Change<'_>)) {
    match operation {
        Operation::NewScope(NewScope { locals, functions, .. }) => {
            for index in 0..functions.len() {
                offer(&|operation| {
                    if let Operation::NewScope(scope) = operation {
                        scope.functions.remove(index);
                    }
                });
            }
            for index in 0..locals.len() {
                offer(&|operation| {
                    if let Operation::NewScope(scope) = operation {
                        scope.locals.remove(index);
                        scope.functions.iter_mut().for_each(|function| drop_capture(&mut function.body, index as u8));
                    }
                });
            }
            for open in [false, true] {
                offer(&|operation| {
                    if let Operation::NewScope(scope) = operation {
                        scope.open = open;
                    }
                });
            }
        }
        Operation::NewFactory(NewFactory { functions, .. }) => {
            for index in 0..functions.len() {
                offer(&|operation| {
                    if let Operation::NewFactory(factory) = operation {
                        factory.functions.remove(index);
                    }
                });
            }
            offer(&|operation| {
                if let Operation::NewFactory(factory) = operation {
                    factory.parameters = factory.parameters.saturating_sub(1);
                }
            });
        }
        Operation::Instantiate(_) => {
            offer(&|operation| {
                if let Operation::Instantiate(instantiate) = operation {
                    instantiate.arguments.pop();
                }
            });
            offer(&|operation| {
                if let Operation::Instantiate(instantiate) = operation {
                    instantiate.functions.pop();
                }
            });
        }
        Operation::NewModule(module) => {
            // A scope does what a module does that is never loaded again.
            offer(&|operation| {
                let (locals, functions) = (module.locals.clone(), module.functions.clone());
                *operation = Operation::NewScope(NewScope { open: false, locals, functions });
            });
            for index in 0..module.functions.len() {
                offer(&|operation| {
                    if let Operation::NewModule(module) = operation {
                        module.functions.remove(index);
                    }
                });
            }
            for index in 0..module.locals.len() {
                offer(&|operation| {
                    if let Operation::NewModule(module) = operation {
                        module.locals.remove(index);
                        module.functions.iter_mut().for_each(|function| drop_capture(&mut function.body, index as u8));
                    }
                });
            }
            offer(&|operation| {
                if let Operation::NewModule(module) = operation {
                    module.text = false;
                }
            });
        }
        Operation::Reload(_) => {
            offer(&|operation| {
                if let Operation::Reload(reload) = operation {
                    reload.keep = Keep::Nothing;
                }
            });
            offer(&|operation| {
                if let Operation::Reload(reload) = operation {
                    reload.in_place = false;
                }
            });
        }
        Operation::HotFix(fix) => {
            for index in 0..fix.locals.len() {
                offer(&|operation| {
                    if let Operation::HotFix(fix) = operation {
                        fix.locals.remove(index);
                        drop_capture(&mut fix.body, index as u8);
                    }
                });
            }
            for (share, replace) in [(false, false), (true, false), (fix.share, false)] {
                offer(&|operation| {
                    if let Operation::HotFix(fix) = operation {
                        (fix.share, fix.replace) = (share, replace);
                    }
                });
            }
        }
        Operation::NewCoroutine(_) => offer(&|operation| {
            if let Operation::NewCoroutine(coroutine) = operation {
                coroutine.wrapped = false;
            }
        }),
        Operation::NewTable(NewTable { items, .. }) => {
            for index in 0..items.len() {
                offer(&|operation| {
                    if let Operation::NewTable(table) = operation {
                        table.items.remove(index);
                    }
                });
            }
        }
        Operation::NewWeakTable(NewWeakTable { id, place, .. }) => offer(&|operation| {
            *operation = Operation::NewTable(NewTable { id: *id, place: *place, items: Vec::new() });
        }),
        Operation::SetField(_) => offer(&|operation| {
            if let Operation::SetField(set) = operation {
                set.raw = false;
            }
        }),
        Operation::SetMetatable(_) => {
            offer(&|operation| {
                if let Operation::SetMetatable(metatable) = operation {
                    metatable.index = Index::None;
                }
            });
            offer(&|operation| {
                if let Operation::SetMetatable(metatable) = operation {
                    metatable.newindex = false;
                }
            });
            offer(&|operation| {
                if let Operation::SetMetatable(metatable) = operation {
                    metatable.call = None;
                }
            });
            for gc in [None, Some(false)] {
                offer(&|operation| {
                    if let Operation::SetMetatable(metatable) = operation {
                        metatable.gc = gc;
                    }
                });
            }
        }
        Operation::NewFinalizable(finalizable) => {
            for (table, resurrect) in [(None, finalizable.resurrect), (finalizable.table, false)] {
                offer(&|operation| {
                    if let Operation::NewFinalizable(finalizable) = operation {
                        (finalizable.table, finalizable.resurrect) = (table, resurrect);
                    }
                });
            }
        }
        Operation::Call(_) => offer(&|operation| {
            if let Operation::Call(call) = operation {
                call.result = None;
            }
        }),
        Operation::Step(step) => {
            let times = step.times;
            for times in [1, times / 2, times - times / 4, times - times / 8, times.saturating_sub(1)] {
                offer(&|operation| {
                    if let Operation::Step(step) = operation {
                        step.times = times;
                    }
                });
            }
            // One larger step instead of many small ones, without a loop.
            for size in 1..=8 {
                offer(&|operation| *operation = Operation::Step(Step { size, times: 1 }));
            }
        }
        Operation::Loop(_) => {
            for times in [1, 2] {
                offer(&|operation| {
                    if let Operation::Loop(repeat) = operation {
                        repeat.times = times;
                    }
                });
            }
        }
        Operation::Protected(_) => offer(&|operation| {
            if let Operation::Protected(protected) = operation {
                protected.handler = false;
            }
        }),
        Operation::Garbage(Garbage { kind, .. }) => {
            for kind in [*kind, GarbageKind::Strings] {
                offer(&|operation| *operation = Operation::Garbage(Garbage { kind, count: 1 }));
            }
        }
        Operation::Strings(Strings { build, .. }) => {
            offer(&|operation| *operation = Operation::Strings(Strings { build: *build, count: 1 }));
        }
        Operation::LoadChunk(_) => offer(&|operation| {
            if let Operation::LoadChunk(load) = operation {
                load.set = false;
            }
        }),
        _ => {}
    }
}

/// Takes a local of the scope out of the numbers that a function uses.
fn drop_capture(body: &mut Body, dropped: u8) {
    body.for_each_capture(&mut |capture| {
        if *capture > dropped {
            *capture -= 1;
        }
    });
}

fn simpler_bodies(body: &Body) -> Vec<Body> {
    let mut simpler = Vec::new();
    for index in 0..body.actions.len() {
        let mut changed = body.clone();
        changed.actions.remove(index);
        simpler.push(changed);
    }
    let mut results = Vec::new();
    match &body.result {
        FunctionResult::Captures(captures) => {
            for index in 0..captures.len() {
                let mut fewer = captures.clone();
                fewer.remove(index);
                results.push(FunctionResult::Captures(fewer));
            }
        }
        FunctionResult::Count(local) => results.push(FunctionResult::Captures(vec![*local])),
        FunctionResult::Closure(inner) => {
            results.push(FunctionResult::Captures(vec![inner.result]));
            results.push(FunctionResult::Closure(Inner { own: false, ..inner.clone() }));
            results.push(FunctionResult::Closure(Inner { action: None, ..inner.clone() }));
        }
    }
    simpler.extend(results.into_iter().map(|result| Body { result, ..body.clone() }));
    simpler
}

fn bodies(operation: &mut Operation) -> Vec<&mut Body> {
    match operation {
        Operation::NewScope(NewScope { functions, .. }) | Operation::NewModule(NewModule { functions, .. }) => {
            functions.iter_mut().map(|function| &mut function.body).collect()
        }
        Operation::NewFactory(factory) => factory.functions.iter_mut().collect(),
        Operation::HotFix(fix) => vec![&mut fix.body],
        _ => Vec::new(),
    }
}

fn places(operation: &mut Operation) -> Vec<&mut Place> {
    match operation {
        Operation::NewTable(NewTable { place, .. })
        | Operation::NewWeakTable(NewWeakTable { place, .. })
        | Operation::CallMaker(CallMaker { place, .. })
        | Operation::PickFunction(PickFunction { place, .. })
        | Operation::HotFix(HotFix { place, .. })
        | Operation::NewCoroutine(NewCoroutine { place, .. })
        | Operation::MoveObject(MoveObject { place, .. }) => vec![place],
        Operation::NewScope(scope) => scope.functions.iter_mut().map(|function| &mut function.place).collect(),
        Operation::Instantiate(made) => made.functions.iter_mut().map(|target| &mut target.place).collect(),
        _ => Vec::new(),
    }
}

fn values(operation: &mut Operation) -> Vec<&mut Value> {
    match operation {
        Operation::NewTable(NewTable { items: values, .. })
        | Operation::NewScope(NewScope { locals: values, .. })
        | Operation::NewModule(NewModule { locals: values, .. })
        | Operation::Instantiate(Instantiate { arguments: values, .. }) => values.iter_mut().collect(),
        Operation::HotFix(fix) => fix
            .locals
            .iter_mut()
            .filter_map(|local| match local {
                FixLocal::Own(value) => Some(value),
                FixLocal::Old(_) => None,
            })
            .collect(),
        Operation::CallMaker(CallMaker { argument: value, .. })
        | Operation::Resume(Resume { argument: value, .. })
        | Operation::Yield(Yield { value })
        | Operation::SetField(SetField { value, .. })
        | Operation::Append(Append { value, .. })
        | Operation::TableCall(TableCall { call: TableFunction::Insert(value), .. })
        | Operation::SetUpvalue(SetUpvalue { value, .. })
        | Operation::Call(Call { argument: value, .. })
        | Operation::ShowCall(ShowCall { argument: value, .. })
        | Operation::Throw(Throw { error: Error::Value(value) })
        | Operation::CloseVariable(CloseVariable { value, .. })
        | Operation::CallTable(CallTable { argument: value, .. }) => vec![value],
        Operation::SetKey(SetKey { key, value, .. }) => vec![key, value],
        _ => Vec::new(),
    }
}
