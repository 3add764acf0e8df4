//! The listing of a compiled function, for tests and for people.

use crate::bytecode::{Constant, Instruction, Opcode, Template};
use std::fmt::Write;

/// The listing of a function and of the functions inside it.
///
/// Each line has the address of an instruction, its source line in brackets, its name and operands, and what they refer
/// to: constants, names of upvalues, targets of jumps.
pub fn disassemble(template: &Template) -> String {
    let mut out = String::new();
    let mut waiting = vec![("main".to_owned(), template)];
    while let Some((path, function)) = waiting.pop() {
        let kind = if function.variadic { "+" } else { "" };
        let _ = writeln!(
            out,
            "function {path} (lines {}-{}): {}{kind} parameters, {} registers, {} upvalues",
            function.line_defined,
            function.last_line_defined,
            function.parameters,
            function.max_stack,
            function.upvalues.len(),
        );
        for pc in 0..function.code.len() {
            let line = function.lines.get(pc).copied().unwrap_or(0);
            let _ = writeln!(out, "{pc:5} [{line}] {}", instruction_at(function, pc));
        }
        let inner = function.prototypes.iter().enumerate();
        waiting.extend(inner.map(|(index, inner)| (format!("{path}.{index}"), inner)).rev());
    }
    out
}

/// One instruction with its operands, and after `;` what they mean.
pub(super) fn instruction_at(function: &Template, pc: usize) -> String {
    let instruction = function.code[pc];
    let (a, b, c) = (instruction.a(), instruction.b(), instruction.c());
    let name = format!("{:?}", instruction.opcode());
    let constant = |index: usize| function.constants.get(index).map_or_else(|| "?".to_owned(), show);
    let upvalue = |index: u8| match function.upvalues.get(index as usize) {
        Some(upvalue) => String::from_utf8_lossy(&upvalue.name).into_owned(),
        None => "?".to_owned(),
    };
    let target = |distance: i64| pc as i64 + 1 + distance;
    use Opcode as Op;
    match instruction.opcode() {
        Op::LoadI | Op::LoadF => format!("{name} {a} {}", instruction.sbx()),
        Op::LoadK => format!("{name} {a} {} ; {}", instruction.bx(), constant(instruction.bx() as usize)),
        Op::LoadKX => {
            let index = function.code.get(pc + 1).map_or(0, |extra| extra.get_ax());
            format!("{name} {a} ; {}", constant(index as usize))
        }
        Op::LoadFalse | Op::LFalseSkip | Op::LoadTrue | Op::Close | Op::Tbc | Op::Return1 | Op::VarargPrep => {
            format!("{name} {a}")
        }
        Op::GetUpval | Op::SetUpval => format!("{name} {a} {b} ; {}", upvalue(b)),
        Op::GetTabUp => format!("{name} {a} {b} {c} ; {}.{}", upvalue(b), constant(c as usize)),
        Op::GetField | Op::SelfK => format!("{name} {a} {b} {c} ; {}", constant(c as usize)),
        Op::SetTabUp => format!("{name} {a} {b} {c} ; {}.{}", upvalue(a), constant(b as usize)),
        Op::SetTabUpK => {
            format!("{name} {a} {b} {c} ; {}.{} {}", upvalue(a), constant(b as usize), constant(c as usize))
        }
        Op::SetField => format!("{name} {a} {b} {c} ; {}", constant(b as usize)),
        Op::SetFieldK => format!("{name} {a} {b} {c} ; {} {}", constant(b as usize), constant(c as usize)),
        Op::SetTableK | Op::SetIK => format!("{name} {a} {b} {c} ; {}", constant(c as usize)),
        Op::AddI | Op::SubI | Op::ShlI | Op::ShrI => format!("{name} {a} {b} {}", instruction.sc()),
        Op::AddK
        | Op::SubK
        | Op::MulK
        | Op::ModK
        | Op::PowK
        | Op::DivK
        | Op::IDivK
        | Op::BAndK
        | Op::BOrK
        | Op::BXorK => format!("{name} {a} {b} {c} ; {}", constant(c as usize)),
        Op::EqK => format!("{name} {a} {b} {c} ; {}", constant(b as usize)),
        Op::EqI | Op::LtI | Op::LeI | Op::GtI | Op::GeI => format!("{name} {a} {} {c}", instruction.sb()),
        Op::Test | Op::TForCall | Op::Vararg => format!("{name} {a} {c}"),
        Op::Jmp => format!("{name} -> {}", target(i64::from(instruction.get_sj()))),
        Op::ForPrep => format!("{name} {a} -> {}", target(i64::from(instruction.bx()) + 1)),
        Op::TForPrep => format!("{name} {a} -> {}", target(i64::from(instruction.bx()))),
        Op::ForLoop | Op::TForLoop => format!("{name} {a} -> {}", target(-i64::from(instruction.bx()))),
        Op::Closure => format!("{name} {a} {}", instruction.bx()),
        Op::ExtraArg => format!("{name} {}", instruction.get_ax()),
        Op::Return0 => name,
        Op::Move | Op::LoadNil | Op::NewTable | Op::Unm | Op::BNot | Op::Not | Op::Len | Op::Concat | Op::SetList => {
            format!("{name} {a} {b}")
        }
        _ => abc(instruction),
    }
}

fn abc(instruction: Instruction) -> String {
    format!("{:?} {} {} {}", instruction.opcode(), instruction.a(), instruction.b(), instruction.c())
}

fn show(constant: &Constant) -> String {
    match constant {
        Constant::Nil => "nil".to_owned(),
        Constant::Boolean(value) => value.to_string(),
        Constant::Integer(value) => value.to_string(),
        Constant::Float(value) => format!("{value:?}"),
        Constant::String(value) => format!("\"{}\"", value.escape_ascii()),
    }
}
