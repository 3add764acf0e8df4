//! Lines of a trace: columns for people, or JSON.

use std::io::{self, BufWriter, Write};

use anstyle::AnsiColor;
use moonphase_heap::Location;

use super::event_kind::EventKind;
use super::fact::{Fact, Record};
use super::{Layout, prose};
use crate::report::{Style, printable};

/// Columns for the event's text before the script's line.
const TEXT_WIDTH: usize = 80;
/// Columns for the name of an event.
const EVENT_WIDTH: usize = 13;
/// Levels of nesting that are shown by indentation.
const LEVELS: usize = 12;
/// Columns for the script's line.
const SOURCE_WIDTH: usize = 72;
/// What is put before a line that the script printed.
const PRINTED: &str = "> ";

const DIM: anstyle::Style = AnsiColor::BrightBlack.on_default();
const SCRIPT: anstyle::Style = AnsiColor::Green.on_default();
const COLLECTOR: anstyle::Style = AnsiColor::Cyan.on_default();
const OUTPUT: anstyle::Style = AnsiColor::Yellow.on_default();
const FAULT: anstyle::Style = AnsiColor::Red.on_default().bold();

/// Where a trace is written to.
pub struct Page {
    out: BufWriter<Box<dyn Write>>,
    layout: Layout,
    /// The lines of the script.
    lines: Vec<String>,
    /// The script, as records name it.
    chunk: String,
    /// The line of the script that was shown last.
    shown: Option<u32>,
    interactive: bool,
}

impl Page {
    /// A page for the trace of a script. `interactive`: each line is written at once.
    pub fn new(out: Box<dyn Write>, layout: Layout, source: &[u8], chunk: &[u8], interactive: bool) -> Page {
        let path = Location { source: chunk.to_vec(), line: 0 }.to_string();
        let chunk = path.rsplit('/').next().unwrap_or(&path).to_owned();
        let lines = match layout {
            Layout::Json => Vec::new(),
            Layout::Human(_) => String::from_utf8_lossy(source).lines().map(shortened).collect(),
        };
        Page { out: BufWriter::with_capacity(1 << 16, out), layout, lines, chunk, shown: None, interactive }
    }

    /// Writes a line.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        match self.layout {
            Layout::Json => serde_json::to_writer(&mut self.out, record)?,
            Layout::Human(style) => self.human(record, style)?,
        }
        self.out.write_all(b"\n")?;
        if self.interactive { self.out.flush() } else { Ok(()) }
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn human(&mut self, record: &Record, style: Style) -> io::Result<()> {
        let own = record.chunk.as_deref() == Some(self.chunk.as_str());
        let place = match (record.line, &record.chunk) {
            (Some(line), _) if own => line.to_string(),
            (Some(line), Some(chunk)) => format!("{}:{line}", printable(chunk)),
            _ => String::new(),
        };
        let words = printable(&prose::text(&record.fact, Style::Plain));
        let (event, words) = match &record.fact {
            // The words are about it by number.
            Fact::Cycle { .. } => (EventKind::Cycle.name(), format!("{} {words}", record.cycle)),
            Fact::Print { .. } => (EventKind::Print.name(), format!("{PRINTED}{words}")),
            _ => (record.event.name(), words),
        };
        // A native function that collects or prints is a call too.
        let depth = match record.fact {
            Fact::Print { .. } => record.depth.saturating_sub(1),
            _ => record.depth + usize::from(record.in_step && !matches!(record.fact, Fact::Cycle { .. })),
        };
        let indent = "  ".repeat(depth.min(LEVELS));
        let width = indent.len() + words.chars().count();
        let painted = match (&record.fact, style) {
            (_, Style::Plain) => words,
            (Fact::Print { .. }, _) => style.paint(OUTPUT, &words),
            (Fact::Cycle { .. }, _) => format!("{} {}", record.cycle, prose::text(&record.fact, style)),
            // The colours of the words are ours; what a script may have put between them is a name, which was escaped.
            _ => prose::text(&record.fact, style),
        };
        let event = style.paint(event_style(record.event), &format!("{event:EVENT_WIDTH$}"));
        write!(self.out, "{} {event}{indent}{painted}", style.paint(DIM, &format!("{place:>5}")))?;
        if own && record.line != self.shown {
            self.shown = record.line;
            let source = record.line.and_then(|line| self.lines.get((line as usize).checked_sub(1)?));
            if let Some(source) = source.filter(|source| !source.is_empty()) {
                let gap = TEXT_WIDTH.saturating_sub(width);
                write!(self.out, "{:gap$} {}", "", style.paint(DIM, &format!("| {source}")))?;
            }
        }
        Ok(())
    }
}

/// A line of the script, for its column.
fn shortened(line: &str) -> String {
    let line = printable(line.trim());
    match line.char_indices().nth(SOURCE_WIDTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn event_style(event: EventKind) -> anstyle::Style {
    match event {
        EventKind::Print => OUTPUT,
        EventKind::Dangling => FAULT,
        EventKind::Cycle | EventKind::Phase | EventKind::Step => COLLECTOR.bold(),
        EventKind::Mark | EventKind::Blacken | EventKind::GrayAgain | EventKind::Whiten | EventKind::Free => COLLECTOR,
        EventKind::Barrier | EventKind::IdleBarrier | EventKind::Finalize => COLLECTOR,
        _ => SCRIPT,
    }
}
