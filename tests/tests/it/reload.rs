//! Plugins are replaced while events flow, in every way that people and tools replace files. Nothing is lost.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{fs, sync::Arc};

use hookgate_tests::{Doors, Gateway, Guest, Home, Sender, State, eventually, eventually_within};

/// "Picked up within a second", on a machine that does other things too.
const PICKED_UP: Duration = Duration::from_secs(20);

/// Without the doorbell, the folder is looked at every five seconds: most reloads must not need that.
const BEFORE_THE_SLOW_SCAN: Duration = Duration::from_secs(2);

fn version(version: &str) -> Vec<u8> {
    Guest::wanting(&["push"]).version(version).component()
}

/// Sends until it is told to stop, and gives the ids of all that was acknowledged.
struct Load {
    stop: Arc<AtomicBool>,
    sending: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn begin(doors: Doors, sender: &Sender, senders: usize) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let one = || {
            let (stop, sender) = (stop.clone(), sender.clone());
            std::thread::spawn(move || {
                let mut ids = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    ids.push(doors.post(&sender.webhook("push")).id());
                    std::thread::sleep(Duration::from_millis(2));
                }
                ids
            })
        };
        Load { sending: (0..senders).map(|_| one()).collect(), stop }
    }

    fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.sending.into_iter().flat_map(|sending| sending.join().unwrap()).collect()
    }
}

/// Puts bytes into a plugin's file in the `nth` way.
fn replace(gateway: &Gateway, home: &Home, nth: usize, wasm: &[u8]) {
    let file = home.plugin("worker");
    match nth % 5 {
        0 => home.install("worker", wasm),
        1 => overwrite(&file, wasm),
        2 => switch_link(home, nth, wasm),
        3 => {
            fs::remove_file(&file).unwrap();
            eventually_within(PICKED_UP, "it is gone", || gateway.slot("worker") == "gone");
            fs::write(&file, wasm).unwrap();
        }
        _ => {
            // So soon that it is never seen gone.
            fs::remove_file(&file).unwrap();
            fs::write(&file, wasm).unwrap();
        }
    }
}

/// As `cp` does it: emptied, then written piece by piece, so that half a file is there for a while.
fn overwrite(file: &Path, wasm: &[u8]) {
    use std::io::Write;
    let mut open = fs::OpenOptions::new().write(true).truncate(true).open(file).unwrap();
    for piece in wasm.chunks(wasm.len() / 2 + 1) {
        open.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_millis(150));
    }
}

/// As deployments do it: a new file elsewhere, and a link that is switched to it.
fn switch_link(home: &Home, nth: usize, wasm: &[u8]) {
    let target = home.path().join(format!("version-{nth}"));
    let link = home.plugins().join(".link");
    fs::write(&target, wasm).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    fs::rename(&link, home.plugin("worker")).unwrap();
}

#[test]
fn fifty_reloads_under_load_lose_nothing() {
    let home = Home::new();
    let versions = [version("1.0.0"), version("2.0.0")];
    home.install("worker", &versions[0]);
    let gateway = Gateway::start(&home);
    let load = Load::begin(*gateway, &home.sender("github"), 2);

    let mut slow = 0;
    for nth in 1..=50 {
        let next = nth % 2;
        replace(&gateway, &home, nth, &versions[next]);
        let expected = ["1.0.0", "2.0.0"][next];
        let replaced = Instant::now();
        eventually_within(PICKED_UP, "the new one is live", || {
            let plugin = gateway.plugin("worker");
            plugin["slot"] == "live" && plugin["version"] == expected
        });
        slow += u32::from(replaced.elapsed() > BEFORE_THE_SLOW_SCAN);
        assert!(slow < 20, "nobody listens to the folder");
    }

    let ids = load.end();
    let ledger = home.ledger();
    eventually("all are done", || ledger.count("worker", State::Done) == ids.len());
    assert!(ids.iter().all(|id| ledger.has(id)));
    assert_eq!(ledger.states("worker").len(), ids.len(), "every event is accounted for once");
    let attempts = ledger.attempts("worker");
    assert!(attempts.iter().all(|attempt| attempt.outcome == "done"), "{attempts:?}");
    assert!(ids.len() > 100, "{} events are no load", ids.len());
}

#[test]
fn a_new_file_is_picked_up_and_runs_from_then_on() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    assert_eq!(gateway.slot("late"), "none");

    home.install("late", Guest::wanting(&["push"]).component());
    eventually_within(PICKED_UP, "it is live", || gateway.slot("late") == "live");

    let id = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("it is done", || home.ledger().state("late", &id) == Some(State::Done));
}

#[test]
fn half_a_file_is_stale_and_the_old_code_goes_on() {
    let home = Home::new();
    let [old, new] = [version("1.0.0"), version("2.0.0")];
    home.install("worker", &old);
    let gateway = Gateway::start(&home);

    fs::write(home.plugin("worker"), &new[..new.len() / 2]).unwrap();
    eventually_within(PICKED_UP, "it is stale", || gateway.slot("worker") == "stale");

    assert!(gateway.why("worker").contains("damaged or not whole"), "{}", gateway.why("worker"));
    assert_eq!(gateway.plugin("worker")["version"], "1.0.0");
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    eventually("the old one does it", || home.ledger().state("worker", &id) == Some(State::Done));

    // The rest of it comes.
    fs::write(home.plugin("worker"), &new).unwrap();
    eventually_within(PICKED_UP, "the new one is live", || gateway.plugin("worker")["version"] == "2.0.0");
    assert_eq!(gateway.slot("worker"), "live");
}

#[test]
fn putting_the_old_file_back_is_the_rollback() {
    let home = Home::new();
    let old = version("1.0.0");
    home.install("worker", &old);
    let gateway = Gateway::start(&home);
    let generation = gateway.plugin("worker")["generation"].clone();

    home.install("worker", "nonsense");
    eventually_within(PICKED_UP, "it is stale", || gateway.slot("worker") == "stale");
    home.install("worker", &old);
    eventually_within(PICKED_UP, "it is live", || gateway.slot("worker") == "live");

    assert_eq!(gateway.plugin("worker")["generation"], generation);
    assert_eq!(gateway.plugin("worker")["why"], serde_json::Value::Null);
}

#[test]
fn touching_a_file_changes_nothing() {
    let home = Home::new();
    home.install("worker", version("1.0.0"));
    let gateway = Gateway::start(&home);
    let before = gateway.plugin("worker");

    let file = fs::File::options().write(true).open(home.plugin("worker")).unwrap();
    file.set_modified(std::time::SystemTime::now()).unwrap();
    // What is found in the same scan or a later one shows that the touch was looked at.
    home.install("other", version("1.0.0"));
    eventually_within(PICKED_UP, "the folder was scanned", || gateway.slot("other") == "live");

    assert_eq!(gateway.plugin("worker"), before);
}

#[test]
fn a_plugin_that_was_never_good_is_broken_until_it_is() {
    let home = Home::new();
    home.install("worker", "nonsense");
    let gateway = Gateway::start(&home);
    assert_eq!(gateway.slot("worker"), "broken");

    home.install("worker", version("1.0.0"));
    eventually_within(PICKED_UP, "it is live", || gateway.slot("worker") == "live");
}

#[test]
fn deliveries_wait_for_a_plugin_that_is_gone() {
    let home = Home::new();
    home.install("worker", version("1.0.0"));
    let gateway = Gateway::start(&home);
    fs::remove_file(home.plugin("worker")).unwrap();
    eventually_within(PICKED_UP, "it is gone", || gateway.slot("worker") == "gone");

    let id = gateway.post(&home.sender("github").webhook("push")).id();
    assert_eq!(home.ledger().state("worker", &id), Some(State::Waiting));

    home.install("worker", version("2.0.0"));
    eventually("it is done", || home.ledger().state("worker", &id) == Some(State::Done));
    assert_eq!(home.ledger().outcomes("worker", &id), ["done"]);
}

/// Whether a metric says that a plugin is in a slot.
fn is_measured(gateway: &Gateway, plugin: &str, slot: &str) -> bool {
    gateway.metric(&format!("hookgate_plugin_slot{{plugin=\"{plugin}\",slot=\"{slot}\"}}")) == 1.0
}

#[test]
fn a_plugin_that_is_gone_is_shown_until_it_is_back() {
    let home = Home::new();
    home.install("worker", version("1.0.0"));
    home.install("zebra", version("1.0.0"));
    drop(Gateway::start(&home));
    fs::remove_file(home.plugin("worker")).unwrap();
    let gateway = Gateway::start(&home);
    gateway.post(&home.sender("github").webhook("push")).id();

    eventually("it is shown", || gateway.slot("worker") == "gone");
    let shown = gateway.plugin("worker");
    assert_eq!(shown["subscriptions"], serde_json::json!(["push"]));
    let why = shown["why"].as_str().unwrap();
    assert!(why.contains("its file is gone since 2") && why.contains("keep_subscriptions_s"), "{why}");
    let names = |plugins: serde_json::Value| -> Vec<(String, String)> {
        let text = |one: &serde_json::Value, field: &str| one[field].as_str().unwrap().to_owned();
        plugins.as_array().unwrap().iter().map(|one| (text(one, "name"), text(one, "slot"))).collect()
    };
    let both =
        |slot: &str| [("worker", slot), ("zebra", "live")].map(|(name, slot)| (name.to_owned(), slot.to_owned()));
    assert_eq!(names(gateway.get("/api/v1/plugins").json()), both("gone"), "what `hookgate plugins` prints");
    assert!(is_measured(&gateway, "worker", "gone") && is_measured(&gateway, "zebra", "live"));

    home.install("worker", version("2.0.0"));
    eventually_within(PICKED_UP, "it is back", || gateway.slot("worker") == "live");
    assert_eq!(names(gateway.status()["plugins"].clone()), both("live"));
    eventually("it is so on disk, too", || !is_measured(&gateway, "worker", "gone"));
    assert!(is_measured(&gateway, "worker", "live"));
}

#[test]
fn a_plugin_that_went_while_nobody_looked_misses_nothing_either() {
    let home = Home::new();
    home.install("worker", version("1.0.0"));
    drop(Gateway::start(&home));
    fs::remove_file(home.plugin("worker")).unwrap();

    let gateway = Gateway::start(&home);
    let id = gateway.post(&home.sender("github").webhook("push")).id();
    home.install("worker", version("1.0.0"));

    eventually("it is done", || home.ledger().state("worker", &id) == Some(State::Done));
}

#[test]
fn a_plugin_that_is_gone_for_long_has_no_subscriptions_any_more() {
    let home = Home::with("delivery.keep_subscriptions_s = 1");
    home.install("worker", version("1.0.0"));
    let gateway = Gateway::start(&home);
    fs::remove_file(home.plugin("worker")).unwrap();

    let mut id = String::new();
    eventually("nothing is kept for it", || {
        id = gateway.post(&home.sender("github").webhook("push")).id();
        home.ledger().state("worker", &id).is_none()
    });
    assert!(home.ledger().has(&id));
    assert_eq!(gateway.slot("worker"), "none", "it is let go of");
    assert!(!is_measured(&gateway, "worker", "gone"));
}

#[test]
fn what_a_new_version_wants_is_what_counts() {
    let home = Home::new();
    home.install("worker", Guest::wanting(&["push"]).component());
    let gateway = Gateway::start(&home);
    home.install("worker", Guest::wanting(&["issues.opened"]).component());
    eventually_within(PICKED_UP, "the new one is live", || {
        gateway.plugin("worker")["subscriptions"] == serde_json::json!(["issues.opened"])
    });

    let mut opened = String::new();
    eventually("it wants the new type", || {
        opened = gateway.post(&home.sender("github").webhook("issues.opened")).id();
        home.ledger().state("worker", &opened).is_some()
    });
    let push = gateway.post(&home.sender("github").webhook("push")).id();
    assert_eq!(home.ledger().state("worker", &push), None);
}

#[test]
fn a_folder_of_links_as_kubernetes_makes_it_is_followed() {
    let home = Home::new();
    for (folder, name) in [("..one", "1.0.0"), ("..two", "2.0.0")] {
        fs::create_dir(home.plugins().join(folder)).unwrap();
        fs::write(home.plugins().join(folder).join("worker.wasm"), version(name)).unwrap();
    }
    let point_at = |folder: &str| {
        std::os::unix::fs::symlink(folder, home.plugins().join("..next")).unwrap();
        fs::rename(home.plugins().join("..next"), home.plugins().join("..data")).unwrap();
    };
    point_at("..one");
    std::os::unix::fs::symlink("..data/worker.wasm", home.plugin("worker")).unwrap();
    let gateway = Gateway::start(&home);
    assert_eq!(gateway.plugin("worker")["version"], "1.0.0");

    point_at("..two");

    eventually_within(PICKED_UP, "the new one is live", || gateway.plugin("worker")["version"] == "2.0.0");
}
