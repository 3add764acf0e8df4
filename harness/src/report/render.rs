//! Puts an explanation onto a page of text.
//!
//! The page is the same in both styles but for the colours. A terminal that cannot show colours is the business of the
//! stream that it is printed to.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use anstyle::AnsiColor;

use moonphase_heap::Colour;
use moonphase_invariants::PathStep;
use moonphase_vm::gc::Policy;

use super::explanation::{Broken, Crash, Disagreement, Explanation, Shade};
use super::prose::{self, Mark};
use crate::coverage::{Cell, Unreachable};

/// Columns of a page.
const WIDTH: usize = 110;

/// Scripts of at most so many lines are shown whole; of longer ones the marked lines with what is around them.
const SHOWN_WHOLE: usize = 40;

/// What belongs to a finding besides what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The text of the script.
    pub script: &'a str,
    /// The path of the script's file, as shown.
    pub file: &'a str,
    /// The command that shows the finding again.
    pub command: &'a str,
    /// The signature of the finding.
    pub signature: &'a str,
    /// The policy of the collector.
    pub gc: Policy,
    /// How it was run, as in a header.
    pub settings: &'a str,
}

/// How a page looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Nothing but text, for files.
    Plain,
    /// With colours, for terminals.
    Colour,
}

impl Style {
    /// A text in a style, where there are colours.
    pub(crate) fn paint(self, style: anstyle::Style, text: &str) -> String {
        match self {
            Style::Plain => text.to_owned(),
            Style::Colour => format!("{style}{text}{style:#}"),
        }
    }
}

impl Shade {
    /// How its word is shown.
    pub(crate) fn style(self) -> anstyle::Style {
        match self {
            Shade::Of(Colour::White) => AnsiColor::BrightWhite.on_default().bold(),
            Shade::Of(Colour::OtherWhite) | Shade::Freed => AnsiColor::Red.on_default(),
            Shade::Of(Colour::Gray) => AnsiColor::BrightBlack.on_default(),
            // Black on black would not be seen.
            Shade::Of(Colour::Black) => AnsiColor::Blue.on_default().bold(),
        }
    }
}

/// The report of a finding: many lines, the last with its line end.
pub fn render(explanation: &Explanation, context: &Context<'_>, style: Style) -> String {
    let mut page = Page { text: String::new(), style };
    page.line(&page.paint(STRONG, context.signature));
    page.line(context.settings);
    page.blank();
    let marks = match explanation {
        Explanation::Violation(broken) => page.violation(broken, context),
        Explanation::Unreachable(unreachable) => page.unreachable(unreachable),
        Explanation::Disagreement(disagreement) => page.disagreement(disagreement),
        Explanation::Crash(crash) => page.crash(crash),
        Explanation::NotRepeated => page.not_repeated(),
    };
    page.heading("The script");
    page.script(context, &marks);
    page.heading("To see it again");
    page.line(&format!("  {}", context.command));
    page.text
}

const STRONG: anstyle::Style = anstyle::Style::new().bold();
const HEADING: anstyle::Style = AnsiColor::Cyan.on_default().bold();
const FAULT: anstyle::Style = AnsiColor::Red.on_default().bold();

struct Page {
    text: String,
    style: Style,
}

impl Page {
    fn violation(&mut self, broken: &Broken, context: &Context<'_>) -> Vec<Mark> {
        self.headline(&prose::headline(broken));
        self.heading("What must hold");
        self.paragraph(&prose::rule(broken));
        self.paragraph(&prose::seen(broken));
        if !broken.path.is_empty() {
            self.heading("How the program reaches it");
            self.path(&broken.path, broken);
        }
        let objects = [("  holder: ", &broken.holder), ("  target: ", &broken.target)];
        if objects.iter().any(|(_, thing)| thing.is_some()) {
            self.heading("The objects");
            for (role, thing) in objects {
                if let Some(thing) = thing {
                    self.item(role, &prose::object(thing, broken));
                }
            }
        }
        self.section("Who wrote it, and why no barrier helped", &prose::cause(broken));
        self.section("What was done right before", &prose::last_deed(broken));
        let steps = prose::consequence(broken);
        if !steps.is_empty() {
            self.heading("What would have happened next");
            for (number, step) in (1..).zip(&steps) {
                self.item(&format!("  {number}. "), step);
            }
        }
        self.section("What would mend it", &prose::remedy(broken, context.gc));
        prose::marks(broken)
    }

    fn unreachable(&mut self, Unreachable { cell, rule }: &Unreachable) -> Vec<Mark> {
        self.headline(&prose::unreachable_headline(*cell));
        self.heading("What must hold");
        self.paragraph(&prose::state_rule(*rule));
        self.heading(if matches!(cell, Cell::Store(_)) { "The store" } else { "The state" });
        self.line(&format!("  {cell}"));
        Vec::new()
    }

    fn disagreement(&mut self, disagreement: &Disagreement) -> Vec<Mark> {
        self.headline(&prose::difference_headline(disagreement));
        self.heading("What must hold");
        self.paragraph(prose::difference_rule(disagreement.between));
        self.heading("The difference");
        let Disagreement { between: _, our_name, reference_name, difference } = disagreement;
        let width = our_name.chars().count().max(reference_name.chars().count());
        for (name, did) in [(our_name, &difference.ours), (reference_name, &difference.reference)] {
            self.line(&format!("  {name:width$}  {}", printable(did)));
        }
        Vec::new()
    }

    fn crash(&mut self, crash: &Crash) -> Vec<Mark> {
        self.headline(&prose::crash_headline(crash));
        self.heading("What must hold");
        self.paragraph(crash.sanitized.as_ref().map_or(prose::CRASH_RULE, prose::sanitizer_rule));
        if !crash.stderr.trim().is_empty() {
            self.heading("What it wrote to standard error");
            for line in crash.stderr.trim_end().lines() {
                self.line(&format!("  {}", printable(line)));
            }
        }
        Vec::new()
    }

    fn not_repeated(&mut self) -> Vec<Mark> {
        self.headline(prose::NOT_REPEATED);
        self.heading("What must hold");
        self.paragraph(prose::REPEATED_RULE);
        Vec::new()
    }

    /// The way from a root, one reference a line.
    fn path(&mut self, path: &[PathStep], broken: &Broken) {
        let words = |step: &PathStep| (step.label.to_string(), step.object.short_name().to_string());
        let words: Vec<(String, String)> = path.iter().map(words).collect();
        let width = |text: &str| text.chars().count();
        let labels = words.iter().map(|(label, _)| width(label)).max().unwrap_or(0);
        let names = words.iter().map(|(_, name)| width(name)).max().unwrap_or(0);
        for (index, (step, (label, name))) in path.iter().zip(&words).enumerate() {
            let last = index + 1 == path.len();
            let (label, name) = (printable(label), printable(name));
            let shade = self.shade(Shade::of(&step.object));
            let arrow = if index == 0 { "root" } else { "  ->" };
            let note = match &broken.holder {
                Some(_) if last => self.paint(FAULT, "  <- this reference"),
                _ => String::new(),
            };
            self.line(format!("  {arrow} {label:labels$}  {name:names$}  {shade}{note}").trim_end());
        }
    }

    fn script(&mut self, context: &Context<'_>, marks: &[Mark]) {
        let lines = line_spans(context.script);
        let annotation = |mark: &Mark| {
            let span = lines.get(usize::try_from(mark.line).ok()?.checked_sub(1)?)?.clone();
            let kind = if mark.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            Some(kind.span(span).label(mark.text.clone()))
        };
        let annotations: Vec<_> = marks.iter().filter_map(annotation).collect();
        if annotations.is_empty() {
            // A snippet without annotations shows nothing.
            self.line(&format!("  {}", context.file));
            let width = lines.len().to_string().len();
            for (number, line) in (1..).zip(context.script.lines()) {
                self.line(format!("  {number:width$} | {}", printable(line)).trim_end());
            }
            return;
        }
        let snippet =
            Snippet::source(context.script).path(context.file).fold(lines.len() > SHOWN_WHOLE).annotations(annotations);
        let renderer = match self.style {
            Style::Plain => Renderer::plain(),
            Style::Colour => Renderer::styled(),
        };
        let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH + 30);
        let text = renderer.render(&[Group::with_level(Level::ERROR).element(snippet)]);
        for line in text.lines() {
            self.line(line.trim_end());
        }
    }

    fn headline(&mut self, text: &str) {
        for line in wrap(text, WIDTH) {
            self.line(&self.paint(FAULT, &line));
        }
    }

    fn heading(&mut self, text: &str) {
        self.blank();
        self.line(&self.paint(HEADING, text));
    }

    fn section(&mut self, heading: &str, paragraphs: &[String]) {
        if !paragraphs.is_empty() {
            self.heading(heading);
            for paragraph in paragraphs {
                self.paragraph(paragraph);
            }
        }
    }

    fn paragraph(&mut self, text: &str) {
        self.item("  ", text);
    }

    /// A paragraph whose first line begins with something.
    fn item(&mut self, first: &str, text: &str) {
        let indent = first.len();
        for (index, line) in wrap(text, WIDTH - indent).iter().enumerate() {
            let before = if index == 0 { first } else { "" };
            self.line(&format!("{before:indent$}{line}"));
        }
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn blank(&mut self) {
        if !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    fn paint(&self, style: anstyle::Style, text: &str) -> String {
        self.style.paint(style, text)
    }

    fn shade(&self, shade: Shade) -> String {
        self.paint(shade.style(), &shade.to_string())
    }
}

/// Breaks a text at spaces into lines of at most `width` characters, where words allow it. Control characters are
/// escaped.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    // A no-break space keeps words together.
    for word in printable(text).split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(&word.replace('\u{a0}', " "));
            used += length;
        }
    }
    lines
}

/// A text whose control characters are escaped, so that a script cannot play tricks on a terminal.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\t' {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// The bytes of each line without the blanks around it.
fn line_spans(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut spans = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let begin = start + (line.len() - line.trim_start().len());
        let end = start + line.trim_end().len();
        spans.push(begin.min(end)..end);
        start += line.len();
    }
    spans
}
