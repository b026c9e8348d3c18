//! Those who send too slowly, too much, too often or two things at once; and that others do not notice.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use hookgate_tests::{Answer, Doors, Gateway, Home, Sender, Webhook, eventually, exchange, run_hookgate};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

/// Asserts that an answer refuses with a status and says why in one text.
fn assert_refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.json()["error"].is_string(), "{}", answer.text());
}

/// A connection from another address of this machine: 127.0.0.`last`.
fn connect_from(last: u8, to: SocketAddr) -> TcpStream {
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&stream, &SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0)).unwrap();
    connect(&stream, &to).unwrap();
    let stream = TcpStream::from(stream);
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// The status of the answer to a request from 127.0.0.`last`; 0 where there is none.
fn status_from(last: u8, doors: &Doors, request: &[u8]) -> u16 {
    let mut stream = connect_from(last, doors.hooks);
    let _ = stream.write_all(request);
    status(&read_to_end(stream))
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// What comes until the other side closes, however it does.
fn read_to_end(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "the connection is closed");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A request after which the connection may stay.
fn keeping(webhook: &Webhook) -> Vec<u8> {
    String::from_utf8(webhook.request()).unwrap().replace("connection: close\r\n", "").into_bytes()
}

/// Reads one answer of a connection that stays, and gives its status.
fn one_answer(stream: &mut TcpStream) -> u16 {
    let (mut bytes, mut one) = (Vec::new(), [0; 1024]);
    while !bytes.ends_with(b"}") {
        let read = stream.read(&mut one).unwrap();
        assert_ne!(read, 0, "it is closed after {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&one[..read]);
    }
    status(&String::from_utf8_lossy(&bytes))
}

/// The first answer that says that there were too many; it takes more than one request a second.
fn first_over_rate(doors: &Doors, webhook: &Webhook) -> Answer {
    let mut over = None;
    eventually("there are too many", || {
        over = Some(doors.post(webhook)).filter(|answer| answer.status == 429);
        over.is_some()
    });
    over.unwrap()
}

fn closed(doors: &Doors, cause: &str) -> f64 {
    doors.metric(&format!("hookgate_closed_connections_total{{cause=\"{cause}\"}}"))
}

#[test]
fn headers_that_trickle_in_end_the_connection_and_an_idle_one_may_stay_longer() {
    let home = Home::with("limits.header_ms = 1000\nlimits.idle_ms = 4000");
    let gateway = Gateway::start(&home);
    let mut trickling = connect_from(1, gateway.hooks);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) && trickling.write_all(b"X").is_ok() {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "it went on for {:?}", begun.elapsed());
    eventually("it is counted", || closed(&gateway, "slow_headers") == 1.0);

    let mut idle = connect_from(1, gateway.hooks);
    idle.write_all(&keeping(&home.sender("github").webhook("push"))).unwrap();
    assert_eq!(one_answer(&mut idle), 200);
    std::thread::sleep(Duration::from_millis(1500));
    // Not after the answer: the gateway's timer may have begun before it is read.
    let begun = Instant::now();
    idle.write_all(&keeping(&home.sender("github").webhook("push"))).unwrap();
    assert_eq!(one_answer(&mut idle), 200, "longer than headers may take is not too long between requests");
    assert_eq!(read_to_end(idle), "");
    assert!(begun.elapsed() > Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn a_body_that_trickles_in_is_given_up_and_a_steady_one_is_not() {
    let home = Home::with("limits.request_ms = 60000\nlimits.body_grace_ms = 1000\nlimits.body_bytes_per_s = 1000");
    let gateway = Gateway::start(&home);
    let webhook = home.sender("github").with_body("push", format!("{{\"a\":\"{}\"}}", "x".repeat(4_000)));
    let send = |bytes: usize, every: Duration| {
        let (mut stream, request) = (connect_from(1, gateway.hooks), webhook.request());
        let (head, body) = request.split_at(request.len() - webhook.body.len());
        stream.write_all(head).unwrap();
        for piece in body.chunks(bytes) {
            if stream.write_all(piece).is_err() {
                break;
            }
            std::thread::sleep(every);
        }
        status(&read_to_end(stream))
    };
    let begun = Instant::now();
    assert_ne!(send(5, Duration::from_millis(50)), 200);
    assert!(begun.elapsed() < Duration::from_secs(50), "{:?}", begun.elapsed());
    assert_eq!(gateway.refused("github", "too_slow"), 1);
    assert_eq!(send(500, Duration::from_millis(100)), 200);
}

#[test]
fn a_slow_body_is_told_that_it_was() {
    let home = Home::with("limits.request_ms = 60000\nlimits.body_grace_ms = 300");
    let gateway = Gateway::start(&home);
    let mut request = home.sender("github").webhook("push").head("POST");
    request.extend_from_slice(b"content-length: 100000\r\n\r\nonly this");
    assert_refused(&exchange(gateway.hooks, &request).unwrap().unwrap(), 408);
}

#[test]
fn a_request_that_says_its_length_twice_is_refused_and_nothing_after_it_is_read() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    let webhook = home.sender("github").webhook("push");
    let (chunked, length) = ("transfer-encoding: chunked\r\n".to_owned(), "content-length: 5\r\n".to_owned());
    let both = [chunked.clone() + &length, length.clone() + &chunked, length.repeat(2) + &chunked];
    for (n, lengths) in both.iter().enumerate() {
        let mut request = String::from_utf8(webhook.head("POST")).unwrap().replace("connection: close\r\n", "");
        request.push_str(&format!("{lengths}\r\n0\r\n\r\n"));
        let smuggled = [request.as_bytes(), &keeping(&webhook)].concat();
        for before in [vec![], keeping(&home.sender("github").webhook("push"))] {
            let answers = {
                let mut stream = connect_from(1, gateway.hooks);
                let _ = stream.write_all(&[&before[..], &smuggled].concat());
                read_to_end(stream)
            };
            let statuses: Vec<u16> = answers.split("HTTP/1.1").skip(1).map(status).collect();
            let expected = if before.is_empty() { vec![400] } else { vec![200, 400] };
            assert_eq!(statuses, expected, "{lengths}: {answers}");
            assert!(answers.to_lowercase().contains("connection: close"), "{answers}");
        }
        assert_eq!(gateway.refused("github", "ambiguous_length"), 2 * (n as u64 + 1));
    }
    assert_eq!(home.ledger().events(), 3, "those before, and none of those after");
}

#[test]
fn there_are_so_many_headers_and_so_many_bytes_of_them() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    let send = |more: usize, bytes: usize| {
        let webhook = home.sender("github").webhook("push");
        let mut request = webhook.head("POST");
        let has = String::from_utf8_lossy(&request).lines().count() - 1;
        for n in has + 1..more {
            request.extend_from_slice(
                format!("x-{n}: {}\r\n", if n == has + 1 { "y".repeat(bytes) } else { "y".into() }).as_bytes(),
            );
        }
        request.extend_from_slice(format!("content-length: {}\r\n\r\n", webhook.body.len()).as_bytes());
        request.extend_from_slice(&webhook.body);
        exchange(gateway.hooks, &request).unwrap().unwrap().status
    };
    assert_eq!([send(64, 1), send(65, 1)], [200, 431]);
    assert_eq!([send(20, 15_000), send(20, 16 << 10)], [200, 431]);
    eventually("they are counted", || closed(&gateway, "large_headers") == 2.0);
}

#[test]
fn an_address_has_so_many_connections_and_leaves_others_theirs() {
    let home =
        Home::with("limits.connections_by_address = 5\nlimits.header_ms = 60000\nserver.proxies = [\"127.0.0.9\"]");
    let gateway = Gateway::start(&home);
    let request = home.sender("github").webhook("push").request();
    let held: Vec<TcpStream> = (0..5).map(|_| connect_from(1, gateway.hooks)).collect();
    let begun = Instant::now();
    assert_eq!(read_to_end(connect_from(1, gateway.hooks)), "");
    assert!(begun.elapsed() < Duration::from_secs(5), "at once, and not after {:?}", begun.elapsed());
    assert_eq!(closed(&gateway, "too_many_connections"), 1.0);
    assert_eq!(gateway.status()["refusals"][0]["cause"], "too_many_connections");
    assert_eq!(status_from(2, &gateway, &request), 200);
    let of_a_proxy: Vec<TcpStream> = (0..20).map(|_| connect_from(9, gateway.hooks)).collect();
    assert_eq!(status_from(9, &gateway, &request), 200, "many come by a proxy");
    drop((held, of_a_proxy));
    eventually("there is room again", || status_from(1, &gateway, &request) == 200);
}

#[test]
fn an_address_has_so_many_requests_a_second_and_leaves_others_theirs() {
    let home = Home::with("limits.requests_per_s_by_address = 1");
    let gateway = Gateway::start(&home);
    let unsigned = home.sender("github").webhook("push").without("x-hub-signature-256");
    assert_refused(&gateway.post(&unsigned), 401);
    let over = first_over_rate(&gateway, &unsigned);
    assert_refused(&over, 429);
    assert_eq!(over.header("retry-after"), Some("1"));
    assert!(gateway.refused("github", "over_rate_address") > 0);
    assert_eq!(status_from(2, &gateway, &home.sender("github").webhook("push").request()), 200);
    eventually("it may come again", || gateway.post(&home.sender("github").webhook("push")).status == 200);
}

#[test]
fn a_source_has_so_many_verified_requests_a_second_and_leaves_others_theirs() {
    let home = Home::with("sources.github.requests_per_s = 1");
    let gateway = Gateway::start(&home);
    let stranger = Sender::of("github", "github", "guessed");
    (0..10).for_each(|_| assert_refused(&gateway.post(&stranger.webhook("push")), 401));
    let good = home.sender("github").webhook("push");
    assert_eq!(gateway.post(&good).status, 200, "what strangers send takes nobody's turn");
    let over = first_over_rate(&gateway, &good);
    assert_refused(&over, 429);
    assert_eq!(over.header("retry-after"), Some("1"));
    assert!(gateway.refused("github", "over_rate_source") > 0);
    assert_eq!(gateway.post(&home.sender("frameio").webhook("file.ready")).status, 200);
}

#[test]
fn only_a_listed_proxy_is_believed_for_whom_it_asks() {
    let home = Home::with("limits.requests_per_s_by_address = 1\nserver.proxies = [\"127.0.0.2\", \"10.0.0.0/8\"]");
    let gateway = Gateway::start(&home);
    let unsigned = home.sender("github").webhook("push").without("x-hub-signature-256");
    let is_over = |last: u8, forwarded: String| {
        let request = unsigned.clone().with("x-forwarded-for", &forwarded).request();
        status_from(last, &gateway, &request) == 429
    };
    // Each time another address, which only counts where it is believed.
    let mut numbers = (0..=u8::MAX).cycle();
    let mut next = || numbers.next().unwrap();
    eventually("what anybody can write is not believed", || is_over(1, format!("198.51.100.{}", next())));
    assert!((0..12).all(|n| !is_over(2, format!("203.0.113.1, 198.51.100.{n}, 10.1.1.1"))));
    eventually("what stands further left is not believed", || {
        is_over(2, format!("198.51.100.{}, 203.0.113.7", next()))
    });
    assert_eq!(gateway.status()["refusals"][0]["address"], "203.0.113.7");
}

#[test]
fn one_source_that_floods_leaves_room_for_another() {
    let home = Home::with("limits.requests_at_once = 8\nlimits.shed_ms = 60000");
    let gateway = Gateway::start(&home);
    let (doors, flooding, quiet) = (*gateway, home.sender("github"), home.sender("frameio"));
    // Whoever is taken waits.
    let held = home.ledger().hold();
    std::thread::scope(|scope| {
        let posting: Vec<_> = (0..20).map(|_| scope.spawn(|| doors.post(&flooding.webhook("push")))).collect();
        eventually("the flood has its share", || doors.refused("github", "over_share") >= 16);
        let waiting = scope.spawn(|| doors.post(&quiet.webhook("file.ready")));
        std::thread::sleep(Duration::from_millis(100));
        held.execute_batch("ROLLBACK").unwrap();
        assert_eq!(waiting.join().unwrap().status, 200);
        let answers: Vec<Answer> = posting.into_iter().map(|one| one.join().unwrap()).collect();
        let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status != 200).collect();
        assert!(refused.len() >= 16, "{}", refused.len());
        refused.iter().for_each(|answer| assert_refused(answer, 503));
    });
    assert_eq!(doors.refused("frameio", "over_share") + doors.refused("frameio", "busy"), 0);
}

#[test]
fn where_writing_down_takes_too_long_most_are_refused_at_once() {
    let home = Home::with("limits.shed_ms = 500");
    let gateway = Gateway::start(&home);
    let (doors, sender) = (*gateway, home.sender("github"));
    let held = home.ledger().hold();
    std::thread::scope(|scope| {
        scope.spawn(|| doors.post(&sender.webhook("push")));
        std::thread::sleep(Duration::from_millis(1500));
        let posting: Vec<_> = (0..5).map(|_| scope.spawn(|| doors.post(&sender.webhook("push")))).collect();
        eventually("most are refused while one waits", || doors.refused("github", "shed") >= 2);
        held.execute_batch("ROLLBACK").unwrap();
        let answers: Vec<Answer> = posting.into_iter().map(|one| one.join().unwrap()).collect();
        let shed = answers.iter().find(|answer| answer.text().contains("busy")).unwrap();
        assert_refused(shed, 503);
        assert_eq!(shed.header("retry-after"), Some("1"));
    });
    eventually("it recovers", || (0..20).all(|_| doors.post(&sender.webhook("push")).status == 200));
}

#[test]
fn no_path_goes_round_the_limits() {
    let home = Home::with("limits.requests_per_s_by_address = 1");
    let gateway = Gateway::start(&home);
    let good = home.sender("github").webhook("push");
    for (last, path) in (1..).zip(["/", "/hooks", "/hooks/", "/hooks/%ff", "/hooks/github/", "/elsewhere"]) {
        let to = |path: &str| String::from_utf8(good.request()).unwrap().replace("/hooks/github", path).into_bytes();
        let counted = gateway.metric("hookgate_unknown_source_total");
        assert_eq!(status_from(last, &gateway, &to(path)), 404, "{path}");
        assert_eq!(gateway.metric("hookgate_unknown_source_total"), counted + 1.0, "{path}");
        eventually("there are too many", || status_from(last, &gateway, &to(path)) == 429);
        let twice = format!(
            "POST {path} HTTP/1.1\r\nhost: t\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
        );
        assert_eq!(status_from(last, &gateway, twice.as_bytes()), 400, "{path}");
    }
    assert_eq!(status_from(9, &gateway, &good.request()), 200);
}

#[test]
fn refusals_are_told_without_a_value_and_without_a_body() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    let webhook = home.sender("github").with_body("push", "{\"a\":\"what-stands-in-the-body\"}");
    let bad = webhook.with("x-hub-signature-256", &format!("sha256={}", "ab".repeat(32))).and("x-own", "what-it-says");
    assert_refused(&gateway.post(&bad), 401);
    assert_refused(&gateway.post(&bad.clone().to("what-stands-in-the-path")), 404);

    let status = gateway.get("/status");
    let [unknown, refused] = status.json()["refusals"].as_array().unwrap().clone().try_into().unwrap();
    assert_eq!((&unknown["cause"], unknown["source"].is_null()), (&"unknown_source".into(), true));
    assert_eq!((&refused["cause"], &refused["source"]), (&"bad_signature".into(), &"github".into()));
    assert_eq!((&refused["address"], &refused["method"]), (&"127.0.0.1".into(), &"POST".into()));
    assert_eq!(refused["body_bytes"], bad.body.len());
    assert!(refused["at"].as_str().unwrap().ends_with('Z'));
    assert!(refused["headers"].as_array().unwrap().contains(&"x-own".into()), "{refused}");

    let asked = gateway.get("/api/v1/refusals?source=github&cause=bad_signature&limit=5");
    assert_eq!(asked.json(), serde_json::json!([refused]));
    assert_eq!(gateway.get("/api/v1/refusals?cause=busy").json(), serde_json::json!([]));
    assert_refused(&gateway.get("/api/v1/refusals?limit=many"), 422);
    assert_refused(&gateway.get("/api/v1/refusals?since=soon"), 422);
    assert_eq!(gateway.get("/api/v1/refusals?since=2999-01-01T00:00:00Z").json(), serde_json::json!([]));

    let admin = gateway.admin.to_string();
    let table = run_hookgate(&home, &["refusals", "--admin", &admin, "--source", "github"]);
    assert_eq!(table.code, 0, "{table:?}");
    assert!(
        table.out.contains("bad_signature") && table.out.contains("x-own") && !table.out.contains("unknown"),
        "{table:?}"
    );
    let since = |time: &str| run_hookgate(&home, &["refusals", "--admin", &admin, "--since", time]);
    assert_eq!((since("1h").out.lines().count(), since("2999-01-01").out.lines().count()), (3, 1));
    assert_eq!(since("soon").code, 64);
    let json = run_hookgate(&home, &["refusals", "--admin", &admin, "--json", "--limit", "1"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json.out).unwrap(), serde_json::json!([unknown]));
    for shown in [status.text(), asked.text(), table.out, json.out] {
        assert!(!["what-it-says", "what-stands-in", "abab"].iter().any(|value| shown.contains(value)), "{shown}");
    }
}
