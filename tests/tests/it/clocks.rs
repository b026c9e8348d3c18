//! The wall clock is set while it runs: what senders sign follows it, and nothing else does.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use hookgate::event::EventId;
use hookgate_tests::{
    Answer, Guest, Home, Process, Sender, State, WallClock, Webhook, eventually, eventually_within, run_hookgate,
};
use sha2::Sha256;

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 24 * HOUR_S;

/// How long a retry waits here: longer than it takes to set a clock.
const WAIT_S: u64 = 4;

/// A gateway whose clock is right, with a plugin that is done at the second attempt, that keeps events for three days.
struct Setting {
    home: Home,
    clock: WallClock,
    gateway: Process,
}

impl Setting {
    fn start(mut clock: WallClock) -> Setting {
        let home = Home::with(&format!("delivery.schedule_s = [{WAIT_S}]\ndelivery.keep_days = 3"));
        let handle = "(if (i32.eq (local.get $attempt) (i32.const 1)) (then (return (call $retry {later}))))";
        home.install("patient", Guest::wanting(&["push"]).handling(handle).component());
        let gateway = clock.start(&home);
        Setting { home, clock, gateway }
    }

    fn post(&self, webhook: &Webhook) -> Answer {
        self.gateway.post(webhook)
    }

    fn push(&self) -> (Webhook, String) {
        let webhook = self.home.sender("github").webhook("push");
        let id = self.post(&webhook).id();
        (webhook, id)
    }

    /// Whether what Frame.io signs at this time is taken.
    fn takes_signed_at(&self, at_ms: u64) -> u16 {
        let frameio = self.home.sender("frameio");
        let body = frameio.webhook("file.ready").body;
        self.post(&frameio.signed_at("file.ready", body, at_ms)).status
    }
}

#[test]
fn signatures_follow_the_clock_when_it_is_set() {
    let Some(clock) = WallClock::find() else { return };
    let mut it = Setting::start(clock);
    assert_eq!(it.takes_signed_at(it.clock.now_ms()), 200);
    for ahead_s in [HOUR_S, -HOUR_S, DAY_S, -DAY_S] {
        let before_ms = it.clock.now_ms();
        it.clock.set(ahead_s);
        assert_eq!(it.takes_signed_at(it.clock.now_ms()), 200, "signed by the clock as it is now, {ahead_s} s");
        assert_eq!(it.takes_signed_at(before_ms), 401, "signed by the clock as it was, {ahead_s} s");
    }
}

#[test]
fn a_retry_waits_as_long_as_was_said_however_the_clock_is_set() {
    let Some(clock) = WallClock::find() else { return };
    let mut it = Setting::start(clock);
    for ahead_s in [HOUR_S, -HOUR_S, DAY_S, -DAY_S] {
        let begun = Instant::now();
        let (_, id) = it.push();
        eventually("it waits", || it.home.ledger().outcomes("patient", &id) == ["retry"]);
        it.clock.set(ahead_s);
        // Never and hours late look the same from here.
        eventually_within(Duration::from_secs(60), &format!("it is tried again, {ahead_s} s"), || {
            it.home.ledger().state("patient", &id) == Some(State::Done)
        });
        assert!(begun.elapsed() >= Duration::from_secs(WAIT_S), "it came early, {ahead_s} s");
        assert_eq!(it.home.ledger().outcomes("patient", &id), ["retry", "done"], "{ahead_s} s");
    }
}

#[test]
fn ids_grow_repeats_are_told_and_nothing_is_let_go_of_however_the_clock_is_set() {
    let Some(clock) = WallClock::find() else { return };
    let mut it = Setting::start(clock);
    let mut taken = vec![it.push()];
    for ahead_s in [HOUR_S, -HOUR_S, DAY_S, 4 * DAY_S, -DAY_S] {
        it.clock.set(ahead_s);
        taken.push(it.push());
        let again: Vec<Answer> = taken.iter().map(|(webhook, _)| it.post(webhook)).collect();
        assert!(again.iter().all(Answer::is_duplicate), "{ahead_s} s");
        assert!(again.iter().zip(&taken).all(|(answer, (_, id))| answer.id() == *id), "{ahead_s} s");
        // By then what is too old has been looked for: that is done each second.
        let (_, id) = taken.last().unwrap();
        eventually("it is done", || it.home.ledger().state("patient", id) == Some(State::Done));
        assert_eq!(it.home.ledger().events(), taken.len() as i64, "{ahead_s} s");
    }
    assert!(taken.is_sorted_by_key(|(_, id)| id), "{taken:?}");
}

/// How long it takes until what is old has been looked for: that is done each second.
const TIDIED: Duration = Duration::from_millis(2_500);

impl Setting {
    /// Sets the clock to 1970, as it is where nothing kept the time while the machine was off.
    fn forget_time(clock: &mut WallClock) {
        clock.set(0);
        clock.set(60 - (clock.now_ms() / 1000) as i64);
    }

    /// Ends the gateway and starts it again, by the clock as it is then.
    fn restart(&mut self, set: impl FnOnce(&mut WallClock)) {
        self.gateway.terminate();
        self.gateway.wait();
        set(&mut self.clock);
        self.gateway = self.clock.start(&self.home);
    }

    /// Whether an event's id tells the time that it is by the clock.
    fn is_told_now(&self, id: &str) -> bool {
        let id: EventId = id.parse().unwrap();
        id.made_at_ms().abs_diff(self.clock.now_ms()) < 60_000
    }

    fn listed_since(&self, since: &str) -> Vec<String> {
        let admin = format!("http://{}", self.gateway.admin);
        let ran = run_hookgate(&self.home, &["events", "--since", since, "--json", "--admin", &admin]);
        let listed: serde_json::Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
        listed["events"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    }

    fn is_done(&self, id: &str) {
        let ledger = self.home.ledger();
        eventually("it is done", || ledger.state("patient", id) == Some(State::Done));
    }

    /// All that was taken is there with its body, and its repeats are told.
    fn has_all(&self, taken: &[(Webhook, String)]) {
        std::thread::sleep(TIDIED);
        assert_eq!(self.home.ledger().kept_bodies(), taken.len() as i64);
        for (webhook, id) in taken {
            let again = self.post(webhook);
            assert_eq!((again.is_duplicate(), again.id()), (true, id.clone()));
        }
    }
}

#[test]
fn where_the_clock_is_set_after_the_start_all_is_by_it_from_then_on() {
    let Some(mut clock) = WallClock::find() else { return };
    Setting::forget_time(&mut clock);
    let mut it = Setting::start(clock);
    let before = it.push();
    assert!(it.is_told_now(&before.1));

    it.clock.set(0);

    let after = it.push();
    assert!(it.is_told_now(&after.1));
    assert_eq!(it.listed_since("1h"), std::slice::from_ref(&after.1));
    [&before, &after].iter().for_each(|(_, id)| it.is_done(id));
    it.has_all(&[before, after]);
    eventually("it is logged", || it.gateway.log().contains("all times go by it from now on"));
    assert!(it.gateway.metric("hookgate_clock_offset_seconds").abs() < 5.0);
}

#[test]
fn a_start_in_1970_forgets_nothing_and_tries_again_what_waits_once_the_clock_is_set() {
    let Some(clock) = WallClock::find() else { return };
    let mut it = Setting::start(clock);
    let first = it.push();
    let waits = first.1.clone();
    eventually("it waits", || it.home.ledger().outcomes("patient", &waits) == ["retry"]);
    it.restart(Setting::forget_time);
    let meanwhile = it.push();
    assert!(meanwhile.1 > waits);

    it.clock.set(0);

    it.is_done(&waits);
    it.is_done(&meanwhile.1);
    let after = it.push();
    assert!(it.is_told_now(&after.1));
    it.has_all(&[first, meanwhile, after]);
}

#[test]
fn a_clock_that_is_a_year_ahead_for_a_while_has_nothing_let_go_of() {
    let Some(clock) = WallClock::find() else { return };
    let mut it = Setting::start(clock);
    let mut taken = vec![it.push()];
    it.clock.set(365 * DAY_S);
    taken.push(it.push());
    it.has_all(&taken);
    it.clock.set(0);
    taken.push(it.push());
    assert!(it.is_told_now(&taken[2].1), "it was ahead for a moment only");
    taken.iter().for_each(|(_, id)| it.is_done(id));

    // Nor where it begins with it.
    it.restart(|clock| clock.set(365 * DAY_S));
    it.has_all(&taken);
    taken.push(it.push());
    it.clock.set(0);
    taken.push(it.push());
    taken.iter().for_each(|(_, id)| it.is_done(id));
    it.has_all(&taken);
    it.restart(|clock| clock.set(0));
    taken.push(it.push());
    assert!(taken.is_sorted_by_key(|(_, id)| id));
    it.is_done(&taken[5].1);
    it.has_all(&taken);
}

#[test]
fn that_the_clock_was_set_is_told() {
    let Some(clock) = WallClock::find() else { return };
    let mut it = Setting::start(clock);
    let offset = |it: &Setting| it.gateway.metric("hookgate_clock_offset_seconds");
    assert!(offset(&it).abs() < 5.0);
    assert!(!it.gateway.log().contains("the clock was set"), "{}", it.gateway.log());
    for (nth, ahead_s) in [HOUR_S, -DAY_S].into_iter().enumerate() {
        it.clock.set(ahead_s);
        eventually("it is logged", || it.gateway.log().matches("the clock was set").count() > nth);
        eventually("it is in the metrics", || (offset(&it) - ahead_s as f64).abs() < 5.0);
    }
}

/// What the sources here are signed with.
const SECRET: &str = "whsec_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// How long after the first try senders try again, in seconds, as they document it; the last may be one that people make by hand.
const RETRIES_S: [(&str, &[i64]); 13] = [
    ("soundhash", &[60, 180, 420]),
    ("github", &[60, DAY_S, 3 * DAY_S - HOUR_S]),
    ("stripe", &[HOUR_S, DAY_S, 3 * DAY_S - HOUR_S]),
    ("slack", &[1, 60, 300]),
    ("shopify", &[60, 900, 4 * HOUR_S]),
    ("gitlab", &[600]),
    ("pagerduty", &[60, HOUR_S, 48 * HOUR_S]),
    ("zoom", &[300, 1_800, 5_400]),
    ("linear", &[60, HOUR_S, 6 * HOUR_S]),
    ("square", &[60, HOUR_S, DAY_S]),
    ("meta", &[60, 36 * HOUR_S]),
    ("standard-webhooks", &[5, 305, 2_105, 9_305, 27_305, 63_305, 99_305]),
    ("svix", &[5, 305, 2_105, 9_305, 27_305, 63_305, 99_305]),
];

/// One delivery of a sender, which it signs anew with each try.
struct Retrying {
    sender: Sender,
    event_type: String,
    first: Webhook,
    id: String,
}

impl Retrying {
    fn first(provider: &str, it: &(WallClock, Process)) -> Retrying {
        let sender = Sender::of(provider, provider, SECRET).told(&format!("https://{}", it.1.hooks));
        let event_type = sender.types().remove(0);
        let body = sender.webhook(&event_type).body;
        let first = sender.signed_at(&event_type, body, it.0.now_ms());
        let answer = it.1.post(&first);
        assert!(!answer.is_duplicate(), "{provider}");
        Retrying { sender, event_type, id: answer.id(), first }
    }

    /// The same delivery, signed at another time.
    fn at(&self, at_ms: u64) -> Webhook {
        let mut again = self.sender.signed_at(&self.event_type, self.first.body.clone(), at_ms);
        for name in ["x-delivery-id", "x-github-delivery", "x-shopify-webhook-id", "linear-delivery"] {
            if let Some(id) = self.first.headers.get(name) {
                again.headers.insert(name, id.clone());
            }
        }
        // Where the id is signed too, the signature is made here.
        for names in
            [["webhook-id", "webhook-timestamp", "webhook-signature"], ["svix-id", "svix-timestamp", "svix-signature"]]
        {
            let Some(id) = self.first.headers.get(names[0]).map(|id| id.to_str().unwrap().to_owned()) else { continue };
            let time = again.header(names[1]).to_owned();
            let signed = [format!("{id}.{time}.").as_bytes(), &again.body].concat();
            let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap();
            let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(signed).finalize();
            let signature = format!("v1,{}", STANDARD.encode(mac.into_bytes()));
            again = again.with(names[0], &id).with(names[2], &signature);
        }
        again
    }
}

#[test]
fn the_retries_of_real_senders_at_their_times_are_repeats_and_run_nothing_again() {
    let Some(mut clock) = WallClock::find() else { return };
    let source = |(name, _): &(&str, _)| {
        let token = if *name == "meta" { "verify_token = { env = \"RETRYING_SECRET\" }\n" } else { "" };
        format!("[sources.{name}]\nprovider = \"{name}\"\nsecrets = [{{ env = \"RETRYING_SECRET\" }}]\n{token}")
    };
    let sources: String = RETRIES_S.iter().map(source).collect();
    // Some sign the address that they post to, so it has to be known before.
    let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = Home::with(&format!("server.listen = \"{at}\"\nserver.public_url = \"https://{at}\"\n{sources}"));
    let others = std::fs::read_to_string(home.path().join(".env")).unwrap();
    home.write(".env", &format!("{others}RETRYING_SECRET={SECRET}\n"));
    home.install("worker", Guest::wanting(&["*"]).component());
    let gateway = clock.start(&home);
    let mut it = (clock, gateway);
    let retrying: Vec<Retrying> = RETRIES_S.iter().map(|(name, _)| Retrying::first(name, &it)).collect();

    let mut times: Vec<i64> = RETRIES_S.iter().flat_map(|(_, retries)| retries.iter().copied()).collect();
    times.sort_unstable();
    times.dedup();
    for at_s in times {
        it.0.set(at_s);
        for (one, (name, _)) in retrying.iter().zip(&RETRIES_S).filter(|(_, (_, retries))| retries.contains(&at_s)) {
            let answer = it.1.post(&one.at(it.0.now_ms()));
            assert_eq!((answer.id(), answer.is_duplicate()), (one.id.clone(), true), "{name} after {at_s} s");
        }
    }

    assert_eq!(home.ledger().events(), RETRIES_S.len() as i64);
    for one in &retrying {
        eventually("it is done", || home.ledger().state("worker", &one.id) == Some(State::Done));
        assert_eq!(home.ledger().outcomes("worker", &one.id), ["done"], "{}", one.event_type);
    }
}
