//! Killed again and again under load, nothing that was acknowledged is lost, and nothing is done more often than the kills explain.

use hookgate_tests::fire;

/// Some two minutes on two cores. `cargo xtask torture --long` kills 500 times.
#[test]
fn killed_again_and_again_under_load_every_promise_is_kept() {
    fire::kill::run(fire::seed("kill"), 25, 50_000).assert_kept();
}
