//! The words of the command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use moonphase::cases::Scripts;
use moonphase::engine::EngineName;
use moonphase::fault::Planted;
use moonphase::language::Language;
use moonphase::script::OpKind;

use super::options::{CollectorArgs, SettingsArgs};

/// Finds garbage-collector bugs in Lua virtual machines, and hands back the smallest script that shows each one.
#[derive(Debug, Parser)]
#[command(name = "moonphase", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a script on the VM, as `lua` would
    ///
    /// A script with a header is run as its header says, checks included, and as `check` runs it: what `check` finds is found here.
    Run(RunArgs),
    /// Generate scripts, run, compare, check; save and minimize findings
    ///
    /// Exits with 1 where something is found, with 130 where it was interrupted before, with 2 where no case came to its end, else
    /// with 0.
    Fuzz(FuzzArgs),
    /// Put given scripts (or libFuzzer artifacts) before every oracle
    ///
    /// Exits with 1 where something is found (with --expect: where a file does something else than its header says), else with 2
    /// where a file could not be read, or its script was not tested to its end since it failed or hit a limit, else with 0. The
    /// other files are checked all the same.
    Check(CheckArgs),
    /// Shrink a finding
    Minimize(MinimizeArgs),
    /// Print what the collector does, event by event
    ///
    /// A script with a header is run as its header says; what `check` finds in it is told where it happens, and ends the trace.
    Trace(TraceArgs),
    /// Plant each known fault in the engine and measure how soon each oracle finds it
    Faults(FaultsArgs),
    /// Write cases to a folder, to be run elsewhere
    ///
    /// Case I of seed S becomes S-I.lua, the script that `fuzz --seed S --start I` runs. No file is overwritten.
    Generate(GenerateArgs),
    /// Serve a supervisor (not for people)
    #[command(hide = true)]
    Worker,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Human,
    /// One JSON object
    Json,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Code to run before the script, or instead of one; may be given more than once
    #[arg(short, value_name = "CODE", allow_hyphen_values = true)]
    pub execute: Vec<OsString>,
    /// The script, - for standard input, and its arguments
    #[arg(
        value_names = ["FILE", "ARGS"],
        num_args = 0..,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required_unless_present = "execute"
    )]
    pub script: Vec<OsString>,
}

/// Which cases to generate.
#[derive(Debug, Args)]
pub struct CasesArgs {
    /// What to generate: operations that a collector finds hard, or free programs over the whole language and library,
    /// which may also make files and run commands
    #[arg(long, default_value_t, value_name = "operations|free")]
    pub scripts: Scripts,
    /// Seed of the generator; chosen and printed if not given
    #[arg(long)]
    pub seed: Option<u64>,
    /// Number of the first case
    #[arg(long, default_value_t = 0)]
    pub start: u64,
    /// Operation that the generator must not use; may be given more than once
    #[arg(long, value_name = "OPERATION")]
    pub without: Vec<OpKind>,
}

#[derive(Debug, Args)]
pub struct FuzzArgs {
    #[command(flatten)]
    pub settings: SettingsArgs,
    #[command(flatten)]
    pub cases: CasesArgs,
    /// How many cases to run at most
    #[arg(long)]
    pub runs: Option<u64>,
    /// How long to run at most, as 30s, 5m or 2h; 60s where neither this nor --runs is given
    #[arg(long, value_parser = duration)]
    pub time: Option<Duration>,
    /// Worker processes; as many as there are cores if not given
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// Stop at the finding with the lowest case number
    #[arg(long)]
    pub first: bool,
    /// File with accepted signatures, one a line; `*` stands for any text
    #[arg(long, value_name = "FILE")]
    pub known: Option<PathBuf>,
    /// Folder where findings are saved
    #[arg(long, default_value = "findings", value_name = "DIR")]
    pub findings: PathBuf,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Scripts or libFuzzer artifacts, - for standard input
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Succeed when every file does exactly what its header says
    #[arg(long)]
    pub expect: bool,
    /// File with accepted signatures, one a line; `*` stands for any text
    #[arg(long, value_name = "FILE", conflicts_with = "expect")]
    pub known: Option<PathBuf>,
    /// Where a script shows nothing: look so long for a schedule of the collector under which it does, as 30s, 5m
    #[arg(long, value_parser = duration, conflicts_with = "expect")]
    pub time: Option<Duration>,
    /// Worker processes; as many as there are cores if not given
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct MinimizeArgs {
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// The script or libFuzzer artifact, - for standard input
    pub file: PathBuf,
    /// Where to write the result; standard output if not given
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct TraceArgs {
    #[command(flatten)]
    pub settings: CollectorArgs,
    /// Kinds of objects to show, as closure,upvalue,table; `all` adds the library's objects and constants
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Events to show, as open,close,free; `all` for every one
    #[arg(long, value_name = "EVENTS", value_delimiter = ',')]
    pub events: Vec<String>,
    /// Object to show, as f, 'closure f' or f#2; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub object: Vec<String>,
    /// How many lines to print before the last ones, or `all`
    #[arg(long, value_name = "LINES", default_value = "10000", value_parser = lines)]
    pub limit: Lines,
    /// How to print the trace; json is one object a line
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// The script, - for standard input
    pub file: PathBuf,
}

#[derive(Debug, Args)]
pub struct FaultsArgs {
    /// Seed of the generator; chosen and printed if not given
    #[arg(long)]
    pub seed: Option<u64>,
    /// How many cases to run at most for a fault, all oracles together
    #[arg(long, default_value_t = 20_000)]
    pub runs: u64,
    /// How many cases to run at most for a fault and an oracle that works alone
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    pub oracle_cap: u64,
    /// Faults measured side by side; as many as there are cores if not given
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// The engine that they are planted into: moonphase (our own VM), lua51 or lua54 (stock PUC Lua)
    #[arg(long, default_value_t, value_name = "ENGINE")]
    pub engine: EngineName,
    /// Only these faults
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub only: Vec<Planted>,
    /// Print what each fault is, as a page in Markdown, and measure nothing
    #[arg(long)]
    pub list: bool,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Language version
    #[arg(long, default_value_t, value_name = "VERSION")]
    pub lua: Language,
    #[command(flatten)]
    pub cases: CasesArgs,
    /// How many cases to write
    #[arg(long, default_value_t = 1_000)]
    pub runs: u64,
    /// Folder to write them to, made if it is not there
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// How many lines may be printed; `None` for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines(pub Option<u64>);

fn lines(text: &str) -> Result<Lines, String> {
    if text == "all" {
        return Ok(Lines(None));
    }
    text.parse().map(|lines| Lines(Some(lines))).map_err(|_| format!("'{text}' is neither a number of lines nor all"))
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a time such as 30s, 5m or 2h");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * unit).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_read_with_their_units() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert!(["", "s", "-1s", "3x", "1e400h", "nan"].iter().all(|text| duration(text).is_err()));
    }
}
