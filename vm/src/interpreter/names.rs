//! Names of values for error messages: "attempt to index a nil value (local 'x')".
//!
//! A value has no name of its own; what the code did to get it into its register names it. So the code before the failing
//! instruction is followed, without running it, to the last instruction that can have set the register. Where a jump
//! arrives in between, nobody knows which instruction that was, and the value stays without a name.

use crate::bytecode::{Instruction, Opcode};

/// What naming needs to see of a function.
pub(crate) trait CodeView {
    /// Its instructions.
    fn code(&self) -> &[Instruction];
    /// The constant at an index, if it is a string, as C sees it: up to its first zero byte.
    fn string_constant(&self, index: usize) -> Option<&[u8]>;
    /// The name of an upvalue.
    fn upvalue_name(&self, index: usize) -> Option<&[u8]>;
    /// Names of variables, with the first instruction where each is active and the first where it no longer is, in the
    /// order in which their scopes begin.
    fn locals(&self) -> impl Iterator<Item = (&[u8], usize, usize)>;
}

/// A kind (`local`, `global`, `method`, …) and a name.
pub(crate) type Description<'a> = (&'static str, &'a [u8]);

/// The name of the variable that a register holds at an instruction.
pub(crate) fn local_name(proto: &impl CodeView, pc: usize, register: usize) -> Option<&[u8]> {
    // Active variables have the registers from 0 up, in order.
    let mut active = proto.locals().take_while(|&(_, start, _)| start <= pc).filter(|&(_, _, end)| pc < end);
    active.nth(register).map(|(name, _, _)| name)
}

/// What the value is called that a register holds when the instruction at `pc` begins.
pub(crate) fn register_name(proto: &impl CodeView, pc: usize, register: u8) -> Option<Description<'_>> {
    let setter = match simple_name(proto, pc, register) {
        Found::Name(description) => return Some(description),
        Found::SetBy(setter) => setter,
        Found::Nothing => return None,
    };
    let instruction = proto.code()[setter];
    let (b, c) = (instruction.b(), instruction.c());
    match instruction.opcode() {
        Opcode::GetTabUp => {
            let is_environment = proto.upvalue_name(b as usize) == Some(b"_ENV");
            Some((field_kind(is_environment), constant_name(proto, c)))
        }
        Opcode::GetField => Some((field_kind(is_environment(proto, setter, b)), constant_name(proto, c))),
        Opcode::GetTable => {
            Some((field_kind(is_environment(proto, setter, b)), register_constant_name(proto, setter, c)))
        }
        Opcode::GetI => Some(("field", b"integer index")),
        Opcode::SelfK => Some(("method", constant_name(proto, c))),
        Opcode::SelfR => Some(("method", register_constant_name(proto, setter, c))),
        _ => None,
    }
}

/// What the upvalue is called that an instruction works on directly.
pub(crate) fn upvalue_name(proto: &impl CodeView, index: u8) -> Option<Description<'_>> {
    proto.upvalue_name(index as usize).map(|name| ("upvalue", name))
}

/// What the function is called that the instruction at `pc` calls, itself or through a metamethod.
pub(crate) fn function_name(proto: &impl CodeView, pc: usize) -> Option<Description<'_>> {
    let instruction = *proto.code().get(pc)?;
    let event: &'static [u8] = match instruction.opcode() {
        Opcode::Call | Opcode::TailCall => return register_name(proto, pc, instruction.a()),
        Opcode::TForCall => return Some(("for iterator", b"for iterator")),
        Opcode::GetTabUp | Opcode::GetTable | Opcode::GetI | Opcode::GetField | Opcode::SelfK | Opcode::SelfR => {
            b"index"
        }
        Opcode::SetTabUp
        | Opcode::SetTabUpK
        | Opcode::SetTable
        | Opcode::SetTableK
        | Opcode::SetI
        | Opcode::SetIK
        | Opcode::SetField
        | Opcode::SetFieldK => b"newindex",
        Opcode::AddI | Opcode::AddK | Opcode::Add => b"add",
        Opcode::SubI | Opcode::SubK | Opcode::Sub => b"sub",
        Opcode::MulK | Opcode::Mul => b"mul",
        Opcode::ModK | Opcode::Mod => b"mod",
        Opcode::PowK | Opcode::Pow => b"pow",
        Opcode::DivK | Opcode::Div => b"div",
        Opcode::IDivK | Opcode::IDiv => b"idiv",
        Opcode::BAndK | Opcode::BAnd => b"band",
        Opcode::BOrK | Opcode::BOr => b"bor",
        Opcode::BXorK | Opcode::BXor => b"bxor",
        Opcode::ShlI | Opcode::Shl => b"shl",
        Opcode::ShrI | Opcode::Shr => b"shr",
        Opcode::Unm => b"unm",
        Opcode::BNot => b"bnot",
        Opcode::Len => b"len",
        Opcode::Concat => b"concat",
        // Comparisons with constants for equality call no metamethod.
        Opcode::Eq => b"eq",
        Opcode::Lt | Opcode::LtI | Opcode::GtI => b"lt",
        Opcode::Le | Opcode::LeI | Opcode::GeI => b"le",
        Opcode::Close | Opcode::Return => b"close",
        _ => return None,
    };
    Some(("metamethod", event))
}

/// Instructions that are followed to learn where a value goes.
const FOLLOWED: usize = 500;
/// Tables inside of tables whose names are put together.
const NESTED_FIELDS: usize = 4;

/// What the code calls the value that the instruction at `pc` makes, if that is a call, a table or a function: the variable
/// or the field that is to hold it, such as `f` or `M.f`.
pub(crate) fn result_name(proto: &impl CodeView, mut pc: usize) -> Option<Vec<u8>> {
    let mut instruction = *proto.code().get(pc)?;
    if instruction.opcode() == Opcode::ExtraArg {
        pc = pc.checked_sub(1)?;
        instruction = proto.code()[pc];
    }
    match instruction.opcode() {
        Opcode::NewTable | Opcode::Closure | Opcode::Call => destination(proto, pc, instruction.a(), NESTED_FIELDS),
        _ => None,
    }
}

/// What the code calls the nested function of this index.
pub(crate) fn nested_name(proto: &impl CodeView, index: usize) -> Option<Vec<u8>> {
    let makes = |i: &Instruction| i.opcode() == Opcode::Closure && i.bx() as usize == index;
    result_name(proto, proto.code().iter().position(makes)?)
}

/// Where the value goes that the instruction at `pc` puts into a register. The code is followed in the order in which it
/// stands, as far as the value surely gets there.
fn destination(proto: &impl CodeView, pc: usize, mut register: u8, levels: usize) -> Option<Vec<u8>> {
    let variable = |pc, register: u8| {
        let name = local_name(proto, pc, register as usize)?;
        (!name.starts_with(b"(")).then(|| name.to_vec())
    };
    if let Some(name) = variable(pc, register) {
        return Some(name);
    }
    for (address, instruction) in proto.code().iter().enumerate().skip(pc + 1).take(FOLLOWED) {
        if let Some(name) = variable(address, register) {
            return Some(name);
        }
        let (a, b, c) = (instruction.a(), instruction.b(), instruction.c());
        let item = |table: Option<Vec<u8>>, key: &[u8]| match table {
            Some(table) => [table.as_slice(), b".", key].concat(),
            None => key.to_vec(),
        };
        match instruction.opcode() {
            Opcode::Move if b == register => register = a,
            Opcode::SetUpval if a == register => return proto.upvalue_name(b as usize).map(<[u8]>::to_vec),
            Opcode::SetTabUp if c == register => {
                let table = proto.upvalue_name(a as usize).filter(|&name| name != b"_ENV");
                return Some(item(table.map(<[u8]>::to_vec), constant_name(proto, b)));
            }
            Opcode::SetField if c == register => {
                let table =
                    if is_environment(proto, address, a) { None } else { table_name(proto, address, a, levels) };
                return Some(item(table, constant_name(proto, b)));
            }
            Opcode::SetI if c == register => {
                let table = table_name(proto, address, a, levels)?;
                return Some([table, format!("[{b}]").into_bytes()].concat());
            }
            // `setmetatable` gives back its first argument.
            Opcode::Call if a.checked_add(1) == Some(register) => match register_name(proto, address, a) {
                Some(("global", b"setmetatable")) => register = a,
                _ => return None,
            },
            // Below the function that is called nothing changes.
            Opcode::Call | Opcode::TForCall if a > register => {}
            Opcode::Call | Opcode::TailCall | Opcode::TForCall | Opcode::Jmp | Opcode::Return | Opcode::Return1 => {
                return None;
            }
            opcode if a == register && sets_a(opcode) => return None,
            _ => {}
        }
    }
    None
}

/// The name of the table in a register, which may still be on its way to the variable that will hold it.
fn table_name(proto: &impl CodeView, pc: usize, register: u8, levels: usize) -> Option<Vec<u8>> {
    if let Some((_, name)) = register_name(proto, pc, register) {
        return Some(name.to_vec());
    }
    let setter = find_setter(proto.code(), pc, register)?;
    destination(proto, setter, register, levels.checked_sub(1)?)
}

/// How far the name of a register was found.
enum Found<'a> {
    Name(Description<'a>),
    /// It has no name by itself; the instruction at this address set it.
    SetBy(usize),
    Nothing,
}

/// The name of a register that is a variable, or a copy of a variable, upvalue or constant.
fn simple_name(proto: &impl CodeView, mut pc: usize, mut register: u8) -> Found<'_> {
    // Every move goes to a lower register, so this ends.
    loop {
        if let Some(name) = local_name(proto, pc, register as usize) {
            return Found::Name(("local", name));
        }
        let Some(setter) = find_setter(proto.code(), pc, register) else { return Found::Nothing };
        let instruction = proto.code()[setter];
        let constant = match instruction.opcode() {
            Opcode::Move if instruction.b() < instruction.a() => {
                pc = setter;
                register = instruction.b();
                continue;
            }
            Opcode::GetUpval => {
                return match upvalue_name(proto, instruction.b()) {
                    Some(description) => Found::Name(description),
                    None => Found::Nothing,
                };
            }
            Opcode::LoadK => proto.string_constant(instruction.bx() as usize),
            Opcode::LoadKX => {
                let extra = proto.code().get(setter + 1);
                extra.and_then(|extra| proto.string_constant(extra.get_ax() as usize))
            }
            _ => None,
        };
        return match constant {
            Some(name) => Found::Name(("constant", name)),
            None => Found::SetBy(setter),
        };
    }
}

/// The last instruction before `pc` that set a register, unless it can have been jumped over.
fn find_setter(code: &[Instruction], pc: usize, register: u8) -> Option<usize> {
    let mut setter = None;
    // Code before this address is conditional.
    let mut arrival = 0;
    for (address, instruction) in code.iter().enumerate().take(pc) {
        let a = instruction.a();
        let changes = match instruction.opcode() {
            Opcode::LoadNil => (a as usize..=a as usize + instruction.b() as usize).contains(&(register as usize)),
            // The results take the place of the state that the call saw, and all above is gone.
            Opcode::TForCall => register as usize >= a as usize + 2,
            Opcode::Call | Opcode::TailCall => register >= a,
            Opcode::Jmp => {
                let target = address as i64 + 1 + i64::from(instruction.get_sj());
                if target <= pc as i64 {
                    arrival = arrival.max(target);
                }
                false
            }
            opcode => register == a && sets_a(opcode),
        };
        if changes {
            setter = (address as i64 >= arrival).then_some(address);
        }
    }
    setter
}

/// Whether an instruction, other than calls, puts a value into its register A.
fn sets_a(opcode: Opcode) -> bool {
    !matches!(
        opcode,
        Opcode::SetUpval
            | Opcode::SetTabUp
            | Opcode::SetTabUpK
            | Opcode::SetTable
            | Opcode::SetTableK
            | Opcode::SetI
            | Opcode::SetIK
            | Opcode::SetField
            | Opcode::SetFieldK
            | Opcode::Close
            | Opcode::Tbc
            | Opcode::Jmp
            | Opcode::Eq
            | Opcode::Lt
            | Opcode::Le
            | Opcode::EqK
            | Opcode::EqI
            | Opcode::LtI
            | Opcode::LeI
            | Opcode::GtI
            | Opcode::GeI
            | Opcode::Test
            | Opcode::Return
            | Opcode::Return0
            | Opcode::Return1
            | Opcode::TForPrep
            | Opcode::SetList
            | Opcode::ExtraArg
    )
}

/// The string that names a field, `?` where it is none.
fn constant_name(proto: &impl CodeView, index: u8) -> &[u8] {
    proto.string_constant(index as usize).unwrap_or(b"?")
}

/// The string that a register holds as a constant, `?` where it doesn't.
fn register_constant_name(proto: &impl CodeView, pc: usize, register: u8) -> &[u8] {
    match simple_name(proto, pc, register) {
        Found::Name(("constant", name)) => name,
        _ => b"?",
    }
}

/// Whether the table in a register is the variable `_ENV`.
fn is_environment(proto: &impl CodeView, pc: usize, register: u8) -> bool {
    matches!(simple_name(proto, pc, register), Found::Name(("local" | "upvalue", b"_ENV")))
}

fn field_kind(is_environment: bool) -> &'static str {
    if is_environment { "global" } else { "field" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytecode::{Constant, Template};
    use crate::version::LuaVersion;

    impl CodeView for Template {
        fn code(&self) -> &[Instruction] {
            &self.code
        }

        fn string_constant(&self, index: usize) -> Option<&[u8]> {
            match self.constants.get(index) {
                Some(Constant::String(text)) => Some(text),
                _ => None,
            }
        }

        fn upvalue_name(&self, index: usize) -> Option<&[u8]> {
            self.upvalues.get(index).map(|upvalue| &*upvalue.name)
        }

        fn locals(&self) -> impl Iterator<Item = (&[u8], usize, usize)> {
            self.locals.iter().map(|local| (&*local.name, local.start as usize, local.end as usize))
        }
    }

    fn template(source: &str) -> Template {
        crate::syntax::parse(source.as_bytes(), b"=t", LuaVersion::Lua54)
            .and_then(|chunk| crate::compiler::compile(&chunk, b"=t", LuaVersion::Lua54))
            .expect("valid Lua")
    }

    /// Kind and name of what `choose` says of the last instruction with one of the opcodes.
    fn describe(
        source: &str,
        opcodes: &[Opcode],
        choose: impl Fn(&Template, usize) -> Option<Description<'_>>,
    ) -> Option<String> {
        let main = template(source);
        let pc = main.code.iter().rposition(|instruction| opcodes.contains(&instruction.opcode()))?;
        choose(&main, pc).map(|(kind, name)| format!("{kind} '{}'", name.escape_ascii()))
    }

    /// What the last call in a chunk calls.
    fn called(source: &str) -> Option<String> {
        describe(source, &[Opcode::Call, Opcode::TailCall, Opcode::TForCall], function_name)
    }

    /// What the table of the last `GetField` in a chunk is.
    fn indexed(source: &str) -> Option<String> {
        describe(source, &[Opcode::GetField], |main, pc| register_name(main, pc, main.code[pc].b()))
    }

    #[test]
    fn called_functions_are_named_by_where_they_came_from() {
        assert_eq!(called("f()").as_deref(), Some("global 'f'"));
        assert_eq!(called("local f; f()").as_deref(), Some("local 'f'"));
        assert_eq!(called("t.f()").as_deref(), Some("field 'f'"));
        assert_eq!(called("t[1]()").as_deref(), Some("field 'integer index'"));
        assert_eq!(called("t:m()").as_deref(), Some("method 'm'"));
        assert_eq!(called("local _ENV = {}; f()").as_deref(), Some("global 'f'"));
        assert_eq!(called("local k; t[k]()").as_deref(), Some("field '?'"));
        assert_eq!(called("(function() end)()"), None);
        assert_eq!(called("f()()"), None);
        assert_eq!(called("for x in f do end").as_deref(), Some("for iterator 'for iterator'"));
    }

    #[test]
    fn names_far_down_the_constant_table_are_found_too() {
        let many: String = (0..300).map(|index| format!("'k{index}',")).collect();
        assert_eq!(called(&format!("local t = {{{many}}} t.f()")).as_deref(), Some("field 'f'"));
        assert_eq!(called(&format!("local t = {{{many}}} t:m()")).as_deref(), Some("method 'm'"));
        assert_eq!(called(&format!("local t = {{{many}}} f()")).as_deref(), Some("global 'f'"));
    }

    #[test]
    fn indexed_values_are_named_by_where_they_came_from() {
        assert_eq!(indexed("local a; return a.x").as_deref(), Some("local 'a'"));
        assert_eq!(indexed("return a.x").as_deref(), Some("global 'a'"));
        assert_eq!(indexed("return a.b.x").as_deref(), Some("field 'b'"));
        assert_eq!(indexed("return ('s').x").as_deref(), Some("constant 's'"));
        assert_eq!(indexed("return f().x"), None);
    }

    #[test]
    fn upvalues_are_named() {
        let main = template("local a; return function() return a[1], a end");
        let inner = &main.prototypes[0];
        assert_eq!(register_name(inner, 1, 0), Some(("upvalue", b"a".as_slice())));
        assert_eq!(upvalue_name(inner, 0), Some(("upvalue", b"a".as_slice())));
        assert_eq!(upvalue_name(inner, 1), None);
    }

    #[test]
    fn a_value_that_two_branches_can_have_set_has_no_name() {
        assert_eq!(called("local a; (a or f)()"), None);
        assert_eq!(indexed("local a; return (a and b).x"), None);
    }

    #[test]
    fn variables_are_named_only_while_they_are_in_scope() {
        let main = template("do local a = 1 end local b = 2; return b");
        assert_eq!(local_name(&main, 1, 0), None);
        assert_eq!(local_name(&main, 3, 0), Some(b"b".as_slice()));
        assert_eq!(local_name(&main, 3, 1), None);
    }

    /// The names of the functions nested in a chunk.
    fn nested(source: &str) -> Vec<Option<String>> {
        let main = template(source);
        let name = |index| nested_name(&main, index).map(|name| name.escape_ascii().to_string());
        (0..main.prototypes.len()).map(name).collect()
    }

    /// What the tables of a chunk are called.
    fn tables(source: &str) -> Vec<Option<String>> {
        let main = template(source);
        let makes = |&pc: &usize| main.code[pc].opcode() == Opcode::NewTable;
        let name = |pc| result_name(&main, pc).map(|name| name.escape_ascii().to_string());
        (0..main.code.len()).filter(makes).map(name).collect()
    }

    fn some(names: &[&str]) -> Vec<Option<String>> {
        names.iter().map(|&name| Some(name.to_owned())).collect()
    }

    #[test]
    fn functions_are_called_as_what_they_are_put_into() {
        assert_eq!(nested("local function f() end local g = function() end"), some(&["f", "g"]));
        assert_eq!(nested("function f() end g = function() end"), some(&["f", "g"]));
        assert_eq!(nested("local M = {} function M.f() end M.g = function() end"), some(&["M.f", "M.g"]));
        assert_eq!(nested("function M.f() end function a.b.c() end"), some(&["M.f", "b.c"]));
        assert_eq!(nested("local t = { f = function() end, g = function() end }"), some(&["t.f", "t.g"]));
        assert_eq!(nested("local f f = function() end"), some(&["f"]));
        assert_eq!(nested("local a, b = function() end, function() end"), some(&["a", "b"]));
        assert_eq!(nested("return { f = function() end }"), some(&["f"]));
        assert_eq!(nested("return function() end"), [None]);
        assert_eq!(nested("print(function() end)"), [None]);
        assert_eq!(nested("(function() end)()"), [None]);
    }

    #[test]
    fn tables_are_called_as_what_they_are_put_into() {
        assert_eq!(tables("local t = {}"), some(&["t"]));
        assert_eq!(tables("local t = { 1, 2, x = 1 } t = {}"), some(&["t", "t"]));
        assert_eq!(tables("local t = { a = { b = {} } }"), some(&["t", "t.a", "t.a.b"]));
        assert_eq!(tables("local t = setmetatable({}, { __mode = 'k' })").first(), Some(&Some("t".to_owned())));
        assert_eq!(tables("f({})"), [None]);
        assert_eq!(tables("return {}"), [None]);
    }

    #[test]
    fn metamethods_are_named_by_their_event() {
        let event = |source, opcode| describe(source, &[opcode], function_name);
        assert_eq!(event("local a; a = a + 1", Opcode::AddI).as_deref(), Some("metamethod 'add'"));
        assert_eq!(event("local a; a = a .. 1", Opcode::Concat).as_deref(), Some("metamethod 'concat'"));
        assert_eq!(event("local a; a = a > 1", Opcode::GtI).as_deref(), Some("metamethod 'lt'"));
        assert_eq!(event("local a; a = 1 < a", Opcode::GtI).as_deref(), Some("metamethod 'lt'"));
        assert_eq!(event("local a; a.x = 1", Opcode::SetFieldK).as_deref(), Some("metamethod 'newindex'"));
        assert_eq!(event("x = y", Opcode::GetTabUp).as_deref(), Some("metamethod 'index'"));
        assert_eq!(event("local a <close> = b", Opcode::Return).as_deref(), Some("metamethod 'close'"));
    }
}
