//! A program whose configuration is a Lua script that it does not trust: no files, a limit on memory and instructions, one
//! function to call, and a table to read.
//!
//! `cargo run --example configuration`

use moonphase_vm::{Error, Options, Table, Vm};

const SCRIPT: &str = r#"
  local base = 8000
  return {
    name = "crater",
    ports = { base + 1, base + 2, base + 3 },
    home = environment("HOME"),
  }
"#;

/// What the script returns.
#[derive(Debug, PartialEq)]
pub struct Configuration {
    /// A name.
    pub name: String,
    /// A list.
    pub ports: Vec<i64>,
    /// Something that may be missing.
    pub home: Option<String>,
}

/// Runs the script, which may ask for variables of the environment.
///
/// # Errors
/// The script failed, hit a limit, or returned something else.
pub fn load(script: &str, environment: impl Fn(&str) -> Option<String> + 'static) -> Result<Configuration, Error> {
    let mut options = Options::default();
    options.memory_limit = 4 << 20;
    options.instruction_limit = Some(1_000_000);
    // The default policy is sound.
    let mut vm = Vm::new(options).map_err(|error| Error::message(error.to_string()))?;
    let environment = vm.create_function(move |_, name: String| Ok(environment(&name)))?;
    vm.set_global("environment", environment)?;
    let table: Table = vm.load_chunk(script, "=configuration")?.call(&mut vm, ())?;
    let ports: Table = table.get(&mut vm, "ports")?;
    let count = ports.raw_len(&mut vm)?;
    Ok(Configuration {
        name: table.get(&mut vm, "name")?,
        ports: (1..=count).map(|index| ports.get(&mut vm, index as i64)).collect::<Result<_, _>>()?,
        home: table.get(&mut vm, "home")?,
    })
}

/// Prints what some scripts come to.
pub fn main() {
    match load(SCRIPT, |name| std::env::var(name).ok()) {
        Ok(configuration) => println!("{configuration:?}"),
        Err(error) => println!("the configuration is wrong: {error}"),
    }
    // A script that is wrong, or never ends, is an error and nothing worse.
    for script in ["return {", "while true do end", "return { name = {} }", "error('no configuration')"] {
        if let Err(error) = load(script, |_| None) {
            println!("{script}: {error}");
        }
    }
}
