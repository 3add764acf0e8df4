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
    if let Some((locals, functions)) = scratch.scope_mut() {
        for index in 0..functions.len() {
            offer(&|operation| {
                if let Some((_, functions)) = operation.scope_mut() {
                    functions.remove(index);
                }
            });
        }
        for index in 0..locals.len() {
            offer(&|operation| {
                if let Some((locals, functions)) = operation.scope_mut() {
                    locals.remove(index);
                    functions.iter_mut().for_each(|function| drop_capture(&mut function.body, index as u8));
                }
            });
        }
    }
    for (index, &&count) in operation.counts().iter().enumerate() {
        for fewer in [0, 1, count / 2, count - count / 4, count - count / 8, count.saturating_sub(1)] {
            offer(&|operation| *operation.counts_mut()[index] = fewer);
        }
    }
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
        Operation::NewScope(_) => {
            for open in [false, true] {
                offer(&|operation| {
                    if let Operation::NewScope(scope) = operation {
                        scope.open = open;
                    }
                });
            }
        }
        // Other kinds of scopes do less than these, or the same without what makes them special.
        Operation::ClosedScope(ClosedScope { closing, locals, functions, steps, .. }) => {
            offer_scope(locals, functions, offer);
            offer(&|operation| {
                if let Operation::ClosedScope(scope) = operation {
                    scope.joined = None;
                }
            });
            let mut simpler = vec![Closing::Recaptured, Closing::Loop];
            if let Closing::For(leave, after) = *closing {
                simpler.extend([Closing::For(leave, After::Nothing), Closing::For(Leave::Break, after)]);
            }
            for closing in simpler {
                offer(&|operation| {
                    if let Operation::ClosedScope(scope) = operation {
                        (scope.closing, scope.steps) = (closing, *steps);
                    }
                });
            }
        }
        Operation::CoroutineScope(CoroutineScope { locals, functions, .. }) => {
            offer_scope(locals, functions, offer);
            for (wrapped, fails) in [(false, false), (true, false), (false, true)] {
                offer(&|operation| {
                    if let Operation::CoroutineScope(scope) = operation {
                        (scope.wrapped, scope.fails) = (wrapped, fails);
                    }
                });
            }
        }
        Operation::SuspendedScope(SuspendedScope { locals, functions, levels, .. }) => {
            offer_scope(locals, functions, offer);
            for index in 0..levels.len() {
                offer(&|operation| {
                    if let Operation::SuspendedScope(scope) = operation {
                        scope.levels.remove(index);
                    }
                });
            }
            for ending in [Ending::Left, Ending::Dropped] {
                offer(&|operation| {
                    if let Operation::SuspendedScope(scope) = operation {
                        scope.ending = ending;
                    }
                });
            }
        }
        Operation::LoadFunction(LoadFunction { id, place, locals, body, .. }) => {
            let function = NewFunction { id: *id, place: *place, body: body.clone() };
            offer_scope(locals, &[function], offer);
            for index in 0..locals.len() {
                offer(&|operation| {
                    if let Operation::LoadFunction(load) = operation {
                        load.locals.remove(index);
                        drop_capture(&mut load.body, index as u8);
                    }
                });
            }
            offer(&|operation| {
                if let Operation::LoadFunction(load) = operation {
                    load.environment = None;
                }
            });
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
        Operation::Instantiate(Instantiate { functions, .. }) => {
            offer(&|operation| {
                if let Operation::Instantiate(instantiate) = operation {
                    instantiate.arguments.pop();
                }
            });
            // Where the first is removed, the variables of the others get the closures of those before them.
            for index in 0..functions.len() {
                offer(&|operation| {
                    if let Operation::Instantiate(instantiate) = operation {
                        instantiate.functions.remove(index);
                    }
                });
            }
        }
        Operation::NewModule(NewModule { locals, functions, .. }) => {
            // A scope does what a module does that is never loaded again.
            offer_scope(locals, functions, offer);
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
        Operation::NewWeakTable(NewWeakTable { id, place, .. }) => {
            offer(&|operation| {
                *operation = Operation::NewTable(NewTable { id: *id, place: *place, items: Vec::new() });
            });
            offer(&|operation| {
                if let Operation::NewWeakTable(table) = operation {
                    table.changes = false;
                }
            });
        }
        Operation::ReadFunction(ReadFunction { id, place, locals, body, chunk, reader }) => {
            let (id, place, steps, environment) = (*id, *place, reader.steps, chunk.environment);
            offer_scope(locals, &[NewFunction { id, place, body: body.clone() }], offer);
            offer(&|operation| {
                let (locals, body) = (locals.clone(), body.clone());
                let load = LoadFunction { id, place, locals, body, parts: 0, steps, environment };
                *operation = Operation::LoadFunction(load);
            });
            let mut offer_read = |change: &dyn Fn(&mut ReadFunction)| {
                offer(&|operation| {
                    if let Operation::ReadFunction(read) = operation {
                        change(read);
                    }
                });
            };
            for index in 0..locals.len() {
                offer_read(&|read| {
                    read.locals.remove(index);
                    drop_capture(&mut read.body, index as u8);
                });
            }
            offer_read(&|read| read.chunk.wide = false);
            offer_read(&|read| read.chunk.form = ChunkForm::Text);
            offer_read(&|read| read.reader.work = ReaderWork::Nothing);
            offer_read(&|read| read.reader.stop = None);
            offer_read(&|read| read.chunk.named = false);
            offer_read(&|read| read.chunk.environment = None);
        }
        Operation::CopyFunction(_) => offer(&|operation| {
            if let Operation::CopyFunction(copy) = operation {
                copy.strip = false;
            }
        }),
        Operation::AttributedLocal(AttributedLocal { id, place, value, .. }) => {
            offer_scope(&[*value], &[NewFunction { id: *id, place: *place, body: Body::default() }], offer);
            for (loaded, variable) in [(false, None), (true, Some(Attributed::Constant))] {
                offer(&|operation| {
                    if let Operation::AttributedLocal(local) = operation {
                        local.loaded &= loaded;
                        local.variable = variable.unwrap_or(local.variable);
                    }
                });
            }
        }
        Operation::ChangeWeakness(_) => {
            for change in [WeaknessChange::Fresh, WeaknessChange::InPlace] {
                offer(&|operation| {
                    if let Operation::ChangeWeakness(changed) = operation {
                        changed.change = change;
                    }
                });
            }
        }
        Operation::EmptyTable(_) => offer(&|operation| {
            if let Operation::EmptyTable(empty) = operation {
                empty.again = false;
            }
        }),
        Operation::GrowTable(_) => offer(&|operation| {
            if let Operation::GrowTable(grow) = operation {
                grow.growth = Growth::Up;
            }
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
            for (table, finalizer) in [(None, finalizable.finalizer), (finalizable.table, Finalizer::Count)] {
                offer(&|operation| {
                    if let Operation::NewFinalizable(finalizable) = operation {
                        (finalizable.table, finalizable.finalizer) = (table, finalizer);
                    }
                });
            }
            offer(&|operation| {
                if let Operation::NewFinalizable(finalizable) = operation {
                    finalizable.as_key = false;
                }
            });
        }
        Operation::EphemeronChain(chain) => {
            for index in 0..chain.tables.len() {
                offer(&|operation| {
                    if let Operation::EphemeronChain(chain) = operation {
                        chain.tables.remove(index);
                    }
                });
            }
            for (backward, holder) in [(false, chain.holder), (chain.backward, Holder::Nobody)] {
                offer(&|operation| {
                    if let Operation::EphemeronChain(chain) = operation {
                        (chain.backward, chain.holder) = (backward, holder);
                    }
                });
            }
        }
        Operation::NewList(NewList { id, place, .. }) => offer(&|operation| {
            let items = vec![Value::NewTable];
            *operation = Operation::NewTable(NewTable { id: *id, place: *place, items });
        }),
        Operation::RebuildStrings(_) => offer(&|operation| {
            if let Operation::RebuildStrings(strings) = operation {
                strings.as_key = false;
            }
        }),
        Operation::SetTypeMetatable(_) => {
            offer(&|operation| {
                if let Operation::SetTypeMetatable(metatable) = operation {
                    metatable.index = Index::None;
                }
            });
            offer(&|operation| {
                if let Operation::SetTypeMetatable(metatable) = operation {
                    metatable.call = None;
                }
            });
        }
        Operation::SetGenerational(_) => offer(&|operation| {
            *operation = Operation::SetGenerational(SetGenerational { minor: 1, major: 100 });
        }),
        Operation::FinalizeMany(_) => offer(&|operation| {
            if let Operation::FinalizeMany(many) = operation {
                many.swept = None;
            }
        }),
        Operation::FinalizeNested(FinalizeNested { works, .. }) => {
            for index in 0..works.len() {
                offer(&|operation| {
                    if let Operation::FinalizeNested(nested) = operation {
                        nested.works.remove(index);
                    }
                });
            }
        }
        Operation::DeepCall(_) => offer(&|operation| {
            if let Operation::DeepCall(DeepCall { steps, .. }) = operation {
                *operation = Operation::Step(Step { size: 0, times: *steps });
            }
        }),
        Operation::Tower(Tower { steps, .. }) => {
            offer(&|operation| *operation = Operation::Step(Step { size: 0, times: *steps }));
            offer(&|operation| {
                if let Operation::Tower(tower) = operation {
                    tower.watched = false;
                }
            });
        }
        Operation::HookedCall(HookedCall { function, argument, .. }) => {
            let (function, argument) = (*function, *argument);
            offer(&|operation| *operation = Operation::Call(Call { function, argument, result: None }));
            offer(&|operation| {
                if let Operation::HookedCall(call) = operation {
                    call.stripped = false;
                }
            });
            offer(&|operation| {
                if let Operation::HookedCall(call) = operation {
                    (call.inside, call.collect) = (false, false);
                }
            });
        }
        Operation::CloseVariable(_) => offer(&|operation| {
            if let Operation::CloseVariable(close) = operation {
                close.returned = false;
            }
        }),
        Operation::EndObject(_) => offer(&|operation| {
            if let Operation::EndObject(object) = operation {
                object.fails = false;
            }
        }),
        Operation::Exit(_) => offer(&|operation| {
            if let Operation::Exit(exit) = operation {
                exit.from = ExitFrom::Chunk;
            }
        }),
        Operation::Call(_) => offer(&|operation| {
            if let Operation::Call(call) = operation {
                call.result = None;
            }
        }),
        Operation::Step(_) => {
            // One larger step instead of many small ones, without a loop.
            for size in 1..=8 {
                offer(&|operation| *operation = Operation::Step(Step { size, times: 1 }));
            }
        }
        Operation::Protected(_) => offer(&|operation| {
            if let Operation::Protected(protected) = operation {
                protected.handler = false;
            }
        }),
        Operation::Garbage(Garbage { count, .. }) => {
            offer(&|operation| *operation = Operation::Garbage(Garbage { kind: GarbageKind::Strings, count: *count }));
        }
        Operation::LoadChunk(_) => offer(&|operation| {
            if let Operation::LoadChunk(load) = operation {
                load.set = false;
            }
        }),
        _ => {}
    }
}

/// Offers a plain scope with these functions.
fn offer_scope(locals: &[Value], functions: &[NewFunction], offer: &mut dyn FnMut(Change<'_>)) {
    offer(&|operation| {
        let (locals, functions) = (locals.to_vec(), functions.to_vec());
        *operation = Operation::NewScope(NewScope { open: false, locals, functions });
    });
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
        Operation::NewFactory(factory) => factory.functions.iter_mut().collect(),
        Operation::HotFix(fix) => vec![&mut fix.body],
        Operation::LoadFunction(load) => vec![&mut load.body],
        Operation::ReadFunction(read) => vec![&mut read.body],
        _ => operation
            .scope_mut()
            .map_or(Vec::new(), |(_, functions)| functions.iter_mut().map(|function| &mut function.body).collect()),
    }
}

fn places(operation: &mut Operation) -> Vec<&mut Place> {
    match operation {
        Operation::NewTable(NewTable { place, .. })
        | Operation::NewWeakTable(NewWeakTable { place, .. })
        | Operation::NewList(NewList { place, .. })
        | Operation::CallMaker(CallMaker { place, .. })
        | Operation::PickFunction(PickFunction { place, .. })
        | Operation::HotFix(HotFix { place, .. })
        | Operation::LoadFunction(LoadFunction { place, .. })
        | Operation::ReadFunction(ReadFunction { place, .. })
        | Operation::CopyFunction(CopyFunction { place, .. })
        | Operation::AttributedLocal(AttributedLocal { place, .. })
        | Operation::NewCoroutine(NewCoroutine { place, .. })
        | Operation::MoveObject(MoveObject { place, .. }) => vec![place],
        Operation::CoroutineScope(CoroutineScope { place, functions, .. })
        | Operation::SuspendedScope(SuspendedScope { place, functions, .. }) => {
            functions.iter_mut().map(|function| &mut function.place).chain([place]).collect()
        }
        Operation::NewScope(NewScope { functions, .. }) | Operation::ClosedScope(ClosedScope { functions, .. }) => {
            functions.iter_mut().map(|function| &mut function.place).collect()
        }
        Operation::Instantiate(made) => made.functions.iter_mut().map(|target| &mut target.place).collect(),
        _ => Vec::new(),
    }
}

fn values(operation: &mut Operation) -> Vec<&mut Value> {
    match operation {
        Operation::NewTable(NewTable { items: values, .. })
        | Operation::NewScope(NewScope { locals: values, .. })
        | Operation::NewModule(NewModule { locals: values, .. })
        | Operation::CoroutineScope(CoroutineScope { locals: values, .. })
        | Operation::SuspendedScope(SuspendedScope { locals: values, .. })
        | Operation::LoadFunction(LoadFunction { locals: values, .. })
        | Operation::ReadFunction(ReadFunction { locals: values, .. })
        | Operation::Instantiate(Instantiate { arguments: values, .. }) => values.iter_mut().collect(),
        Operation::ClosedScope(ClosedScope { locals, value, .. }) => locals.iter_mut().chain([value]).collect(),
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
        | Operation::LateField(LateField { value, .. })
        | Operation::SetNativeUpvalue(SetNativeUpvalue { value, .. })
        | Operation::NewFinalizable(NewFinalizable { content: value, .. })
        | Operation::SetTypeMetatable(SetTypeMetatable { value, .. })
        | Operation::ShowType(ShowType { usage: TypeUsage::Call(value), .. })
        | Operation::HookedCall(HookedCall { argument: value, .. })
        | Operation::PendingClose(PendingClose { value })
        | Operation::ReuseFailed(ReuseFailed { error: value, .. })
        | Operation::AttributedLocal(AttributedLocal { value, .. })
        | Operation::EndObject(EndObject { value, .. })
        | Operation::CopyFunction(CopyFunction { value, .. })
        | Operation::SetLongKey(SetLongKey { value, .. })
        | Operation::CallTable(CallTable { argument: value, .. }) => vec![value],
        Operation::SetKey(SetKey { key, value, .. }) => vec![key, value],
        _ => Vec::new(),
    }
}
