//! The gateway under fire: drivers that do to it what machines do, and count what became of its promises.
//!
//! Each has `run(seed, how much) -> Report`. Tests run them with small numbers, `cargo xtask torture` with large ones. What was promised is
//! asked of the ledger afterwards, beside records that the victim could not touch.

mod acks;
pub mod kill;
mod load;
mod report;
pub mod supervision;

pub use report::{Bound, Figure, Report};

/// The seed of a run: `HOOKGATE_SEED` where one is to be replayed, otherwise one of this moment. It is printed.
pub fn seed() -> u64 {
    let given = std::env::var("HOOKGATE_SEED").ok().map(|seed| seed.parse().expect("HOOKGATE_SEED is no number"));
    let seed = given.unwrap_or_else(|| hookgate::event::now_ms() % 1_000_000_007);
    eprintln!("HOOKGATE_SEED={seed}");
    seed
}

/// Numbers that a seed decides (SplitMix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed. `stream` tells apart those who draw beside each other.
    pub fn new(seed: u64, stream: u64) -> Random {
        Random(seed ^ stream.wrapping_mul(0xd6e8_feb8_6659_fd93))
    }

    /// The next one.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of so many, from 0.
    pub fn below(&mut self, many: u64) -> u64 {
        self.draw() % many
    }

    /// True once in so many times.
    pub fn once_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    /// A time between two, in milliseconds.
    pub fn millis(&mut self, from: u64, to: u64) -> std::time::Duration {
        std::time::Duration::from_millis(from + self.below(to - from))
    }
}
