//! What a person gets to read about a finding.
//!
//! The facts (`explanation`) are gathered where the script ran, cross a process boundary as plain data, typed, and are put
//! into sentences (`prose`) and onto a page (`render`) by whoever prints them. A reader need not know the bug, nor this
//! collector: the text says what must hold, what broke it and why the write barrier did not help, and what follows.

mod explanation;
mod prose;
mod render;

#[cfg(test)]
mod tests;

pub use explanation::{
    Barrier, Between, Blackened, Broken, Crash, Deed, Disagreement, Explanation, Identity, Link, Place, Shade, Store,
    Thing, When,
};
pub(crate) use render::printable;
pub use render::{Context, Style, render};
