//! Sequences of verbs by chance, said to an engine and to the model. `HOOKGATE_SEQUENCES=2000` tries so many; `HOOKGATE_SEQUENCE=17` only
//! that one, so as to see it fail again.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use super::Engine;
use super::verbs::{Verb, verbs};
use super::world::World;

/// How many sequences are tried where nothing is said.
const SEQUENCES: u64 = 200;

/// The most verbs in one.
const VERBS: usize = 200;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Whatever is said in whatever order, the engine does what the model says.
pub fn whatever_is_said<E: Engine>() {
    if let Some(number) = variable("HOOKGATE_SEQUENCE") {
        return try_one::<E>(number);
    }
    let (sequences, next) = (variable("HOOKGATE_SEQUENCES").unwrap_or(SEQUENCES), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= sequences {
                        return;
                    }
                    try_one::<E>(number);
                }
            });
        }
    });
}

/// Tries the sequence of a number; where it fails, the shortest of its kind is told.
fn try_one<E: Engine>(number: u64) {
    let seed: Vec<u8> = number.to_le_bytes().into_iter().chain([0; 24]).collect();
    let config = Config { cases: 1, failure_persistence: None, max_shrink_iters: 4_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let tried = runner.run(&verbs(VERBS), |verbs| {
        say_all::<E>(&verbs).map_err(|difference| TestCaseError::fail(format!("{difference:#}")))
    });
    match tried {
        Ok(()) => {}
        Err(TestError::Fail(why, verbs)) => {
            let verbs: Vec<String> = verbs.iter().map(|verb| format!("    {verb:?},")).collect();
            panic!("{why}\nafter\n{}\nHOOKGATE_SEQUENCE={number} replays it", verbs.join("\n"));
        }
        Err(TestError::Abort(why)) => panic!("sequence {number}: {why}"),
    }
}

fn say_all<E: Engine>(verbs: &[Verb]) -> anyhow::Result<()> {
    let mut world = World::<E>::new();
    for (n, verb) in verbs.iter().enumerate() {
        world.apply(verb).with_context(|| format!("verb {n}, {verb:?}"))?;
    }
    world.apply(&Verb::Look).context("at the end")
}
