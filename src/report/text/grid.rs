//! Tables: aligned columns under a rule, small print between the rows, never wider than the page.

use std::io;

use tabled::{
    builder::Builder,
    settings::{
        Alignment, Color, Padding, Style,
        formatting::AlignmentStrategy,
        object::{Cell as At, Columns},
    },
};

use super::page::{Label, Page, Tone, clean, fold, width};

/// Columns between two columns.
pub(super) const GUTTER: usize = 2;
/// A column that folds is never made narrower than this.
const MIN_FOLDED: usize = 16;
/// Nor any other, where that is not enough.
const MIN_FORCED: usize = 10;

/// A column: its heading (lines behind line feeds), how it is aligned, and whether its cells may be folded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) heading: &'static str,
    pub(super) right: bool,
    pub(super) folds: bool,
}

impl Column {
    /// Words: left-aligned.
    pub(super) const fn words(heading: &'static str) -> Self {
        Self { heading, right: false, folds: false }
    }

    /// Words that may be folded where room is short.
    pub(super) const fn folding(heading: &'static str) -> Self {
        Self { heading, right: false, folds: true }
    }

    /// Numbers: right-aligned.
    pub(super) const fn number(heading: &'static str) -> Self {
        Self { heading, right: true, folds: false }
    }
}

/// A cell.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) tone: Tone,
}

impl Cell {
    pub(super) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(Tone::Plain, text)
    }
}

/// A row, the title of the group that it opens, and what is said in small print under it.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) opens: Option<String>,
    pub(super) cells: Vec<Cell>,
    pub(super) notes: Vec<Note>,
}

impl Row {
    /// A row of one cell.
    pub(super) fn of(cell: impl Into<Cell>) -> Self {
        Self { cells: vec![cell.into()], ..Self::default() }
    }
}

/// Small print under a row: a label (`receiver:`) and a text that is folded to the page.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) label: &'static str,
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// A table.
#[derive(Clone, Debug, Default)]
pub(super) struct Grid {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
}

impl Grid {
    /// Columns the table takes when nothing is folded.
    pub(super) fn natural_width(&self) -> usize {
        self.widths().iter().sum::<usize>() + GUTTER * self.columns.len().saturating_sub(1)
    }

    /// Writes the table, `indent` columns from the left, notes `note_indent` further in.
    pub(super) fn write(mut self, indent: usize, note_indent: usize, page: &mut Page<'_>) -> io::Result<()> {
        self.fold_to(page.width().saturating_sub(indent));
        let lines = self.lines(page);
        let mut lines = lines.iter();
        let mut write = |count: usize, page: &mut Page<'_>, tone: Tone| {
            lines.by_ref().take(count).try_for_each(|line| {
                let line = page.painted(tone, line.trim_end());
                page.line(&format!("{:indent$}{line}", ""))
            })
        };
        let heading_height = self.columns.iter().map(|column| height(column.heading)).max().unwrap_or(1);
        write(heading_height, page, Tone::Faint)?;
        let rule = page.signs().rule.to_string().repeat(self.natural_width());
        let rule = page.painted(Tone::Faint, &rule);
        page.line(&format!("{:indent$}{rule}", ""))?;
        for row in &self.rows {
            if let Some(title) = &row.opens {
                page.paragraph(&Label::indent(indent), Tone::Strong, title)?;
            }
            write(row.cells.iter().map(|cell| height(&cell.text)).max().unwrap_or(1), page, Tone::Plain)?;
            for note in &row.notes {
                let label = match note.label {
                    "" => Label::indent(indent + note_indent),
                    text => Label::new(indent + note_indent, text, note.tone),
                };
                page.paragraph(&label, note.tone, &note.text)?;
            }
        }
        Ok(())
    }

    /// The widest line of each column.
    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|column| widest_line(column.heading)).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(&row.cells) {
                *width = (*width).max(widest_line(&cell.text));
            }
        }
        widths
    }

    /// Folds columns until the table fits: those that may be folded first, the widest first. Each turn makes a column
    /// narrower, or there is none left that can be.
    fn fold_to(&mut self, columns: usize) {
        for row in &mut self.rows {
            for cell in &mut row.cells {
                cell.text = cell.text.split('\n').map(clean).collect::<Vec<_>>().join("\n");
            }
        }
        while let excess @ 1.. = self.natural_width().saturating_sub(columns) {
            let widths = self.widths();
            let floors = self.columns.iter().map(|column| {
                let least = if column.folds { MIN_FOLDED } else { MIN_FORCED };
                (column.folds, least.max(widest_line(column.heading)))
            });
            let candidates = widths.into_iter().zip(floors).enumerate();
            let widest = candidates
                .filter(|(_, (width, (_, floor)))| width > floor)
                .max_by_key(|(_, (width, (folds, _)))| (*folds, *width));
            let Some((place, (width, (_, floor)))) = widest else { return };
            let target = width.saturating_sub(excess).max(floor);
            for cell in self.rows.iter_mut().filter_map(|row| row.cells.get_mut(place)) {
                cell.text = cell.text.split('\n').flat_map(|line| fold(line, target)).collect::<Vec<_>>().join("\n");
            }
        }
    }

    /// The table's lines, its heading first.
    fn lines(&self, page: &Page<'_>) -> Vec<String> {
        let mut builder = Builder::default();
        builder.push_record(self.columns.iter().map(|column| column.heading));
        for row in &self.rows {
            builder.push_record(row.cells.iter().map(|cell| cell.text.as_str()));
        }
        let mut table = builder.build();
        table.with(Style::empty()).with(Padding::new(0, GUTTER, 0, 0)).with(AlignmentStrategy::PerLine);
        for (place, column) in self.columns.iter().enumerate() {
            let alignment = if column.right { Alignment::right() } else { Alignment::left() };
            table.modify(Columns::one(place), alignment);
        }
        if page.options().color {
            for (line, row) in self.rows.iter().enumerate() {
                for (place, cell) in row.cells.iter().enumerate() {
                    if let Some(color) = color(cell.tone) {
                        table.modify(At::new(line + 1, place), color);
                    }
                }
            }
        }
        table.to_string().lines().map(str::to_owned).collect()
    }
}

fn height(text: &str) -> usize {
    text.split('\n').count()
}

fn widest_line(text: &str) -> usize {
    text.split('\n').map(width).max().unwrap_or(0)
}

fn color(tone: Tone) -> Option<Color> {
    match tone {
        Tone::Plain => None,
        Tone::Strong => Some(Color::BOLD),
        Tone::Faint => Some(Color::new("\x1b[2m", "\x1b[22m")),
        Tone::Good => Some(Color::FG_GREEN),
        Tone::Doubtful => Some(Color::FG_YELLOW),
        Tone::Bad => Some(Color::FG_RED),
    }
}
