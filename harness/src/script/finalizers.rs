//! Finalizers that make objects with finalizers of their own, while many others wait for theirs.

use arbitrary::{Arbitrary, Unstructured};
use mutatis::Mutate;
use serde::{Deserialize, Serialize};

use super::payload::payloads;
use super::prelude::Helper;
use super::render::{Renderer, step_text};
use super::several;
use crate::language::{Feature, Language};

payloads! {
    /// `for n = 1, 9 do for _ = 1, n do setmetatable({}, { __gc = … }) end end`: each round makes more objects. Their
    /// finalizers do not count themselves, since nobody counts how many of them are made.
    FinalizeNested {
        /// How many rounds. Each makes one object more than the round before.
        #[arbitrary(with = |u: &mut Unstructured<'_>| {
            let long = u.arbitrary::<u8>()?.is_multiple_of(16);
            u.int_in_range(if long { 13..=40 } else { 1..=12 })
        })]
        rounds: u8,
        /// What the finalizers do, outer ones first. Each but the last makes an object with the next as its finalizer.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 2, 3))]
        works: Vec<FinalizerWork>,
        /// How many steps there are after each round.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(0..=3))]
        steps: u8,
    }
}

/// What a finalizer does besides making another object. What calls the collector does nothing inside of a finalizer of newer
/// Luas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum FinalizerWork {
    /// Makes tables.
    #[default]
    Make,
    /// Changes to the generational mode.
    Generational,
    /// Changes to the incremental mode.
    Incremental,
    /// A step of the collector.
    Step,
    /// A full collection.
    Collect,
}

impl FinalizerWork {
    fn text(self, language: &Language) -> &'static str {
        let rests = language.has(Feature::RestInFinalizers);
        match self {
            FinalizerWork::Make => "for i = 1, 20 do local made = { i } end",
            FinalizerWork::Generational => "collectgarbage(\"generational\")",
            FinalizerWork::Incremental => "collectgarbage(\"incremental\")",
            FinalizerWork::Step if !rests => "collect(\"step\")",
            FinalizerWork::Collect if !rests => "collect()",
            FinalizerWork::Step => "collectgarbage(\"step\")",
            FinalizerWork::Collect => "collectgarbage()",
        }
    }
}

impl Renderer {
    pub(super) fn finalize_nested(&mut self, FinalizeNested { rounds, works, steps }: &FinalizeNested) {
        self.push(format!("for n = 1, {rounds} do"));
        self.indented(|inner| {
            inner.push("for _ = 1, n do");
            inner.indented(|inner| inner.object_of_works(works));
            inner.push("end");
            if *steps > 0 {
                inner.push(step_text(0, *steps));
            }
        });
        self.push("end");
    }

    fn object_of_works(&mut self, works: &[FinalizerWork]) {
        let Some((work, inside)) = works.split_first() else { return };
        let (before, after) = self.finalized("{}");
        let work = work.text(self.language());
        if work.starts_with("collect(") {
            self.use_helper(Helper::Collect);
        }
        if inside.is_empty() {
            self.push(format!("{before}function() {work} end{after}"));
            return;
        }
        self.push(format!("{before}function()"));
        self.indented(|inner| {
            inner.push(work);
            inner.object_of_works(inside);
        });
        self.push(format!("end{after}"));
    }
}
