//! `moonphase generate`.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use moonphase::cases::Generator;

use super::args::GenerateArgs;
use super::fuzz::chosen_seed;
use super::{Done, Failure, print};

pub fn main(args: &GenerateArgs) -> Result<Done, Failure> {
    let cases = &args.cases;
    cases.refuse_what_free_scripts_lack(args.lua)?;
    if args.runs == 0 {
        return Err(Failure::Usage("nothing to do: --runs must be more than 0".to_owned()));
    }
    let end = cases.start.checked_add(args.runs).ok_or_else(|| Failure::Usage("--start is too large".to_owned()))?;
    let seed = cases.seed.unwrap_or_else(chosen_seed);
    let generator = Generator::new(cases.scripts, seed, args.lua, cases.without.iter().copied().collect());
    let cannot = |path: &Path, error| Failure::Usage(format!("cannot write {}: {error}", path.display()));
    fs::create_dir_all(&args.out).map_err(|error| cannot(&args.out, error))?;
    // So that the names are in the order of the numbers.
    let digits = (end - 1).to_string().len();
    let path = |number: u64| args.out.join(format!("{seed}-{number:0digits$}.lua"));
    for number in cases.start..end {
        let path = path(number);
        let text = generator.case(number).text;
        // What is there may be somebody's.
        let written = File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| cannot(&path, error))?;
    }
    let (first, last) = (path(cases.start), path(end - 1));
    print(&format!("{} cases: {} to {}\n", args.runs, first.display(), last.display()))?;
    Ok(Done::Clean)
}
