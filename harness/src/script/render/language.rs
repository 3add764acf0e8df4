//! What languages say in different words.

use super::*;

impl Renderer {
    /// The language of the text.
    pub(in super::super) fn language(&self) -> &Language {
        &self.language
    }

    /// Whether the language of the text has a feature.
    pub(in super::super) fn has(&self, feature: Feature) -> bool {
        self.language.has(feature)
    }

    /// The function that loads a text.
    pub(super) fn text_loader(&self) -> &'static str {
        self.language.text_loader()
    }

    /// A function from an expression for a text, with a name and perhaps an environment.
    pub(super) fn load_text(&self, text: &str, name: &str, environment: Option<&str>) -> String {
        let loader = self.text_loader();
        match environment {
            None => format!("{loader}({text}, \"{name}\")"),
            Some(table) if self.has(Feature::Load) => format!("load({text}, \"{name}\", \"t\", {table})"),
            Some(table) => format!("setfenv({loader}({text}, \"{name}\"), {table})"),
        }
    }

    /// The function that gives the items of a list.
    pub(in super::super) fn unpack(&self) -> &'static str {
        if self.has(Feature::TablePack) { "table.unpack" } else { "unpack" }
    }

    /// What stands around a finalizer to make an object of a table: the object is the table, or a proxy of it.
    pub(in super::super) fn finalized(&mut self, table: &str) -> (String, &'static str) {
        if self.has(Feature::TableFinalizers) {
            return (format!("setmetatable({table}, {{ __gc = "), " })");
        }
        self.use_helper(Helper::Proxy);
        (format!("proxy({table}, "), ")")
    }
}
