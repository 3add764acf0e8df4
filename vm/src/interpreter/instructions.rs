//! What single instructions do that is too long for the dispatch loop.

use crate::gc::{CaptureOrigin, Event, Gc, ObjectView, Site};
use crate::interpreter::access::MAX_CHAIN;
use crate::interpreter::call::{Called, Next};
use crate::interpreter::{Throw, Vm, to_number};
use crate::value::{Closure, FloatRounding, Metamethod, Upvalue, Value, flags, float_to_integer};

/// Values whose copies take as long as an instruction, roughly: what extra arguments charge to the instruction limit.
const VALUES_PER_INSTRUCTION: u64 = 16;

impl Vm {
    /// Marks a variable as to be closed (manual §3.3.8).
    pub(super) fn mark_to_be_closed(&mut self, slot: usize, register: u8) -> Result<(), Throw> {
        let value = self.slot(slot);
        if value.is_falsy() {
            return Ok(());
        }
        if self.heap.metamethod_of(value, Metamethod::Close).is_nil() {
            let name = self
                .heap
                .current()
                .frames
                .last()
                .and_then(|frame| {
                    let prototype = self.frame_prototype(frame)?;
                    // The instruction that runs is the one before.
                    prototype.local_name(register as usize, (frame.pc as usize).saturating_sub(1))
                })
                .map_or_else(|| b"(temporary)".to_vec(), |name| name.as_bytes().to_vec());
            let message = [b"variable '".as_slice(), &name, b"' got a non-closable value"].concat();
            return Err(self.runtime_error(&message));
        }
        // SAFETY: the reference ends with the function.
        let list = &mut unsafe { self.thread_mut() }.to_be_closed;
        match list.last() {
            // No compiler makes code that marks a variable again before it is closed; the list could grow without end.
            Some(&last) if last as usize >= slot => Err(self.runtime_error(b"variable marked twice as to be closed")),
            _ => {
                list.push(slot as u32);
                Ok(())
            }
        }
    }

    /// A tail call: the function on top is replaced by the one in slot `func`.
    pub(super) fn tail_call(&mut self, mut func: usize, mut args: usize) -> Result<Next, Throw> {
        for _ in 0..=MAX_CHAIN {
            let closure = match self.slot(func) {
                Value::Closure(closure) => closure,
                Value::Builtin(_) | Value::NativeClosure(_) => {
                    // Runs as an ordinary call; the return that follows gives its results.
                    let nesting = self.frame_nesting();
                    return self.call_other(func, args, -1, nesting);
                }
                other => {
                    self.insert_call_handler(func, args, other)?;
                    args += 1;
                    continue;
                }
            };
            // SAFETY: the reference ends with the block.
            let thread = unsafe { self.thread_mut() };
            let Some(frame) = thread.frames.pop() else { unreachable!("a Lua frame is on top") };
            let target = frame.func as usize;
            thread.stack.copy_within(func..func + 1 + args, target);
            func = target;
            thread.top = func + 1 + args;
            let called = Called { flags: frame.flags | flags::TAIL, wanted: frame.wanted, nesting: frame.nesting };
            return self.enter_lua::<true>(self.heap.current(), closure, func, args, called);
        }
        Err(self.call_chain_error())
    }

    /// Calls whatever is in slot `func` for the Lua function on top. If it has returned already, as native functions do, this
    /// is a safe point.
    pub(super) fn call_other(&mut self, func: usize, args: usize, wanted: i32, nesting: u16) -> Result<Next, Throw> {
        let thread = self.heap.current();
        let depth = thread.frames.len();
        let next = self.precall(func, args, wanted, 0, nesting)?;
        // A Lua function or a coroutine may have been entered instead, with values above `func`.
        let returned = next == Next::Lua && self.heap.current() == thread && thread.frames.len() == depth;
        if returned && self.heap.wants_step() {
            let top = self.top();
            self.set_top(if wanted >= 0 { func + wanted as usize } else { top });
            self.pay_debt()?;
            self.set_top(top);
        }
        Ok(next)
    }

    /// Copies extra arguments to the slots from `to` on: `wanted` of them, or all, which sets the top.
    pub(super) fn load_varargs(&mut self, to: usize, wanted: i32) -> Result<(), Throw> {
        let frame = self.top_frame();
        // SAFETY: the frame stays on top.
        let (base, extra) = unsafe { ((*frame).base as usize, (*frame).extra as usize) };
        let count = if wanted < 0 { extra } else { wanted as usize };
        if wanted < 0 {
            self.ensure_stack(to, count + 1)?;
            self.set_top(to + count);
        }
        let copied = count.min(extra);
        self.charge(copied as u64 / VALUES_PER_INSTRUCTION)?;
        // SAFETY: the reference ends with the block.
        let thread = unsafe { self.thread_mut() };
        thread.stack.copy_within(base - extra..base - extra + copied, to);
        thread.stack[to + copied..to + count].fill(Value::Nil);
        Ok(())
    }

    /// Prepares a numeric loop (manual §3.3.5) whose values begin in slot `a`. Says whether to skip it.
    pub(super) fn prepare_for(&mut self, a: usize) -> Result<bool, Throw> {
        let (init, limit, step) = (self.slot(a), self.slot(a + 1), self.slot(a + 2));
        if let (Value::Integer(init), Value::Integer(step)) = (init, step) {
            if step == 0 {
                return Err(self.runtime_error(b"'for' step is zero"));
            }
            let limit = match limit {
                Value::Integer(limit) => limit,
                other => match self.for_limit(other, step)? {
                    Some(limit) => limit,
                    None => return Ok(true),
                },
            };
            if if step > 0 { init > limit } else { init < limit } {
                return Ok(true);
            }
            let count = if step > 0 {
                (limit as u64).wrapping_sub(init as u64) / step as u64
            } else {
                (init as u64).wrapping_sub(limit as u64) / (step.wrapping_add(1).wrapping_neg() as u64 + 1)
            };
            self.set_slot(a + 1, Value::Integer(count as i64));
            self.set_slot(a + 3, Value::Integer(init));
            return Ok(false);
        }
        let limit = self.for_number(limit, "limit")?;
        let step = self.for_number(step, "step")?;
        let init = self.for_number(init, "initial value")?;
        if step == 0.0 {
            return Err(self.runtime_error(b"'for' step is zero"));
        }
        if if step > 0.0 { limit < init } else { init < limit } {
            return Ok(true);
        }
        self.set_slot(a, Value::Float(init));
        self.set_slot(a + 1, Value::Float(limit));
        self.set_slot(a + 2, Value::Float(step));
        self.set_slot(a + 3, Value::Float(init));
        Ok(false)
    }

    pub(super) fn for_number(&mut self, value: Value, what: &str) -> Result<f64, Throw> {
        match to_number(value).and_then(Value::as_float) {
            Some(number) => Ok(number),
            None => {
                let kind = self.type_name_for_messages(value);
                let message =
                    [b"bad 'for' ".as_slice(), what.as_bytes(), b" (number expected, got ", &kind, b")"].concat();
                Err(self.runtime_error(&message))
            }
        }
    }

    /// The limit of an integer loop as an integer; `None` where the loop does not run.
    pub(super) fn for_limit(&mut self, limit: Value, step: i64) -> Result<Option<i64>, Throw> {
        let rounding = if step < 0 { FloatRounding::Ceil } else { FloatRounding::Floor };
        let float = match to_number(limit) {
            Some(Value::Integer(limit)) => return Ok(Some(limit)),
            _ => self.for_number(limit, "limit")?,
        };
        match float_to_integer(float, rounding) {
            Some(limit) => Ok(Some(limit)),
            None if float.is_nan() => Ok(None),
            // Out of range: the loop runs to the end of the integers, or not at all.
            None if float > 0.0 => Ok(if step < 0 { None } else { Some(i64::MAX) }),
            None => Ok(if step > 0 { None } else { Some(i64::MIN) }),
        }
    }

    /// A closure of a nested function: its upvalues come from the registers of the running function, whose first slot is
    /// `base`, or from its upvalues. It is anchored in slot `anchor` meanwhile.
    pub(super) fn make_closure(
        &mut self,
        parent: Gc<Closure>,
        index: usize,
        base: usize,
        anchor: usize,
    ) -> Gc<Closure> {
        let Some(prototype) = parent.prototype.get().prototypes[index].get() else {
            unreachable!("a loaded prototype has its nested ones")
        };
        let thread = self.heap.current();
        let count = prototype.upvalues.len();
        if let Some(closure) = self.heap.cached_closure(prototype, thread, base, parent) {
            self.set_slot(anchor, Value::Closure(closure));
            self.heap.note(|| Event::ReuseClosure(ObjectView::new(closure.erase())));
            return closure;
        }
        let closure = self.heap.new_closure(prototype, count as u8);
        self.set_slot(anchor, Value::Closure(closure));
        for number in 0..count {
            let from = &prototype.upvalues[number];
            let source = from.index as usize;
            let (upvalue, origin) = if from.in_stack {
                (self.heap.find_upvalue(thread, base + source), CaptureOrigin::Stack(source))
            } else {
                match parent.upvalues()[source].get() {
                    Some(upvalue) => (upvalue, CaptureOrigin::Enclosing(ObjectView::new(parent.erase()), source)),
                    None => unreachable!("a complete closure has its upvalues"),
                }
            };
            self.heap.set_closure_upvalue(Site::ClosureCapture, closure, number, upvalue);
            self.note_capture(closure, number, upvalue, origin);
        }
        self.heap.cache_closure(prototype, closure);
        closure
    }

    /// Tells the observer of an upvalue that a new closure was given.
    #[inline(always)]
    pub(super) fn note_capture(
        &mut self,
        closure: Gc<Closure>,
        index: usize,
        upvalue: Gc<Upvalue>,
        origin: CaptureOrigin<ObjectView<'_>>,
    ) {
        let (closure, upvalue) = (ObjectView::new(closure.erase()), ObjectView::new(upvalue.erase()));
        self.heap.note(|| Event::Capture { closure, index, upvalue, origin });
    }
}
