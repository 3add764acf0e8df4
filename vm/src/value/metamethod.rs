//! The events that metatables can handle (manual §2.4).

macro_rules! metamethods {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// An event of a metatable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Metamethod { $($(#[doc = $doc])* $variant,)* }

        impl Metamethod {
            /// Every event, in the order of their numbers.
            pub const ALL: &'static [Metamethod] = &[$(Metamethod::$variant),*];

            /// The key in the metatable.
            pub fn name(self) -> &'static str {
                match self { $(Metamethod::$variant => $name),* }
            }
        }
    };
}

// The first eight have a bit in a metatable's cache of absent events.
metamethods! {
    /// `t[k]` where the key is absent or `t` is no table.
    Index = "__index",
    /// `t[k] = v`, likewise.
    NewIndex = "__newindex",
    /// The finalizer.
    Gc = "__gc",
    /// Weakness of a table.
    Mode = "__mode",
    /// `#v`.
    Len = "__len",
    /// `a == b`.
    Eq = "__eq",
    /// A call of what is no function.
    Call = "__call",
    /// The end of a to-be-closed variable.
    Close = "__close",
    /// `a + b`.
    Add = "__add",
    /// `a - b`.
    Sub = "__sub",
    /// `a * b`.
    Mul = "__mul",
    /// `a % b`.
    Mod = "__mod",
    /// `a ^ b`.
    Pow = "__pow",
    /// `a / b`.
    Div = "__div",
    /// `a // b`.
    IDiv = "__idiv",
    /// `a & b`.
    BAnd = "__band",
    /// `a | b`.
    BOr = "__bor",
    /// `a ~ b`.
    BXor = "__bxor",
    /// `a << b`.
    Shl = "__shl",
    /// `a >> b`.
    Shr = "__shr",
    /// `-a`.
    Unm = "__unm",
    /// `~a`.
    BNot = "__bnot",
    /// `a < b`.
    Lt = "__lt",
    /// `a <= b`.
    Le = "__le",
    /// `a .. b`.
    Concat = "__concat",
    /// What `tostring` calls.
    ToString = "__tostring",
    /// What `pairs` calls.
    Pairs = "__pairs",
    /// What `getmetatable` gives, and `setmetatable` respects.
    Metatable = "__metatable",
    /// A type's name in messages.
    Name = "__name",
}

impl Metamethod {
    /// How many there are.
    pub const COUNT: usize = Metamethod::ALL.len();

    /// The bit in [`crate::value::Table`]'s cache, for the events that have one.
    #[inline(always)]
    pub(crate) const fn cache_bit(self) -> Option<u8> {
        let number = self as u8;
        if number < 8 { Some(1 << number) } else { None }
    }
}
