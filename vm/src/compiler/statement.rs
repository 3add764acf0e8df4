//! Statements: assignments, control flow, declarations.
//!
//! At the end of each statement only the registers of variables are in use, and a limit that was exceeded within it is
//! reported.

use super::constant::Text;
use super::expression::Resolved;
use super::function_state::Register;
use super::jumps::JumpList;
use super::operand::{Operand, Place};
use super::scope::GotoTarget;
use super::{Compiler, Result};
use crate::bytecode::{Instruction, Opcode};
use crate::syntax::SyntaxError;
use crate::syntax::ast::{
    Arm, Attribute, Block, Expression, ExpressionKind, FunctionBody, FunctionStatement, GenericFor, LocalName, Name,
    NameAt, NumericFor, Statement, StatementKind,
};

impl Compiler {
    /// Compile the statements of a block. `end_line` is the line of the token after it, 0 where the tree has none.
    /// `ends_scope` is false for the body of a `repeat`, whose condition still sees its variables.
    pub(super) fn statements(&mut self, statements: &[Statement], end_line: u32, ends_scope: bool) -> Result<()> {
        let mut rest = statements;
        while let Some((statement, after)) = rest.split_first() {
            if !matches!(statement.kind, StatementKind::Label(_)) {
                self.statement(statement)?;
                rest = after;
                continue;
            }
            let labels = rest.iter().take_while(|next| matches!(next.kind, StatementKind::Label(_))).count();
            let (run, after) = rest.split_at(labels);
            let next_line = after.first().map_or(end_line, |next| next.span.line);
            // A label is made when the next statement that does something is seen: the last of several first.
            for label in run.iter().rev() {
                if let StatementKind::Label(label) = &label.kind {
                    self.label(label, next_line, after.is_empty() && ends_scope)?;
                }
            }
            rest = after;
        }
        Ok(())
    }

    /// Compile a block with a scope of its own.
    fn block(&mut self, block: &Block, end_line: u32) -> Result<()> {
        self.function.enter_block(false);
        self.statements(&block.statements, end_line, true)?;
        self.function.leave_block();
        Ok(())
    }

    fn statement(&mut self, statement: &Statement) -> Result<()> {
        let line = statement.span.line;
        self.function.at_line(line);
        match &statement.kind {
            StatementKind::Assign { targets, values } => self.assign(targets, values)?,
            StatementKind::Local { names, values } => self.local(names, values)?,
            StatementKind::Call(call) => {
                let call = self.suffixed(call)?;
                if !matches!(call.place, Place::Call(_)) {
                    return Err(self.error("syntax error"));
                }
                self.function.set_results(&call, Some(0));
            }
            StatementKind::Do(body) => self.block(body, 0)?,
            StatementKind::While { condition, body, end_line } => self.while_loop(condition, body, *end_line)?,
            StatementKind::Repeat { body, condition } => self.repeat_loop(body, condition)?,
            StatementKind::If { arms, otherwise } => self.if_statement(arms, otherwise.as_ref())?,
            StatementKind::NumericFor(node) => self.numeric_for(node, line)?,
            StatementKind::GenericFor(node) => self.generic_for(node)?,
            StatementKind::Function(node) => self.function_statement(node, line)?,
            StatementKind::LocalFunction { name, body } => self.local_function(name, body)?,
            StatementKind::Return(values) => self.return_statement(values)?,
            StatementKind::Break => {
                let jump = self.function.emit_jump();
                self.function.add_goto(GotoTarget::Break, line, JumpList::one(jump));
            }
            StatementKind::Goto(name) => {
                self.function.at_line(name.span.line);
                self.function.emit_goto(&name.name, name.span.line);
            }
            // Labels are compiled with the statements around them.
            StatementKind::Label(_) => {}
        }
        self.function.at_line(statement.span.end_line);
        self.function.free = self.function.variable_registers;
        self.check_failure()
    }

    fn label(&mut self, label: &NameAt, next_line: u32, is_last: bool) -> Result<()> {
        let name = &label.name;
        self.function.at_line(label.span.line);
        let error_line = if next_line == 0 { self.function.line } else { next_line };
        if let Some(other) = self.function.find_label(name) {
            let message = format!("label '{name}' already defined on line {}", other.line);
            return Err(self.error_at(error_line, &message));
        }
        self.function.add_label(name, label.span.line, is_last).map_err(|goto| {
            let message = format!(
                "<goto {}> at line {} jumps into the scope of local '{}'",
                goto.label, goto.line, goto.variable
            );
            self.error_at(error_line, &message)
        })
    }

    // Assignments and declarations.

    fn assign(&mut self, targets: &[Expression], values: &[Expression]) -> Result<()> {
        if let ([target], [value]) = (targets, values) {
            let place = self.target(target)?;
            let value = self.expression(value)?;
            self.store_last(&place, value);
            return Ok(());
        }
        let mut places: Vec<Place> = Vec::with_capacity(targets.len());
        for target in targets {
            let place = self.target(target)?;
            if !place.is_indexed() {
                self.keep_table_of(&mut places, &place);
            }
            places.push(place);
        }
        let Some(last) = self.expressions(values)? else {
            return Err(self.error("syntax error"));
        };
        if values.len() == targets.len() {
            if let Some(place) = places.pop() {
                self.store_last(&place, last);
            }
        } else {
            self.adjust(targets.len(), values.len(), Some(last));
        }
        // The other values are in consecutive registers.
        while let Some(place) = places.pop() {
            let value = Place::Register(Register(self.function.free.saturating_sub(1) as u8));
            self.function.store(&place, value.into());
        }
        Ok(())
    }

    /// Assign one value of an expression.
    fn store_last(&mut self, place: &Place, mut value: Operand) {
        if value.place.is_multiple() {
            self.function.discharge(&mut value);
        }
        self.function.store(place, value);
    }

    /// The variable or element that an assignment is to.
    fn target<'t>(&mut self, target: &'t Expression) -> Result<Place<'t>> {
        match &target.kind {
            ExpressionKind::Name(name) => {
                self.function.at_line(target.span.line);
                Ok(self.assignable(name)?.place)
            }
            ExpressionKind::Index(_) => Ok(self.suffixed(target)?.place),
            _ => Err(self.error("syntax error")),
        }
    }

    /// The variable of a name that is assigned.
    fn assignable<'t>(&mut self, name: &'t Name) -> Result<Operand<'t>> {
        match self.resolve(name) {
            Resolved::Operand(operand) => Ok(operand),
            Resolved::ReadOnly(_) => Err(self.read_only(name)),
            Resolved::Global => Ok(self.global(name)),
        }
    }

    fn read_only(&self, name: &Name) -> Box<SyntaxError> {
        self.error(&format!("attempt to assign to const variable '{name}'"))
    }

    /// Let earlier targets of a multiple assignment, which use a variable as table or key, use a copy of it if the
    /// variable is itself a target.
    fn keep_table_of(&mut self, earlier: &mut [Place], variable: &Place) {
        let copy = Register(self.function.free as u8);
        let mut is_used = false;
        for place in earlier {
            match (&mut *place, variable) {
                (Place::IndexUpvalue { table, key }, Place::Upvalue(upvalue)) if table == upvalue => {
                    *place = Place::IndexField { table: copy, key: *key };
                    is_used = true;
                }
                (Place::Index { table, key }, Place::Local(register)) => {
                    for operand in [table, key] {
                        if operand == register {
                            *operand = copy;
                            is_used = true;
                        }
                    }
                }
                (Place::IndexInteger { table, .. } | Place::IndexField { table, .. }, Place::Local(register))
                    if table == register =>
                {
                    *table = copy;
                    is_used = true;
                }
                _ => {}
            }
        }
        if is_used {
            self.function.load_next_register((*variable).into());
        }
    }

    /// Fit the values of an expression list, of which all but the last are in registers, to `wanted` registers.
    fn adjust(&mut self, wanted: usize, given: usize, last: Option<Operand>) {
        let function = &mut self.function;
        let missing = wanted.saturating_sub(given);
        match last {
            Some(last) if last.place.is_multiple() => {
                // The last expression gives what is missing, and its own value if that is wanted.
                let results = (wanted + 1).saturating_sub(given);
                function.set_results(&last, Some(results));
                if results > 1 {
                    function.reserve(results - 1);
                }
            }
            last => {
                if let Some(last) = last {
                    function.load_next_register(last);
                }
                if missing > 0 {
                    function.emit_nil(function.free, missing);
                    function.reserve(missing);
                }
            }
        }
        // Values that nobody wants.
        function.free = function.free.saturating_sub(given.saturating_sub(wanted));
    }

    fn local(&mut self, names: &[LocalName], values: &[Expression]) -> Result<()> {
        if let Some(last) = names.last() {
            self.function.at_line(last.name.span.line);
        }
        self.check_locals(names.len())?;
        let last = self.expressions(values)?;
        if names.len() == values.len()
            && let Some((LocalName { name, attribute: Attribute::Const }, others)) = names.split_last()
            && let Some(value) = last.as_ref().and_then(Operand::literal)
        {
            for local in others {
                self.function.declare(&local.name.name, local.attribute);
            }
            self.function.declare_constant(&name.name, value);
        } else {
            self.adjust(names.len(), values.len(), last);
            for local in names {
                self.function.declare(&local.name.name, local.attribute);
            }
        }
        if let Some(closed) = names.iter().rposition(|local| local.attribute == Attribute::Close) {
            let level = self.function.variables.len() - (names.len() - closed);
            let register = self.function.registers_of(level);
            self.function.emit_to_be_closed(register);
        }
        Ok(())
    }

    fn local_function(&mut self, name: &NameAt, body: &FunctionBody) -> Result<()> {
        self.function.at_line(name.span.line);
        self.check_locals(1)?;
        self.function.declare(&name.name, Attribute::Regular);
        self.function_expression(body, false)?;
        // Before this point the register does not hold the function yet.
        self.function.restart_latest_local();
        Ok(())
    }

    fn function_statement(
        &mut self,
        FunctionStatement { base, fields, method, body }: &FunctionStatement,
        line: u32,
    ) -> Result<()> {
        self.function.at_line(base.span.line);
        let (mut target, is_read_only) = match self.resolve(&base.name) {
            Resolved::Operand(operand) => (operand, false),
            Resolved::ReadOnly(operand) => (operand, fields.is_empty() && method.is_none()),
            Resolved::Global => (self.global(&base.name), false),
        };
        for field in fields.iter().chain(method) {
            let table = self.function.load_table(target);
            self.function.at_line(field.span.line);
            target = self.function.index(table, Place::String(Text::Name(&field.name)).into());
        }
        let closure = self.function_expression(body, method.is_some())?;
        if is_read_only {
            return Err(self.read_only(&base.name));
        }
        self.function.store(&target.place, closure);
        // The definition happens at the first line.
        self.function.fix_line(line);
        Ok(())
    }

    // Control flow.

    /// Compile a condition that is tested at a line, 0 for where it ends; the jumps for where it is false.
    fn condition(&mut self, condition: &Expression, line: u32) -> Result<JumpList> {
        let operand = self.expression(condition)?;
        self.function.at_line(line);
        let function = &mut self.function;
        if !matches!(operand.place, Place::Nil | Place::False) {
            return Ok(function.go_if_true(operand));
        }
        // Nobody wants the value: no need to load and test it.
        let jump = JumpList::one(function.emit_jump());
        let when_false = function.join(operand.when_false, jump);
        function.patch_to_here(operand.when_true);
        Ok(when_false)
    }

    fn if_statement(&mut self, arms: &[Arm], otherwise: Option<&Block>) -> Result<()> {
        let mut to_end = JumpList::default();
        for (index, arm) in arms.iter().enumerate() {
            let is_last = index + 1 == arms.len() && otherwise.is_none();
            self.arm(arm, is_last, &mut to_end)?;
        }
        if let Some(block) = otherwise {
            self.block(block, 0)?;
        }
        self.function.patch_to_here(to_end);
        Ok(())
    }

    /// Compile a condition and what happens where it is true; after that, unless it `is_last`, a jump to the end.
    fn arm(&mut self, Arm { condition, then_line, block }: &Arm, is_last: bool, to_end: &mut JumpList) -> Result<()> {
        let (to_next, rest) = match block.statements.split_first() {
            Some((Statement { kind: StatementKind::Break, span }, rest)) => {
                // The test itself jumps out of the loop.
                let operand = self.expression(condition)?;
                self.function.at_line(*then_line);
                let breaks = match operand.place {
                    Place::True if !operand.has_jumps() => JumpList::one(self.function.emit_jump()),
                    _ => self.function.go_if_false(operand),
                };
                self.function.enter_block(false);
                self.function.add_goto(GotoTarget::Break, span.line, breaks);
                if rest.is_empty() {
                    self.function.leave_block();
                    return Ok(());
                }
                (JumpList::one(self.function.emit_jump()), rest)
            }
            _ => {
                let to_next = self.condition(condition, *then_line)?;
                self.function.enter_block(false);
                (to_next, block.statements.as_slice())
            }
        };
        self.statements(rest, 0, true)?;
        self.function.leave_block();
        if !is_last {
            let jump = JumpList::one(self.function.emit_jump());
            *to_end = self.function.join(*to_end, jump);
        }
        self.function.patch_to_here(to_next);
        Ok(())
    }

    fn while_loop(&mut self, condition: &Expression, body: &Block, end_line: u32) -> Result<()> {
        let start = self.function.mark_target();
        let exit = self.condition(condition, 0)?;
        self.function.enter_block(true);
        self.block(body, end_line)?;
        self.function.emit_jump_to(start);
        self.function.at_line(end_line);
        self.function.leave_block();
        self.function.patch_to_here(exit);
        Ok(())
    }

    fn repeat_loop(&mut self, body: &Block, condition: &Expression) -> Result<()> {
        let start = self.function.mark_target();
        self.function.enter_block(true);
        self.function.enter_block(false);
        self.statements(&body.statements, condition.span.line, false)?;
        let mut again = self.condition(condition, 0)?;
        let scope = self.function.leave_block();
        let function = &mut self.function;
        if scope.must_close {
            // The end of the scope closed its variables for the way out; the way back needs a `Close` of its own.
            let exit = function.emit_jump();
            function.patch_to_here(again);
            function.emit_close(function.registers_of(scope.variables));
            again = JumpList::one(function.emit_jump());
            function.patch_to_here(JumpList::one(exit));
        }
        function.patch(again, start);
        function.leave_block();
        Ok(())
    }

    fn numeric_for(&mut self, node: &NumericFor, line: u32) -> Result<()> {
        let NumericFor { variable, start, limit, step, body, end_line } = node;
        self.function.enter_block(true);
        let base = Register(self.function.free as u8);
        self.function.at_line(variable.span.line);
        self.check_locals(4)?;
        for value in [Some(start), Some(limit), step.as_ref()] {
            let value = match value {
                Some(value) => self.expression(value)?,
                None => Place::Integer(1).into(),
            };
            self.function.load_next_register(value);
        }
        self.declare_loop_state(3);
        let prepare = self.function.emit(Instruction::abx(Opcode::ForPrep, base.0, 0));
        self.loop_body(std::slice::from_ref(variable), body, *end_line)?;
        let target = self.function.mark_target();
        self.function.set_loop_distance(prepare, target - (prepare + 1));
        let end = self.function.emit(Instruction::abx(Opcode::ForLoop, base.0, 0));
        self.function.set_loop_distance(end, end - prepare);
        self.function.fix_line(line);
        self.function.at_line(*end_line);
        self.function.leave_block();
        Ok(())
    }

    fn generic_for(&mut self, node: &GenericFor) -> Result<()> {
        let GenericFor { variables, iterators, body, end_line } = node;
        self.function.enter_block(true);
        let base = Register(self.function.free as u8);
        if let Some(last) = variables.last() {
            self.function.at_line(last.span.line);
        }
        self.check_locals(4 + variables.len())?;
        // Errors of the iterator are at the line where its expression begins.
        let line = iterators.first().map_or(0, |iterator| iterator.span.line);
        let last = self.expressions(iterators)?;
        self.adjust(4, iterators.len(), last);
        self.declare_loop_state(4);
        self.function.mark_to_be_closed();
        // The iterator is called with two arguments above the state.
        self.function.check_stack(3);
        let prepare = self.function.emit(Instruction::abx(Opcode::TForPrep, base.0, 0));
        self.loop_body(variables, body, *end_line)?;
        let target = self.function.mark_target();
        self.function.set_loop_distance(prepare, target - (prepare + 1));
        self.function.emit_abc(Opcode::TForCall, base.0, 0, variables.len() as u8);
        self.function.fix_line(line);
        let end = self.function.emit(Instruction::abx(Opcode::TForLoop, base.0, 0));
        self.function.set_loop_distance(end, end - prepare);
        self.function.fix_line(line);
        self.function.at_line(*end_line);
        self.function.leave_block();
        Ok(())
    }

    /// Bring the hidden variables of a loop into scope.
    fn declare_loop_state(&mut self, count: usize) {
        for _ in 0..count {
            self.function.declare(&self.hidden.loop_state, Attribute::Regular);
        }
    }

    fn loop_body(&mut self, variables: &[NameAt], body: &Block, end_line: u32) -> Result<()> {
        self.function.enter_block(false);
        for variable in variables {
            self.function.declare(&variable.name, Attribute::Regular);
        }
        self.function.reserve(variables.len());
        self.block(body, end_line)?;
        self.function.leave_block();
        Ok(())
    }

    fn return_statement(&mut self, values: &[Expression]) -> Result<()> {
        let last = self.expressions(values)?;
        let function = &mut self.function;
        let first = function.variable_registers;
        let Some(last) = last else {
            function.emit_return(first, Some(0));
            return Ok(());
        };
        if last.place.is_multiple() {
            function.set_all_results(&last);
            let inside_close = function.blocks.last().is_some_and(|block| block.inside_close);
            if let Place::Call(pc) = last.place
                && values.len() == 1
                && !inside_close
            {
                let call = function.code[pc];
                function.code[pc] = Instruction::abc(Opcode::TailCall, call.a(), call.b(), 0);
            }
            function.emit_return(first, None);
        } else if values.len() == 1 {
            let register = function.load_any_register(last);
            function.emit_return(register.0 as usize, Some(1));
        } else {
            function.load_next_register(last);
            function.emit_return(first, Some(values.len()));
        }
        Ok(())
    }
}
