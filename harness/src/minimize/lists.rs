//! Reductions of lists: a variable goes with its value, a value alone, a returned value, the step of a loop.

use moonphase_vm::syntax::ast::*;

use super::tree::replacements;

/// Drops an item of a list in a statement, the last ones first.
pub(super) fn drop_items(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    replacements(chunk, site, |statements, at| {
        let smaller = without_an_item(&statements[at].kind);
        smaller.into_iter().map(|kind| vec![Statement { kind, ..statements[at].clone() }]).collect()
    })
}

fn without_an_item(kind: &StatementKind) -> Vec<StatementKind> {
    match kind {
        StatementKind::Local { names, values } => {
            let pairs = without_pairs(names, values);
            let pairs = pairs.map(|(names, values)| StatementKind::Local { names, values });
            let alone = without_each(values);
            let alone = alone.map(|values| StatementKind::Local { names: names.clone(), values });
            pairs.chain(alone).collect()
        }
        StatementKind::Assign { targets, values } => {
            let pairs = without_pairs(targets, values);
            let pairs = pairs.map(|(targets, values)| StatementKind::Assign { targets, values });
            // An assignment has at least one value.
            let alone = without_each(values).filter(|values| !values.is_empty());
            let alone = alone.map(|values| StatementKind::Assign { targets: targets.clone(), values });
            pairs.chain(alone).collect()
        }
        StatementKind::Return(values) => without_each(values).map(StatementKind::Return).collect(),
        StatementKind::NumericFor(node) if node.step.is_some() => {
            vec![StatementKind::NumericFor(Box::new(NumericFor { step: None, ..(**node).clone() }))]
        }
        StatementKind::GenericFor(node) => {
            let variables = without_each(&node.variables).filter(|variables| !variables.is_empty());
            let variables = variables.map(|variables| GenericFor { variables, ..(**node).clone() });
            let iterators = without_each(&node.iterators).filter(|iterators| !iterators.is_empty());
            let iterators = iterators.map(|iterators| GenericFor { iterators, ..(**node).clone() });
            variables.chain(iterators).map(|node| StatementKind::GenericFor(Box::new(node))).collect()
        }
        _ => Vec::new(),
    }
}

/// The list without each of its items, the last one first.
fn without_each<T: Clone>(items: &[T]) -> impl Iterator<Item = Vec<T>> {
    (0..items.len()).rev().map(|at| [&items[..at], &items[at + 1..]].concat())
}

/// Names or targets without each of them, if one is left: with the value that it has, and without it alone.
fn without_pairs<T: Clone>(names: &[T], values: &[Expression]) -> impl Iterator<Item = (Vec<T>, Vec<Expression>)> {
    let removable = if names.len() > 1 { names.len() } else { 0 };
    (0..removable).rev().flat_map(|at| {
        let fewer_names = [&names[..at], &names[at + 1..]].concat();
        let mut fewer_values = values.to_vec();
        if at < fewer_values.len() {
            fewer_values.remove(at);
        }
        [(fewer_names.clone(), fewer_values), (fewer_names, values.to_vec())]
    })
}

#[cfg(test)]
mod tests {
    use moonphase_vm::syntax::print_chunk;

    use super::*;
    use crate::language::Language;

    fn smaller(text: &str) -> Vec<String> {
        let chunk = Language::LUA_54.parse(text.as_bytes(), b"=test").unwrap();
        let candidates = drop_items(&chunk, 0).unwrap();
        candidates.iter().map(|candidate| print_chunk(candidate).trim_end().to_owned()).collect()
    }

    #[test]
    fn a_variable_goes_with_its_value_and_a_value_alone_where_it_can() {
        let all =
            ["local a = 1", "local a = 1, 2", "local b = 2", "local b = 1, 2", "local a, b = 1", "local a, b = 2"];
        assert_eq!(smaller("local a, b = 1, 2"), all);
        assert_eq!(
            smaller("local a, b = {}"),
            ["local a = {}", "local a = {}", "local b", "local b = {}", "local a, b"]
        );
        assert_eq!(smaller("local a = 1"), ["local a"]);
        assert_eq!(smaller("a, b = 1, 2"), ["a = 1", "a = 1, 2", "b = 2", "b = 1, 2", "a, b = 1", "a, b = 2"]);
        assert_eq!(smaller("a = 1"), Vec::<String>::new());
        assert_eq!(smaller("a = 1, f()"), ["a = 1", "a = f()"]);
    }

    #[test]
    fn returned_values_steps_and_what_a_loop_iterates_over_go() {
        assert_eq!(smaller("return 1, 2"), ["return 1", "return 2"]);
        assert_eq!(smaller("for i = 1, 2, 3 do end"), ["for i = 1, 2 do end"]);
        assert_eq!(
            smaller("for a, b in f, s do end"),
            ["for a in f, s do end", "for b in f, s do end", "for a, b in f do end", "for a, b in s do end"]
        );
    }
}
