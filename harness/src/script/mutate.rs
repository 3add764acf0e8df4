//! Mutation and crossover of scripts, for coverage-guided fuzzing.
//!
//! Mutations may leave a model in any state that its types allow: [`Script::fixup`] has to follow. What is inserted is
//! chosen by kind with equal chances, whatever the generator's weights are, so that no kind of operation starves.

use arbitrary::Unstructured;
use mutatis::{Candidates, Context, Mutate};

use super::generate::{GeneratorOptions, Surroundings, draw};
use super::*;
use crate::language::Language;

/// Mutates scripts.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScriptMutator;

/// As much entropy as the largest operation needs.
const OPERATION_ENTROPY: usize = 256;

impl Mutate<Script> for ScriptMutator {
    fn mutate(&mut self, candidates: &mut Candidates<'_>, script: &mut Script) -> mutatis::Result<()> {
        // Mutations of the whole script are registered several times over, or the many mutations of fields would
        // hardly ever leave them a turn.
        let repeat = 1 + script.len() as u32 / 4;
        if !candidates.shrink() {
            for &kind in OpKind::ALL {
                candidates.mutation(|context| {
                    insert(context, script, kind);
                    Ok(())
                })?;
            }
            candidates.mutation_group(repeat, |context, _| {
                duplicate(context, &mut script.body);
                Ok(())
            })?;
        }
        if !script.body.is_empty() {
            candidates.mutation_group(repeat, |context, _| {
                remove(context, &mut script.body);
                Ok(())
            })?;
            candidates.mutation_group(repeat, |context, _| {
                swap(context, &mut script.body);
                Ok(())
            })?;
            candidates.mutation_group(repeat, |context, _| {
                reorder(context, &mut script.body);
                Ok(())
            })?;
        }
        mutate_fields(candidates, &mut script.body)
    }
}

impl mutatis::DefaultMutate for Script {
    type DefaultMutate = ScriptMutator;
}

fn mutate_fields(candidates: &mut Candidates<'_>, block: &mut Block) -> mutatis::Result<()> {
    for operation in block {
        OperationMutator.mutate(candidates, operation)?;
        if let Some(inner) = operation.block_mut() {
            mutate_fields(candidates, inner)?;
        }
    }
    Ok(())
}

fn index(context: &mut Context, len: usize) -> usize {
    context.rng().gen_index(len).unwrap_or(0)
}

/// A block of the script, the outermost one with the best chances, and what is around it.
fn any_block<'s>(context: &mut Context, script: &'s mut Script) -> (&'s mut Block, Surroundings) {
    let mut block = &mut script.body;
    let mut surroundings = Surroundings::default();
    loop {
        let inner: Vec<_> = (0..block.len()).filter(|&at| block[at].block().is_some()).collect();
        if inner.is_empty() || context.rng().gen_u8() < 160 {
            return (block, surroundings);
        }
        let at = inner[index(context, inner.len())];
        surroundings = surroundings.inside(&block[at]);
        match block[at].block_mut() {
            Some(inner) => block = inner,
            // Not reached: the operation was chosen because it has a block.
            None => unreachable!("an operation with a block has one"),
        }
    }
}

fn insert(context: &mut Context, script: &mut Script, kind: OpKind) {
    let mut entropy = [0; OPERATION_ENTROPY];
    context.rng().gen_bytes(&mut entropy);
    let (block, surroundings) = any_block(context, script);
    let options = GeneratorOptions::default();
    if let Ok(operation) = draw(kind, &mut Unstructured::new(&entropy), &options, surroundings) {
        let at = index(context, block.len() + 1);
        block.insert(at, operation);
    }
}

fn range(context: &mut Context, len: usize) -> std::ops::Range<usize> {
    let start = index(context, len);
    let most = (len - start).min(8);
    start..start + 1 + index(context, most)
}

fn duplicate(context: &mut Context, body: &mut Block) {
    if body.is_empty() {
        return;
    }
    let copied = body[range(context, body.len())].to_vec();
    let at = index(context, body.len() + 1);
    body.splice(at..at, copied);
}

fn remove(context: &mut Context, body: &mut Block) {
    let range = range(context, body.len());
    body.drain(range);
}

fn swap(context: &mut Context, body: &mut Block) {
    let (a, b) = (index(context, body.len()), index(context, body.len()));
    body.swap(a, b);
}

fn reorder(context: &mut Context, body: &mut Block) {
    let moved: Vec<_> = body.drain(range(context, body.len())).collect();
    let at = index(context, body.len() + 1);
    body.splice(at..at, moved);
}

/// A child of two scripts in a language: the beginning of one and the end of the other, or one woven into the other.
pub fn crossover(first: &Script, second: &Script, entropy: u64, language: &Language) -> Script {
    let cut = |script: &Script, bits: u64| (bits as usize) % (script.body.len() + 1);
    let (a, b) = (cut(first, entropy >> 1 & 0xFFFF), cut(second, entropy >> 17 & 0xFFFF));
    let mut body = Block::new();
    if entropy & 1 == 0 {
        body.extend_from_slice(&first.body[..a]);
        body.extend_from_slice(&second.body[b..]);
    } else {
        let end = (b + 1 + (entropy >> 33 & 0x1F) as usize).min(second.body.len());
        body.extend_from_slice(&first.body[..a]);
        body.extend_from_slice(&second.body[b..end]);
        body.extend_from_slice(&first.body[a..]);
    }
    let mut script = Script { body };
    script.fixup(Repair::Replace, language);
    script
}
