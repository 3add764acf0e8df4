//! From settings to engines.

use super::Engine;
use super::reference::ReferenceEngine;
use super::vm::VmEngine;
use crate::settings::{Reference, Settings};

/// The engines that a case is put before.
pub struct Engines {
    /// The engine under test.
    pub subject: Box<dyn Engine>,
    /// Those that it is compared with.
    pub references: Vec<Box<dyn Engine>>,
}

/// The engines that settings ask for.
pub fn open(settings: &Settings) -> Engines {
    Engines { subject: Box::new(VmEngine::new(settings.clone())), references: open_references(settings) }
}

/// The references that settings ask for.
pub fn open_references(settings: &Settings) -> Vec<Box<dyn Engine>> {
    match settings.reference {
        Reference::Lua54 => vec![Box::new(ReferenceEngine::with_system(settings.system))],
        Reference::None => Vec::new(),
    }
}
