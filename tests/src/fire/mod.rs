//! The queue under fire: it is driven in process while its disk loses power, fails, fills up or lies. Each run is a function of a seed
//! and of how much of it there is to be, and gives a report; tests look at the report, and longer forms ask for more.

pub mod damage;
pub mod faults;
mod load;
pub mod power;
mod proof;

/// The seed of this run: that of `HOOKGATE_SEED`, or a new one. It is told, so that a run that failed can be had again.
pub fn seed(of: &str) -> u64 {
    let given = std::env::var("HOOKGATE_SEED").ok().map(|text| text.parse().unwrap());
    let seed = given.unwrap_or_else(|| hookgate::event::now_ms() % 1_000_000_000);
    eprintln!("{of}: HOOKGATE_SEED={seed}");
    seed
}
