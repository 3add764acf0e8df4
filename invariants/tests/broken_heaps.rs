//! Each invariant is broken on purpose in a heap made by hand, and the check that speaks is the one with its name: in the heap
//! itself, and in a snapshot of the heap.

use moonphase_heap::{Event, Heap as _, Names, Observer as _, Snapshot, StepKind};
use moonphase_invariants::{Checker, Invariant, Level, Violation, check};
use moonphase_vm::gc::{
    Age, Colour, Corrupt, Gc, GrayList, Heap, HeapOptions, ListName, Mode, ObjectView, Phase, VmObserver,
};
use moonphase_vm::value::{Table, Value};

fn heap() -> Box<Heap> {
    Heap::new(HeapOptions::default())
}

fn key(heap: &mut Heap, name: &str) -> Value {
    Value::String(heap.new_string(name.as_bytes()))
}

/// A table that the registry refers to.
fn rooted_table(heap: &mut Heap, name: &str) -> Gc<Table> {
    let (key, table) = (key(heap, name), heap.new_table());
    let registry = heap.corrupt().registry();
    heap.corrupt().set(registry, key, Value::Table(table));
    table
}

/// What a whole look finds; the name alone where every check but that one is silent. A look that asks everything at once
/// finds the same.
fn found_in(heap: impl Names) -> Option<Violation> {
    let [one_by_one, at_once] = [Level::Full, Level::Step].map(|level| {
        let mut checker = Checker::new(level);
        checker.look(heap);
        checker.into_violation()
    });
    assert_eq!(at_once, one_by_one);
    one_by_one
}

/// What a whole look finds in a heap. It finds the same in a snapshot, which has travelled.
fn found(heap: &Heap) -> Option<Violation> {
    let violation = found_in(heap.view());
    assert_eq!(found_in(&travelled(heap)), violation);
    violation
}

/// A snapshot of a heap, written down and read again.
fn travelled(heap: &Heap) -> Snapshot {
    let snapshot = Snapshot::of(heap.view());
    let bytes = postcard::to_allocvec(&snapshot).expect("plain data");
    let read: Snapshot = postcard::from_bytes(&bytes).expect("what was written");
    assert_eq!(read, snapshot);
    assert_eq!(Snapshot::of(&read), snapshot, "a snapshot of a snapshot is the same");
    read
}

fn signature(heap: &Heap) -> String {
    found(heap).map_or_else(|| "nothing".into(), |violation| violation.signature())
}

/// The heap is sound, then it is broken, and both the whole look and the check of that name alone say so.
fn breaks(heap: &mut Heap, invariant: Invariant, expected: &str, fault: impl FnOnce(&mut Corrupt<'_>)) -> Violation {
    assert_eq!(found(heap), None);
    fault(&mut heap.corrupt());
    assert_eq!(signature(heap), expected);
    let alone = check(invariant, heap.view()).expect_err("the check of that name finds it");
    assert_eq!(alone.invariant, invariant);
    assert_eq!(alone.signature(), expected);
    assert_eq!(check(invariant, &travelled(heap)), Err(alone.clone()));
    *alone
}

/// What a heap says of a question, and its snapshot too.
fn ask(invariant: Invariant, heap: &Heap) -> Result<(), Box<Violation>> {
    let answer = check(invariant, heap.view());
    assert_eq!(check(invariant, &travelled(heap)), answer);
    answer
}

/// The checker that was installed as an observer.
fn checker_of(observer: Box<VmObserver>) -> Option<Box<Checker>> {
    observer.into_any().downcast().ok()
}

fn id(table: Gc<Table>) -> u32 {
    table.erase().id()
}

/// A heap in propagation with a black table that the registry refers to.
fn marking() -> (Box<Heap>, Gc<Table>) {
    let mut heap = heap();
    let table = rooted_table(&mut heap, "t");
    heap.corrupt().turn();
    while !table.erase_is_black(&heap) {
        assert_eq!(heap.corrupt().turn(), Phase::Propagate);
    }
    (heap, table)
}

trait IsBlack {
    fn erase_is_black(&self, heap: &Heap) -> bool;
}

impl IsBlack for Gc<Table> {
    fn erase_is_black(&self, heap: &Heap) -> bool {
        let id = id(*self);
        heap.view().objects().any(|object| object.id() == id && object.is_black())
    }
}

#[test]
fn a_store_without_barrier_behind_a_black_table_breaks_black_to_white() {
    let (mut heap, table) = marking();
    let new = heap.new_table();
    let violation = breaks(&mut heap, Invariant::BlackToWhite, "black-to-white table->table", |heap| {
        heap.set_in_silence(table, Value::Integer(1), Value::Table(new));
    });
    assert_eq!(violation.phase, Phase::Propagate);
    let path: Vec<String> = violation.path.iter().map(|step| step.label.to_string()).collect();
    assert_eq!(violation.edge.map(|edge| edge.to_string()).as_deref(), Some("[1]"));
    assert_eq!(path, ["registry", "[\"t\"]", "[1]"]);
}

#[test]
fn a_reference_to_a_freed_object_is_dangling() {
    let mut heap = heap();
    let table = rooted_table(&mut heap, "t");
    let violation = breaks(&mut heap, Invariant::Dangling, "dangling table->table", |heap| heap.free(id(table)));
    assert_eq!(violation.child.map(|child| child.freed), Some(true));
}

#[test]
fn a_black_object_at_pause_breaks_pause_white() {
    let mut heap = heap();
    let table = rooted_table(&mut heap, "t");
    breaks(&mut heap, Invariant::PauseWhite, "pause-white table", |heap| heap.set_colour(id(table), Colour::Black));
}

#[test]
fn gray_lists_must_have_the_gray_objects_and_each_once() {
    let (mut heap, table) = marking();
    breaks(&mut heap, Invariant::GrayLists, "gray-lists table", |heap| heap.set_colour(id(table), Colour::Gray));

    let (mut heap, table) = marking();
    breaks(&mut heap, Invariant::GrayLists, "gray-lists table", |heap| heap.push_gray(GrayList::Gray, id(table)));

    let (mut heap, table) = marking();
    breaks(&mut heap, Invariant::GrayLists, "gray-lists table", |heap| {
        heap.set_colour(id(table), Colour::Gray);
        heap.push_gray(GrayList::GrayAgain, id(table));
        heap.push_gray(GrayList::WeakValues, id(table));
    });
}

#[test]
fn open_upvalues_must_be_sorted_and_listed_and_never_black() {
    let with_upvalues = || {
        let mut heap = heap();
        let mut tools = heap.corrupt();
        let thread = tools.main_thread(8);
        let (first, second) = (tools.open_upvalue(thread, 3), tools.open_upvalue(thread, 5));
        (heap, thread, first, second)
    };
    let expected = "upvalues upvalue";
    let (mut heap, thread, ..) = with_upvalues();
    breaks(&mut heap, Invariant::Upvalues, expected, |heap| heap.swap_open_upvalues(thread));
    let (mut heap, thread, ..) = with_upvalues();
    breaks(&mut heap, Invariant::Upvalues, expected, |heap| heap.forget_open_upvalue(thread));
    let (mut heap, _, first, _) = with_upvalues();
    breaks(&mut heap, Invariant::Upvalues, expected, |heap| heap.set_colour(first.erase().id(), Colour::Black));
    let (mut heap, ..) = with_upvalues();
    let closed = heap.corrupt().new_upvalue();
    breaks(&mut heap, Invariant::Upvalues, expected, |heap| heap.set_colour(closed.erase().id(), Colour::Gray));
}

#[test]
fn a_thread_that_is_black_while_marking_breaks_threads() {
    let (mut heap, _) = marking();
    let thread = heap.corrupt().main_thread(1);
    breaks(&mut heap, Invariant::Threads, "threads thread", |heap| {
        heap.set_colour(thread.erase().id(), Colour::Black);
    });
}

#[test]
fn a_gray_string_breaks_strings() {
    let (mut heap, _) = marking();
    let string = heap.new_string(b"gray");
    breaks(&mut heap, Invariant::Strings, "strings string", |heap| {
        heap.set_colour(string.erase().id(), Colour::Gray);
    });
}

#[test]
fn a_reachable_object_that_the_sweep_would_free_breaks_reachable() {
    let mut heap = heap();
    let table = rooted_table(&mut heap, "t");
    heap.corrupt().turn_until(Phase::SweepAll);
    let violation = breaks(&mut heap, Invariant::Reachable, "reachable table->table", |heap| {
        heap.set_colour(id(table), Colour::OtherWhite);
    });
    assert_eq!(violation.edge.map(|edge| edge.to_string()).as_deref(), Some("[\"t\"]"));
}

#[test]
fn a_value_behind_a_living_key_of_an_ephemeron_table_is_reachable_and_one_behind_a_dead_key_is_not() {
    let mut heap = heap();
    let (table, meta) = (rooted_table(&mut heap, "t"), rooted_table(&mut heap, "meta"));
    let (mode, k) = (key(&mut heap, "__mode"), key(&mut heap, "k"));
    heap.corrupt().set(meta, mode, k);
    heap.corrupt().set_metatable(table, meta);
    // A chain: the key is rooted, its value is the key of the next entry.
    let links: Vec<Gc<Table>> = (0..4).map(|_| heap.new_table()).collect();
    let (dead_key, dead_value) = (heap.new_table(), heap.new_table());
    for pair in links.windows(2).rev() {
        heap.corrupt().set(table, Value::Table(pair[0]), Value::Table(pair[1]));
    }
    heap.corrupt().set(table, Value::Table(dead_key), Value::Table(dead_value));
    heap.corrupt().set(table, Value::Table(dead_value), Value::Table(dead_key));
    let registry = heap.corrupt().registry();
    let name = key(&mut heap, "first");
    heap.corrupt().set(registry, name, Value::Table(links[0]));
    assert!(ask(Invariant::Complete, &heap).is_err(), "two tables refer to each other through a weak table alone");
    heap.corrupt().turn_until(Phase::SweepAll);
    let last = id(links[3]);
    breaks(&mut heap, Invariant::Reachable, "reachable table->table", |heap| {
        heap.set_colour(last, Colour::OtherWhite);
    });
}

#[test]
fn an_object_that_fell_out_of_its_list_breaks_lists() {
    let mut heap = heap();
    let table = rooted_table(&mut heap, "t");
    breaks(&mut heap, Invariant::Lists, "lists table", |heap| heap.unlink(id(table)));
}

#[test]
fn a_list_that_is_a_circle_breaks_lists() {
    let mut heap = heap();
    let table = rooted_table(&mut heap, "t");
    let last = heap.corrupt().last().expect("there are objects");
    breaks(&mut heap, Invariant::Lists, "lists table", |heap| heap.tie(id(table)));
    heap.corrupt().cut(last);
    assert_eq!(found(&heap), None);
}

#[test]
fn a_header_that_tells_of_a_finalizer_in_the_list_of_ordinary_objects_breaks_finalizers() {
    let mut heap = heap();
    let table = rooted_table(&mut heap, "t");
    breaks(&mut heap, Invariant::Finalizers, "finalizers table", |heap| heap.toggle_finalizer(id(table)));
}

/// A heap with a checker and two unreachable objects with finalizers, the second of them marked later.
fn finalizable() -> Box<Heap> {
    let mut heap = heap();
    heap.set_observer(Box::new(Checker::new(Level::Full)));
    let metatable = rooted_table(&mut heap, "metatable");
    let gc = key(&mut heap, "__gc");
    heap.corrupt().set(metatable, gc, Value::Boolean(true));
    for _ in 0..2 {
        let table = heap.new_table();
        heap.corrupt().set_metatable(table, metatable);
    }
    heap
}

fn first_violation(heap: &mut Heap) -> Option<String> {
    let checker = heap.take_observer().and_then(checker_of).expect("the checker");
    checker.into_violation().map(|violation| violation.signature())
}

#[test]
fn finalizers_out_of_order_break_finalizers() {
    let mut heap = finalizable();
    heap.corrupt().turn_until(Phase::SweepAll);
    assert_eq!(first_violation(&mut heap), None);

    let mut heap = finalizable();
    heap.corrupt().swap_finalizable();
    heap.corrupt().turn_until(Phase::SweepAll);
    assert_eq!(first_violation(&mut heap).as_deref(), Some("finalizers table"));
}

#[test]
fn objects_that_change_places_while_they_wait_break_finalizers() {
    for level in Level::ALL {
        let mut heap = finalizable();
        heap.set_observer(Box::new(Checker::new(*level)));
        heap.corrupt().turn_until(Phase::SweepAll);
        heap.corrupt().swap_waiting();
        heap.corrupt().turn_until(Phase::Pause);
        assert_eq!(first_violation(&mut heap).as_deref(), Some("finalizers table"), "{level}");
    }
}

/// What a checker says of a state with two objects to be finalized that is closed in these steps.
fn told_of_closing(level: Level, close: impl FnOnce(&mut dyn FnMut(Told))) -> Option<String> {
    let mut heap = finalizable();
    heap.take_observer();
    // Closing clears no weak table: a finalizer may find other objects that are finalized.
    let weak = weak_table(&mut heap, "v");
    let objects: Vec<u32> = heap.view().list(ListName::Finalizable).map(|object| object.id()).collect();
    assert_eq!(objects.len(), 2);
    heap.corrupt().set_to_object(weak, Value::Integer(1), objects[0]);
    let mut checker = Checker::new(level);
    close(&mut |told| {
        let phase = heap.view().phase();
        let mut tell = |heap: &Heap, event: Event<'_, ObjectView<'_>>| {
            let _ = checker.event(heap.view(), &event);
        };
        match told {
            Told::Close => {
                tell(&heap, Event::StepBegin(StepKind::Close));
                heap.corrupt().separate();
                tell(&heap, Event::StepEnd(StepKind::Close, phase));
            }
            Told::Unseparated => {
                tell(&heap, Event::StepBegin(StepKind::Close));
                tell(&heap, Event::StepEnd(StepKind::Close, phase));
            }
            Told::Next => {
                tell(&heap, Event::StepBegin(StepKind::CloseNext));
                let first = heap.view().list(ListName::ToBeFinalized).next();
                if let Some(first) = first {
                    tell(&heap, Event::Finalize(first));
                    heap.corrupt().take_finalizable();
                }
                tell(&heap, Event::StepEnd(StepKind::CloseNext, phase));
            }
            Told::Lost => {
                heap.corrupt().take_finalizable();
            }
            Told::Ended => tell(&heap, Event::Finalized),
            Told::Swap => heap.corrupt().swap_waiting(),
        }
    });
    checker.look_closed(heap.view());
    checker.into_violation().map(|violation| violation.signature())
}

#[derive(Clone, Copy)]
enum Told {
    /// All objects with finalizers come to wait.
    Close,
    /// None does.
    Unseparated,
    /// The next one is taken, with its event.
    Next,
    /// The next one is taken, and nobody is told.
    Lost,
    /// The finalizer ends.
    Ended,
    /// The next two change places.
    Swap,
}

#[test]
fn a_closed_state_must_call_all_finalizers_in_their_turn_and_one_at_a_time() {
    use Told::{Close, Ended, Lost, Next, Swap, Unseparated};
    let cases: [(&[Told], Option<&str>); 7] = [
        (&[Close, Next, Ended, Next, Ended, Next], None),
        (&[Unseparated, Next], Some("finalizers table")),
        (&[Close, Next, Ended], Some("finalizers table")),
        (&[Close, Next, Next, Ended], Some("finalizers")),
        (&[Close, Lost, Next, Ended, Next], Some("finalizers table")),
        (&[Close, Swap, Next, Ended, Next, Ended, Next], Some("finalizers table")),
        (&[Close, Next, Ended, Next, Ended, Close, Next, Ended, Next], None),
    ];
    for (nth, (steps, expected)) in cases.into_iter().enumerate() {
        for &level in Level::ALL {
            let told = told_of_closing(level, |tell| steps.iter().for_each(|&step| tell(step)));
            assert_eq!(told.as_deref(), expected, "case {nth} at {level}");
        }
    }
}

#[test]
fn a_collector_that_works_while_a_finalizer_runs_breaks_finalizers() {
    for &level in Level::ALL {
        let mut heap = finalizable();
        heap.set_observer(Box::new(Checker::new(level)));
        heap.corrupt().turn_until(Phase::CallFinalizers);
        heap.corrupt().turn_into_finalizer();
        heap.corrupt().turn();
        assert_eq!(first_violation(&mut heap).as_deref(), Some("finalizers"), "{level}");
    }
}

#[test]
fn a_weak_entry_of_a_dead_object_breaks_weak() {
    let mut heap = heap();
    let dead = heap.new_table();
    let weak = rooted_table(&mut heap, "weak");
    let metatable = rooted_table(&mut heap, "metatable");
    let (mode, values) = (key(&mut heap, "__mode"), key(&mut heap, "v"));
    heap.corrupt().set(metatable, mode, values);
    heap.corrupt().set_metatable(weak, metatable);
    heap.corrupt().turn_until(Phase::SweepAll);
    breaks(&mut heap, Invariant::Weak, "weak table->table", |heap| {
        heap.set_in_silence(weak, Value::Integer(1), Value::Table(dead));
    });
}

/// A rooted table with this mode.
fn weak_table(heap: &mut Heap, mode: &str) -> Gc<Table> {
    let (weak, metatable) = (rooted_table(heap, "weak"), rooted_table(heap, "metatable"));
    let (name, mode) = (key(heap, "__mode"), key(heap, mode));
    heap.corrupt().set(metatable, name, mode);
    heap.corrupt().set_metatable(weak, metatable);
    weak
}

/// What checkers of all levels say of a collection in which this is done behind the collector's back. The collection is the atomic
/// phase, or in generational mode a minor one. The checkers say the same where they are shown snapshots.
fn told_of_collection(heap: &mut Heap, damage: impl FnOnce(&mut Heap)) -> Option<Violation> {
    let kind = match heap.view().mode() {
        Mode::Incremental => StepKind::Turn,
        Mode::Generational => StepKind::Minor,
    };
    if kind == StepKind::Turn {
        heap.corrupt().turn_until(Phase::EnterAtomic);
    }
    let before = heap.view().phase();
    let mut checkers: Vec<[Checker; 2]> =
        Level::ALL.iter().map(|&level| [Checker::new(level), Checker::new(level)]).collect();
    let mut tell = |heap: &Heap, event: Event<'_, ObjectView<'_>>, of_snapshot: Event<'_, _>| {
        let snapshot = travelled(heap);
        for [of_heap, of_snapshots] in &mut checkers {
            let flow = of_heap.event(heap.view(), &event);
            assert_eq!(of_snapshots.event(&snapshot, &of_snapshot), flow);
        }
    };
    tell(heap, Event::StepBegin(kind), Event::StepBegin(kind));
    heap.corrupt().turn();
    damage(heap);
    tell(heap, Event::StepEnd(kind, before), Event::StepEnd(kind, before));
    let mut found = checkers.into_iter().flatten().map(|checker| {
        // The levels count events differently.
        checker.into_violation().map(|violation| Violation { event: 0, sound_until: 0, ..violation })
    });
    let first = found.next().expect("there are levels");
    assert!(found.all(|other| other == first), "the levels tell {first:?} and something else");
    first
}

#[test]
fn an_entry_of_a_weak_table_that_goes_too_early_breaks_weak() {
    // An ephemeron entry, an entry with a weak value, one with both, and values that are not collected.
    for (mode, what) in
        [("k", "whose key #"), ("v", "whose value #"), ("kv", "whose key #"), ("v", "to nothing weakly")]
    {
        for generational in [false, true] {
            for loses in [false, true] {
                let mut heap = heap();
                let weak = weak_table(&mut heap, mode);
                if generational {
                    heap.corrupt().enter_generational();
                }
                let object = Value::Table(rooted_table(&mut heap, "object"));
                let (name, text) = (key(&mut heap, "name"), key(&mut heap, "text"));
                let (lost_key, value) = match (mode, what) {
                    ("k", _) => (object, Value::Boolean(true)),
                    ("kv", _) => (object, object),
                    (_, "to nothing weakly") => (name, text),
                    _ => (Value::Integer(1), object),
                };
                heap.corrupt().set(weak, lost_key, value);
                let told = told_of_collection(&mut heap, |heap| {
                    if loses {
                        heap.corrupt().set_in_silence(weak, lost_key, Value::Nil);
                    }
                });
                if loses {
                    let told = told.unwrap_or_else(|| panic!("{mode}, {what}, {generational}: nothing"));
                    assert_eq!(told.signature(), "weak table");
                    assert!(told.detail.contains(what), "{}", told.detail);
                } else {
                    assert_eq!(told, None, "{mode}, {what}, {generational}");
                }
            }
        }
    }
}

#[test]
fn an_entry_of_a_weak_table_goes_with_what_is_dead_or_about_to_be_finalized() {
    for generational in [false, true] {
        for mode in ["k", "v", "kv"] {
            let mut heap = heap();
            let weak = weak_table(&mut heap, mode);
            let finalized = rooted_table(&mut heap, "finalized");
            let gc = key(&mut heap, "__gc");
            heap.corrupt().set(finalized, gc, Value::Boolean(true));
            if generational {
                heap.corrupt().enter_generational();
            }
            let kept = key(&mut heap, "kept");
            let (dead, waiting, revived) = (heap.new_table(), heap.new_table(), heap.new_table());
            let mut tools = heap.corrupt();
            tools.set(waiting, kept, Value::Table(revived));
            tools.set_metatable(waiting, finalized);
            for (index, object) in [dead, waiting, revived].into_iter().enumerate() {
                tools.set(weak, Value::Integer(index as i64 + 1), Value::Table(object));
                tools.set(weak, Value::Table(object), Value::Integer(index as i64));
                tools.set(weak, Value::Table(object), Value::Table(object));
            }
            assert_eq!(told_of_collection(&mut heap, |_| {}), None, "{mode}");
        }
    }
}

#[test]
fn a_freed_key_that_an_empty_entry_still_has_is_dangling() {
    let mut heap = heap();
    let (table, dead) = (rooted_table(&mut heap, "t"), heap.new_table());
    let (filled, emptied) = (Value::Integer(1), Value::Nil);
    heap.corrupt().set_in_silence(table, Value::Table(dead), filled);
    heap.corrupt().set_in_silence(table, Value::Table(dead), emptied);
    let violation = breaks(&mut heap, Invariant::Dangling, "dangling table->table", |heap| heap.free(id(dead)));
    assert_eq!(violation.edge.map(|edge| edge.to_string()).as_deref(), Some("key of an empty entry"));
    assert!(violation.detail.contains("the key is not marked dead"), "{}", violation.detail);
}

#[test]
fn a_key_that_is_about_to_be_freed_is_dangling_in_an_empty_entry_and_one_that_is_marked_dead_is_not() {
    let with_key = || {
        let mut heap = heap();
        let (table, dead) = (rooted_table(&mut heap, "t"), heap.new_table());
        heap.corrupt().set(table, Value::Table(dead), Value::Integer(1));
        heap.corrupt().set_in_silence(table, Value::Table(dead), Value::Nil);
        (heap, table, dead)
    };
    // The traversal of the table marks the key dead.
    let (mut heap, _, dead) = with_key();
    heap.set_observer(Box::new(Checker::new(Level::Full)));
    heap.corrupt().turn_until(Phase::Pause);
    assert!(heap.view().quarantined().any(|object| object.id() == id(dead)));
    assert_eq!(first_violation(&mut heap), None);
    // A key that comes after it does not meet a traversal.
    let (mut heap, table, _) = with_key();
    let late = heap.new_table();
    heap.corrupt().turn_until(Phase::SweepAll);
    breaks(&mut heap, Invariant::Dangling, "dangling table->table", |heap| {
        heap.set_in_silence(table, Value::Table(late), Value::Integer(1));
        heap.set_in_silence(table, Value::Table(late), Value::Nil);
    });
}

#[test]
fn the_usual_check_finds_a_freed_key_in_an_empty_entry_of_a_table_that_it_knows() {
    let mut heap = heap();
    let (table, child) = (rooted_table(&mut heap, "t"), rooted_table(&mut heap, "child"));
    heap.corrupt().set(table, Value::Table(child), Value::Integer(1));
    // The sweep begins behind an object that stays.
    rooted_table(&mut heap, "last");
    let violation = usual_check(&mut heap, |heap| {
        heap.corrupt().turn_until(Phase::EnterAtomic);
        let registry = heap.corrupt().registry();
        let name = key(heap, "child");
        let mut tools = heap.corrupt();
        tools.turn();
        tools.set_in_silence(registry, name, Value::Nil);
        tools.set_in_silence(table, Value::Table(child), Value::Nil);
        tools.free(id(child));
    });
    assert_eq!(violation.map(|violation| violation.signature()).as_deref(), Some("dangling table->table"));
}

#[test]
fn a_wrong_byte_count_breaks_bytes() {
    let mut heap = heap();
    breaks(&mut heap, Invariant::Bytes, "bytes", |heap| heap.add_bytes(1));
}

#[test]
fn a_string_that_the_string_table_does_not_find_breaks_intern() {
    let mut heap = heap();
    let string = heap.new_string(b"hidden");
    breaks(&mut heap, Invariant::Intern, "intern string", |heap| heap.misplace_string(string.erase().id()));
}

#[test]
fn a_freed_string_in_the_string_table_breaks_intern() {
    let mut heap = heap();
    let string = heap.new_string(b"freed");
    breaks(&mut heap, Invariant::Intern, "intern string", |heap| heap.free(string.erase().id()));
}

#[test]
fn an_unreachable_object_after_a_full_collection_breaks_complete() {
    let mut heap = heap();
    heap.new_table();
    let violation = ask(Invariant::Complete, &heap).expect_err("a table that nothing refers to");
    assert_eq!(violation.signature(), "complete table");
    heap.corrupt().turn_until(Phase::Pause);
    assert_eq!(ask(Invariant::Complete, &heap), Ok(()));
}

/// A heap in generational mode with an old table that the registry refers to.
fn generational() -> (Box<Heap>, Gc<Table>) {
    let mut heap = heap();
    let table = rooted_table(&mut heap, "t");
    heap.corrupt().enter_generational();
    assert_eq!(found(&heap), None);
    (heap, table)
}

/// After minor collections, what the table has as its first item is of this age.
fn with_item(collections: usize) -> (Box<Heap>, Gc<Table>, Gc<Table>) {
    let (mut heap, table) = generational();
    let item = heap.new_table();
    heap.corrupt().set(table, Value::Integer(1), Value::Table(item));
    for _ in 0..collections {
        heap.corrupt().turn();
        assert_eq!(found(&heap), None);
    }
    (heap, table, item)
}

#[test]
fn an_old_object_that_refers_to_a_young_one_breaks_ages() {
    let (mut heap, table) = generational();
    let new = heap.new_table();
    let violation = breaks(&mut heap, Invariant::Ages, "ages table->table", |heap| {
        heap.set_in_silence(table, Value::Integer(1), Value::Table(new));
    });
    assert_eq!(violation.edge.map(|edge| edge.to_string()).as_deref(), Some("[1]"));
    assert!(violation.detail.ends_with("; they are old and new"), "{}", violation.detail);

    // A touched2 table may refer to survivals, and becomes old together with them.
    let (mut heap, table, item) = with_item(1);
    assert_eq!(heap.view().objects().find(|object| object.id() == id(item)).map(|o| o.age()), Some(Age::Survival));
    breaks(&mut heap, Invariant::Ages, "ages table->table", |heap| {
        heap.forget_gray(id(table));
        heap.set_age(id(table), Age::Old);
    });
    let (mut heap, table, _) = with_item(1);
    let new = heap.new_table();
    breaks(&mut heap, Invariant::Ages, "ages table->table", |heap| {
        heap.set_in_silence(table, Value::Integer(2), Value::Table(new));
    });

    // An old1 object refers to survivals at the youngest.
    let (mut heap, _, item) = with_item(2);
    let new = heap.new_table();
    breaks(&mut heap, Invariant::Ages, "ages table->table", |heap| {
        heap.set_in_silence(item, Value::Integer(1), Value::Table(new));
    });
}

#[test]
fn an_old_object_that_is_white_breaks_ages() {
    let (mut heap, table) = generational();
    breaks(&mut heap, Invariant::Ages, "ages table", |heap| heap.set_colour(id(table), Colour::White));
}

#[test]
fn a_young_object_in_the_old_part_of_a_list_breaks_ages() {
    let (mut heap, table) = generational();
    breaks(&mut heap, Invariant::Ages, "ages table", |heap| heap.set_age(id(table), Age::Survival));
    // Where old1 objects are looked for, there are none before the first of them.
    let (mut heap, ..) = generational();
    let new = rooted_table(&mut heap, "new");
    breaks(&mut heap, Invariant::Ages, "ages table", |heap| {
        heap.set_colour(id(new), Colour::Black);
        heap.set_age(id(new), Age::Old1);
    });
}

#[test]
fn an_object_with_an_age_in_incremental_mode_breaks_ages() {
    let mut heap = heap();
    let table = rooted_table(&mut heap, "t");
    breaks(&mut heap, Invariant::Ages, "ages table", |heap| heap.set_age(id(table), Age::Survival));
}

#[test]
fn generational_mode_has_gray_lists_and_threads_of_its_own() {
    // A touched1 table is gray and listed, a touched2 table black and listed.
    let (mut heap, table, _) = with_item(0);
    breaks(&mut heap, Invariant::GrayLists, "gray-lists table", |heap| heap.forget_gray(id(table)));
    let (mut heap, table, _) = with_item(1);
    breaks(&mut heap, Invariant::GrayLists, "gray-lists table", |heap| heap.forget_gray(id(table)));
    // An old thread is traversed in every collection.
    let (mut heap, _) = generational();
    let thread = heap.corrupt().main_thread(1).erase().id();
    breaks(&mut heap, Invariant::Threads, "threads thread", |heap| {
        heap.forget_gray(thread);
        heap.set_colour(thread, Colour::Black);
    });
}

#[test]
fn every_level_sees_a_barrier_that_is_forgotten_between_minor_collections() {
    for (level, expected) in [
        (Level::Step, "ages table->table"),
        (Level::Barrier, "ages table-store table->table"),
        (Level::Full, "ages table-store table->table"),
    ] {
        let (mut heap, table) = generational();
        let new = heap.new_table();
        heap.set_observer(Box::new(Checker::new(level)));
        heap.corrupt().set_without_barrier(table, Value::Integer(1), Value::Table(new));
        heap.corrupt().turn();
        let observer = heap.take_observer().expect("it was installed");
        let violation = checker_of(observer).and_then(|checker| checker.into_violation());
        assert_eq!(violation.map(|violation| violation.signature()).as_deref(), Some(expected), "{level}");
    }
}

#[test]
fn every_level_sees_a_forgotten_barrier_and_the_finer_ones_name_its_site() {
    for (level, expected) in [
        (Level::Step, "black-to-white table->table"),
        (Level::Barrier, "black-to-white table-store table->table"),
        (Level::Full, "black-to-white table-store table->table"),
    ] {
        let (mut heap, table) = marking();
        let new = heap.new_table();
        heap.set_observer(Box::new(Checker::new(level)));
        heap.corrupt().set_without_barrier(table, Value::Integer(1), Value::Table(new));
        heap.corrupt().turn();
        let observer = heap.take_observer().expect("it was installed");
        let violation = checker_of(observer).and_then(|checker| checker.into_violation());
        assert_eq!(violation.map(|violation| violation.signature()).as_deref(), Some(expected), "{level}");
    }
}

#[test]
fn a_write_that_no_event_tells_of_is_found_at_the_end_of_marking_and_narrowed_down_by_a_second_run() {
    let run = |checker: Checker| {
        let (mut heap, table) = marking();
        let new = heap.new_table();
        heap.set_observer(Box::new(checker));
        heap.corrupt().turn();
        heap.corrupt().set_in_silence(table, Value::Integer(1), Value::Table(new));
        heap.corrupt().turn_until(Phase::Pause);
        let observer = heap.take_observer().expect("it was installed");
        checker_of(observer).and_then(|checker| checker.into_violation()).expect("a violation")
    };
    let late = run(Checker::new(Level::Barrier));
    assert_eq!(late.signature(), "reachable table->table");
    let first = run(Checker::new(Level::Full).starting_at(late.sound_until));
    assert_eq!(first.signature(), "black-to-white table->table");
    assert!(first.event <= late.event);
    assert_eq!(first, Violation { sound_until: first.sound_until, ..run(Checker::new(Level::Full)) });
}

/// What the usual check says of a heap in which this is done between collections of all of it, or of the young part.
fn usual_check(heap: &mut Heap, damage: impl FnOnce(&mut Heap)) -> Option<Violation> {
    heap.set_observer(Box::new(Checker::new(Level::Barrier)));
    let collect = |heap: &mut Heap| match heap.view().mode() {
        Mode::Incremental => heap.corrupt().turn_until(Phase::Pause),
        Mode::Generational => {
            heap.corrupt().turn();
        }
    };
    // The first looks learn what there is.
    (0..3).for_each(|_| collect(heap));
    damage(heap);
    // Fewer than there are between two whole looks.
    (0..3).for_each(|_| collect(heap));
    let observer = heap.take_observer().expect("it was installed");
    checker_of(observer).and_then(|checker| checker.into_violation())
}

#[test]
fn an_object_that_is_swept_and_known_to_be_referred_to_is_found() {
    let mut heap = heap();
    let (table, child, old_key) = (rooted_table(&mut heap, "t"), heap.new_table(), key(&mut heap, "child"));
    heap.corrupt().set(table, old_key, Value::Table(child));
    // It goes after marking, when nothing is traversed any more.
    let violation = usual_check(&mut heap, |heap| {
        heap.corrupt().turn_until(Phase::EnterAtomic);
        let mut tools = heap.corrupt();
        tools.turn();
        tools.free(id(child));
    });
    assert_eq!(violation.map(|violation| violation.signature()).as_deref(), Some("dangling table->table"));
}

#[test]
fn a_reference_that_is_taken_away_without_a_store_is_no_violation() {
    let mut heap = heap();
    let (table, child, name) = (rooted_table(&mut heap, "t"), heap.new_table(), key(&mut heap, "child"));
    heap.corrupt().set(table, name, Value::Table(child));
    assert_eq!(usual_check(&mut heap, |heap| heap.corrupt().set_in_silence(table, name, Value::Nil)), None);
    assert!(heap.view().quarantined().any(|object| object.id() == id(child)));
}

#[test]
fn an_old_object_that_is_swept_is_found_though_nothing_old_is_walked() {
    let with_child = || {
        let mut heap = heap();
        let (table, child) = (rooted_table(&mut heap, "t"), heap.new_table());
        heap.corrupt().set(table, Value::Integer(1), Value::Table(child));
        heap.corrupt().enter_generational();
        (heap, child)
    };
    let (mut heap, _) = with_child();
    assert_eq!(usual_check(&mut heap, |_| {}), None);

    // An old object is swept, though an old one refers to it that no minor collection traverses.
    let (mut heap, child) = with_child();
    let violation = usual_check(&mut heap, |heap| heap.corrupt().free(id(child)));
    assert_eq!(violation.map(|violation| violation.signature()).as_deref(), Some("dangling table->table"));
}

#[test]
fn a_checker_counts_from_when_it_was_installed() {
    let mut heap = heap();
    rooted_table(&mut heap, "t");
    let mut events_of_turn = || {
        heap.set_observer(Box::new(Checker::new(Level::Full)));
        heap.corrupt().turn();
        let observer = heap.take_observer().expect("it was installed");
        checker_of(observer).expect("it is a checker").events()
    };
    assert_eq!([events_of_turn(), events_of_turn()], [2, 2]);
}
