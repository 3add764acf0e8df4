//! Objects are pooled, but not where a sanitizer or a fuzzer watches the allocator.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(unpooled)");
    // What `rustc --print cfg` says of the target.
    let is_watched = var("CARGO_CFG_SANITIZE").is_ok() || var("CARGO_CFG_FUZZING").is_ok();
    if is_watched {
        println!("cargo::rustc-cfg=unpooled");
    }
}
