//! The dispatch loop: runs the Lua function on top of the running thread, and those that it calls.
//!
//! The loop keeps the frame's registers, code and constants as raw pointers. They are loaded anew after everything that may
//! move a stack, push a frame or switch threads, and the program counter is written back to the frame before everything that
//! may look at it: errors, calls, and steps of the collector.
//!
//! The loop exists twice, by a parameter: `CHECKED` counts instructions, calls hooks, and looks before each instruction whether
//! an observer has ended the program.

use crate::bytecode::{Instruction, Opcode};
use crate::gc::{Field, Gc, ScopeEnd, Site, copy_value};
use crate::interpreter::call::{Called, Next};
use crate::interpreter::concat::Concat;
use crate::interpreter::error::Operand;
use crate::interpreter::{Limit, Throw, Vm};
use crate::value::{
    Closure, Frame, Metamethod, Slot, Table, Thread, Value, flags, float_modulo, floor_divide, hook_events, modulo,
    power, shift_left,
};

/// What the loop keeps of the frame that it runs.
///
/// *The invariant of `Running`*: since it was loaded nothing has moved the stack or the frames of its thread, its frame is on
/// top, and operands are inside the frame's registers, constants, upvalues and code: the compiler keeps them there, and
/// `bytecode::verify` holds other code against that. The thread is a root and the closure stands on its stack, so the
/// invariant of handles (`gc/object.rs`) holds for both and for what the closure refers to.
struct Running {
    thread: Gc<Thread>,
    frame: *mut Frame,
    pc: *const Instruction,
    code: *const Instruction,
    base: *mut Value,
    constants: *const Field<Value>,
    closure: Gc<Closure>,
}

impl Running {
    /// The frame on top of the thread, which is that of a Lua function.
    #[inline(always)]
    fn on_top_of(thread: Gc<Thread>) -> Running {
        let Some(frame) = thread.frames.last() else { unreachable!("a Lua frame is on top") };
        let &Value::Closure(closure) = &thread.stack[frame.func as usize] else {
            unreachable!("a Lua frame's function is a Lua closure")
        };
        Running::of(thread, closure)
    }

    /// The frame on top of the thread, which is one of this function.
    #[inline(always)]
    fn of(thread: Gc<Thread>, closure: Gc<Closure>) -> Running {
        // SAFETY: the thread that runs is a root (the invariant of handles). The reference ends here; the pointers are used
        // until the next thing that may move what they point to.
        let data = unsafe { thread.as_mut() };
        let Some(frame) = data.frames.last_mut() else { unreachable!("a Lua frame is on top") };
        let prototype = closure.prototype.get();
        Running {
            thread,
            // SAFETY: the frame's base is inside the stack.
            base: unsafe { data.stack.as_mut_ptr().add(frame.base as usize) },
            // SAFETY: the frame's pc is inside the code, whose last instruction is a return.
            pc: unsafe { prototype.code.as_ptr().add(frame.pc as usize) },
            code: prototype.code.as_ptr(),
            constants: prototype.constants.as_ptr(),
            frame,
            closure,
        }
    }
}

impl Vm {
    /// The frame on top, which is that of a Lua function.
    #[inline(always)]
    fn load_frame(&mut self) -> Running {
        Running::on_top_of(self.heap.current())
    }

    /// Runs until a frame other than that of a Lua function is on top, or the boundary below is returned to.
    pub(super) fn dispatch<const CHECKED: bool>(&mut self) -> Result<Next, Throw> {
        let mut run = self.load_frame();

        // In these macros everything unsafe is reading and writing registers, constants and code through the pointers of
        // `run`, which is loaded anew after everything that may move them.
        macro_rules! register {
            ($index:expr) => {
                // SAFETY: the invariant of `Running`: the register is inside the frame.
                unsafe { &*run.base.add($index as usize) }
            };
        }
        macro_rules! set {
            ($index:expr, $value:expr) => {{
                let value = $value;
                // SAFETY: the invariant of `Running`: the register is inside the frame.
                unsafe { *run.base.add($index as usize) = value }
            }};
        }
        // Copies a value that stands somewhere to a register.
        macro_rules! copy {
            ($index:expr, $value:expr) => {{
                let value: &Value = $value;
                // SAFETY: the invariant of `Running`: the register is inside the frame.
                unsafe { copy_value(value, run.base.add($index as usize)) }
            }};
        }
        macro_rules! constant {
            ($index:expr) => {
                // SAFETY: the invariant of `Running`: the function has that constant, which is not written once it is loaded.
                unsafe { &*(*run.constants.add($index as usize)).as_ptr() }
            };
        }
        macro_rules! upvalue {
            ($index:expr) => {
                // SAFETY: the invariant of `Running`: the function has that upvalue.
                match unsafe { run.closure.upvalues().get_unchecked($index as usize) }.get() {
                    Some(upvalue) => upvalue,
                    None => unreachable!("a complete closure has its upvalues"),
                }
            };
        }
        macro_rules! upvalue_value {
            ($index:expr) => {{
                let upvalue = upvalue!($index);
                // SAFETY: an upvalue's location is a value, as `Gc<Upvalue>::get` says.
                unsafe { &*upvalue.location.get() }
            }};
        }
        macro_rules! skip {
            () => {
                // SAFETY: the invariant of `Running`: code ends with a return, behind which nobody goes.
                run.pc = unsafe { run.pc.add(1) }
            };
        }
        macro_rules! jump {
            ($distance:expr) => {
                // SAFETY: the invariant of `Running`: a jump leads to an instruction of the function.
                run.pc = unsafe { run.pc.offset($distance as isize) }
            };
        }
        macro_rules! next_instruction {
            () => {
                // SAFETY: the invariant of `Running`: an instruction is there.
                unsafe { *run.pc }
            };
        }
        // Writes the program counter back.
        macro_rules! save {
            () => {
                // SAFETY: the invariant of `Running`: the frame is on top, and its program counter inside its code.
                unsafe {
                    (*run.frame).pc = run.pc.offset_from(run.code) as u32;
                }
            };
        }
        macro_rules! reload {
            () => {
                run = self.load_frame()
            };
        }
        // A function that has just been entered may have a hook to be called.
        macro_rules! enter {
            () => {
                // SAFETY: the invariant of `Running`: the frame is on top.
                if CHECKED && unsafe { (*run.frame).pc } == 0 && self.hook_events() != 0 {
                    self.hook_lua_call()?;
                    reload!();
                }
            };
        }
        // Slot of a register.
        macro_rules! slot {
            ($index:expr) => {
                // SAFETY: the invariant of `Running`: the frame is on top.
                unsafe { (*run.frame).base as usize + $index as usize }
            };
        }
        // Goes on with whatever a call or return left on top.
        macro_rules! proceed {
            ($next:expr) => {
                match $next {
                    Next::Lua => {
                        if CHECKED != self.checked {
                            return Ok(Next::Lua);
                        }
                        reload!();
                        enter!();
                        continue;
                    }
                    other => return Ok(other),
                }
            };
        }
        // A safe point: the registers below `$live` are all that the function still uses.
        macro_rules! safe_point {
            ($live:expr) => {
                if self.heap.wants_step() {
                    save!();
                    let live = slot!($live);
                    self.set_top(live);
                    self.pay_debt()?;
                    // SAFETY: the running thread is a root (the invariant of handles), and the reference ends here.
                    let top = unsafe { self.thread_mut() }.frames.last().map_or(0, |frame| frame.top as usize);
                    self.set_top(top);
                    // A finalizer can have set a hook, or taken it off.
                    if CHECKED != self.checked {
                        return Ok(Next::Lua);
                    }
                    reload!();
                }
            };
        }
        // Calls a metamethod whose result finishes the instruction.
        macro_rules! call_metamethod {
            ($handler:expr, $args:expr) => {{
                let next = self.call_metamethod($handler, &$args)?;
                proceed!(next)
            }};
        }
        // Goes on after an instruction that was carried out outside of the loop, unless that led to a call.
        macro_rules! finish {
            ($called:expr) => {
                if let Some(next) = $called {
                    proceed!(next)
                }
            };
        }
        macro_rules! arithmetic_slow {
            ($i:expr) => {{
                save!();
                finish!(self.arithmetic_instruction($i)?)
            }};
        }
        macro_rules! rb {
            ($i:expr) => {
                register!($i.b())
            };
        }
        macro_rules! rc {
            ($i:expr) => {
                register!($i.c())
            };
        }
        macro_rules! kc {
            ($i:expr) => {
                constant!($i.c())
            };
        }
        macro_rules! ic {
            ($i:expr) => {
                &Value::Integer($i.sc() as i64)
            };
        }
        // An operation on two numbers, of which one is converted where only the other is a float.
        macro_rules! numeric {
            ($i:expr, $b:expr, $c:expr, |$x:ident, $y:ident| $integers:expr, |$p:ident, $q:ident| $float:expr) => {
                match ($b, $c) {
                    (&Value::Integer($x), &Value::Integer($y)) => set!($i.a(), $integers),
                    (&Value::Float($p), &Value::Float($q)) => set!($i.a(), Value::Float($float)),
                    (&Value::Float($p), &Value::Integer(y)) => {
                        let $q = y as f64;
                        set!($i.a(), Value::Float($float))
                    }
                    (&Value::Integer(x), &Value::Float($q)) => {
                        let $p = x as f64;
                        set!($i.a(), Value::Float($float))
                    }
                    _ => arithmetic_slow!($i),
                }
            };
        }
        // Of two integers the result is an integer.
        macro_rules! arithmetic {
            ($i:expr, $b:expr, $c:expr, |$x:ident, $y:ident| $int:expr, |$p:ident, $q:ident| $float:expr) => {
                numeric!($i, $b, $c, |$x, $y| Value::Integer($int), |$p, $q| $float)
            };
        }
        // The result is a float in any case.
        macro_rules! float_arithmetic {
            ($i:expr, $b:expr, $c:expr, |$p:ident, $q:ident| $float:expr) => {
                numeric!(
                    $i,
                    $b,
                    $c,
                    |x, y| {
                        let ($p, $q) = (x as f64, y as f64);
                        Value::Float($float)
                    },
                    |$p, $q| $float
                )
            };
        }
        // Integer division and modulo: a zero divisor is an error, which the slow path raises.
        macro_rules! division {
            ($i:expr, $b:expr, $c:expr, |$x:ident, $y:ident| $int:expr, |$p:ident, $q:ident| $float:expr) => {
                match ($b, $c) {
                    (&Value::Integer($x), &Value::Integer($y)) if $y != 0 => set!($i.a(), Value::Integer($int)),
                    (&Value::Float($p), &Value::Float($q)) => set!($i.a(), Value::Float($float)),
                    _ => arithmetic_slow!($i),
                }
            };
        }
        macro_rules! bitwise {
            ($i:expr, $b:expr, $c:expr, |$x:ident, $y:ident| $int:expr) => {
                match ($b, $c) {
                    (&Value::Integer($x), &Value::Integer($y)) => set!($i.a(), Value::Integer($int)),
                    _ => arithmetic_slow!($i),
                }
            };
        }
        // The jump after a test is taken where the condition is what the test wants.
        macro_rules! branch {
            ($condition:expr, $wanted:expr) => {
                if ($condition) == ($wanted != 0) {
                    let distance = next_instruction!().get_sj();
                    jump!(distance + 1);
                } else {
                    skip!();
                }
            };
        }
        macro_rules! compare_slow {
            ($i:expr) => {{
                save!();
                match self.compare_instruction($i)? {
                    Ok(known) => branch!(known, $i.c()),
                    Err(next) => proceed!(next),
                }
            }};
        }
        macro_rules! compare {
            ($i:expr, |$x:ident, $y:ident| $less:expr) => {
                match (register!($i.a()), register!($i.b())) {
                    (&Value::Integer($x), &Value::Integer($y)) => branch!($less, $i.c()),
                    (&Value::Float($x), &Value::Float($y)) => branch!($less, $i.c()),
                    _ => compare_slow!($i),
                }
            };
        }
        macro_rules! compare_small {
            ($i:expr, |$x:ident, $y:ident| $less:expr) => {
                match *register!($i.a()) {
                    Value::Integer($x) => {
                        let $y = $i.sb() as i64;
                        branch!($less, $i.c())
                    }
                    Value::Float($x) => {
                        let $y = $i.sb() as f64;
                        branch!($less, $i.c())
                    }
                    _ => compare_slow!($i),
                }
            };
        }
        macro_rules! get_slow {
            ($i:expr) => {{
                save!();
                finish!(self.get_instruction($i)?)
            }};
        }
        macro_rules! get_short {
            ($i:expr, $object:expr, $key:expr) => {{
                let (object, key): (&Value, &Value) = ($object, $key);
                if let (&Value::Table(table), &Value::String(name)) = (object, key)
                    && name.is_short()
                {
                    let value = table.get_short(name);
                    if !value.is_nil() || table.lacks(Metamethod::Index) {
                        copy!($i.a(), &value);
                        continue;
                    }
                    if let Some(value) = self.inherited(table.metatable.get(), name) {
                        copy!($i.a(), &value);
                        continue;
                    }
                }
                get_slow!($i)
            }};
        }
        macro_rules! get_integer {
            ($i:expr, $object:expr, $index:expr) => {{
                if let &Value::Table(table) = $object {
                    let value = table.get_integer($index);
                    if !value.is_nil() || table.lacks(Metamethod::Index) {
                        copy!($i.a(), &value);
                        continue;
                    }
                }
                get_slow!($i)
            }};
        }
        macro_rules! set_slow {
            ($i:expr) => {{
                save!();
                finish!(self.set_instruction($i)?)
            }};
        }
        macro_rules! set_short {
            ($i:expr, $object:expr, $key:expr, $value:expr) => {{
                let (object, key): (&Value, &Value) = ($object, $key);
                if let (&Value::Table(table), &Value::String(name)) = (object, key)
                    && name.is_short()
                    && let Some(slot) = table.find_short(name).map(Slot::Hash)
                    && (table.lacks(Metamethod::NewIndex) || !table.value_at(slot).is_nil())
                {
                    if CHECKED {
                        save!();
                    }
                    self.heap.table_replace(Site::TableStore, table, slot, $value);
                    continue;
                }
                set_slow!($i)
            }};
        }
        macro_rules! set_index {
            ($i:expr, $object:expr, $key:expr, $value:expr) => {{
                let (object, key): (&Value, &Value) = ($object, $key);
                if let (&Value::Table(table), &Value::Integer(index)) = (object, key)
                    && let Some(slot) = table.find_integer(index)
                    && (table.lacks(Metamethod::NewIndex) || !table.value_at(slot).is_nil())
                {
                    if CHECKED {
                        save!();
                    }
                    self.heap.table_replace(Site::TableStore, table, slot, $value);
                    continue;
                }
                set_slow!($i)
            }};
        }

        enter!();
        loop {
            if CHECKED {
                save!();
                // The hook may look at the instruction that comes.
                // SAFETY: the invariant of `Running`: the frame is on top.
                unsafe { (*run.frame).pc += 1 };
                if self.before_instruction()? {
                    // SAFETY: as above.
                    unsafe { (*self.top_frame()).pc -= 1 };
                    reload!();
                }
            }
            let i = next_instruction!();
            skip!();
            match opcode_of(i) {
                Opcode::Move => copy!(i.a(), register!(i.b())),
                Opcode::LoadI => set!(i.a(), Value::Integer(i.sbx() as i64)),
                Opcode::LoadF => set!(i.a(), Value::Float(i.sbx() as f64)),
                Opcode::LoadK => copy!(i.a(), constant!(i.bx())),
                Opcode::LoadKX => {
                    let index = next_instruction!().get_ax();
                    skip!();
                    copy!(i.a(), constant!(index));
                }
                Opcode::LoadFalse => set!(i.a(), Value::Boolean(false)),
                Opcode::LFalseSkip => {
                    set!(i.a(), Value::Boolean(false));
                    skip!();
                }
                Opcode::LoadTrue => set!(i.a(), Value::Boolean(true)),
                Opcode::LoadNil => {
                    for index in 0..=i.b() as usize {
                        set!(i.a() as usize + index, Value::Nil);
                    }
                }
                Opcode::GetUpval => copy!(i.a(), upvalue_value!(i.b())),
                Opcode::SetUpval => {
                    if CHECKED {
                        save!();
                    }
                    self.heap.store_upvalue(upvalue!(i.b()), register!(i.a()));
                }
                Opcode::GetTabUp => get_short!(i, upvalue_value!(i.b()), constant!(i.c())),
                Opcode::GetTable => match register!(i.c()) {
                    &Value::Integer(index) => get_integer!(i, register!(i.b()), index),
                    key => get_short!(i, register!(i.b()), key),
                },
                Opcode::GetI => get_integer!(i, register!(i.b()), i.c() as i64),
                Opcode::GetField => get_short!(i, register!(i.b()), constant!(i.c())),
                Opcode::SetTabUp => set_short!(i, upvalue_value!(i.a()), constant!(i.b()), register!(i.c())),
                Opcode::SetTabUpK => set_short!(i, upvalue_value!(i.a()), constant!(i.b()), constant!(i.c())),
                Opcode::SetTable => set_index!(i, register!(i.a()), register!(i.b()), register!(i.c())),
                Opcode::SetTableK => set_index!(i, register!(i.a()), register!(i.b()), constant!(i.c())),
                Opcode::SetI => set_index!(i, register!(i.a()), &Value::Integer(i.b() as i64), register!(i.c())),
                Opcode::SetIK => set_index!(i, register!(i.a()), &Value::Integer(i.b() as i64), constant!(i.c())),
                Opcode::SetField => set_short!(i, register!(i.a()), constant!(i.b()), register!(i.c())),
                Opcode::SetFieldK => set_short!(i, register!(i.a()), constant!(i.b()), constant!(i.c())),
                Opcode::NewTable => {
                    let array = next_instruction!().get_ax() as usize;
                    skip!();
                    let hash = if i.b() == 0 { 0 } else { 1usize << (i.b() - 1) };
                    if CHECKED {
                        save!();
                    }
                    let is_sized = array > 0 || hash > 0;
                    if is_sized {
                        self.reserve(Table::size_of_parts(array, hash))?;
                    }
                    let table = self.heap.new_table();
                    set!(i.a(), Value::Table(table));
                    if is_sized {
                        self.heap.table_resize(table, array, hash);
                    }
                    safe_point!(i.a() as usize + 1);
                }
                Opcode::SelfK | Opcode::SelfR => {
                    let object = register!(i.b());
                    let key = if opcode_of(i) == Opcode::SelfK { constant!(i.c()) } else { register!(i.c()) };
                    if let &Value::String(name) = key
                        && name.is_short()
                    {
                        let method = match *object {
                            Value::Table(table) => {
                                let value = table.get_short(name);
                                match table.metatable.get() {
                                    Some(metatable) if value.is_nil() => self.inherited(Some(metatable), name),
                                    _ => Some(value),
                                }
                            }
                            Value::String(_) => self.inherited(self.heap.metatables.string, name),
                            _ => None,
                        };
                        if let Some(method) = method {
                            copy!(i.a() as usize + 1, object);
                            copy!(i.a(), &method);
                            continue;
                        }
                    }
                    get_slow!(i)
                }
                Opcode::AddI => {
                    arithmetic!(i, rb!(i), ic!(i), |x, y| x.wrapping_add(y), |p, q| p + q)
                }
                // PUC Lua adds the negated constant, and an integer zero has no sign: `-0.0 - 0` is 0.0 there.
                Opcode::SubI => {
                    arithmetic!(i, rb!(i), ic!(i), |x, y| x.wrapping_sub(y), |p, q| p + (0.0 - q))
                }
                Opcode::AddK => {
                    arithmetic!(i, rb!(i), kc!(i), |x, y| x.wrapping_add(y), |p, q| p + q)
                }
                Opcode::SubK => {
                    arithmetic!(i, rb!(i), kc!(i), |x, y| x.wrapping_sub(y), |p, q| p - q)
                }
                Opcode::MulK => {
                    arithmetic!(i, rb!(i), kc!(i), |x, y| x.wrapping_mul(y), |p, q| p * q)
                }
                Opcode::Add => {
                    arithmetic!(i, rb!(i), rc!(i), |x, y| x.wrapping_add(y), |p, q| p + q)
                }
                Opcode::Sub => {
                    arithmetic!(i, rb!(i), rc!(i), |x, y| x.wrapping_sub(y), |p, q| p - q)
                }
                Opcode::Mul => {
                    arithmetic!(i, rb!(i), rc!(i), |x, y| x.wrapping_mul(y), |p, q| p * q)
                }
                Opcode::ModK => {
                    division!(i, rb!(i), kc!(i), |x, y| modulo(x, y), |p, q| float_modulo(p, q))
                }
                Opcode::Mod => {
                    division!(i, rb!(i), rc!(i), |x, y| modulo(x, y), |p, q| float_modulo(p, q))
                }
                Opcode::IDivK => {
                    division!(i, rb!(i), kc!(i), |x, y| floor_divide(x, y), |p, q| (p / q).floor())
                }
                Opcode::IDiv => {
                    division!(i, rb!(i), rc!(i), |x, y| floor_divide(x, y), |p, q| (p / q).floor())
                }
                Opcode::PowK => float_arithmetic!(i, rb!(i), kc!(i), |p, q| power(p, q)),
                Opcode::Pow => float_arithmetic!(i, rb!(i), rc!(i), |p, q| power(p, q)),
                Opcode::DivK => float_arithmetic!(i, rb!(i), kc!(i), |p, q| p / q),
                Opcode::Div => float_arithmetic!(i, rb!(i), rc!(i), |p, q| p / q),
                Opcode::BAndK => bitwise!(i, rb!(i), kc!(i), |x, y| x & y),
                Opcode::BOrK => bitwise!(i, rb!(i), kc!(i), |x, y| x | y),
                Opcode::BXorK => bitwise!(i, rb!(i), kc!(i), |x, y| x ^ y),
                Opcode::BAnd => bitwise!(i, rb!(i), rc!(i), |x, y| x & y),
                Opcode::BOr => bitwise!(i, rb!(i), rc!(i), |x, y| x | y),
                Opcode::BXor => bitwise!(i, rb!(i), rc!(i), |x, y| x ^ y),
                Opcode::ShlI => bitwise!(i, rb!(i), ic!(i), |x, y| shift_left(x, y)),
                Opcode::ShrI => bitwise!(i, rb!(i), ic!(i), |x, y| shift_left(x, -y)),
                Opcode::Shl => bitwise!(i, rb!(i), rc!(i), |x, y| shift_left(x, y)),
                Opcode::Shr => {
                    bitwise!(i, rb!(i), rc!(i), |x, y| shift_left(x, y.wrapping_neg()))
                }
                Opcode::Unm => match *register!(i.b()) {
                    Value::Integer(x) => set!(i.a(), Value::Integer(x.wrapping_neg())),
                    Value::Float(x) => set!(i.a(), Value::Float(-x)),
                    _ => arithmetic_slow!(i),
                },
                Opcode::BNot => match *register!(i.b()) {
                    Value::Integer(x) => set!(i.a(), Value::Integer(!x)),
                    _ => arithmetic_slow!(i),
                },
                Opcode::Not => set!(i.a(), Value::Boolean(register!(i.b()).is_falsy())),
                Opcode::Len => {
                    let value = *register!(i.b());
                    match value {
                        Value::Table(table) if table.metatable.get().is_none() => {
                            set!(i.a(), Value::Integer(table.length()))
                        }
                        _ => {
                            save!();
                            match self.length(value, Operand::Register(i.b()))? {
                                Ok(length) => set!(i.a(), length),
                                Err(handler) => call_metamethod!(handler, [value, value]),
                            }
                        }
                    }
                }
                Opcode::Concat => {
                    save!();
                    let next = self.concat_registers(i.a(), i.a() as usize + i.b() as usize - 1)?;
                    match next {
                        None => safe_point!(i.a() as usize + usize::from(!planted!(self.heap, ConcatAboveTop))),
                        Some(next) => proceed!(next),
                    }
                }
                Opcode::Close => {
                    save!();
                    let level = slot!(i.a());
                    let thread = self.heap.current();
                    if !planted!(self.heap, BlockLeftOpen) {
                        self.heap.close_upvalues(thread, level, ScopeEnd::Block);
                    }
                    if planted!(self.heap, BlockNotClosed) {
                        while self.pop_to_be_closed(level, ScopeEnd::Block).is_some() {}
                    }
                    if let Some(next) = self.close_one(level, ScopeEnd::Block)? {
                        proceed!(next);
                    }
                }
                Opcode::Tbc => {
                    save!();
                    let slot = slot!(i.a());
                    self.mark_to_be_closed(slot, i.a())?;
                }
                Opcode::Jmp => jump!(i.get_sj()),
                Opcode::Eq => match (register!(i.a()), register!(i.b())) {
                    (&Value::Integer(x), &Value::Integer(y)) => branch!(x == y, i.c()),
                    _ => compare_slow!(i),
                },
                Opcode::EqK => {
                    let equal = register!(i.a()).raw_equals(*constant!(i.b()));
                    branch!(equal, i.c());
                }
                Opcode::EqI => {
                    let equal = match *register!(i.a()) {
                        Value::Integer(x) => x == i.sb() as i64,
                        Value::Float(x) => x == i.sb() as f64,
                        _ => false,
                    };
                    branch!(equal, i.c());
                }
                Opcode::Lt => compare!(i, |x, y| x < y),
                Opcode::Le => compare!(i, |x, y| x <= y),
                Opcode::LtI => compare_small!(i, |x, y| x < y),
                Opcode::LeI => compare_small!(i, |x, y| x <= y),
                Opcode::GtI => compare_small!(i, |x, y| x > y),
                Opcode::GeI => compare_small!(i, |x, y| x >= y),
                Opcode::Test => {
                    let truth = !register!(i.a()).is_falsy();
                    branch!(truth, i.c());
                }
                Opcode::TestSet => {
                    let value = register!(i.b());
                    if value.is_falsy() == (i.c() != 0) {
                        skip!();
                    } else {
                        copy!(i.a(), value);
                        let distance = next_instruction!().get_sj();
                        jump!(distance + 1);
                    }
                }
                Opcode::Call => {
                    save!();
                    let func = slot!(i.a());
                    if i.b() != 0 {
                        // SAFETY: the reference ends here.
                        unsafe { run.thread.as_mut() }.top = func + i.b() as usize;
                    }
                    let args = run.thread.top - func - 1;
                    let wanted = i.c() as i32 - 1;
                    // SAFETY: the invariant of `Running`: the frame is on top.
                    let nesting = unsafe { (*run.frame).nesting };
                    if let &Value::Closure(closure) = register!(i.a()) {
                        let called = Called { wanted, flags: 0, nesting };
                        self.enter_lua::<CHECKED>(run.thread, closure, func, args, called)?;
                        run = Running::of(run.thread, closure);
                        enter!();
                    } else {
                        let next = self.call_other(func, args, wanted, nesting)?;
                        proceed!(next)
                    }
                }
                Opcode::TailCall => {
                    save!();
                    let func = slot!(i.a());
                    if i.b() != 0 {
                        self.set_top(func + i.b() as usize);
                    }
                    let args = self.top() - func - 1;
                    if i.c() != 0 {
                        let level = slot!(0);
                        let thread = self.heap.current();
                        self.heap.close_upvalues(thread, level, ScopeEnd::TailCall);
                        if thread.to_be_closed.last().is_some_and(|&slot| slot as usize >= level) {
                            // No compiler makes that. The return that follows closes the variable.
                            // SAFETY: the invariant of `Running`: the frame is on top.
                            let nesting = unsafe { (*run.frame).nesting };
                            let next = self.call_other(func, args, -1, nesting)?;
                            proceed!(next)
                        }
                    }
                    let next = self.tail_call(func, args)?;
                    proceed!(next)
                }
                Opcode::Return => {
                    save!();
                    // While to-be-closed variables are closed this instruction runs again for each, with its results kept.
                    // SAFETY: the invariant of `Running`: the frame is on top.
                    let kept = unsafe { (*run.frame).saved };
                    let first = slot!(i.a());
                    let count = match (kept, i.b()) {
                        (0, 0) => self.top() - first,
                        (0, b) => b as usize - 1,
                        (kept, _) => kept as usize - 1,
                    };
                    if i.c() != 0 {
                        let level = slot!(0);
                        let thread = self.heap.current();
                        if !thread.to_be_closed.is_empty() {
                            // SAFETY: the invariant of `Running`: the frame is on top.
                            unsafe { (*run.frame).saved = count as u32 + 1 };
                            // SAFETY: as above.
                            let top = unsafe { (*run.frame).top as usize }.max(first + count);
                            let top = match thread.to_be_closed.last() {
                                Some(&variable) if planted!(self.heap, ReturnedNotKept) => variable as usize + 1,
                                _ => top,
                            };
                            self.set_top(top);
                            self.heap.close_upvalues(thread, level, ScopeEnd::Return);
                            if let Some(next) = self.close_one(level, ScopeEnd::Return)? {
                                proceed!(next);
                            }
                        }
                        self.heap.close_upvalues(thread, level, ScopeEnd::Return);
                    }
                    let next = self.return_values(first, count)?;
                    proceed!(next)
                }
                Opcode::Return0 | Opcode::Return1 => {
                    let count = (opcode_of(i) == Opcode::Return1) as usize;
                    let first = slot!(i.a());
                    if CHECKED {
                        save!();
                        // SAFETY: the reference ends before anything else is called.
                    } else if let Some(next) = unsafe { run.thread.as_mut() }.return_as_is(first, count) {
                        if next == Next::Lua {
                            run = Running::on_top_of(run.thread);
                            continue;
                        }
                        return Ok(next);
                    }
                    let next = self.return_values(first, count)?;
                    proceed!(next)
                }
                Opcode::ForPrep => {
                    save!();
                    if self.prepare_for(slot!(i.a()))? {
                        jump!(i.bx() as i32 + 1);
                    }
                }
                Opcode::ForLoop => {
                    let a = i.a() as usize;
                    if let &Value::Integer(step) = register!(a + 2) {
                        // The limit's register counts the turns that are left.
                        if let (&Value::Integer(count), &Value::Integer(index)) = (register!(a + 1), register!(a))
                            && count != 0
                        {
                            let index = index.wrapping_add(step);
                            set!(a + 1, Value::Integer(count.wrapping_sub(1)));
                            set!(a, Value::Integer(index));
                            set!(a + 3, Value::Integer(index));
                            jump!(-(i.bx() as i32));
                        }
                    } else if let (&Value::Float(index), &Value::Float(limit), &Value::Float(step)) =
                        (register!(a), register!(a + 1), register!(a + 2))
                    {
                        let index = index + step;
                        if if step > 0.0 { index <= limit } else { limit <= index } {
                            set!(a, Value::Float(index));
                            set!(a + 3, Value::Float(index));
                            jump!(-(i.bx() as i32));
                        }
                    }
                }
                Opcode::TForPrep => {
                    save!();
                    let slot = slot!(i.a() + 3);
                    self.mark_to_be_closed(slot, i.a() + 3)?;
                    jump!(i.bx() as i32);
                }
                Opcode::TForCall => {
                    save!();
                    let a = i.a() as usize;
                    for index in 0..3 {
                        copy!(a + 4 + index, register!(a + index));
                    }
                    let func = slot!(a + 4);
                    self.set_top(func + 3);
                    let nesting = self.nesting_inside()?;
                    let next = self.call_other(func, 2, i.c() as i32, nesting)?;
                    proceed!(next)
                }
                Opcode::TForLoop => {
                    let a = i.a() as usize;
                    let control = register!(a + 4);
                    if !control.is_nil() {
                        copy!(a + 2, control);
                        jump!(-(i.bx() as i32));
                    }
                }
                Opcode::SetList => {
                    let offset = next_instruction!().get_ax() as usize;
                    skip!();
                    save!();
                    let first = slot!(i.a()) + 1;
                    let count = match i.b() {
                        0 => self.top() - first,
                        b => b as usize,
                    };
                    let &Value::Table(table) = register!(i.a()) else {
                        // Only in code that no compiler made.
                        return Err(self.operand_error("index", *register!(i.a()), Operand::Register(i.a())));
                    };
                    self.reserve((offset + count).saturating_sub(table.array().len()) * size_of::<Value>())?;
                    let thread = self.heap.current();
                    // SAFETY: the thread is a root (the invariant of handles), so many slots are there, and storing them into a
                    // table moves no stack.
                    let values =
                        unsafe { std::slice::from_raw_parts(thread.stack[first..first + count].as_ptr(), count) };
                    self.heap.table_set_list(table, offset + 1, values);
                    if i.b() == 0 {
                        // SAFETY: the invariant of `Running`: the frame is on top.
                        let top = unsafe { (*run.frame).top as usize };
                        self.set_top(top);
                    }
                }
                Opcode::Closure => {
                    if CHECKED {
                        save!();
                    }
                    let closure = self.make_closure(run.closure, i.bx() as usize, slot!(0), slot!(i.a()));
                    set!(i.a(), Value::Closure(closure));
                    safe_point!(i.a() as usize + 1);
                }
                Opcode::Vararg => {
                    save!();
                    self.load_varargs(slot!(i.a()), i.c() as i32 - 1)?;
                    reload!();
                }
                // The call has done it.
                Opcode::VarargPrep => {}
                Opcode::ExtraArg => unreachable!("part of the instruction before"),
            }
        }
    }

    /// The top frame, for the loop.
    pub(super) fn top_frame(&mut self) -> *mut Frame {
        // SAFETY: the reference ends here.
        match unsafe { self.thread_mut() }.frames.last_mut() {
            Some(frame) => frame,
            None => unreachable!("a Lua frame is on top"),
        }
    }

    /// What the checked loop does before each instruction. Says whether the stack may have moved.
    #[inline(always)]
    fn before_instruction(&mut self) -> Result<bool, Throw> {
        if self.heap.is_halted() {
            return Err(Throw::Halted);
        }
        if self.fuel == 0 {
            return Err(Throw::Limit(Limit::Instructions));
        }
        self.fuel -= 1;
        let moved = self.scheduler.is_some() && self.schedule_instruction()?;
        if self.hook_events() & (hook_events::LINE | hook_events::COUNT) == 0 {
            return Ok(moved);
        }
        Ok(self.hook_instruction()? || moved)
    }

    /// Calls a metamethod for the running instruction. Its result finishes the instruction.
    pub(super) fn call_metamethod(&mut self, handler: Value, args: &[Value]) -> Result<Next, Throw> {
        let func = self.heap.current().frames.last().map_or(0, |frame| frame.top as usize);
        self.ensure_stack(func, args.len() + 1)?;
        self.set_top(func);
        self.push(handler);
        for &arg in args {
            self.push(arg);
        }
        self.precall_inside(func, args.len(), 1, flags::FINISH)
    }

    /// Finishes an instruction of the Lua function on top with the result of the metamethod that it called.
    pub(super) fn finish_instruction(&mut self, result: Value) -> Result<Next, Throw> {
        let run = self.load_frame();
        // SAFETY: the instruction that called is the one before the program counter; its operands are inside the frame.
        let i = unsafe { *run.pc.sub(1) };
        // SAFETY: as above; one register at a time is written.
        let register = |index: u8| unsafe { &mut *run.base.add(index as usize) };
        match opcode_of(i) {
            Opcode::Eq | Opcode::Lt | Opcode::Le | Opcode::LtI | Opcode::LeI | Opcode::GtI | Opcode::GeI => {
                // SAFETY: the frame on top. `saved` says that the result is to be negated.
                let negated = unsafe { std::mem::take(&mut (*run.frame).saved) } != 0;
                let distance = if (result.is_falsy() != negated) != (i.c() != 0) {
                    // SAFETY: a test is followed by a jump, which the program counter is at.
                    unsafe { *run.pc }.get_sj()
                } else {
                    0
                };
                // SAFETY: the invariant of `Running`: the frame is on top.
                unsafe { (*run.frame).pc = (*run.frame).pc.wrapping_add_signed(distance + 1) };
                return Ok(Next::Lua);
            }
            Opcode::Concat => {
                // SAFETY: `saved` is the register that the result belongs to.
                let slot = unsafe { std::mem::take(&mut (*run.frame).saved) } as usize;
                // SAFETY: the invariant of `Running`: the frame is on top.
                let base = unsafe { (*run.frame).base } as usize;
                self.set_slot(slot, result);
                if let Some(next) = self.concat_registers(i.a(), slot - base)? {
                    return Ok(next);
                }
            }
            Opcode::SetTabUp
            | Opcode::SetTabUpK
            | Opcode::SetTable
            | Opcode::SetTableK
            | Opcode::SetI
            | Opcode::SetIK
            | Opcode::SetField
            | Opcode::SetFieldK => {}
            _ => *register(i.a()) = result,
        }
        Ok(Next::Lua)
    }

    /// Concatenates the registers `a ..= last` of the Lua function on top. `None` when the result is there; else a metamethod
    /// was called.
    fn concat_registers(&mut self, a: u8, last: usize) -> Result<Option<Next>, Throw> {
        let frame = self.top_frame();
        // SAFETY: the frame stays on top until a metamethod is called.
        let base = unsafe { (*frame).base } as usize;
        match self.concat(base + a as usize, base + last)? {
            Concat::Done => Ok(None),
            Concat::Call { handler, slot } => {
                // SAFETY: as above.
                unsafe { (*frame).saved = slot as u32 };
                let (left, right) = (self.slot(slot), self.slot(slot + 1));
                self.call_metamethod(handler, &[left, right]).map(Some)
            }
        }
    }

    /// Closes the innermost to-be-closed variable at or above `level`, if there is one: its method is called, and the
    /// running instruction will run again after it.
    fn close_one(&mut self, level: usize, end: ScopeEnd) -> Result<Option<Next>, Throw> {
        let Some(slot) = self.pop_to_be_closed(level, end) else { return Ok(None) };
        let value = self.slot(slot);
        let next = self.call_close_method(value, Value::Nil, flags::REPEAT)?;
        Ok(Some(next))
    }
}

/// The opcode of an instruction that the compiler made, or that was verified.
#[inline(always)]
fn opcode_of(instruction: Instruction) -> Opcode {
    // SAFETY: the compiler makes instructions from opcodes only, and `bytecode::verify` refuses other numbers.
    unsafe { std::mem::transmute::<u8, Opcode>(instruction.opcode_number()) }
}
