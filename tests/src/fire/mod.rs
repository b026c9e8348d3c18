//! Under fire: drivers that do to the gateway, and to its queue alone, what machines do, and count what became of the promises.
//!
//! Each has `run(seed, how much) -> Report`. Tests run them with small numbers, `cargo xtask torture` with large ones. What was promised is
//! asked of the ledger or of the queue afterwards, beside records that the victim could not touch. [`power`], [`faults`], [`full`] and [`damage`] drive the
//! queue in process, on a disk that loses power, fails, fills up or lies.

mod acks;
pub mod damage;
pub mod faults;
pub mod full;
pub mod kill;
pub mod load;
pub mod power;
mod proof;
mod report;
pub mod supervision;
mod traffic;
pub mod unsynced;

pub use report::{Bound, Figure, Report};

/// The seed of a run of something: `HOOKGATE_SEED` where one is to be replayed, otherwise one of this moment. It is told.
pub fn seed(of: &str) -> u64 {
    let given = std::env::var("HOOKGATE_SEED").ok().map(|text| text.parse().expect("HOOKGATE_SEED is no number"));
    let seed = given.unwrap_or_else(|| hookgate::event::wall_ms() % 1_000_000_007);
    eprintln!("{of}: HOOKGATE_SEED={seed}");
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
