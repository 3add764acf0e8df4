//! The options that settings have, made from the table of settings.

use std::fmt;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use moonphase::settings::{Given, Offered, SETTINGS, Setting, SettingError, Settings};

const ALLOW_DANGLING: &str = "allow-dangling";

/// How a script is put before the oracles, or run.
#[derive(Clone, Debug)]
pub struct SettingsArgs {
    given: Vec<Given>,
    allow_dangling: bool,
}

/// The language and the collector's rules and turns, for a command that only shows what the collector does.
#[derive(Clone, Debug)]
pub struct CollectorArgs {
    given: Vec<Given>,
}

impl SettingsArgs {
    /// These settings, with what they don't say as in `usual`.
    ///
    /// # Errors
    /// The fault lives in a policy that this VM does not know, or it does not speak the language.
    pub fn over(&self, usual: Settings) -> Result<Settings, SettingError> {
        let settings = usual.with(&self.given)?.consistent()?;
        Ok(Settings { allow_dangling: self.allow_dangling || settings.allow_dangling, ..settings })
    }
}

impl fmt::Display for SettingsArgs {
    /// The words that were given, each with a blank behind it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.given.iter().try_for_each(|given| write!(f, "{given} "))?;
        if self.allow_dangling { write!(f, "--{ALLOW_DANGLING} ") } else { Ok(()) }
    }
}

impl CollectorArgs {
    /// These settings, with what they don't say as in `usual`.
    ///
    /// # Errors
    /// The fault lives in a policy that this VM does not know, or it does not speak the language.
    pub fn over(&self, usual: Settings) -> Result<Settings, SettingError> {
        usual.with(&self.given)?.consistent()
    }
}

/// The settings that at least so many commands have options for.
fn settings(offered: Offered) -> impl Iterator<Item = &'static Setting> {
    SETTINGS.into_iter().filter(move |setting| setting.offered >= offered)
}

fn augment(command: Command, offered: Offered) -> Command {
    command.args(settings(offered).map(|setting| {
        Arg::new(setting.name)
            .long(setting.name)
            .value_name(setting.value_name)
            .help(setting.help())
            .value_parser(move |text: &str| Given::new(setting, text))
    }))
}

fn given(matches: &ArgMatches, offered: Offered) -> Vec<Given> {
    settings(offered).filter_map(|setting| matches.get_one(setting.name)).cloned().collect()
}

impl FromArgMatches for SettingsArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = given(matches, Offered::WhereScriptsAreJudged);
        Ok(SettingsArgs { given, allow_dangling: matches.get_flag(ALLOW_DANGLING) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = SettingsArgs::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for SettingsArgs {
    fn augment_args(command: Command) -> Command {
        augment(command, Offered::WhereScriptsAreJudged).arg(
            Arg::new(ALLOW_DANGLING).long(ALLOW_DANGLING).action(ArgAction::SetTrue).help(
                "With --check off: return freed objects to the allocator even by an unsound collector. Undefined \
                 behaviour, for a sanitizer to see",
            ),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        SettingsArgs::augment_args(command)
    }
}

impl FromArgMatches for CollectorArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(CollectorArgs { given: given(matches, Offered::Everywhere) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = CollectorArgs::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for CollectorArgs {
    fn augment_args(command: Command) -> Command {
        augment(command, Offered::Everywhere)
    }

    fn augment_args_for_update(command: Command) -> Command {
        CollectorArgs::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(words: &[&str]) -> Settings {
        let command = SettingsArgs::augment_args(Command::new("test").no_binary_name(true));
        let matches = command.try_get_matches_from(words).unwrap();
        SettingsArgs::from_arg_matches(&matches).unwrap().over(Settings::default()).unwrap()
    }

    #[test]
    fn options_read_what_a_header_has() {
        let settings = over(&["--gc", "5.1", "--check", "full", "--schedule", "stress", "--reference", "none"]);
        assert_eq!(settings.to_string(), "lua=5.4 gc=5.1 check=full schedule=stress reference=none");
        assert!(over(&["--allow-dangling"]).allow_dangling);
        assert_eq!(over(&[]), Settings::default());
    }

    #[test]
    fn a_command_that_only_shows_the_collector_has_no_options_for_oracles() {
        let names = |command: Command| -> Vec<String> {
            command.get_arguments().map(|argument| argument.get_id().to_string()).collect()
        };
        assert_eq!(
            names(CollectorArgs::augment_args(Command::new("test"))),
            ["lua", "gc", "check", "schedule", "fault"]
        );
        let all = ["engine", "lua", "gc", "check", "schedule", "fault", "reference", "allow-dangling"];
        assert_eq!(names(SettingsArgs::augment_args(Command::new("test"))), all);
    }

    #[cfg(feature = "faults")]
    #[test]
    fn a_fault_brings_its_policy_unless_one_is_given() {
        assert_eq!(over(&["--fault", "count-kept"]).gc.to_string(), "5.3");
        assert_eq!(over(&["--fault", "count-kept", "--gc", "5.4"]).gc.to_string(), "5.4");
    }
}
