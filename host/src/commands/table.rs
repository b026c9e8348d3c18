//! Tables for people: as wide as they must be, and on a terminal no wider than it.

use std::io::{IsTerminal, stdout};

use hookgate::runtime::acts;
use unicode_width::UnicodeWidthStr;

/// Free texts are cut to no less than this, and sentences neither: they have lines of their own before.
const FEW: usize = 6;
const LEGIBLE: usize = 24;

/// How many lines a sentence has of its own, at the most.
const LINES: usize = 3;

/// What stands between columns, and before a sentence on a line of its own.
const GAP: &str = "  ";
const INDENT: &str = "    ";

/// A column of a table.
#[derive(Clone, Copy)]
pub struct Column {
    head: &'static str,
    kind: Kind,
    is_spare: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Whole,
    Text,
    Sentence,
}

impl Column {
    /// Ids, times, states, counts: never cut, since a part of one is of no use.
    pub const fn whole(head: &'static str) -> Column {
        Column { head, kind: Kind::Whole, is_spare: false }
    }

    /// Names and lists: cut where there is no room.
    pub const fn text(head: &'static str) -> Column {
        Column { head, kind: Kind::Text, is_spare: false }
    }

    /// What needs room to be read: it goes to lines of its own where there is little. A table has one at the most.
    pub const fn sentence(head: &'static str) -> Column {
        Column { head, kind: Kind::Sentence, is_spare: false }
    }

    /// It may be left out where nothing else helps, the last of them first.
    pub const fn spare(self) -> Column {
        Column { is_spare: true, ..self }
    }

    /// The least width of a column that would be so wide.
    fn least(&self, width: usize) -> usize {
        match self.kind {
            Kind::Whole => width,
            Kind::Text => width.min(FEW),
            Kind::Sentence => width.min(LEGIBLE),
        }
    }
}

/// Prints rows under their heads. On a terminal free texts are cut until it fits; in pipes nothing is.
pub fn print_table(columns: &[Column], rows: &[Vec<String>]) {
    table(columns, rows, terminal_width()).iter().for_each(|line| outln!("{line}"));
}

/// Prints a row of those that come one by one, under no heads, in columns that are usually so wide.
pub fn print_row(columns: &[Column], usual: &[usize], row: &[String]) {
    lines_of_row(columns, usual, row, terminal_width()).iter().for_each(|line| outln!("{line}"));
}

/// How many characters fit into a line, where somebody looks at a terminal.
fn terminal_width() -> Option<usize> {
    let size = stdout().is_terminal().then(|| terminal_size::terminal_size_of(stdout()));
    size.flatten().map(|(terminal_size::Width(width), _)| usize::from(width))
}

/// The lines of a table where so much fits into one.
pub(super) fn table(columns: &[Column], rows: &[Vec<String>], room: Option<usize>) -> Vec<String> {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| harmless(cell)).collect()).collect();
    let width = |(n, column): (usize, &Column)| {
        let cells = rows.iter().filter_map(|row| row.get(n)).map(|cell| cell.width());
        cells.chain([column.head.width()]).max().unwrap_or_default()
    };
    let natural: Vec<usize> = columns.iter().enumerate().map(width).collect();
    let layout = Layout::of(columns, &natural, room);
    let heads: Vec<String> = columns.iter().map(|column| column.head.to_owned()).collect();
    let head = layout.line(&heads);
    std::iter::once(head).chain(rows.iter().flat_map(|row| layout.lines(row))).collect()
}

/// The lines of a row by itself.
pub(super) fn lines_of_row(columns: &[Column], usual: &[usize], row: &[String], room: Option<usize>) -> Vec<String> {
    let row: Vec<String> = row.iter().map(|cell| harmless(cell)).collect();
    let width = |((column, usual), cell): ((&Column, &usize), &String)| match column.kind {
        Kind::Whole => cell.width().max(*usual),
        _ => *usual,
    };
    let natural: Vec<usize> = columns.iter().zip(usual).zip(&row).map(width).collect();
    Layout::of(columns, &natural, room).lines(&row)
}

/// Which columns stand beside each other, and how wide.
struct Layout {
    columns: Vec<(usize, usize)>,
    /// The one whose cells have lines of their own.
    below: Option<usize>,
    room: Option<usize>,
}

impl Layout {
    /// Fits columns that would be so wide into a room: texts are cut, then the sentence goes below, then what is spare goes.
    fn of(columns: &[Column], natural: &[usize], room: Option<usize>) -> Layout {
        let mut layout = Layout { columns: natural.iter().copied().enumerate().collect(), below: None, room };
        let Some(room) = room else { return layout };
        loop {
            let is_kind = |kind| layout.columns.iter().rposition(|(n, _)| columns[*n].kind == kind);
            let is_spare = || layout.columns.iter().rposition(|(n, _)| columns[*n].is_spare);
            let next = is_kind(Kind::Sentence).or_else(is_spare);
            if fit(columns, &mut layout.columns, room) {
                return layout;
            }
            let Some(place) = next else { return layout };
            let (n, _) = layout.columns.remove(place);
            layout.below = layout.below.or((columns[n].kind == Kind::Sentence).then_some(n));
            layout.columns.iter_mut().for_each(|(n, width)| *width = natural[*n]);
        }
    }

    /// What stands beside each other of a row.
    fn line(&self, row: &[String]) -> String {
        let cell = |(n, width): &(usize, usize)| {
            let cell = row.get(*n).map(String::as_str).unwrap_or_default();
            let cell = if self.room.is_some() { cut(cell, *width) } else { cell.to_owned() };
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            cell + &padding
        };
        let cells: Vec<String> = self.columns.iter().map(cell).collect();
        cells.join(GAP).trim_end().to_owned()
    }

    /// All lines of a row.
    fn lines(&self, row: &[String]) -> Vec<String> {
        let below = self.below.and_then(|n| row.get(n)).filter(|text| !["", "-"].contains(&text.as_str()));
        let room = self.room.unwrap_or_default().saturating_sub(INDENT.len()).max(FEW);
        let below = below.map(|text| wrapped(text, room)).unwrap_or_default();
        std::iter::once(self.line(row)).chain(below.into_iter().map(|line| format!("{INDENT}{line}"))).collect()
    }
}

/// Takes from the widest that may be cut until all of them fit. Gives whether they do.
fn fit(columns: &[Column], widths: &mut [(usize, usize)], room: usize) -> bool {
    let least: Vec<usize> = widths.iter().map(|(n, width)| columns[*n].least(*width)).collect();
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    while widths.iter().map(|(_, width)| width).sum::<usize>() + gaps > room {
        let cuttable = widths.iter_mut().zip(&least).map(|((_, width), least)| (width, *least));
        match cuttable.filter(|(width, least)| **width > *least).max_by_key(|(width, _)| **width) {
            Some((widest, _)) => *widest -= 1,
            None => return false,
        }
    }
    true
}

/// The beginning of a text that is no wider than this.
fn beginning(text: &str, width: usize) -> &str {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    // Together, since some characters are drawn into the one before.
    let end = ends.take_while(|end| text[..*end].width() <= width).last();
    &text[..end.unwrap_or_default()]
}

fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    format!("{}…", beginning(text, width.saturating_sub(1)))
}

/// A sentence in lines of a width, cut where they are too many.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let (mut lines, mut rest) = (Vec::new(), text);
    while lines.len() + 1 < LINES && rest.width() > width {
        let line = beginning(rest, width);
        let end = line.rfind(' ').filter(|end| *end > 0).unwrap_or(line.len());
        lines.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    lines.push(cut(rest, width));
    lines
}

/// A text that does nothing to a terminal: what would is spelled out. Whatever a stranger may have written is shown by this.
pub fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for c in text.chars() {
        match acts(c) {
            true => harmless.extend(c.escape_unicode()),
            false => harmless.push(c),
        }
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_does_nothing_to_a_terminal() {
        assert_eq!(harmless("\u{1b}[2Jx\ny\u{202e}z\u{9b}"), "\\u{1b}[2Jx\\u{a}y\\u{202e}z\\u{9b}");
        assert_eq!(harmless("häuser & 日本"), "häuser & 日本");
    }

    fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
        cells.map(str::to_owned).to_vec()
    }

    #[test]
    fn a_table_is_as_wide_as_the_terminal_and_in_a_pipe_as_it_must_be() {
        let rows = [row(["one", "a sentence that goes on and on", "x"]), row(["two", "häuser", "y"])];
        let columns = [Column::whole("NAME"), Column::text("WHY"), Column::whole("N")];
        let whole = table(&columns, &rows, None);
        assert_eq!(whole[1], "one   a sentence that goes on and on  x");
        let fitted = table(&columns, &rows, Some(25));
        assert_eq!(fitted, ["NAME  WHY               N", "one   a sentence that…  x", "two   häuser            y"]);
        let narrow = table(&columns, &rows, Some(3));
        assert_eq!(narrow[1], "one   a sen…  x", "nothing is cut to nothing");
    }

    #[test]
    fn what_is_wide_is_as_wide_as_a_terminal_draws_it() {
        let rows = [row(["日本語", "1"]), row(["ab🎉", "2"]), row(["e\u{301}te\u{301}", "3"])];
        let columns = [Column::text("NAME"), Column::whole("N")];
        assert_eq!(table(&columns, &rows, None)[1..], ["日本語  1", "ab🎉    2", "e\u{301}te\u{301}     3"]);
        let long = [row(["日本語日本語日本語", "1"]), row(["ab", "2"])];
        let fitted = table(&columns, &long, Some(11));
        assert_eq!(fitted[1..], ["日本語…   1", "ab        2"], "half a character is not drawn");
        assert!(fitted.iter().all(|line| line.width() <= 11));
    }

    #[test]
    fn a_sentence_without_room_has_lines_of_its_own_and_then_spare_columns_go() {
        let columns = [Column::whole("ID"), Column::text("NAME"), Column::whole("N").spare(), Column::sentence("WHY")];
        let why = "it was not there when it was looked for, and nobody knows where it went since then, so it is gone";
        let rows = [row(["evt_1", "a name", "12", why]), row(["evt_2", "b", "3", "-"])];
        let lines = |room| table(&columns, &rows, Some(room));
        assert_eq!(lines(60)[0], "ID     NAME    N   WHY");
        let below = lines(40);
        assert_eq!(below[0], "ID     NAME    N");
        assert_eq!(below[1], "evt_1  a name  12");
        assert_eq!(below[2], "    it was not there when it was looked");
        assert_eq!(below[4], "    since then, so it is gone");
        assert_eq!(below[5..], ["evt_2  b       3"], "where there is nothing to say, nothing is said");
        assert!(lines(24)[4].ends_with('…') && lines(24).iter().all(|line| line.width() <= 24), "{:?}", lines(24));
        let narrow = lines(14);
        assert_eq!((&*narrow[0], &*narrow[1]), ("ID     NAME", "evt_1  a name"));
    }
}
