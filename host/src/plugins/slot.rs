//! Which code of a plugin is current: one pure function.

/// The state of one plugin, by what it runs (`P`) and why a file was refused (`R`).
#[derive(Debug, Clone, PartialEq)]
pub enum Slot<P, R> {
    /// The file's code runs.
    Live(P),
    /// The file was refused, and the code before it runs on.
    Stale {
        /// What runs.
        live: P,
        /// Why the file does not.
        refused: R,
    },
    /// The file was refused, and nothing runs.
    Broken(R),
}

/// What was found in the plugin's file.
#[derive(Debug, Clone, PartialEq)]
pub enum Found<P, R> {
    /// Code that can run.
    Loaded(P),
    /// Something else.
    Refused(R),
    /// No file.
    Gone,
}

impl<P, R> Slot<P, R> {
    /// What runs, if anything does.
    pub fn live(&self) -> Option<&P> {
        match self {
            Slot::Live(live) | Slot::Stale { live, .. } => Some(live),
            Slot::Broken(_) => None,
        }
    }

    /// Why the file does not run, if it does not.
    pub fn refused(&self) -> Option<&R> {
        match self {
            Slot::Live(_) => None,
            Slot::Stale { refused, .. } | Slot::Broken(refused) => Some(refused),
        }
    }
}

/// The whole table of a plugin's life. A bad file never takes down good code.
pub fn next<P, R>(slot: Option<Slot<P, R>>, found: Found<P, R>) -> Option<Slot<P, R>> {
    match (slot, found) {
        (_, Found::Gone) => None,
        (_, Found::Loaded(new)) => Some(Slot::Live(new)),
        (Some(Slot::Live(live) | Slot::Stale { live, .. }), Found::Refused(refused)) => {
            Some(Slot::Stale { live, refused })
        }
        (Some(Slot::Broken(_)) | None, Found::Refused(refused)) => Some(Slot::Broken(refused)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let live = |p| Some(Slot::Live(p));
        let stale = |live, refused| Some(Slot::Stale { live, refused });
        let broken = |r| Some(Slot::Broken(r));
        let (loaded, refused, gone) = (Found::Loaded("new"), Found::Refused("why"), Found::Gone);
        let table = [
            (None, loaded.clone(), live("new")),
            (None, refused.clone(), broken("why")),
            (None, gone.clone(), None),
            (live("old"), loaded.clone(), live("new")),
            (live("old"), refused.clone(), stale("old", "why")),
            (live("old"), gone.clone(), None),
            (stale("old", "before"), loaded.clone(), live("new")),
            (stale("old", "before"), refused.clone(), stale("old", "why")),
            (stale("old", "before"), gone.clone(), None),
            (broken("before"), loaded, live("new")),
            (broken("before"), refused, broken("why")),
            (broken("before"), gone, None),
        ];
        for (slot, found, expected) in table {
            assert_eq!(next(slot.clone(), found.clone()), expected, "{slot:?} and {found:?}");
        }
    }
}
