//! The programs that compare VMs.

use crate::engines::{Program, programs};

/// Each does something else that programs do.
pub const PROGRAMS: &[Program] = programs![
    "fib",
    "loops",
    "sieve",
    "matrix",
    "nbody",
    "binary_trees",
    "closures",
    "methods",
    "string_building",
    "patterns",
    "tables",
    "sort",
    "sort_comparator",
    "string_keys",
    "coroutines",
    "json",
    "queens",
];
