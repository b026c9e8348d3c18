//! What requests hold at a time, shared by the sources: none takes so much that another finds nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// So much of something, and how much of it requests hold now.
pub(super) struct Shares {
    most: usize,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    all: usize,
    /// Only of sources that hold any.
    by_source: HashMap<Arc<str>, usize>,
}

/// What one request holds, as long as it does.
pub(super) struct Share<'a> {
    of: &'a Shares,
    source: Arc<str>,
    held: usize,
}

/// Why there is no more to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// All of it is held.
    All,
    /// The source has its share.
    Share,
}

impl Shares {
    pub(super) fn new(most: usize) -> Shares {
        Shares { most, book: Mutex::default() }
    }

    /// What a request of a source holds: nothing yet.
    pub(super) fn of(&self, source: &Arc<str>) -> Share<'_> {
        Share { of: self, source: source.clone(), held: 0 }
    }
}

impl Share<'_> {
    /// Takes more, if there is as much. Where there are other sources, one may hold no more than it leaves: alone it has half, two have a third
    /// each, and there is always some left for who comes next. One request alone may have what it needs.
    pub(super) fn grow(&mut self, more: usize, is_only_source: bool) -> Result<(), Full> {
        let mut book = self.of.book.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = book.by_source.get(&self.source).copied().unwrap_or(0);
        let left = self.of.most.checked_sub(book.all + more).ok_or(Full::All)?;
        if !is_only_source && theirs > self.held && theirs + more > left {
            return Err(Full::Share);
        }
        book.all += more;
        book.by_source.insert(self.source.clone(), theirs + more);
        self.held += more;
        Ok(())
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        if self.held == 0 {
            return;
        }
        let mut book = self.of.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.all -= self.held;
        if let Some(theirs) = book.by_source.get_mut(&self.source) {
            *theirs -= self.held;
            if *theirs == 0 {
                book.by_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes ones for a source until there are no more.
    fn flood<'a>(shares: &'a Shares, source: &str, is_only: bool) -> (Vec<Share<'a>>, Full) {
        let (source, mut held) = (source.into(), Vec::new());
        loop {
            let mut share = shares.of(&source);
            match share.grow(1, is_only) {
                Ok(()) => held.push(share),
                Err(full) => return (held, full),
            }
        }
    }

    #[test]
    fn one_flood_leaves_half_and_two_leave_a_third() {
        let shares = Shares::new(256);
        let (one, full) = flood(&shares, "one", false);
        assert_eq!((one.len(), full), (128, Full::Share));
        let (two, _) = flood(&shares, "two", false);
        assert_eq!(two.len(), 64);
        let (quiet, _) = flood(&shares, "quiet", false);
        assert_eq!(quiet.len(), 32);
        drop((one, two, quiet));
        assert_eq!(shares.book.lock().unwrap().all, 0);
        assert!(shares.book.lock().unwrap().by_source.is_empty(), "who holds nothing is forgotten");
    }

    #[test]
    fn the_only_source_has_it_all() {
        let shares = Shares::new(256);
        let (all, full) = flood(&shares, "one", true);
        assert_eq!((all.len(), full), (256, Full::All));
    }

    #[test]
    fn one_request_may_have_what_it_needs() {
        let (shares, source) = (Shares::new(64), "large".into());
        let mut large = shares.of(&source);
        for _ in 0..60 {
            large.grow(1, false).unwrap();
        }
        assert_eq!(shares.of(&source).grow(1, false), Err(Full::Share));
        assert_eq!(shares.of(&"other".into()).grow(5, false), Err(Full::All));
        assert_eq!(shares.of(&"other".into()).grow(4, false), Ok(()));
        drop(large);
        assert_eq!(shares.of(&source).grow(64, false), Ok(()));
        let tiny = Shares::new(1);
        assert_eq!(tiny.of(&source).grow(1, false), Ok(()), "a single place is anybody's");
    }
}
