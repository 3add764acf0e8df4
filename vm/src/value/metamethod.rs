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

#[cfg(test)]
mod tests {
    use super::Metamethod;
    use crate::gc::{Gc, Heap, HeapOptions, ObjectView, Weakness};
    use crate::value::{Table, Value};
    use moonphase_heap::Heap as _;

    /// A table with a metatable whose `__mode` is this, if it is anything.
    fn table_with_mode(heap: &mut Heap, mode: Option<Value>) -> (Gc<Table>, Gc<Table>) {
        let (table, metatable) = (heap.new_table(), heap.new_table());
        if let Some(mode) = mode {
            let name = Value::String(heap.name_of(Metamethod::Mode));
            assert_eq!(heap.table_set(metatable, name, mode), Ok(()));
        }
        heap.set_table_metatable(table, Some(metatable));
        (table, metatable)
    }

    /// Whether a look at the heap takes the table for weak, and for an ephemeron table.
    fn weakness(heap: &Heap, table: Gc<Table>) -> (bool, bool) {
        let (view, object) = (heap.view(), ObjectView::new(table.erase()));
        let weakness = view.weakness(object);
        (weakness != Weakness::None, weakness == Weakness::Keys)
    }

    #[test]
    fn a_look_at_a_table_goes_by_the_letters_of_its_mode() {
        let mut heap = Heap::new(HeapOptions::default());
        let modes: [(Option<&str>, (bool, bool)); 7] = [
            (None, (false, false)),
            (Some(""), (false, false)),
            (Some("K"), (false, false)),
            (Some("k"), (true, true)),
            (Some("v"), (true, false)),
            (Some("vk"), (true, false)),
            (Some("weak"), (true, true)),
        ];
        for (mode, expected) in modes {
            let value = mode.map(|mode| Value::String(heap.new_string(mode.as_bytes())));
            let (table, _) = table_with_mode(&mut heap, value);
            assert_eq!(weakness(&heap, table), expected, "{mode:?}");
        }
        let (table, _) = table_with_mode(&mut heap, Some(Value::Boolean(true)));
        assert_eq!(weakness(&heap, table), (false, false));
        let plain = heap.new_table();
        assert_eq!(weakness(&heap, plain), (false, false));
    }

    #[test]
    fn a_look_at_a_table_neither_trusts_nor_changes_what_its_metatable_is_remembered_to_lack() {
        let mut heap = Heap::new(HeapOptions::default());
        let mode = Value::String(heap.new_string(b"k"));
        let (weak, metatable) = table_with_mode(&mut heap, Some(mode));
        metatable.absent().set(u8::MAX);
        assert_eq!(weakness(&heap, weak), (true, true));
        assert_eq!(metatable.absent().get(), u8::MAX);

        let (strong, metatable) = table_with_mode(&mut heap, None);
        metatable.absent().set(0);
        assert_eq!(weakness(&heap, strong), (false, false));
        assert_eq!(metatable.absent().get(), 0);
    }
}
