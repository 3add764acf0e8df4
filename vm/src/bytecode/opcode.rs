//! The opcodes.
//!
//! The doc of each is its meaning. `R[x]` is a register, `K[x]` a constant, `Up[x]` an upvalue, `pc` the address of the next
//! instruction. A metamethod that an instruction calls gives its result to the same place.

macro_rules! opcodes {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// What an instruction does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Opcode { $($(#[doc = $doc])* $name,)* }

        const COUNT: usize = [$(Opcode::$name),*].len();

        impl Opcode {
            /// Every opcode at the place of its number; numbers that no opcode has are filled with [`Opcode::ExtraArg`].
            pub const ALL: [Opcode; 256] = {
                let known = [$(Opcode::$name),*];
                let mut all = [Opcode::ExtraArg; 256];
                let mut i = 0;
                while i < COUNT {
                    all[i] = known[i];
                    i += 1;
                }
                all
            };

            /// The opcode of a number, if there is one.
            pub(super) fn from_number(number: u8) -> Option<Opcode> {
                ((number as usize) < COUNT).then(|| Self::ALL[number as usize])
            }

            /// A number that is another one when the list of opcodes is another one (FNV-1a of their names).
            pub(super) const FINGERPRINT: u32 = {
                let names = concat!($(stringify!($name), " "),*).as_bytes();
                let mut hash = 0x811C_9DC5_u32;
                let mut i = 0;
                while i < names.len() {
                    hash = (hash ^ names[i] as u32).wrapping_mul(0x0100_0193);
                    i += 1;
                }
                hash
            };
        }
    };
}

opcodes! {
    /// `R[A] = R[B]`.
    Move,
    /// `R[A] = sBx` as an integer.
    LoadI,
    /// `R[A] = sBx` as a float.
    LoadF,
    /// `R[A] = K[Bx]`.
    LoadK,
    /// `R[A] = K[Ax of the ExtraArg that follows]`.
    LoadKX,
    /// `R[A] = false`.
    LoadFalse,
    /// `R[A] = false`, and skip the next instruction.
    LFalseSkip,
    /// `R[A] = true`.
    LoadTrue,
    /// `R[A] … R[A+B] = nil`.
    LoadNil,
    /// `R[A] = Up[B]`.
    GetUpval,
    /// `Up[B] = R[A]`.
    SetUpval,
    /// `R[A] = Up[B][K[C]]`; `K[C]` is a string.
    GetTabUp,
    /// `R[A] = R[B][R[C]]`.
    GetTable,
    /// `R[A] = R[B][C]`.
    GetI,
    /// `R[A] = R[B][K[C]]`; `K[C]` is a string.
    GetField,
    /// `Up[A][K[B]] = R[C]`; `K[B]` is a string.
    SetTabUp,
    /// `Up[A][K[B]] = K[C]`; `K[B]` is a string.
    SetTabUpK,
    /// `R[A][R[B]] = R[C]`.
    SetTable,
    /// `R[A][R[B]] = K[C]`.
    SetTableK,
    /// `R[A][B] = R[C]`.
    SetI,
    /// `R[A][B] = K[C]`.
    SetIK,
    /// `R[A][K[B]] = R[C]`; `K[B]` is a string.
    SetField,
    /// `R[A][K[B]] = K[C]`; `K[B]` is a string.
    SetFieldK,
    /// `R[A] = {}` with room for 2^(B-1) hash entries (0: none) and for Ax list items; always followed by an ExtraArg with Ax.
    NewTable,
    /// `R[A+1] = R[B]; R[A] = R[B][K[C]]`; `K[C]` is a string.
    SelfK,
    /// `R[A+1] = R[B]; R[A] = R[B][R[C]]`; `R[C]` holds a string constant and may be `R[A+1]`.
    SelfR,
    /// `R[A] = R[B] + sC`.
    AddI,
    /// `R[A] = R[B] - sC`.
    SubI,
    /// `R[A] = R[B] << sC`.
    ShlI,
    /// `R[A] = R[B] >> sC`.
    ShrI,
    /// `R[A] = R[B] + K[C]`; `K[C]` is a number.
    AddK,
    /// `R[A] = R[B] - K[C]`; `K[C]` is a number.
    SubK,
    /// `R[A] = R[B] * K[C]`; `K[C]` is a number.
    MulK,
    /// `R[A] = R[B] % K[C]`; `K[C]` is a number.
    ModK,
    /// `R[A] = R[B] ^ K[C]`; `K[C]` is a number.
    PowK,
    /// `R[A] = R[B] / K[C]`; `K[C]` is a number.
    DivK,
    /// `R[A] = R[B] // K[C]`; `K[C]` is a number.
    IDivK,
    /// `R[A] = R[B] & K[C]`; `K[C]` is a number that is an integer.
    BAndK,
    /// `R[A] = R[B] | K[C]`; `K[C]` is a number that is an integer.
    BOrK,
    /// `R[A] = R[B] ~ K[C]`; `K[C]` is a number that is an integer.
    BXorK,
    /// `R[A] = R[B] + R[C]`.
    Add,
    /// `R[A] = R[B] - R[C]`.
    Sub,
    /// `R[A] = R[B] * R[C]`.
    Mul,
    /// `R[A] = R[B] % R[C]`.
    Mod,
    /// `R[A] = R[B] ^ R[C]`.
    Pow,
    /// `R[A] = R[B] / R[C]`.
    Div,
    /// `R[A] = R[B] // R[C]`.
    IDiv,
    /// `R[A] = R[B] & R[C]`.
    BAnd,
    /// `R[A] = R[B] | R[C]`.
    BOr,
    /// `R[A] = R[B] ~ R[C]`.
    BXor,
    /// `R[A] = R[B] << R[C]`.
    Shl,
    /// `R[A] = R[B] >> R[C]`.
    Shr,
    /// `R[A] = -R[B]`.
    Unm,
    /// `R[A] = ~R[B]`.
    BNot,
    /// `R[A] = not R[B]`.
    Not,
    /// `R[A] = #R[B]`.
    Len,
    /// `R[A] = R[A] .. … .. R[A+B-1]`; B is at least 2.
    Concat,
    /// close all upvalues and to-be-closed variables at or above `R[A]`.
    Close,
    /// mark `R[A]` as to be closed.
    Tbc,
    /// `pc += sJ`, counted from the next instruction.
    Jmp,
    /// `if (R[A] == R[B]) ~= C then pc++`; C is 0 or 1, and a Jmp follows, here and in all the tests below.
    Eq,
    /// `if (R[A] < R[B]) ~= C then pc++`.
    Lt,
    /// `if (R[A] <= R[B]) ~= C then pc++`.
    Le,
    /// `if (R[A] == K[B]) ~= C then pc++`.
    EqK,
    /// `if (R[A] == sB) ~= C then pc++`.
    EqI,
    /// `if (R[A] < sB) ~= C then pc++`.
    LtI,
    /// `if (R[A] <= sB) ~= C then pc++`.
    LeI,
    /// `if (R[A] > sB) ~= C then pc++`.
    GtI,
    /// `if (R[A] >= sB) ~= C then pc++`.
    GeI,
    /// `if (not R[A]) == C then pc++`: the jump is taken where the truth of `R[A]` is C.
    Test,
    /// `if (not R[B]) == C then pc++ else R[A] = R[B]`.
    TestSet,
    /// `R[A], … , R[A+C-2] = R[A](R[A+1], … , R[A+B-1])`; B = 0: arguments up to the top; C = 0: all results, which set the top.
    Call,
    /// `return R[A](R[A+1], … , R[A+B-1])`; B as in Call; C = 1 where the function may have open upvalues to close. A Return with B = 0 follows, for when the called function is native.
    TailCall,
    /// `return R[A], … , R[A+B-2]`; B = 0: up to the top; C = 1 where the function may have upvalues or to-be-closed variables to close.
    Return,
    /// `return`; nothing to close.
    Return0,
    /// `return R[A]`; nothing to close.
    Return1,
    /// check and prepare the loop whose start, limit and step are in `R[A]`, `R[A+1]`, `R[A+2]`; if it does not run, `pc += Bx + 1`; its variable is `R[A+3]`.
    ForPrep,
    /// update the counters; if the loop goes on, `pc -= Bx`.
    ForLoop,
    /// mark `R[A+3]` as to be closed; `pc += Bx`.
    TForPrep,
    /// `R[A+4], … , R[A+3+C] = R[A](R[A+1], R[A+2])`.
    TForCall,
    /// `if R[A+4] ~= nil then { R[A+2] = R[A+4]; pc -= Bx }`; A is that of the loop's TForCall.
    TForLoop,
    /// `R[A][Ax+i] = R[A+i]` for i from 1 to B; B = 0: up to the top; always followed by an ExtraArg with Ax.
    SetList,
    /// `R[A] =` a closure of prototype Bx.
    Closure,
    /// `R[A], … , R[A+C-2] =` the extra arguments; C = 0: all, which set the top.
    Vararg,
    /// adjust the extra arguments of a variadic function with A named parameters; its first instruction.
    VarargPrep,
    /// Ax is an operand of the instruction before.
    ExtraArg,
}
