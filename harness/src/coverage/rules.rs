//! Which cells can occur under a policy, and by which rule the others cannot.

use moonphase_heap::{Clearing, ScopeEnd};
use moonphase_vm::gc::Policy;

use super::cell::Cell;
use super::closing::{EndCell, ScopeCell};
use super::rule::Rule;
use super::stage::Doing;
use super::store_rules;
use super::weak::{Collection, Other, Side, WeakCell, WeakKind};

/// Why a cell cannot occur under a policy; `None` if it can.
pub fn rule_against(policy: &Policy, cell: Cell) -> Option<Rule> {
    match cell {
        Cell::Store(store) => store_rules::rule_against(policy, store),
        Cell::Weak(entry) => weak_rule(policy, entry),
        Cell::Scope(scope) => scope_rule(policy, scope),
        Cell::End(EndCell::InUse { doing, .. }) => doing_rule(policy, doing),
        Cell::End(EndCell::Waiting) => None,
        Cell::Load(load) => store_rules::program_stage_rule(policy, load.stage),
    }
}

fn weak_rule(policy: &Policy, entry: WeakCell) -> Option<Rule> {
    match entry {
        WeakCell::Cleared { table, dead, collection } => {
            side_rule(table, dead).or_else(|| collection_rule(policy, collection))
        }
        WeakCell::Late { collection } => collection_rule(policy, collection),
        WeakCell::Lived { .. } => collection_rule(policy, Collection::Minor),
        WeakCell::Finalized { pass: Clearing::Values, collection } => collection_rule(policy, collection),
        WeakCell::Finalized { pass: Clearing::Keys | Clearing::RevivedValues, .. } => Some(Rule::FinalizedKeysStay),
        WeakCell::Pair { table, dead, other } => side_rule(table, dead).or(match (table, dead, other) {
            (WeakKind::Values, _, Other::Dead) => Some(Rule::StrongKeysAreMarked),
            (WeakKind::Both, Side::Key, Other::Dead) => Some(Rule::LateTablesAreRare),
            _ => None,
        }),
    }
}

fn side_rule(table: WeakKind, dead: Side) -> Option<Rule> {
    let other = matches!((table, dead), (WeakKind::Values, Side::Key) | (WeakKind::Keys, Side::Value));
    other.then_some(Rule::WeakSidesAreCleared)
}

fn collection_rule(policy: &Policy, collection: Collection) -> Option<Rule> {
    let other = collection != Collection::Incremental && !policy.has_generational();
    other.then_some(Rule::PhaseOfOtherPolicy)
}

fn scope_rule(policy: &Policy, scope: ScopeCell) -> Option<Rule> {
    let ScopeCell::Upvalue { end, doing } = scope else { return None };
    match (end, doing) {
        (ScopeEnd::NewFrame, _) => Some(Rule::NothingOpenBelowFrames),
        (ScopeEnd::TailCall, _) => Some(Rule::TailCallsCloseNothing),
        (ScopeEnd::ThreadFreed, Doing::Marking | Doing::Resting) => Some(Rule::ThreadsAreFreedBySweeps),
        _ => doing_rule(policy, doing),
    }
}

fn doing_rule(policy: &Policy, doing: Doing) -> Option<Rule> {
    let other = doing == Doing::Generational && !policy.has_generational();
    other.then_some(Rule::PhaseOfOtherPolicy)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use moonphase_vm::gc::Upvalues;

    use super::*;

    #[test]
    fn every_rule_has_a_name_of_its_own_and_excludes_something_under_some_policy() {
        let names: HashSet<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
        assert_eq!(names.len(), Rule::ALL.len());
        let mut used = HashSet::new();
        for policy in Policy::PRESETS {
            used.extend(Cell::all().filter_map(|cell| rule_against(policy, cell)));
        }
        let idle: Vec<&str> = Rule::ALL.iter().filter(|rule| !used.contains(rule)).map(|rule| rule.name()).collect();
        assert_eq!(idle, [""; 0]);
    }

    fn against(policy: Policy, name: &str) -> Option<&'static str> {
        let cell = Cell::all().find(|cell| cell.to_string() == name).expect("a cell of this name");
        rule_against(&policy, cell).map(Rule::name)
    }

    #[test]
    fn what_barriers_are_for_can_occur() {
        for &policy in Policy::PRESETS.iter().filter(|policy| policy.upvalues != Upvalues::Counted) {
            assert_eq!(against(policy, "setupvalue propagate black->white closed"), None);
            assert_eq!(against(policy, "upvaluejoin enter-atomic black->white open"), None);
            assert_eq!(against(policy, "table-store propagate black->white"), None);
        }
    }

    #[test]
    fn rules_follow_the_policy() {
        let (lua51, lua52, lua53, lua54) = (Policy::LUA_51, Policy::LUA_52, Policy::LUA_53, Policy::LUA_54);
        let constant = "prototype-constant propagate white->gray";
        assert_eq!((against(lua51, constant), against(lua54, constant)), (None, Some("strings-are-marked-black")));
        let captured = "closure-capture propagate white->black closed";
        assert_eq!(
            (against(lua54, captured), against(lua53, captured)),
            (None, Some("counted-upvalues-have-no-colour"))
        );
        let waiting = "table-store pause black->white";
        assert_eq!((against(lua52, waiting), against(lua54, waiting)), (None, Some("swept-objects-are-white")));
        let dead = "upvalue-close sweep-all gray->other-white";
        assert_eq!((against(lua53, dead), against(lua54, dead)), (None, Some("live-upvalues-hold-live-values")));
        let loaded = "closure-fresh sweep-all black->white";
        assert_eq!((against(lua51, loaded), against(lua54, loaded)), (None, Some("newest-is-swept-at-once")));
        let generational = [
            "weak-entry weak-keys key minor",
            "close-upvalue error generational",
            "load text string string generational",
        ];
        for cell in generational {
            assert_eq!((against(lua54, cell), against(lua53, cell)), (None, Some("phase-of-other-policy")), "{cell}");
        }
        let old = "table-store generational gray->black";
        assert_eq!((against(lua54, old), against(lua53, old)), (None, Some("phase-of-other-policy")));
    }
}
