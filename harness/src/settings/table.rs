//! The table of settings: what each is called, and how its value is read and written.
//!
//! Headers, the command line, JSON and the lines about settings in reports are all made from it, so that they have the same
//! settings with the same names and values.

use std::fmt;

use moonphase_vm::gc::Policy;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Check, Reference, SettingError, Settings, system};
use crate::fault::Planted;
use crate::language::Language;
use crate::schedule::Schedules;
use crate::text::quoted;

/// Which commands have an option for a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Offered {
    /// None: the command decides, or the header of the script.
    Nowhere,
    /// Those that put a script before the oracles, or run it.
    WhereScriptsAreJudged,
    /// As well those that only show what the collector does.
    Everywhere,
}

/// A setting with a name, and a value that has a text.
pub struct Setting {
    /// The key in headers and JSON, and the word after the dashes of the option.
    pub name: &'static str,
    /// Which commands have the option.
    pub offered: Offered,
    /// What stands for the value in help.
    pub value_name: &'static str,
    help: &'static str,
    /// The values that there are, or words that values begin with; none where help says it.
    known: fn() -> Vec<String>,
    /// Whether headers have the usual value too.
    always: bool,
    read: fn(&mut Settings, &str) -> Result<(), SettingError>,
    text: fn(&Settings) -> Option<String>,
}

/// Puts a value that was read into its place.
fn put<T, E: Into<SettingError>>(place: &mut T, read: Result<T, E>) -> Result<(), SettingError> {
    *place = read.map_err(E::into)?;
    Ok(())
}

/// The engine under test.
pub static ENGINE: Setting = Setting {
    name: "engine",
    offered: Offered::WhereScriptsAreJudged,
    value_name: "ENGINE",
    help: "The Lua under test: moonphase (our own VM), lua51, lua54 (stock PUC Lua), or a folder with the C sources of a Lua",
    known: Vec::new,
    always: false,
    read: |settings, text| put(&mut settings.engine, text.parse()),
    text: |settings| Some(settings.engine.to_string()),
};

/// The language.
pub static LUA: Setting = Setting {
    name: "lua",
    offered: Offered::Everywhere,
    value_name: "VERSION",
    help: "Language version",
    known: || Language::ALL.iter().map(Language::to_string).collect(),
    always: true,
    read: |settings, text| put(&mut settings.lua, text.parse()),
    text: |settings| Some(settings.lua.to_string()),
};

/// The collector's rules.
pub static GC: Setting = Setting {
    name: "gc",
    offered: Offered::Everywhere,
    value_name: "PRESET[,RULE=VALUE…]",
    help: "Collector policy: a preset, then rules to change, as in 5.1,setupvalue=upvalue",
    known: || Policy::PRESETS.iter().map(Policy::to_string).collect(),
    always: true,
    read: |settings, text| put(&mut settings.gc, text.parse()),
    // The collectors of others have their own rules.
    text: |settings| settings.engine.is_ours().then(|| settings.gc.to_string()),
};

/// When the invariants are checked.
pub static CHECK: Setting = Setting {
    name: "check",
    offered: Offered::Everywhere,
    value_name: "CHECK",
    help: "When to check the invariants",
    known: || Check::all().map(|check| check.to_string()).collect(),
    always: true,
    read: |settings, text| put(&mut settings.check, text.parse()),
    text: |settings| Some(settings.check.to_string()),
};

/// When the collector turns, beside what scripts ask for.
pub static SCHEDULE: Setting = Setting {
    name: "schedule",
    offered: Offered::Everywhere,
    value_name: "SCHEDULE",
    help: "When the collector turns besides what scripts ask for: none, stress, random:SEED, shuffled:SEED, barriers, generational or \
           steps:POINT[xTURNS],…; where a script may run more than once also usual (each case under none and one other; \
           for fuzz the default) or all",
    known: Vec::new,
    always: false,
    read: |settings, text| put(&mut settings.schedules, text.parse()),
    text: |settings| Some(settings.schedules.to_string()),
};

/// What scripts may use of the machine.
pub static SYSTEM: Setting = Setting {
    name: "system",
    offered: Offered::Nowhere,
    value_name: "SYSTEM",
    help: "What scripts may use of the machine",
    known: || system::ALL.iter().map(|&system| system::name(system).to_owned()).collect(),
    always: false,
    read: |settings, text| put(&mut settings.system, system::named(text).ok_or_else(|| unknown(&SYSTEM, text))),
    text: |settings| Some(system::name(settings.system).to_owned()),
};

/// What is wrong with the collector on purpose.
pub static FAULT: Setting = Setting {
    name: "fault",
    offered: Offered::Everywhere,
    value_name: "NAME",
    help: "Fault to plant into the collector (moonphase faults --list names them); its own engine and policy are the defaults",
    known: Vec::new,
    always: false,
    read: |settings, text| put(&mut settings.fault, text.parse().map(Some)),
    text: |settings| settings.fault.as_ref().map(Planted::to_string),
};

/// Whom to compare with.
pub static REFERENCE: Setting = Setting {
    name: "reference",
    offered: Offered::WhereScriptsAreJudged,
    value_name: "REFERENCE",
    help: "Reference to compare with",
    known: || Reference::ALL.iter().map(Reference::to_string).collect(),
    always: false,
    read: |settings, text| put(&mut settings.reference, text.parse()),
    text: |settings| Some(settings.reference.to_string()),
};

/// All settings that have a name, in the order in which they are written.
///
/// [`Settings::allow_dangling`] has none: it is a flag of the command line, since no file may ask for undefined behaviour.
pub static SETTINGS: [&Setting; 8] = [&ENGINE, &LUA, &GC, &CHECK, &SCHEDULE, &SYSTEM, &FAULT, &REFERENCE];

impl Setting {
    /// The setting of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> Result<&'static Setting, SettingError> {
        let setting = SETTINGS.iter().find(|setting| setting.name == name);
        setting.copied().ok_or_else(|| SettingError::Setting {
            name: name.to_owned(),
            known: SETTINGS.map(|setting| setting.name).join(", "),
        })
    }

    /// A sentence for people, with the values that there are.
    pub fn help(&self) -> String {
        match (self.known)() {
            known if known.is_empty() => self.help.to_owned(),
            known => format!("{} [known: {}]", self.help, known.join(", ")),
        }
    }

    /// The text of the value.
    pub fn text(&self, settings: &Settings) -> Option<String> {
        (self.text)(settings)
    }

    /// The text of the value where a header has it.
    fn written(&self, settings: &Settings) -> Option<String> {
        let text = self.text(settings);
        if self.always || text != self.text(&Settings::default()) { text } else { None }
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The error of a word that is none of those that a setting has.
pub(super) fn unknown(setting: &Setting, text: &str) -> SettingError {
    SettingError::Value { setting: setting.name, value: text.to_owned(), known: (setting.known)().join(", ") }
}

/// A setting with the text of a value that it has.
#[derive(Clone, Debug)]
pub struct Given {
    setting: &'static Setting,
    text: String,
}

impl Given {
    /// A setting with a value.
    ///
    /// # Errors
    /// The setting has no such value.
    pub fn new(setting: &'static Setting, text: &str) -> Result<Given, SettingError> {
        (setting.read)(&mut Settings::default(), text)?;
        Ok(Given { setting, text: text.to_owned() })
    }

    fn is(&self, setting: &Setting) -> bool {
        self.setting.name == setting.name
    }
}

impl fmt::Display for Given {
    /// As an option of the command line: `--gc 5.1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--{} {}", self.setting.name, quoted(&self.text))
    }
}

impl Settings {
    /// These settings with what is given. A fault that is given brings the engine and the policy that it lives in, unless
    /// these are given too.
    ///
    /// # Errors
    /// This VM does not know the policy of the fault.
    pub fn with(mut self, given: &[Given]) -> Result<Settings, SettingError> {
        for given in given {
            (given.setting.read)(&mut self, &given.text)?;
        }
        let gives = |setting| given.iter().any(|given| given.is(setting));
        if let (true, Some(fault)) = (gives(&FAULT), self.fault) {
            if !gives(&ENGINE) {
                self.engine = fault.engine();
            }
            if let (false, Planted::Ours(fault)) = (gives(&GC), fault) {
                self.gc = fault.policy().parse()?;
            }
        }
        if (gives(&ENGINE) || gives(&FAULT)) && !self.engine.is_ours() {
            if let (false, Some(language)) = (gives(&LUA), self.engine.language()) {
                self.lua = language;
            }
            if !gives(&REFERENCE) {
                self.reference = Reference::None;
            }
            if !gives(&SCHEDULE) {
                self.schedules = Schedules::default();
            }
            if gives(&GC) {
                return Err(SettingError::Foreign { engine: self.engine, setting: GC.name });
            }
        }
        Ok(self)
    }

    /// Some of the settings as fields of JSON; null where there is no value.
    pub fn fields(&self, settings: &[&'static Setting]) -> impl Serialize + use<> {
        Fields(settings.iter().map(|setting| (setting.name, setting.text(self))).collect())
    }
}

/// Names with values.
struct Fields(Vec<(&'static str, Option<String>)>);

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl fmt::Display for Settings {
    /// As in a header: `lua=5.4 gc=5.1 check=barrier`, with what else is not as usual.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for setting in SETTINGS {
            if let Some(text) = setting.written(self) {
                write!(f, "{between}{}={}", setting.name, quoted(&text))?;
                between = " ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_name_of_its_own_and_reads_what_it_writes() {
        for setting in SETTINGS {
            assert!(std::ptr::eq(Setting::named(setting.name).unwrap(), setting));
            let Some(text) = setting.text(&Settings::default()) else { continue };
            let given = Given::new(setting, &text).unwrap();
            assert_eq!(Settings::default().with(&[given]), Ok(Settings::default()), "{}", setting.name);
        }
    }

    #[test]
    fn values_that_are_listed_are_values() {
        for setting in SETTINGS {
            for text in (setting.known)() {
                assert!(Given::new(setting, &text).is_ok(), "{}={text}", setting.name);
            }
        }
    }

    #[test]
    fn what_is_not_in_the_table_is_an_error_that_names_what_is() {
        let error = Setting::named("colour").unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown setting 'colour' (known: engine, lua, gc, check, schedule, system, fault, reference)"
        );
        let error = |setting, text| Given::new(setting, text).unwrap_err().to_string();
        assert_eq!(error(&CHECK, "often"), "unknown check 'often' (known: off, step, barrier, full)");
        assert_eq!(error(&SYSTEM, "some"), "unknown system 'some' (known: none, full)");
        assert_eq!(error(&REFERENCE, "lua99"), "unknown reference 'lua99' (known: lua54, none)");
    }

    #[test]
    fn settings_are_fields_of_json() {
        let fields = Settings::default().fields(&[&LUA, &FAULT]);
        assert_eq!(serde_json::to_string(&fields).unwrap(), r#"{"lua":"5.4","fault":null}"#);
    }
}
