//! What stops and restarts it in ordinary life: SIGTERM under load, SIGKILL with a long history, an event that takes it down each time.

use hookgate_tests::fire;

#[test]
fn stopped_killed_and_taken_down_every_promise_is_kept() {
    fire::supervision::run(fire::seed("supervision"), 3, 1_000_000).assert_kept();
}
