//! Code that breaks one rule each. It is made from what the compiler made of a source, by changing a word.

use super::*;
use crate::LuaVersion;
use crate::bytecode::{LocalVariable, UpvalueDescription};
use crate::compiler::compile;
use crate::syntax::parse;
use std::rc::Rc;

fn template(source: &str) -> Template {
    let chunk = parse(source.as_bytes(), b"=t", LuaVersion::Lua54).expect("valid Lua");
    compile(&chunk, b"=t", LuaVersion::Lua54).expect("valid Lua")
}

fn address(template: &Template, opcode: Opcode) -> usize {
    template.code.iter().position(|i| i.opcode() == opcode).unwrap_or_else(|| panic!("{opcode:?} in {template:?}"))
}

/// What is wrong after the first instruction with this opcode became another one.
#[track_caller]
fn becomes(source: &str, opcode: Opcode, change: impl Fn(Instruction) -> Instruction) -> Fault {
    let mut template = template(source);
    assert_eq!(template.verify(), Ok(()), "{source}");
    let address = address(&template, opcode);
    Rc::make_mut(&mut template.code)[address] = change(template.code[address]);
    template.verify().expect_err("refused").fault
}

fn abc(opcode: Opcode, a: u8, b: u8, c: u8) -> impl Fn(Instruction) -> Instruction {
    move |_| Instruction::abc(opcode, a, b, c)
}

#[test]
fn operands_are_inside_what_the_function_has() {
    use Opcode::*;
    assert_eq!(becomes("local a, b = 1, 2; a = b", Move, abc(Move, 0, 9, 0)), Fault::Register);
    assert_eq!(becomes("local a, b = 1, 2; a = b", Move, abc(Move, 250, 0, 0)), Fault::Register);
    assert_eq!(becomes("local a = 1.5", LoadK, |_| Instruction::abx(LoadK, 0, 1)), Fault::Constant);
    assert_eq!(becomes("x = y", GetTabUp, abc(GetTabUp, 0, 1, 0)), Fault::Upvalue);
    assert_eq!(becomes("local a = 1.5; x = y", GetTabUp, abc(GetTabUp, 1, 0, 0)), Fault::Constant);
    assert_eq!(becomes("local a; a = a + 1.5; a.b = 1", AddK, abc(AddK, 0, 0, 1)), Fault::Constant);
    assert_eq!(becomes("local function f() end", Closure, |_| Instruction::abx(Closure, 0, 1)), Fault::Prototype);
    assert_eq!(becomes("local a, b", LoadNil, abc(LoadNil, 0, 2, 0)), Fault::Register);
    assert_eq!(becomes("local a; a = a .. a", Concat, abc(Concat, 1, 3, 0)), Fault::Register);
    assert_eq!(becomes("local a; a = a .. a", Concat, abc(Concat, 1, 1, 0)), Fault::Operand);
    assert_eq!(becomes("f(1)", Call, abc(Call, 0, 9, 1)), Fault::Register);
    assert_eq!(becomes("f(1)", Call, abc(Call, 0, 2, 9)), Fault::Register);
    assert_eq!(becomes("for i = 1, 2 do end", ForLoop, |_| Instruction::abx(ForLoop, 1, 0)), Fault::Register);
    assert_eq!(becomes("for k in f do end", TForCall, abc(TForCall, 0, 0, 9)), Fault::Register);
    assert_eq!(becomes("for k in f do end", TForPrep, |_| Instruction::abx(TForPrep, 253, 0)), Fault::Register);
    assert_eq!(becomes("local a = {}", NewTable, abc(NewTable, 0, 200, 0)), Fault::Operand);
    assert_eq!(becomes("local a = {}", ExtraArg, |_| Instruction::ax(ExtraArg, 1 << 20)), Fault::Operand);
    assert_eq!(becomes("local a = {1}", SetList, abc(SetList, 0, 9, 0)), Fault::Register);
    assert_eq!(becomes("local a", LoadNil, |_| Instruction::from_bits(0xFF)), Fault::Opcode);
}

#[test]
fn control_stays_on_instructions() {
    use Opcode::*;
    let jump = |distance| move |_| Instruction::sj(Jmp, distance);
    assert_eq!(becomes("goto l ::l::", Jmp, jump(1)), Fault::Control);
    assert_eq!(becomes("goto l ::l::", Jmp, jump(-3)), Fault::Control);
    assert_eq!(becomes("goto l ::l:: local a = {}", Jmp, jump(1)), Fault::Control);
    assert_eq!(becomes("for i = 1, 2 do end", ForPrep, |_| Instruction::abx(ForPrep, 0, 99)), Fault::Control);
    assert_eq!(becomes("for i = 1, 2 do end", ForLoop, |_| Instruction::abx(ForLoop, 0, 99)), Fault::Control);
    assert_eq!(becomes("return", Return0, abc(VarargPrep, 0, 0, 0)), Fault::Operand);
    assert_eq!(becomes("", Return0, abc(LoadTrue, 0, 0, 0)), Fault::Control);
    assert_eq!(becomes("local a if a then end", Jmp, abc(LoadTrue, 0, 0, 0)), Fault::Test);
    assert_eq!(becomes("local a = {}", ExtraArg, abc(LoadTrue, 0, 0, 0)), Fault::ExtraArg);
    assert_eq!(becomes("local a", LoadNil, |_| Instruction::ax(ExtraArg, 0)), Fault::ExtraArg);
    let mut empty = template("");
    empty.code = Rc::from([]);
    empty.lines = Rc::from([]);
    empty.locals.clear();
    assert_eq!(empty.verify().map_err(|error| error.fault), Err(Fault::Control));
}

#[test]
fn open_values_go_from_an_instruction_to_the_next() {
    use Opcode::*;
    assert_eq!(becomes("f(...)", Vararg, abc(Vararg, 1, 0, 2)), Fault::OpenValues);
    assert_eq!(becomes("f(...)", Call, abc(Call, 0, 2, 1)), Fault::OpenValues);
    assert_eq!(becomes("f(...)", Call, abc(Call, 1, 0, 1)), Fault::OpenValues);
    assert_eq!(becomes("f(1)", Call, abc(Call, 0, 0, 1)), Fault::OpenValues);
    assert_eq!(becomes("return f()", TailCall, abc(Call, 0, 1, 1)), Fault::OpenValues);
    assert_eq!(becomes("local a return {...}", SetList, abc(SetList, 2, 0, 0)), Fault::OpenValues);
    // The jump goes between the one and the other.
    assert_eq!(becomes("goto l; f(...) ::l::", Jmp, |_| Instruction::sj(Jmp, 2)), Fault::OpenValues);
}

#[test]
fn what_may_be_open_is_closed_by_every_return() {
    use Opcode::*;
    let captures = "local a; return function() return a end";
    assert_eq!(becomes(captures, Return, abc(Return1, 1, 2, 0)), Fault::Return);
    assert_eq!(becomes(captures, Return, abc(Return, 1, 2, 0)), Fault::Return);
    assert_eq!(becomes("do local a <close> = nil end", Return, abc(Return0, 0, 1, 0)), Fault::Return);
}

#[test]
fn functions_fit_together() {
    let fault = |change: fn(&mut Template)| {
        let mut template = template("local a; return function(b) return a, x end");
        change(&mut template);
        template.verify().expect_err("refused").fault
    };
    assert_eq!(fault(|main| main.prototypes[0].upvalues[0].index = 77), Fault::Register);
    assert_eq!(fault(|main| main.prototypes[0].upvalues[1].index = 1), Fault::Upvalue);
    assert_eq!(fault(|main| main.prototypes[0].parameters = 200), Fault::Registers);
    assert_eq!(fault(|main| main.max_stack = 0), Fault::Registers);
    assert_eq!(fault(|main| main.lines = Rc::from(&main.lines[..1])), Fault::Lines);
    assert_eq!(fault(|main| main.locals[0].end = 99), Fault::Scope);
    assert_eq!(
        fault(|main| {
            let variable = LocalVariable { start: 0, end: 1, ..main.locals[0].clone() };
            main.locals = vec![variable; 300];
        }),
        Fault::Scope
    );
    assert_eq!(
        fault(|main| {
            let upvalue = UpvalueDescription { in_stack: true, ..main.upvalues[0].clone() };
            main.upvalues = vec![upvalue; 256];
        }),
        Fault::Upvalues
    );
}

#[test]
fn what_is_wrong_and_where_is_said() {
    let mut main = template("\nlocal function f()\n return x\n end");
    Rc::make_mut(&mut main.prototypes[0].code)[0] = Instruction::abc(Opcode::Move, 0, 99, 0);
    let message = main.verify().expect_err("refused").to_string();
    assert_eq!(message, "register out of range, function at line 2, instruction 0");
}
