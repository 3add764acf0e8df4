//! The interpreter: runs bytecode on Lua stacks.
//!
//! [`Vm`] owns the heap and what the host decides. One loop (`dispatch`) runs the instructions of whichever Lua function is
//! innermost. Calls between Lua functions, metamethods, `pcall` and coroutines only push frames (`call`, `coroutine`), and
//! errors only pop them (`unwind`): none of them uses the Rust stack. Native functions that call back into Lua do, through
//! `call_nested`. What would use the C stack in Lua counts against the same limit (`Frame::nesting`).

pub(crate) mod access;
pub(crate) mod arithmetic;
mod call;
mod collect;
mod compare;
mod concat;
mod coroutine;
mod dispatch;
mod error;
mod generational;
mod hook;
mod instructions;
mod load;
pub(crate) mod names;
mod native;
mod schedule;
mod slow_path;
mod stack;
mod streams;
mod unwind;
mod view_names;

pub use arithmetic::Operator;
pub use error::{Limit, ScriptError, Throw};
pub use load::Compiled;
pub(crate) use load::LoadError;
pub use native::{Builtin, Call, Control, Function, NativeResult};
pub(crate) use native::{to_integer, to_number};
pub use schedule::{Schedule, Turned, Turns, UnknownSchedule};
pub(crate) use streams::Buffering;

use crate::gc::{Gc, Heap, HeapOptions, Mode, Policy, Semantics};
use crate::host::References;
use crate::library;
use crate::value::{Closure, Frame, Table, Value};
use crate::version::LuaVersion;

/// What the host decides about a VM.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The language.
    pub version: LuaVersion,
    /// The collector's rules that no script can see.
    pub policy: Policy,
    /// Those that scripts can see; `None` for those of the language's version.
    pub semantics: Option<Semantics>,
    /// A fault of the collector, planted to see what finds it. A VM that has one needs an observer, like an unsound policy.
    #[cfg(feature = "faults")]
    pub fault: Option<crate::gc::Fault>,
    /// Bytes of all objects together; `usize::MAX` for no limit.
    pub memory_limit: usize,
    /// Instructions that the program may execute, and as such counts the work that native functions and the collector do
    /// for it; `None` for no limit.
    pub instruction_limit: Option<u64>,
    /// Calls inside each other that are not made by a call expression (Lua's `LUAI_MAXCCALLS`): those of metamethods, iterators
    /// and finalizers, those that native functions such as `pcall` make, and resumed coroutines.
    pub nesting_limit: u32,
    /// Values on one Lua stack (Lua's `LUAI_MAXSTACK`).
    pub stack_limit: usize,
    /// Bytes of swept objects that are kept while an observer is installed.
    pub quarantine_limit: usize,
    /// Seed of `math.random`.
    pub seed: u64,
    /// What the program may use of the machine that it runs on.
    pub system: System,
    /// When the collector turns, besides what the program asks for and what its debt does.
    pub schedule: Schedule,
}

/// What a program may use of the machine that it runs on, aside from the streams that its host gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum System {
    /// Nothing. Files, processes and the environment are refused; time stands still and the clock counts instructions, so that
    /// a run can be repeated.
    #[default]
    None,
    /// All that the process may use: files, processes, environment, clocks and the local time zone.
    Full,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            version: LuaVersion::default(),
            policy: Policy::default(),
            semantics: None,
            #[cfg(feature = "faults")]
            fault: None,
            memory_limit: usize::MAX,
            instruction_limit: None,
            nesting_limit: 200,
            stack_limit: 1_000_000,
            quarantine_limit: 64 << 20,
            seed: 0,
            system: System::None,
            schedule: Schedule::None,
        }
    }
}

impl Options {
    /// Whether programs can do no harm without an observer.
    pub fn is_sound(&self) -> bool {
        #[cfg(feature = "faults")]
        if self.fault.is_some() {
            return false;
        }
        self.policy.is_sound()
    }
}

/// A Lua state with its library.
pub struct Vm {
    pub(crate) heap: Box<Heap>,
    pub(crate) options: Options,
    /// Instructions that are left; only counted where there is a limit.
    pub(crate) fuel: u64,
    /// Work of the collector so far, some of which counts as an instruction.
    collector_work: u64,
    /// Frames that a throw has left behind at boundaries that it passed: where it ends a coroutine, they belong to what the
    /// dead coroutine shows.
    pub(crate) passed: Vec<Frame>,
    /// The state of `math.random`.
    pub(crate) random: [u64; 4],
    /// Whether `warn` prints.
    pub(crate) warnings: bool,
    pub(crate) globals: Option<Gc<Table>>,
    /// What decides about turns where there is a schedule.
    scheduler: Option<Box<schedule::Scheduler>>,
    /// How many objects had their finalizer's turn.
    finalized: u64,
    /// What the host holds.
    pub(crate) references: References,
    streams: streams::Streams,
    /// Whether the loop that counts and looks at each instruction is needed.
    checked: bool,
}

impl Vm {
    /// A VM with its whole library, whose policy keeps the tri-colour invariant.
    ///
    /// # Errors
    /// The policy is unsound; see [`Vm::with_unsound_policy`].
    pub fn new(options: Options) -> Result<Vm, UnsoundPolicy> {
        if options.is_sound() { Ok(Vm::create(options)) } else { Err(UnsoundPolicy(options.policy)) }
    }

    /// A VM with any policy.
    ///
    /// # Safety
    /// With an unsound policy a program may reach freed objects. Either an observer is installed before the program runs
    /// and stays (freed objects are kept then), or the host accepts undefined behaviour, for instance to show it to a
    /// sanitizer.
    pub unsafe fn with_unsound_policy(options: Options) -> Vm {
        Vm::create(options)
    }

    /// A VM with any policy that is observed from the start, so that an unsound policy leads to findings and to nothing
    /// worse.
    pub fn observed(options: Options, observer: Box<crate::gc::VmObserver>) -> Vm {
        let mut vm = Vm::create(options);
        vm.heap.set_observer(observer);
        vm.update_checked();
        vm
    }

    fn create(options: Options) -> Vm {
        let heap = Heap::new(HeapOptions {
            policy: options.policy,
            #[cfg(feature = "faults")]
            fault: options.fault,
            semantics: options.semantics.unwrap_or_else(|| options.version.into()),
            memory_limit: options.memory_limit,
            quarantine_limit: options.quarantine_limit,
        });
        let mut vm = Vm {
            heap,
            fuel: options.instruction_limit.unwrap_or(u64::MAX),
            collector_work: 0,
            passed: Vec::new(),
            random: [0; 4],
            warnings: false,
            globals: None,
            scheduler: None,
            finalized: 0,
            references: References::default(),
            streams: streams::Streams::default(),
            checked: options.instruction_limit.is_some(),
            options,
        };
        vm.init_main_thread();
        let globals = vm.heap.new_table();
        vm.globals = Some(globals);
        vm.heap.keep_globals(globals);
        library::open_all(&mut vm);
        vm.heap.start_collector();
        if vm.options.policy.mode == Mode::Generational {
            // No finalizer is there that could fail, and no observer.
            let _ = vm.collector_mode(Mode::Generational);
        }
        vm.start_schedule();
        vm
    }

    /// Takes the observer back. An unsound policy must not run on without one.
    pub fn take_observer(&mut self) -> Option<Box<crate::gc::VmObserver>> {
        let observer = self.heap.take_observer();
        self.update_checked();
        observer
    }

    /// Puts an observer back that was taken out. Events are counted on.
    pub fn put_back_observer(&mut self, observer: Box<crate::gc::VmObserver>) {
        self.heap.put_back_observer(observer);
        self.update_checked();
    }

    /// The heap, to be read.
    pub fn heap(&self) -> &Heap {
        &self.heap
    }

    /// The heap, for tests that damage it.
    #[cfg(feature = "corrupt")]
    pub fn heap_mut(&mut self) -> &mut Heap {
        &mut self.heap
    }

    /// What the VM was made with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Instructions that the program has executed, where there is a limit on them.
    pub fn instructions(&self) -> u64 {
        (self.options.instruction_limit.unwrap_or(u64::MAX) - self.fuel).saturating_sub(self.collector_instructions())
    }

    /// Begins to count instructions anew, under this limit.
    pub(crate) fn restart_instructions(&mut self, limit: Option<u64>) {
        self.options.instruction_limit = limit;
        self.fuel = limit.unwrap_or(u64::MAX);
        self.collector_work = 0;
        self.update_checked();
    }

    /// The table of global variables.
    pub(crate) fn globals(&self) -> Gc<Table> {
        self.globals.unwrap_or_else(|| unreachable!("set when the VM is made"))
    }

    /// Loads and runs a chunk in protected mode, with arguments for its `...`. As under `lua`, a native function is the
    /// outermost level of the stack.
    ///
    /// # Errors
    /// The chunk is not Lua, raised an error that it did not catch, or hit a limit; or an observer ended it.
    pub fn run(&mut self, source: &[u8], chunk_name: &[u8], arguments: &[&[u8]]) -> Result<(), ScriptError> {
        let loaded = self.load(source, chunk_name);
        self.run_loaded(loaded, arguments)
    }

    /// As [`Vm::run`], of a text that was compiled before, for this VM's version.
    ///
    /// # Errors
    /// As [`Vm::run`].
    pub fn run_compiled(&mut self, compiled: &Compiled, arguments: &[&[u8]]) -> Result<(), ScriptError> {
        let loaded = self.load_compiled(compiled);
        self.run_loaded(loaded, arguments)
    }

    /// As [`Vm::run`], as `lua` runs the code that its words have: with a traceback in the message of an error.
    ///
    /// # Errors
    /// As [`Vm::run`].
    pub fn run_traced(&mut self, source: &[u8], chunk_name: &[u8]) -> Result<(), ScriptError> {
        let loaded = self.load(source, chunk_name);
        self.run_stand_alone(loaded, false)
    }

    /// As [`Vm::run_traced`], as `lua` runs its script: the arguments are those that the global table `arg` has when the script
    /// begins.
    ///
    /// # Errors
    /// As [`Vm::run`]; or `arg` is not a table any more.
    pub fn run_script(&mut self, source: &[u8], chunk_name: &[u8]) -> Result<(), ScriptError> {
        let loaded = self.load(source, chunk_name);
        self.run_stand_alone(loaded, true)
    }

    /// The main function that was loaded, or how the program has ended.
    fn loaded(&mut self, loaded: Result<Gc<Closure>, LoadError>) -> Result<Value, ScriptError> {
        let throw = match loaded.map_err(LoadError::into_message) {
            Ok(closure) => return Ok(Value::Closure(closure)),
            Err(Ok(message)) => return Err(ScriptError::Error(message)),
            Err(Err(throw)) => throw,
        };
        let level = self.top();
        let ended =
            if let Throw::Exit { close: true, .. } = throw { self.close_state(level, Err(throw)) } else { Err(throw) };
        Err(self.script_error(ended.err().unwrap_or(Throw::Halted)))
    }

    fn run_loaded(&mut self, loaded: Result<Gc<Closure>, LoadError>, arguments: &[&[u8]]) -> Result<(), ScriptError> {
        let closure = self.loaded(loaded)?;
        let arguments = arguments.iter().map(|bytes| Value::String(self.heap.new_string(bytes)));
        let words: Vec<Value> = std::iter::once(closure).chain(arguments).collect();
        self.run_main(&library::MAIN, &words)
    }

    fn run_stand_alone(&mut self, loaded: Result<Gc<Closure>, LoadError>, is_script: bool) -> Result<(), ScriptError> {
        let closure = self.loaded(loaded)?;
        // There is no host that calls: the main function is the outermost call.
        // SAFETY: the reference ends here.
        unsafe { self.heap.main_thread().as_mut() }.nesting = 0;
        self.run_main(&library::STAND_ALONE, &[closure, Value::Boolean(is_script)])
    }

    /// Calls a main function. No step runs before the call, which puts the arguments on the stack.
    fn run_main(&mut self, main: &'static Builtin, arguments: &[Value]) -> Result<(), ScriptError> {
        let level = self.top();
        let suspended = self.heap.current().hook.suspended;
        let mut result = self.call_nested(Value::Builtin(main), arguments, Some(0)).map(drop);
        if let Err(Throw::Exit { close: true, .. }) = result {
            result = self.close_state(level, result);
        }
        // SAFETY: the reference ends here.
        unsafe { self.thread_mut() }.hook.suspended = suspended;
        self.set_top(level);
        self.heap.let_go_from(0);
        result.map_err(|throw| self.script_error(throw))
    }

    /// Makes the global table `arg`, as `lua` does: the script, which is the word at `script`, at 0, its arguments from 1, and
    /// what is before the script at negative indices.
    pub fn set_arguments(&mut self, words: &[&[u8]], script: usize) {
        let table = self.heap.new_table();
        for (index, bytes) in words.iter().enumerate() {
            let text = Value::String(self.heap.new_string(bytes));
            // An integer is a valid key.
            let _ = self.heap.table_set(table, Value::Integer(index as i64 - script as i64), text);
        }
        let globals = self.globals();
        let name = Value::String(self.heap.new_string(b"arg"));
        let _ = self.heap.table_set(globals, name, Value::Table(table));
    }

    /// Runs full collections, finalizers included, until nothing unreachable is left. That takes two, and one more
    /// - if finalizers were called, for the first one keeps what they are called for;
    /// - with counted upvalues, for the first one keeps the values of those that closures have touched.
    ///
    /// The second one keeps the strings in weak entries of what the first one kept: clearing weak entries comes after marking
    /// the strings in them, as in Lua.
    ///
    /// # Errors
    /// A finalizer hit a limit, or the observer ended the program.
    pub fn collect(&mut self) -> Result<(), ScriptError> {
        let finalized = self.finalized;
        let counted = self.options.policy.counts_upvalues();
        let mut done = 0;
        while done < 2 + u32::from(counted) + u32::from(self.finalized != finalized) {
            if let Err(throw) = self.collect_full() {
                return Err(self.script_error(throw));
            }
            done += 1;
        }
        Ok(())
    }

    /// Calls all finalizers that are left, in the order in which closing a state calls them (manual §2.5.3). A program that
    /// failed wants that as well; one that ended itself has had its state closed, if it asked for that.
    ///
    /// # Errors
    /// A finalizer ended the program or hit a limit, or the observer ended it.
    pub fn close(&mut self) -> Result<(), ScriptError> {
        let level = self.top();
        self.close_state(level, Ok(())).map_err(|throw| self.script_error(throw))
    }

    /// Chooses the loop after a change of limits, observer or hooks.
    pub(crate) fn update_checked(&mut self) {
        self.checked = self.options.instruction_limit.is_some()
            || self.heap.is_observed()
            || self.hook_events() != 0
            || self.scheduler.is_some();
    }

    /// Charges work that is done for the program to the instruction limit.
    pub(crate) fn charge(&mut self, work: u64) -> Result<(), Throw> {
        if self.options.instruction_limit.is_some() {
            self.fuel = self.fuel.saturating_sub(work);
            if self.fuel == 0 {
                return Err(Throw::Limit(Limit::Instructions));
            }
        }
        Ok(())
    }

    /// Fails where so many more bytes would pass the memory limit.
    pub(crate) fn reserve(&mut self, bytes: usize) -> Result<(), Throw> {
        if bytes < 256 || self.heap.has_room(bytes) { Ok(()) } else { Err(Throw::Limit(Limit::Memory)) }
    }
}

/// A policy that leads to dangling references was asked for without a promise or an observer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("collector policy '{0}' is unsound: it needs an observer, which keeps freed objects")]
pub struct UnsoundPolicy(pub Policy);
