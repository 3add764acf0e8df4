//! The collector as programs see it: finalizers and weak tables.

mod common;

use common::{check, run};
use moonphase_heap::Heap;
use moonphase_vm::gc::{Colour, Event, Interests, Observer};
use moonphase_vm::{Options, Vm};
use std::any::Any;
use std::cell::Cell;
use std::ops::ControlFlow;
use std::rc::Rc;

#[test]
fn a_finalizer_that_fails_leaves_nothing_open() {
    check(
        "local get
        do
            setmetatable({}, {__gc = function()
                local captured = 'kept'
                local closed <close> = setmetatable({}, {__close = function(_, e) print('closed', e) end})
                get = function() return captured end
                error('lost', 0)
            end})
        end
        collectgarbage()
        local a, b, c, d, e, f = 1, 2, 3, 4, 5, 6
        print(get(), a + b + c + d + e + f)",
        "closed\tlost\nkept\t21\n",
    );
}

#[test]
fn the_error_of_a_finalizer_goes_to_no_message_handler() {
    check(
        "print(xpcall(function()
            setmetatable({}, {__gc = function() error('lost') end})
            collectgarbage()
            return 'went on'
        end, function(m) print('handled', m) return m end))",
        "true\twent on\n",
    );
}

#[test]
fn finalizers_run_in_the_reverse_order_of_marking_and_may_revive() {
    let printed = run("collectgarbage 'stop'
        local revived
        for i = 1, 4 do setmetatable({}, {__gc = function(o) io.write(i, ' ') revived = o end}) end
        collectgarbage()
        print(type(revived))
        revived = nil
        collectgarbage()");
    assert_eq!(printed, "4 3 2 1 table\n");
}

#[test]
fn weak_tables_lose_what_only_they_hold() {
    check(
        "local keys, values = setmetatable({}, {__mode = 'k'}), setmetatable({}, {__mode = 'v'})
        local kept = {}
        keys[kept], values.kept = 'x', kept
        for i = 1, 20 do keys[{}] = i values[i] = {} values['text' .. i] = 'string' end
        collectgarbage()
        local function count(t) local n = 0 for _ in pairs(t) do n = n + 1 end return n end
        print(count(keys), count(values))",
        "1\t21\n",
    );
}

#[test]
fn a_chain_of_ephemerons_lives_as_long_as_its_first_key() {
    check(
        "local links = setmetatable({}, {__mode = 'k'})
        local first = {}
        local last = first
        for i = 1, 50 do local next = {} links[last] = next last = next end
        last = nil
        local function count() collectgarbage() local n = 0 for _ in pairs(links) do n = n + 1 end return n end
        local before = count()
        first = nil
        print(before, count())",
        "50\t0\n",
    );
}

#[test]
fn a_removed_string_key_of_a_weak_table_is_freed() {
    let printed = run("local weak = setmetatable({}, {__mode = 'kv'})
        collectgarbage()
        local before = collectgarbage 'count'
        weak[string.rep('a', 1 << 20)] = 25
        collectgarbage()
        local key = next(weak)
        weak[key] = nil
        key = nil
        collectgarbage()
        print(collectgarbage 'count' < before + 100)");
    assert_eq!(printed, "true\n");
}

#[test]
fn collections_inside_callbacks_of_natives_take_nothing_away() {
    check(
        "table.sort({5, 4, 3, 2, 1}, function(a, b) collectgarbage() return a < b end)
        print((('abc'):gsub('%w', function(c) collectgarbage() return c .. c end)))
        local meta = {__tostring = function() collectgarbage() return 'made ' .. 'now' end}
        print(string.format('%s, %s', setmetatable({}, meta), setmetatable({}, meta)))
        local parts = {'return ', '{', '1', '}'}
        local at = 0
        print(#load(function() collectgarbage() at = at + 1 return parts[at] end)())",
        "aabbcc\nmade now, made now\n1\n",
    );
}

/// Looks whether the heap is the same at the beginning of a step, and at the end of a run of them, as at the end of the step
/// before in the run.
struct Compare {
    /// The heap after the last step of the run that is under way.
    last: Option<Vec<(u32, Colour, Vec<u32>)>>,
    compared: Rc<Cell<usize>>,
}

impl<H: Heap> Observer<H> for Compare {
    fn interests(&self) -> Interests {
        Interests { stores: false, steps: true, idle: true, fine: false }
    }

    fn event(&mut self, view: H, event: &Event<'_, H::Object>) -> ControlFlow<()> {
        let seen = || -> Vec<_> {
            let objects = view.objects().map(|object| {
                let mut references = Vec::new();
                view.references(object, |edge| references.push(view.id(edge.target)));
                (view.id(object), view.colour(object), references)
            });
            objects.collect()
        };
        match event {
            Event::StepBegin(_) | Event::RunEnd => {
                if let Some(last) = self.last.take() {
                    assert_eq!(last, seen());
                    self.compared.set(self.compared.get() + 1);
                }
            }
            Event::StepEnd(..) => self.last = view.is_in_run().then(seen),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[test]
fn nothing_changes_between_the_steps_of_a_run() {
    let compared = Rc::new(Cell::new(0));
    let compare = Compare { last: None, compared: compared.clone() };
    let mut vm = Vm::observed(Options::default(), Box::new(compare));
    let result = vm.run(
        b"local kept = {}
        for i = 1, 40 do
            kept[i % 7] = setmetatable({ kept }, { __gc = function() kept.last = i end })
            if i % 10 == 0 then collectgarbage() else collectgarbage('step', i % 3) end
        end",
        b"=test",
        &[],
    );
    assert_eq!(result, Ok(()));
    assert!(compared.get() > 500, "{compared:?}");
}
