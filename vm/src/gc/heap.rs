//! The heap: all objects, the state of the collector, and the roots.

use crate::gc::allocate::StringTable;
use crate::gc::generational::Generations;
use crate::gc::object::bits;
use crate::gc::pacing::Pacing;
use crate::gc::pool::Pool;
use crate::gc::quarantine::Quarantine;
use crate::gc::upvalue::CountedUpvalues;
use crate::gc::{AnyGc, Gc, Policy, Semantics};
use crate::gc::{Event, Interests, Loading, ScopeEnd, VmObserver};
use crate::gc::{HeapView, ObjectView, Phase, Rules};
use crate::value::{Metamethod, Str, Table, Thread, Value};
use std::cell::Cell;
use std::ptr::NonNull;

/// What a heap is made with.
#[derive(Clone, Copy, Debug)]
pub struct HeapOptions {
    /// The rules of the collector that no script can see.
    pub policy: Policy,
    /// Those that scripts can see.
    pub semantics: Semantics,
    /// A fault of the collector.
    #[cfg(feature = "faults")]
    pub fault: Option<crate::gc::Fault>,
    /// Bytes of living and dead objects together at which a program ends; `usize::MAX` for none.
    pub memory_limit: usize,
    /// Bytes of swept objects that are kept while an observer is installed.
    pub quarantine_limit: usize,
}

impl Default for HeapOptions {
    fn default() -> Self {
        HeapOptions {
            policy: Policy::default(),
            semantics: Semantics::default(),
            #[cfg(feature = "faults")]
            fault: None,
            memory_limit: usize::MAX,
            quarantine_limit: 64 << 20,
        }
    }
}

/// Metatables of the types whose values share one (manual §2.4).
#[derive(Clone, Copy, Default)]
pub struct Metatables {
    /// Of all strings.
    pub string: Option<Gc<Table>>,
    /// Of `nil`.
    pub nil: Option<Gc<Table>>,
    /// Of booleans.
    pub boolean: Option<Gc<Table>>,
    /// Of numbers.
    pub number: Option<Gc<Table>>,
    /// Of functions.
    pub function: Option<Gc<Table>>,
    /// Of threads.
    pub thread: Option<Gc<Table>>,
    /// Of light userdata.
    pub light_userdata: Option<Gc<Table>>,
}

impl Metatables {
    pub(crate) fn all(&self) -> [Option<Gc<Table>>; 7] {
        [self.string, self.nil, self.boolean, self.number, self.function, self.thread, self.light_userdata]
    }
}

/// Objects, collector and roots. It lives in a box: the sweep's position may point into it.
pub struct Heap {
    pub(super) policy: Policy,
    /// What the policy means for whoever looks.
    pub(super) rules: Rules,
    pub(super) semantics: Semantics,
    #[cfg(feature = "faults")]
    pub(crate) fault: Option<crate::gc::Fault>,
    pub(super) phase: Phase,
    pub(super) current_white: u16,

    /// Every object that is in none of the other three lists.
    pub(super) all: Cell<Option<AnyGc>>,
    /// Objects with a finalizer that has not been called.
    pub(super) finalizable: Cell<Option<AnyGc>>,
    /// Unreachable objects whose finalizer will be called, in the order of the calls.
    pub(super) to_be_finalized: Cell<Option<AnyGc>>,
    /// Open upvalues, where the policy has one list of them.
    pub(super) open: Cell<Option<AnyGc>>,
    /// Upvalues that are counted and not collected, where the policy has such.
    pub(super) counted: CountedUpvalues,
    /// Objects that are never collected. They are gray for ever.
    pub(super) fixed: Cell<Option<AnyGc>>,
    /// How many of those there are; they were made first.
    pub(super) fixed_count: u32,
    /// The bucket of the string table that the sweep looks at next, where strings are swept on their own.
    pub(super) sweep_bucket: usize,
    /// The link to the object that the sweep looks at next; `None` once a list is swept.
    pub(super) sweep_at: Option<NonNull<Cell<Option<AnyGc>>>>,

    /// Objects to traverse. Last in, first out.
    pub(super) gray: Vec<AnyGc>,
    /// Objects to traverse again in the atomic phase.
    pub(super) gray_again: Vec<AnyGc>,
    /// What of these waited when the last minor collection began; only kept while somebody looks, and no longer than the
    /// quarantine.
    pub(super) waited: Vec<AnyGc>,
    /// Tables with weak values to clear.
    pub(super) weak_values: Vec<Gc<Table>>,
    /// Ephemeron tables with white keys that have white values.
    pub(super) ephemerons: Vec<Gc<Table>>,
    /// Tables with weak keys to clear, and maybe values.
    pub(super) all_weak: Vec<Gc<Table>>,
    /// Threads that have open upvalues.
    pub(super) threads_with_upvalues: Vec<Gc<Thread>>,

    pub(super) pool: Pool,
    pub(super) strings: StringTable,
    pub(super) pacing: Pacing,
    pub(super) generations: Generations,
    pub(super) memory_limit: usize,
    pub(super) next_id: u32,
    pub(super) quarantine: Quarantine,

    pub(super) observer: Option<Box<VmObserver>>,
    pub(super) interests: Interests,
    /// The events that are numbered, since the observer was installed.
    pub(super) events: u64,
    pub(super) halted: bool,

    pub(super) main_thread: Option<Gc<Thread>>,
    /// The thread that runs.
    pub(crate) current_thread: Option<Gc<Thread>>,
    /// Values that the host keeps: the globals and what `require` loaded.
    pub(crate) registry: Option<Gc<Table>>,
    /// What the host holds, by the slots of its handles; made with the first one. No script can reach it.
    pub(super) host_references: Option<Gc<Table>>,
    pub(crate) metatables: Metatables,
    /// What native code has made and stored nowhere yet, each with the depth of nested runs that it was made at.
    pub(super) anchors: Vec<(AnyGc, u32)>,
    /// The chunk whose objects a program's `load` is making.
    pub(super) loading: Option<Loading>,
    /// Whether steps are taken one after the other, with nothing done in between.
    pub(super) in_run: bool,
    /// Whether the run has had a step.
    pub(super) run_goes_on: bool,
    pub(super) names: Vec<Gc<Str>>,
}

const NO_INTERESTS: Interests = Interests { stores: false, steps: false, idle: false, fine: false };

impl Heap {
    /// A heap with its main thread, its registry and the names of the metamethods.
    pub fn new(options: HeapOptions) -> Box<Heap> {
        let mut heap = Box::new(Heap {
            policy: options.policy,
            rules: options.policy.rules(),
            semantics: options.semantics,
            #[cfg(feature = "faults")]
            fault: options.fault,
            phase: Phase::Pause,
            current_white: bits::WHITE_0,
            all: Cell::new(None),
            finalizable: Cell::new(None),
            to_be_finalized: Cell::new(None),
            open: Cell::new(None),
            counted: CountedUpvalues::new(),
            fixed: Cell::new(None),
            fixed_count: 0,
            sweep_bucket: 0,
            sweep_at: None,
            gray: Vec::new(),
            gray_again: Vec::new(),
            waited: Vec::new(),
            weak_values: Vec::new(),
            ephemerons: Vec::new(),
            all_weak: Vec::new(),
            threads_with_upvalues: Vec::new(),
            pool: Pool::new(),
            strings: StringTable::new(),
            pacing: Pacing::default(),
            generations: Generations::new(),
            memory_limit: options.memory_limit,
            next_id: 1,
            quarantine: Quarantine::new(options.quarantine_limit),
            observer: None,
            interests: NO_INTERESTS,
            events: 0,
            halted: false,
            main_thread: None,
            current_thread: None,
            registry: None,
            host_references: None,
            metatables: Metatables::default(),
            anchors: Vec::new(),
            loading: None,
            in_run: false,
            run_goes_on: false,
            names: Vec::new(),
        });
        for &metamethod in Metamethod::ALL {
            let name = heap.new_string(metamethod.name().as_bytes());
            heap.fix_newest(name.erase());
            heap.names.push(name);
        }
        let main = heap.new_thread();
        heap.main_thread = Some(main);
        heap.current_thread = Some(main);
        heap.registry = Some(heap.new_table());
        heap
    }

    /// The rules of this heap's collector.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// The key of a metamethod.
    #[inline]
    pub(crate) fn name_of(&self, metamethod: Metamethod) -> Gc<Str> {
        self.names[metamethod as usize]
    }

    /// A metamethod of a metatable, nil if it has none.
    #[inline]
    pub(crate) fn metamethod_in(&self, metatable: Gc<Table>, metamethod: Metamethod) -> Value {
        if let Some(bit) = metamethod.cache_bit() {
            if metatable.absent().get() & bit != 0 {
                return Value::Nil;
            }
            let found = metatable.get_short(self.name_of(metamethod));
            if found.is_nil() {
                metatable.absent().set(metatable.absent().get() | bit);
            }
            return found;
        }
        metatable.get_short(self.name_of(metamethod))
    }

    /// The metatable of any value.
    #[inline]
    pub(crate) fn metatable_of(&self, value: Value) -> Option<Gc<Table>> {
        match value {
            Value::Table(table) => table.metatable.get(),
            Value::Userdata(userdata) => userdata.metatable.get(),
            Value::String(_) => self.metatables.string,
            Value::Nil => self.metatables.nil,
            Value::Boolean(_) => self.metatables.boolean,
            Value::Integer(_) | Value::Float(_) => self.metatables.number,
            Value::Builtin(_) | Value::Closure(_) | Value::NativeClosure(_) => self.metatables.function,
            Value::Thread(_) => self.metatables.thread,
            Value::LightUserdata(_) => self.metatables.light_userdata,
        }
    }

    /// A metamethod of any value, nil if it has none.
    #[inline]
    pub(crate) fn metamethod_of(&self, value: Value, metamethod: Metamethod) -> Value {
        self.metatable_of(value).map_or(Value::Nil, |metatable| self.metamethod_in(metatable, metamethod))
    }

    /// The main thread.
    pub(crate) fn main_thread(&self) -> Gc<Thread> {
        // Set by `new` and never unset.
        self.main_thread.unwrap_or_else(|| unreachable!("a heap has a main thread"))
    }

    /// Puts the main thread and the globals where the registry has them (the keys are those of the C API).
    pub(crate) fn keep_globals(&mut self, globals: Gc<Table>) {
        let registry = self.registry();
        let main = Value::Thread(self.main_thread());
        for (key, value) in [(1, main), (2, Value::Table(globals))] {
            self.table_set(registry, Value::Integer(key), value).unwrap_or_else(|_| unreachable!("a valid key"));
        }
    }

    /// The thread that runs.
    #[inline(always)]
    pub(crate) fn current(&self) -> Gc<Thread> {
        match self.current_thread {
            Some(thread) => thread,
            None => unreachable!("a heap has a running thread"),
        }
    }

    /// The table of what the host holds.
    pub(crate) fn host_references(&mut self) -> Gc<Table> {
        if let Some(table) = self.host_references {
            return table;
        }
        let table = self.new_table();
        self.host_references = Some(table);
        table
    }

    /// The registry.
    pub(crate) fn registry(&self) -> Gc<Table> {
        self.registry.unwrap_or_else(|| unreachable!("a heap has a registry"))
    }

    /// Whether nothing living ever refers to a freed object.
    pub(super) fn is_sound(&self) -> bool {
        #[cfg(feature = "faults")]
        if self.fault.is_some() {
            return false;
        }
        self.policy.is_sound()
    }

    /// Whether the object is one that is never collected.
    #[inline]
    pub(super) fn is_fixed(&self, object: AnyGc) -> bool {
        object.id() <= self.fixed_count
    }

    /// Begins a run of steps, between which nothing is done.
    pub(crate) fn begin_run(&mut self) {
        (self.in_run, self.run_goes_on) = (true, false);
    }

    /// Ends the run of steps: something else is done. Says whether there was one.
    pub(crate) fn end_run(&mut self) -> bool {
        let in_run = std::mem::take(&mut self.in_run);
        if in_run && self.interests.steps {
            self.raise(Event::RunEnd);
        }
        in_run
    }

    /// Says what is being loaded from now on; gives what was before.
    pub(crate) fn set_loading(&mut self, loading: Option<Loading>) -> Option<Loading> {
        std::mem::replace(&mut self.loading, loading)
    }

    /// Makes an object a root, since native code made it at this depth and may not have stored it before a step. Like a
    /// stack slot this has no barrier: the atomic phase marks it again.
    pub(crate) fn anchor(&mut self, object: AnyGc, depth: u32) {
        self.anchors.push((object, depth));
    }

    /// Lets go of what was anchored at this depth or deeper.
    pub(crate) fn let_go_from(&mut self, depth: u32) {
        while self.anchors.last().is_some_and(|&(_, anchored)| anchored >= depth) {
            self.anchors.pop();
        }
    }

    /// How many objects are anchored, for [`Heap::let_go_above`].
    pub(crate) fn anchored(&self) -> usize {
        self.anchors.len()
    }

    /// Lets go of what was anchored since there were so many.
    pub(crate) fn let_go_above(&mut self, count: usize) {
        self.anchors.truncate(count);
    }

    #[inline(always)]
    pub(super) fn other_white(&self) -> u16 {
        self.current_white ^ bits::WHITES
    }

    /// Whether the tri-colour invariant holds now: not while sweeping, when black objects turn white one by one.
    #[inline(always)]
    pub(super) fn keeps_invariant(&self) -> bool {
        self.phase <= Phase::Atomic
    }

    /// Installs an observer, in the place of the one before. Swept objects go to quarantine from now on.
    pub fn set_observer(&mut self, observer: Box<VmObserver>) {
        self.interests = observer.interests();
        self.waited.clear();
        self.events = 0;
        self.observer = Some(observer);
    }

    /// Takes the observer out. The quarantine stays until the heap goes: a halted heap may refer to what is in it.
    pub fn take_observer(&mut self) -> Option<Box<VmObserver>> {
        self.interests = NO_INTERESTS;
        self.observer.take()
    }

    /// Puts an observer back that was taken out. Events are counted on.
    pub fn put_back_observer(&mut self, observer: Box<VmObserver>) {
        self.interests = observer.interests();
        self.observer = Some(observer);
    }

    /// Whether an observer is installed.
    #[inline(always)]
    pub fn is_observed(&self) -> bool {
        self.observer.is_some()
    }

    /// Whether the observer, or a full quarantine, ended the script.
    #[inline(always)]
    pub(crate) fn is_halted(&self) -> bool {
        self.halted
    }

    /// A look at everything.
    pub fn view(&self) -> HeapView<'_> {
        HeapView::new(self)
    }

    /// Tells the observer of a fine event, if it wants those.
    #[inline(always)]
    pub(crate) fn note<'a>(&mut self, event: impl FnOnce() -> Event<'a, ObjectView<'a>>) {
        if self.interests.fine {
            self.raise(event());
        }
    }

    /// Tells the observer that the frame on top is about to be left, if it is that of a Lua function.
    #[inline(always)]
    pub(crate) fn note_return(&mut self) {
        if self.interests.fine
            && let Some(closure) = self.view().running_function()
        {
            self.raise(Event::Return(ObjectView::new(closure)));
        }
    }

    /// Tells the observer that a to-be-closed variable is about to be closed.
    #[inline]
    pub(crate) fn note_closing_variable(&mut self, end: ScopeEnd) {
        if self.interests.stores {
            self.raise(Event::CloseVariable(end));
        }
    }

    #[cold]
    pub(super) fn raise<'a>(&mut self, event: Event<'a, ObjectView<'a>>) {
        // The observer is out while it looks, so it cannot be called again from inside.
        let Some(mut observer) = self.observer.take() else { return };
        self.events += u64::from(event.is_numbered());
        if !self.halted && observer.event(HeapView::new(self), &event).is_break() {
            self.halted = true;
        }
        // Nothing is dropped here: nobody has installed another one.
        std::mem::forget(self.observer.replace(observer));
    }
}
