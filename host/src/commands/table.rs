//! Tables for people: as wide as they must be, and on a terminal no wider than it.

use std::io::{IsTerminal, stdout};

use hookgate::runtime::acts;

/// Columns are not cut to less than this.
const NARROWEST: usize = 8;

/// What stands between columns.
const GAP: &str = "  ";

/// Prints rows under their heads. On a terminal the widest columns are cut until it fits; in pipes nothing is.
pub fn print_table(heads: &[&str], rows: &[Vec<String>]) {
    table(heads, rows, terminal_width()).iter().for_each(|line| outln!("{line}"));
}

/// How many characters fit into a line, where somebody looks at a terminal.
fn terminal_width() -> Option<usize> {
    let size = stdout().is_terminal().then(|| terminal_size::terminal_size_of(stdout()));
    size.flatten().map(|(terminal_size::Width(width), _)| usize::from(width))
}

fn table(heads: &[&str], rows: &[Vec<String>], room: Option<usize>) -> Vec<String> {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| harmless(cell)).collect()).collect();
    let width = |n: usize| {
        let cells = rows.iter().filter_map(|row| row.get(n)).map(|cell| cell.chars().count());
        cells.chain(heads.get(n).map(|head| head.len())).max().unwrap_or_default()
    };
    let mut widths: Vec<usize> = (0..heads.len()).map(width).collect();
    if let Some(room) = room {
        fit(&mut widths, room);
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> =
            cells.zip(&widths).map(|(cell, width)| format!("{:width$}", cut(cell, *width))).collect();
        padded.join(GAP).trim_end().to_owned()
    };
    let head = line(&mut heads.iter().copied());
    std::iter::once(head).chain(rows.iter().map(|row| line(&mut row.iter().map(String::as_str)))).collect()
}

/// Takes from the widest until all of them fit.
fn fit(widths: &mut [usize], room: usize) {
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > room {
        match widths.iter_mut().max().filter(|widest| **widest > NARROWEST) {
            Some(widest) => *widest -= 1,
            None => return,
        }
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
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

    #[test]
    fn a_table_is_as_wide_as_the_terminal_and_in_a_pipe_as_it_must_be() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["one", "a sentence that goes on and on", "x"]), row(["two", "häuser", "y"])];
        let heads = ["NAME", "WHY", "N"];
        let whole = table(&heads, &rows, None);
        assert_eq!(whole[1], "one   a sentence that goes on and on  x");
        let fitted = table(&heads, &rows, Some(25));
        assert_eq!(fitted, ["NAME  WHY               N", "one   a sentence that…  x", "two   häuser            y"]);
        let narrow = table(&heads, &rows, Some(3));
        assert_eq!(narrow[1], "one   a sente…  x", "nothing is cut to nothing");
    }
}
