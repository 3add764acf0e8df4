use super::compile;
use super::disassemble::instruction_at;
use crate::bytecode::Template;
use crate::syntax::parse;
use crate::version::LuaVersion;

fn try_compile(source: &str) -> Result<Template, String> {
    parse(source.as_bytes(), b"=t", LuaVersion::Lua54)
        .and_then(|chunk| compile(&chunk, b"=t", LuaVersion::Lua54))
        .map_err(|error| error.to_string())
}

fn template(source: &str) -> Template {
    try_compile(source).expect("valid Lua")
}

fn listing(function: &Template) -> Vec<String> {
    (0..function.code.len()).map(|pc| instruction_at(function, pc)).collect()
}

/// Compares the code of a main chunk with a listing, without the `VarargPrep` before and the `Return0` after it.
#[track_caller]
fn expect(source: &str, expected: &[&str]) {
    let code = listing(&template(source));
    assert_eq!(code[1..code.len() - 1], *expected, "{source}");
}

/// Compares the code of the first function in a chunk with a listing, without the last `Return0`.
#[track_caller]
fn expect_inner(source: &str, expected: &[&str]) {
    let code = listing(&template(source).prototypes[0]);
    assert_eq!(code[..code.len() - 1], *expected, "{source}");
}

#[track_caller]
fn expect_error(source: &str, expected: &str) {
    assert_eq!(try_compile(source).map(|_| ()), Err(format!("t:{expected}")), "{source}");
}

#[test]
fn the_main_chunk_is_variadic_and_has_env_as_its_only_upvalue() {
    let main = template("");
    assert_eq!(listing(&main), ["VarargPrep 0", "Return0"]);
    assert!(main.variadic);
    assert_eq!((main.parameters, main.max_stack, main.line_defined), (0, 2, 0));
    assert_eq!(main.upvalues.len(), 1);
    assert_eq!(&*main.upvalues[0].name, b"_ENV");
    assert!(main.upvalues[0].in_stack && main.upvalues[0].index == 0);
}

#[test]
fn constants_are_loaded_by_the_shortest_instruction() {
    expect("local a = 5", &["LoadI 0 5"]);
    expect("local a = -3.0", &["LoadF 0 -3"]);
    expect("local a = 40000", &["LoadK 0 0 ; 40000"]);
    expect("local a = 0.5", &["LoadK 0 0 ; 0.5"]);
    expect("local a, b = true, false", &["LoadTrue 0", "LoadFalse 1"]);
    expect("local a, b = 'x', 'x'", &["LoadK 0 0 ; \"x\"", "LoadK 1 0 ; \"x\""]);
}

#[test]
fn integers_and_equal_floats_are_different_constants() {
    expect("local a, b = 2^53, 1 << 53", &["LoadK 0 0 ; 9007199254740992.0", "LoadK 1 1 ; 9007199254740992"]);
    expect("local a = -0.0", &["LoadF 0 0", "Unm 0 0"]);
}

#[test]
fn more_constants_than_bx_can_number_need_an_extra_argument() {
    use std::fmt::Write;
    let mut source = String::new();
    for index in 0..70_000 {
        let _ = writeln!(source, "a = {index}.5");
    }
    let main = template(&source);
    let last = listing(&main).into_iter().rev().find(|line| line.starts_with("LoadKX"));
    assert_eq!(last.as_deref(), Some("LoadKX 0 ; 69999.5"));
}

#[test]
fn neighbouring_nils_are_loaded_together() {
    expect("local a, b; local c", &["LoadNil 0 2"]);
    expect("local a; ::l:: local b", &["LoadNil 0 0", "LoadNil 1 0"]);
}

#[test]
fn globals_are_fields_of_env() {
    expect("x = y", &["GetTabUp 0 0 1 ; _ENV.\"y\"", "SetTabUp 0 0 0 ; _ENV.\"x\""]);
    expect("x = 1", &["SetTabUpK 0 0 1 ; _ENV.\"x\" 1"]);
    expect("local _ENV = 1; x = 2", &["LoadI 0 1", "SetFieldK 0 0 1 ; \"x\" 2"]);
    expect(
        "local _ENV <const> = 1; x = y",
        &["LoadI 0 1", "LoadI 1 1", "GetField 1 1 1 ; \"y\"", "SetField 0 0 1 ; \"x\""],
    );
}

#[test]
fn elements_are_indexed_by_constant_strings_small_integers_or_registers() {
    expect(
        "local t, k; t.x, t[1], t[k] = t[255], t[256], t[-1]",
        &[
            "LoadNil 0 1",
            "GetI 2 0 255",
            "LoadI 3 256",
            "GetTable 3 0 3",
            "LoadI 4 -1",
            "GetTable 4 0 4",
            "SetTable 0 1 4",
            "SetI 0 1 3",
            "SetField 0 0 2 ; \"x\"",
        ],
    );
    expect(
        "local t, k; t.x = 1; t[1] = nil; t[k] = 'v'",
        &["LoadNil 0 1", "SetFieldK 0 0 1 ; \"x\" 1", "SetIK 0 1 2 ; nil", "SetTableK 0 1 3 ; \"v\""],
    );
}

#[test]
fn operands_are_used_where_they_are() {
    expect("local a, b; local c = a + b * a", &["LoadNil 0 1", "Mul 2 1 0", "Add 2 0 2"]);
    expect("local a; a = a.b.c", &["LoadNil 0 0", "GetField 1 0 0 ; \"b\"", "GetField 0 1 1 ; \"c\""]);
    expect("local a, b; a = b", &["LoadNil 0 1", "Move 0 1"]);
}

#[test]
fn only_a_constant_on_the_right_is_part_of_the_instruction() {
    expect(
        "local a; a = a + 1; a = a - 1; a = a + 200; a = a * 2",
        &["LoadNil 0 0", "AddI 0 0 1", "SubI 0 0 1", "AddK 0 0 0 ; 200", "MulK 0 0 1 ; 2"],
    );
    expect(
        "local a; a = 1 + a; a = 2 * a; a = 1 << a",
        &["LoadNil 0 0", "LoadI 1 1", "Add 0 1 0", "LoadI 1 2", "Mul 0 1 0", "LoadI 1 1", "Shl 0 1 0"],
    );
    expect(
        "local a; a = a & 1; a = a & 1.0; a = a << 1; a = a >> 200; a = a // 2; a = a ^ 0.5",
        &[
            "LoadNil 0 0",
            "BAndK 0 0 0 ; 1",
            "LoadF 1 1",
            "BAnd 0 0 1",
            "ShlI 0 0 1",
            "LoadI 1 200",
            "Shr 0 0 1",
            "IDivK 0 0 1 ; 2",
            "PowK 0 0 2 ; 0.5",
        ],
    );
}

#[test]
fn operations_on_numerals_are_folded() {
    expect("local a = 2^3 + 1 // 2 * -4", &["LoadF 0 8"]);
    expect("local a = ~0 >> 60 | 0x10", &["LoadI 0 31"]);
    expect("local a = 1 // 0", &["LoadI 0 1", "IDivK 0 0 0 ; 0"]);
    expect("local a = not nil", &["LoadTrue 0"]);
    expect("local a = not 'x'", &["LoadFalse 0"]);
}

#[test]
fn a_chain_of_concatenations_is_one_instruction() {
    expect(
        "local a; a = a .. 'x' .. a .. 1",
        &["LoadNil 0 0", "Move 1 0", "LoadK 2 0 ; \"x\"", "Move 3 0", "LoadI 4 1", "Concat 1 4", "Move 0 1"],
    );
    expect(
        "local a; a = (a .. a) .. a",
        &["LoadNil 0 0", "Move 1 0", "Move 2 0", "Concat 1 2", "Move 2 0", "Concat 1 2", "Move 0 1"],
    );
}

#[test]
fn comparisons_with_small_integers_have_immediates() {
    let code = |condition: &str, test: &str| {
        expect(&format!("local a, b; if {condition} then a = 1 end"), &["LoadNil 0 1", test, "Jmp -> 5", "LoadI 0 1"]);
    };
    code("a == b", "Eq 0 1 0");
    code("a ~= b", "Eq 0 1 1");
    code("a == 1", "EqI 0 1 0");
    code("1.0 ~= a", "EqI 0 1 1");
    code("a == 'x'", "EqK 0 0 0 ; \"x\"");
    code("nil == a", "EqK 0 0 0 ; nil");
    code("a < b", "Lt 0 1 0");
    code("a > b", "Lt 1 0 0");
    code("a >= b", "Le 1 0 0");
    code("a < 1", "LtI 0 1 0");
    code("a >= -1", "GeI 0 -1 0");
    code("1 < a", "GtI 0 1 0");
    code("1 >= a", "LeI 0 1 0");
    code("not (a <= 1)", "LeI 0 1 1");
}

#[test]
fn ordering_with_a_float_keeps_the_float_for_metamethods() {
    expect(
        "local a = a < 1.0",
        &["GetTabUp 0 0 0 ; _ENV.\"a\"", "LoadF 1 1", "Lt 0 1 1", "Jmp -> 6", "LFalseSkip 0", "LoadTrue 0"],
    );
}

#[test]
fn and_and_or_deliver_values_by_their_tests() {
    expect("local a, b; local c = a and b", &["LoadNil 0 1", "TestSet 2 0 0", "Jmp -> 5", "Move 2 1"]);
    expect("local a, b; local c = a or b", &["LoadNil 0 1", "TestSet 2 0 1", "Jmp -> 5", "Move 2 1"]);
    expect("local a; a = a or 1", &["LoadNil 0 0", "Test 0 1", "Jmp -> 5", "LoadI 0 1"]);
    expect("local a; a = nil and a.b", &["LoadNil 0 1", "TestSet 0 1 0", "Jmp -> 5", "GetField 0 0 0 ; \"b\""]);
    expect("local a = true and 2", &["LoadI 0 2"]);
}

#[test]
fn a_mix_of_comparison_and_value_loads_booleans_only_for_the_comparison() {
    expect(
        "local a, b; local c = a == 1 and b",
        &["LoadNil 0 1", "EqI 0 1 0", "Jmp -> 6", "Move 2 1", "Jmp -> 8", "LFalseSkip 2", "LoadTrue 2"],
    );
}

#[test]
fn conditions_jump_without_moving_values() {
    expect(
        "local a, b, c; while a and (b or not c) do a = 1 end",
        &[
            "LoadNil 0 2",
            "Test 0 0",
            "Jmp -> 10",
            "Test 1 1",
            "Jmp -> 8",
            "Test 2 1",
            "Jmp -> 10",
            "LoadI 0 1",
            "Jmp -> 2",
        ],
    );
    expect("while true do end", &["Jmp -> 1"]);
    expect("while false do x = 1 end", &["Jmp -> 4", "SetTabUpK 0 0 1 ; _ENV.\"x\" 1", "Jmp -> 4"]);
}

#[test]
fn a_break_alone_after_a_condition_is_the_jump_of_its_test() {
    expect(
        "local a; while true do if a then break end a = 1 end",
        &["LoadNil 0 0", "Test 0 1", "Jmp -> 6", "LoadI 0 1", "Jmp -> 2"],
    );
}

#[test]
fn if_arms_jump_to_the_end() {
    expect(
        "local a; if a then a = 1 elseif a == 2 then a = 3 else a = 4 end",
        &[
            "LoadNil 0 0",
            "Test 0 0",
            "Jmp -> 6",
            "LoadI 0 1",
            "Jmp -> 11",
            "EqI 0 2 0",
            "Jmp -> 10",
            "LoadI 0 3",
            "Jmp -> 11",
            "LoadI 0 4",
        ],
    );
}

#[test]
fn calls_have_their_function_at_the_first_free_register() {
    expect(
        "local f; f(); f(1, f()); local a, b = f(f)",
        &[
            "LoadNil 0 0",
            "Move 1 0",
            "Call 1 1 1",
            "Move 1 0",
            "LoadI 2 1",
            "Move 3 0",
            "Call 3 1 0",
            "Call 1 0 1",
            "Move 1 0",
            "Move 2 0",
            "Call 1 2 3",
        ],
    );
    expect("local f; f((f()))", &["LoadNil 0 0", "Move 1 0", "Move 2 0", "Call 2 1 2", "Call 1 2 1"]);
}

#[test]
fn methods_get_their_object_as_first_argument() {
    expect("local o; o:m(1)", &["LoadNil 0 0", "SelfK 1 0 0 ; \"m\"", "LoadI 3 1", "Call 1 3 1"]);
    let names: Vec<String> = (0..300).map(|index| format!("'k{index}'")).collect();
    let source = format!("local t = {{{}}} t:m()", names.join(","));
    let code = listing(&template(&source));
    assert_eq!(code[code.len() - 4..code.len() - 1], ["LoadK 3 300 ; \"m\"", "SelfR 1 0 3", "Call 1 2 1"]);
}

#[test]
fn returns_are_short_where_nothing_is_to_be_closed() {
    expect_inner("return function(a) return a end", &["Return1 0"]);
    expect_inner("return function(a) return a, 1 end", &["Move 1 0", "LoadI 2 1", "Return 1 3 0"]);
    expect_inner("return function(...) return ... end", &["VarargPrep 0", "Vararg 0 0", "Return 0 0 0"]);
    expect_inner("return function(a) return a(1) end", &["Move 1 0", "LoadI 2 1", "TailCall 1 2 0", "Return 1 0 0"]);
    expect_inner("return function(a) return (a(1)) end", &["Move 1 0", "LoadI 2 1", "Call 1 2 2", "Return1 1"]);
    let code = listing(
        &template("return function(a) if a then return function() return a end end return a() end").prototypes[0],
    );
    assert_eq!(
        code,
        [
            "Test 0 0",
            "Jmp -> 4",
            "Closure 1 0",
            "Return 1 2 1",
            "Move 1 0",
            "TailCall 1 1 1",
            "Return 1 0 1",
            "Return 1 1 1",
        ]
    );
}

#[test]
fn multiple_assignment_evaluates_all_before_it_assigns() {
    expect("local a, b; a, b = b, a", &["LoadNil 0 1", "Move 2 1", "Move 1 0", "Move 0 2"]);
    expect("local a, b; a, b = 1", &["LoadNil 0 1", "LoadI 2 1", "LoadNil 3 0", "Move 1 3", "Move 0 2"]);
    expect("local a, f; a = 1, f()", &["LoadNil 0 1", "LoadI 2 1", "Move 3 1", "Call 3 1 1", "Move 0 2"]);
    expect("local a, b; a, b = ...", &["LoadNil 0 1", "Vararg 2 3", "Move 1 3", "Move 0 2"]);
}

#[test]
fn a_table_that_is_also_assigned_is_copied_first() {
    expect("local a; a.x, a = 1, 2", &["LoadNil 0 0", "Move 1 0", "LoadI 2 1", "LoadI 0 2", "SetField 1 0 2 ; \"x\""]);
    expect("local i, t; t[i], i = 1, 2", &["LoadNil 0 1", "Move 2 0", "LoadI 3 1", "LoadI 0 2", "SetTable 1 2 3"]);
    expect("local a; a[a], a = 1, 2", &["LoadNil 0 0", "Move 1 0", "LoadI 2 1", "LoadI 0 2", "SetTable 1 1 2"]);
    expect_inner(
        "local a; return function() a.x, a = 1, 2 end",
        &["GetUpval 0 0 ; a", "LoadI 1 1", "LoadI 2 2", "SetUpval 2 0 ; a", "SetField 0 0 1 ; \"x\""],
    );
}

#[test]
fn constructors_store_their_items_in_groups_of_fifty() {
    expect(
        "local t = {1, x = 2, ['y'] = 3, [4] = 5; ...}",
        &[
            "NewTable 0 3",
            "ExtraArg 1",
            "LoadI 1 1",
            "SetFieldK 0 0 1 ; \"x\" 2",
            "SetFieldK 0 2 3 ; \"y\" 3",
            "SetIK 0 4 4 ; 5",
            "Vararg 2 0",
            "SetList 0 0",
            "ExtraArg 0",
        ],
    );
    expect("local t = {}", &["NewTable 0 0", "ExtraArg 0"]);
    let code = listing(&template(&format!("local t = {{{}}}", "nil,".repeat(51))));
    assert_eq!(
        code[1..],
        [
            "NewTable 0 0",
            "ExtraArg 51",
            "LoadNil 1 49",
            "SetList 0 50",
            "ExtraArg 0",
            "LoadNil 1 0",
            "SetList 0 1",
            "ExtraArg 50",
            "Return0",
        ]
    );
}

#[test]
fn numeric_loops_keep_their_state_in_three_hidden_registers() {
    expect(
        "for i = 1, 2 do local x = i end",
        &["LoadI 0 1", "LoadI 1 2", "LoadI 2 1", "ForPrep 0 -> 7", "Move 4 3", "ForLoop 0 -> 5"],
    );
}

#[test]
fn generic_loops_call_their_iterator_after_the_body() {
    let main = template("for k, v in ... do end");
    assert_eq!(
        listing(&main),
        ["VarargPrep 0", "Vararg 0 5", "TForPrep 0 -> 3", "TForCall 0 2", "TForLoop 0 -> 3", "Close 0", "Return 0 1 1",]
    );
    // Four of state, two variables, and room for the call.
    assert_eq!(main.max_stack, 7);
}

#[test]
fn blocks_close_the_variables_that_functions_captured() {
    let source = "local f; do local x; f = function() return x end end";
    let code = listing(&template(source));
    assert_eq!(code[1..], ["LoadNil 0 1", "Closure 2 0", "Move 0 2", "Close 1", "Return 1 1 1"]);
    let code = listing(&template("while true do local x; if f then break end f = function() return x end end"));
    assert_eq!(
        code[1..],
        [
            "LoadNil 0 0",
            "GetTabUp 1 0 0 ; _ENV.\"f\"",
            "Test 1 1",
            "Jmp -> 9",
            "Closure 1 0",
            "SetTabUp 0 0 1 ; _ENV.\"f\"",
            "Close 0",
            "Jmp -> 1",
            "Close 0",
            "Return 0 1 1",
        ]
    );
}

#[test]
fn repeating_closes_the_variables_that_the_condition_saw() {
    let code = listing(&template("repeat local x; f = function() return x end until x"));
    assert_eq!(
        code[1..],
        [
            "LoadNil 0 0",
            "Closure 1 0",
            "SetTabUp 0 0 1 ; _ENV.\"f\"",
            "Test 0 0",
            "Jmp -> 8",
            "Close 0",
            "Jmp -> 10",
            "Close 0",
            "Jmp -> 1",
            "Return 0 1 1",
        ]
    );
    expect("repeat local x until x", &["LoadNil 0 0", "Test 0 0", "Jmp -> 1"]);
}

#[test]
fn gotos_go_to_labels_before_and_after() {
    expect("::top:: goto top", &["Jmp -> 1"]);
    expect("do goto out; x = 1 end ::out::", &["Jmp -> 3", "SetTabUpK 0 0 1 ; _ENV.\"x\" 1"]);
    expect(
        "for i = 1, 2 do if i then goto continue end local x ::continue:: end",
        &[
            "LoadI 0 1",
            "LoadI 1 2",
            "LoadI 2 1",
            "ForPrep 0 -> 10",
            "Test 3 0",
            "Jmp -> 8",
            "Jmp -> 9",
            "LoadNil 4 0",
            "ForLoop 0 -> 5",
        ],
    );
    expect("::top:: do local a; goto top end", &["LoadNil 0 0", "Close 0", "Jmp -> 1"]);
}

#[test]
fn known_constants_take_no_register() {
    expect("local a <const>, b <const> = 1, 2; return b + a", &["LoadI 0 1", "LoadI 1 2", "Add 1 1 0", "Return1 1"]);
    expect(
        "local k <const> = 'x'; return k, -k",
        &["LoadK 0 0 ; \"x\"", "LoadK 1 0 ; \"x\"", "Unm 1 1", "Return 0 3 0"],
    );
    expect_inner("local k <const> = 3; return function() return k * 2 end", &["LoadI 0 6", "Return1 0"]);
    assert!(template("local k <const> = 3").locals.is_empty());
}

#[test]
fn a_variable_to_be_closed_prevents_tail_calls_while_it_is_in_scope() {
    let code = listing(&template("local f; do local a <close> = f; return f() end"));
    assert_eq!(
        code[1..],
        ["LoadNil 0 0", "Move 1 0", "Tbc 1", "Move 2 0", "Call 2 1 0", "Return 2 0 1", "Close 1", "Return 1 1 1",]
    );
}

#[test]
fn upvalues_say_where_a_closure_finds_them() {
    let main = template("local a, b <const> = 1, f(); return function() return function() return b, a, g end end");
    let outer = &main.prototypes[0];
    let inner = &outer.prototypes[0];
    let describe = |function: &Template| -> Vec<_> {
        let describe_one = |upvalue: &crate::bytecode::UpvalueDescription| {
            (String::from_utf8_lossy(&upvalue.name).into_owned(), upvalue.in_stack, upvalue.index, upvalue.read_only)
        };
        function.upvalues.iter().map(describe_one).collect()
    };
    let (a, b, env) = ("a".to_owned(), "b".to_owned(), "_ENV".to_owned());
    assert_eq!(
        describe(outer),
        [(b.clone(), true, 1, true), (a.clone(), true, 0, false), (env.clone(), false, 0, false)]
    );
    assert_eq!(describe(inner), [(b, false, 0, true), (a, false, 1, false), (env, false, 2, false)]);
}

#[test]
fn local_names_are_in_the_order_of_their_scopes() {
    let main = template("local a = 1; for i = 1, 2 do local b = i end; local function c() end");
    let locals: Vec<_> = main
        .locals
        .iter()
        .map(|local| (String::from_utf8_lossy(&local.name).into_owned(), local.start, local.end))
        .collect();
    let expected = [
        ("a", 2, 10),
        ("(for state)", 5, 8),
        ("(for state)", 5, 8),
        ("(for state)", 5, 8),
        ("i", 6, 7),
        ("b", 7, 7),
        ("c", 9, 10),
    ];
    assert_eq!(locals, expected.map(|(name, start, end)| (name.to_owned(), start, end)));
}

#[test]
fn methods_have_a_parameter_self() {
    let main = template("function a.b:c(d, ...) return self end");
    let method = &main.prototypes[0];
    assert_eq!((method.parameters, method.variadic), (2, true));
    assert_eq!(&*method.locals[0].name, b"self");
    assert_eq!(
        listing(&main)[1..5],
        ["GetTabUp 0 0 0 ; _ENV.\"a\"", "GetField 0 0 1 ; \"b\"", "Closure 1 0", "SetField 0 2 1 ; \"c\"",]
    );
}

#[test]
fn instructions_have_the_line_that_errors_name() {
    let lines = |source: &str| {
        let main = template(source);
        main.lines[1..].to_vec()
    };
    // Call: where the arguments begin. Operators: where the operator is, and what it reads of its left operand too.
    assert_eq!(lines("f(\n1,\n2)"), [1, 2, 3, 1, 3]);
    assert_eq!(lines("local a = x\n+\ny"), [2, 3, 2, 3]);
    assert_eq!(lines("function f()\nend"), [2, 1, 2]);
    assert_eq!(lines("for i = 1,\n2 do\nend"), [1, 2, 2, 2, 1, 3]);
    assert_eq!(lines("for i in\nf do\nend\n"), [2, 2, 2, 2, 2, 3, 3]);
}

#[test]
fn jumps_without_a_target_are_refused() {
    expect_error("break", "1: break outside loop at line 1");
    expect_error("function f()\n break\nend", "3: break outside loop at line 2");
    expect_error("function f()\n break\nend\nx = 1", "4: break outside loop at line 2");
    expect_error("goto x", "1: no visible label 'x' for <goto> at line 1");
    expect_error("do ::x:: end\ngoto x\n\n", "4: no visible label 'x' for <goto> at line 2");
    expect_error("goto x\nlocal a\n::x::\nprint(a)", "4: <goto x> at line 1 jumps into the scope of local 'a'");
    expect_error("repeat goto x; local a ::x:: until a", "1: <goto x> at line 1 jumps into the scope of local 'a'");
    expect_error("::x::\nf()\n::x:: f()", "3: label 'x' already defined on line 1");
    expect_error("::x::\n::x::\nf()", "3: label 'x' already defined on line 2");
}

#[test]
fn a_label_at_the_end_of_a_block_is_outside_of_the_scopes_in_it() {
    assert!(try_compile("do goto x; local a ::x:: ::y:: ; end").is_ok());
    assert!(try_compile("function f() ::x:: return function() ::x:: end end").is_ok());
}

#[test]
fn constants_cannot_be_assigned() {
    expect_error("local x <const> = 1\nx = 2", "2: attempt to assign to const variable 'x'");
    expect_error("local x <const> = f()\nx = 2", "2: attempt to assign to const variable 'x'");
    expect_error("local x <close> = nil\ny, x = 2", "2: attempt to assign to const variable 'x'");
    expect_error("local x <const> = {}; function f() x = 1 end", "1: attempt to assign to const variable 'x'");
    expect_error("local x <const> = {}; function x() end", "1: attempt to assign to const variable 'x'");
    assert!(try_compile("local x <const> = {}; function x.f() end").is_ok());
}

#[test]
fn limits_of_a_function_are_errors() {
    let names = |count: usize| (0..count).map(|index| format!("v{index}")).collect::<Vec<_>>();
    expect_error(
        &format!("local {} = 1", names(201).join(",")),
        "1: too many local variables (limit is 200) in main function near '='",
    );
    expect_error(
        &format!("function f({}) end", names(201).join(",")),
        "1: too many local variables (limit is 200) in function at line 1 near ')'",
    );
    // Before anything else that is wrong behind them.
    expect_error(
        &format!("\nfunction f() local {}", names(300).join(",")),
        "2: too many local variables (limit is 200) in function at line 2 near ','",
    );
    expect_error(
        &format!("local {} for i = 1, 2 do end", names(197).join(",")),
        "1: too many local variables (limit is 200) in main function near '='",
    );
    assert!(try_compile(&format!("local {}", names(200).join(","))).is_ok());
    expect_error(&format!("f({}1)", "a,".repeat(254)), "1: function or expression needs too many registers");
    assert!(try_compile(&format!("f({}1)", "a,".repeat(252))).is_ok());

    for source in [
        format!("local x = {}1", "f(), ".repeat(600)),
        format!("x = {}1", "f(), ".repeat(600)),
        format!("x = f({}g({}2))", "1,".repeat(200), "1,".repeat(200)),
        format!("return {}1", "f(), ".repeat(600)),
    ] {
        let error = try_compile(&source).expect_err("too many registers");
        assert!(error.ends_with("function or expression needs too many registers"), "{error}");
    }

    let upvalues = names(150);
    let more: Vec<String> = names(150).iter().map(|name| name.replace('v', "w")).collect();
    let uses: String = upvalues.iter().chain(&more).map(|name| format!("{name} = 1;")).collect();
    let (upvalues, more) = (upvalues.join(","), more.join(","));
    let source = format!("local {upvalues}\nfunction f()\nlocal {more}\nfunction g() {uses} end end");
    let error = try_compile(&source).expect_err("300 upvalues");
    assert!(error.starts_with("t:4: too many upvalues (limit is 255) in function at line 4 near"), "{error}");

    let source = format!("for i = 1, 2 do {} end", "x = x + 1 ".repeat(30_000));
    assert!(try_compile(&source).expect_err("90000 instructions").starts_with("t:1: control structure too long"));
}

#[test]
fn an_error_of_an_inner_function_is_not_lost() {
    let source = format!("local x = function() f({}1) end\nbreak", "a,".repeat(254));
    expect_error(&source, "1: function or expression needs too many registers");
}

#[test]
fn long_and_deep_sources_fit_a_small_rust_stack() {
    let compile_all = || {
        let sources = [
            format!("x = {}1", "a + ".repeat(900)),
            format!("x = {}1", "a .. ".repeat(150)),
            format!("x = a{}", ".b".repeat(900)),
            format!("x = a{}", "()".repeat(900)),
            format!("x = {}a", "a and ".repeat(900)),
            format!("x = {}1{}", "(".repeat(150), ")".repeat(150)),
            format!("x = {}1{}", "{".repeat(150), "}".repeat(150)),
            format!("x = {}1", "- ".repeat(150)),
            format!("{}{}", "do ".repeat(150), "end ".repeat(150)),
            format!("{}{}", "x = function() ".repeat(80), "end ".repeat(80)),
            format!("{}{}", "function f() ".repeat(150), "end ".repeat(150)),
        ];
        for source in &sources {
            let result = try_compile(source);
            assert!(result.is_ok(), "{:.40}: {result:?}", source);
        }
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(compile_all).expect("a thread");
    thread.join().expect("no overflow");
}
