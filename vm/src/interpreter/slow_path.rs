//! Instructions whose operands the dispatch loop has no short way for: strings as numbers, metamethods, errors.
//!
//! They find the frame, the registers and the constants anew, so that the loop need not hand them over and its short ways stay
//! short.

use crate::bytecode::{Instruction, Opcode};
use crate::gc::Gc;
use crate::interpreter::access::Lookup;
use crate::interpreter::arithmetic::{Computed, Operator};
use crate::interpreter::call::Next;
use crate::interpreter::compare::Compared;
use crate::interpreter::error::Operand;
use crate::interpreter::{Throw, Vm};
use crate::value::{Closure, Value};

/// What an arithmetic instruction does, and where its second operand is.
fn arithmetic_operands(i: Instruction) -> (Operator, Second) {
    use Second::{Constant, First, Register, Small};
    match i.opcode() {
        Opcode::AddI => (Operator::Add, Small),
        Opcode::SubI => (Operator::Sub, Small),
        Opcode::ShlI => (Operator::Shl, Small),
        Opcode::ShrI => (Operator::Shr, Small),
        Opcode::AddK => (Operator::Add, Constant),
        Opcode::SubK => (Operator::Sub, Constant),
        Opcode::MulK => (Operator::Mul, Constant),
        Opcode::ModK => (Operator::Mod, Constant),
        Opcode::PowK => (Operator::Pow, Constant),
        Opcode::DivK => (Operator::Div, Constant),
        Opcode::IDivK => (Operator::IDiv, Constant),
        Opcode::BAndK => (Operator::BAnd, Constant),
        Opcode::BOrK => (Operator::BOr, Constant),
        Opcode::BXorK => (Operator::BXor, Constant),
        Opcode::Add => (Operator::Add, Register),
        Opcode::Sub => (Operator::Sub, Register),
        Opcode::Mul => (Operator::Mul, Register),
        Opcode::Mod => (Operator::Mod, Register),
        Opcode::Pow => (Operator::Pow, Register),
        Opcode::Div => (Operator::Div, Register),
        Opcode::IDiv => (Operator::IDiv, Register),
        Opcode::BAnd => (Operator::BAnd, Register),
        Opcode::BOr => (Operator::BOr, Register),
        Opcode::BXor => (Operator::BXor, Register),
        Opcode::Shl => (Operator::Shl, Register),
        Opcode::Shr => (Operator::Shr, Register),
        Opcode::Unm => (Operator::Unm, First),
        Opcode::BNot => (Operator::BNot, First),
        other => unreachable!("{other:?} is no arithmetic"),
    }
}

/// Where the second operand of an arithmetic instruction is.
enum Second {
    Register,
    Constant,
    /// In the instruction itself.
    Small,
    /// There is none: the first one stands for it.
    First,
}

/// The running Lua function's frame, as the slow paths see it.
#[derive(Clone, Copy)]
struct Operands {
    closure: Gc<Closure>,
    base: usize,
}

impl Operands {
    fn constant(&self, index: u8) -> Value {
        self.closure.prototype.get().constants[index as usize].get()
    }

    fn upvalue(&self, index: u8) -> Value {
        self.closure.upvalues()[index as usize].get().map_or(Value::Nil, |upvalue| upvalue.get())
    }
}

impl Vm {
    fn operands(&self) -> Operands {
        let thread = self.heap.current();
        let Some(frame) = thread.frames.last() else { unreachable!("a Lua frame is on top") };
        match thread.stack[frame.func as usize] {
            Value::Closure(closure) => Operands { closure, base: frame.base as usize },
            _ => unreachable!("a Lua frame's function is a Lua closure"),
        }
    }

    /// An arithmetic or bitwise instruction whose operands are not numbers of the same type. `None` when the result is there;
    /// else a metamethod was called.
    #[cold]
    #[inline(never)]
    pub(super) fn arithmetic_instruction(&mut self, i: Instruction) -> Result<Option<Next>, Throw> {
        let operands = self.operands();
        let (operator, second) = arithmetic_operands(i);
        let first = (self.slot(operands.base + i.b() as usize), Operand::Register(i.b()));
        let second = match second {
            Second::Register => (self.slot(operands.base + i.c() as usize), Operand::Register(i.c())),
            Second::Constant => (operands.constant(i.c()), Operand::Constant),
            Second::Small => (Value::Integer(i.sc() as i64), Operand::Constant),
            Second::First => first,
        };
        match self.arithmetic(operator, first, second)? {
            Computed::Value(value) => {
                self.set_slot(operands.base + i.a() as usize, value);
                Ok(None)
            }
            Computed::Call(handler) => self.call_metamethod(handler, &[first.0, second.0]).map(Some),
        }
    }

    /// A comparison of other operands than two numbers of the same type. `Ok` with what is known; `Err` where a metamethod was
    /// called.
    #[inline(never)]
    pub(super) fn compare_instruction(&mut self, i: Instruction) -> Result<Result<bool, Next>, Throw> {
        let base = self.operands().base;
        let first = self.slot(base + i.a() as usize);
        let small = Value::Integer(i.sb() as i64);
        let second = |vm: &Vm| vm.slot(base + i.b() as usize);
        let (a, b, compared) = match i.opcode() {
            Opcode::Eq => (first, second(self), self.equals(first, second(self))),
            Opcode::Lt => (first, second(self), self.less_than(first, second(self))?),
            Opcode::Le => (first, second(self), self.less_equal(first, second(self))?),
            Opcode::LtI => (first, small, self.less_than(first, small)?),
            Opcode::LeI => (first, small, self.less_equal(first, small)?),
            Opcode::GtI => (small, first, self.less_than(small, first)?),
            Opcode::GeI => (small, first, self.less_equal(small, first)?),
            other => unreachable!("{other:?} is no comparison"),
        };
        match compared {
            Compared::Known(known) => Ok(Ok(known)),
            Compared::Call(handler) => self.call_metamethod(handler, &[a, b]).map(Err),
            Compared::Reversed(handler) => {
                // SAFETY: the frame that runs; the reference ends here.
                unsafe { (*self.top_frame()).saved = 1 };
                self.call_metamethod(handler, &[b, a]).map(Err)
            }
        }
    }

    /// An instruction that reads an element. `None` when the value is there; else a metamethod was called.
    #[inline(never)]
    pub(super) fn get_instruction(&mut self, i: Instruction) -> Result<Option<Next>, Throw> {
        let operands = self.operands();
        let register = |vm: &Vm, index: u8| vm.slot(operands.base + index as usize);
        let target = operands.base + i.a() as usize;
        let mut operand = Operand::Register(i.b());
        let (object, key) = match i.opcode() {
            Opcode::GetTabUp => {
                operand = Operand::Upvalue(i.b());
                (operands.upvalue(i.b()), operands.constant(i.c()))
            }
            Opcode::GetTable => (register(self, i.b()), register(self, i.c())),
            Opcode::GetI => (register(self, i.b()), Value::Integer(i.c() as i64)),
            Opcode::GetField => (register(self, i.b()), operands.constant(i.c())),
            Opcode::SelfK => (register(self, i.b()), operands.constant(i.c())),
            Opcode::SelfR => (register(self, i.b()), register(self, i.c())),
            other => unreachable!("{other:?} reads no element"),
        };
        if let Opcode::SelfK | Opcode::SelfR = i.opcode() {
            // The key may be in this register.
            self.set_slot(target + 1, object);
        }
        match self.lookup_named(object, key, operand)? {
            Lookup::Value(value) => {
                self.set_slot(target, value);
                Ok(None)
            }
            Lookup::Call(handler, receiver) => self.call_metamethod(handler, &[receiver, key]).map(Some),
        }
    }

    /// An instruction that assigns an element. `None` when that is done; else a metamethod was called.
    #[inline(never)]
    pub(super) fn set_instruction(&mut self, i: Instruction) -> Result<Option<Next>, Throw> {
        let operands = self.operands();
        let register = |vm: &Vm, index: u8| vm.slot(operands.base + index as usize);
        let mut operand = Operand::Register(i.a());
        let (object, key, is_constant) = match i.opcode() {
            opcode @ (Opcode::SetTabUp | Opcode::SetTabUpK) => {
                operand = Operand::Upvalue(i.a());
                (operands.upvalue(i.a()), operands.constant(i.b()), opcode == Opcode::SetTabUpK)
            }
            opcode @ (Opcode::SetTable | Opcode::SetTableK) => {
                (register(self, i.a()), register(self, i.b()), opcode == Opcode::SetTableK)
            }
            opcode @ (Opcode::SetI | Opcode::SetIK) => {
                (register(self, i.a()), Value::Integer(i.b() as i64), opcode == Opcode::SetIK)
            }
            opcode @ (Opcode::SetField | Opcode::SetFieldK) => {
                (register(self, i.a()), operands.constant(i.b()), opcode == Opcode::SetFieldK)
            }
            other => unreachable!("{other:?} assigns no element"),
        };
        let value = if is_constant { operands.constant(i.c()) } else { register(self, i.c()) };
        match self.assign_named(object, key, value, operand)? {
            None => Ok(None),
            Some((handler, receiver)) => self.call_metamethod(handler, &[receiver, key, value]).map(Some),
        }
    }
}
