//! Lines of a trace: columns for people, or JSON.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};

use super::event_kind::EventKind;
use super::fact::{Fact, Record};
use super::{Layout, prose};
use crate::report::{Style, printable};
use anstyle::AnsiColor;

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
    /// How many lines may be written before the last ones; `None` for all.
    limit: Option<u64>,
    written: u64,
    /// The last lines, of which nobody knows yet whether more come.
    tail: VecDeque<Record>,
    left_out: u64,
}

/// So many lines before the end of a trace are written in any case.
const TAIL: usize = 200;

impl Page {
    /// A page for the trace of a script in this file. `interactive`: each line is written at once. Of more lines than `limit`
    /// the first ones are written, and some of the last ones.
    pub fn new(
        out: Box<dyn Write>,
        layout: Layout,
        source: &[u8],
        file: &str,
        limit: Option<u64>,
        interactive: bool,
    ) -> Page {
        let chunk = file.rsplit('/').next().unwrap_or(file).to_owned();
        let lines = match layout {
            Layout::Json => Vec::new(),
            Layout::Human(_) => String::from_utf8_lossy(source).lines().map(shortened).collect(),
        };
        Page {
            out: BufWriter::with_capacity(1 << 16, out),
            layout,
            lines,
            chunk,
            shown: None,
            interactive,
            limit,
            written: 0,
            tail: VecDeque::new(),
            left_out: 0,
        }
    }

    /// Lines that were left out so far.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Writes a line, or keeps it in case that it is one of the last.
    pub fn write(&mut self, record: Record) -> io::Result<()> {
        if self.limit.is_none_or(|limit| self.written < limit) {
            self.written += 1;
            return self.put(&record);
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
            self.left_out += 1;
        }
        self.tail.push_back(record);
        Ok(())
    }

    /// Writes the last lines, after how many were left out before them.
    pub fn finish(&mut self) -> io::Result<()> {
        if let (Some(next), true) = (self.tail.front(), self.left_out > 0) {
            let fact = Fact::LeftOut { lines: self.left_out };
            let record = Record { event: fact.kind(), fact, ..next.clone() };
            self.put(&record)?;
        }
        while let Some(record) = self.tail.pop_front() {
            self.put(&record)?;
        }
        self.out.flush()
    }

    fn put(&mut self, record: &Record) -> io::Result<()> {
        match self.layout {
            Layout::Json => serde_json::to_writer(&mut self.out, record)?,
            Layout::Human(style) => self.human(record, style)?,
        }
        self.out.write_all(b"\n")?;
        if self.interactive { self.out.flush() } else { Ok(()) }
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
        EventKind::Dangling | EventKind::Violation => FAULT,
        EventKind::Cycle | EventKind::Phase | EventKind::Step => COLLECTOR.bold(),
        EventKind::Mark | EventKind::Blacken | EventKind::GrayAgain | EventKind::Whiten | EventKind::Free => COLLECTOR,
        EventKind::Barrier | EventKind::IdleBarrier | EventKind::Finalize => COLLECTOR,
        EventKind::Clear | EventKind::Age => COLLECTOR,
        _ => SCRIPT,
    }
}
