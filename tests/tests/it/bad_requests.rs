//! Everything that ingress says no to, and that it costs nothing and tells nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use hookgate::event::now_ms;
use hookgate_tests::{Answer, Doors, Gateway, Home, Sender, Webhook, eventually, exchange};

const MINUTE_MS: u64 = 60_000;

/// Asserts that an answer refuses with a status and says why in one text.
fn assert_refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert!(answer.json()["error"].is_string(), "{}", answer.text());
}

#[test]
fn an_unknown_source_is_not_found() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    let webhook = home.sender("github").webhook("push");
    for source in ["gitlab", "GitHub", "github/", "", "../status", "github%00"] {
        assert_refused(&gateway.post(&webhook.clone().to(source)), 404);
    }
    let elsewhere =
        exchange(gateway.hooks, b"GET /status HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").unwrap().unwrap();
    assert_refused(&elsewhere, 404);
    assert_eq!(home.ledger().events(), 0);
}

#[test]
fn another_method_is_not_allowed_and_told_which_is() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    let webhook = home.sender("github").webhook("push");
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
        let mut request = webhook.head(method);
        request.extend_from_slice(b"content-length: 0\r\n\r\n");
        let answer = exchange(gateway.hooks, &request).unwrap().unwrap();
        assert_refused(&answer, 405);
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    assert_eq!(gateway.refused("github", "method"), 6);
}

#[test]
fn a_body_that_is_announced_too_large_is_refused_before_it_is_sent() {
    let home = Home::with("sources.github.body_bytes = 1000");
    let gateway = Gateway::start(&home);
    let mut request = home.sender("github").webhook("push").head("POST");
    request.extend_from_slice(b"content-length: 1001\r\n\r\n");

    // Not one byte of the body is sent, and the answer is there.
    assert_refused(&exchange(gateway.hooks, &request).unwrap().unwrap(), 413);

    let just_fits = home.sender("github").with_body("push", format!("{{\"a\":\"{}\"}}", "x".repeat(1000 - 8)));
    assert_eq!((just_fits.body.len(), gateway.post(&just_fits).status), (1000, 200));
    assert_eq!(gateway.refused("github", "too_big"), 1);
}

#[test]
fn a_body_that_turns_out_too_large_is_refused_before_it_is_whole() {
    let home = Home::with("sources.github.body_bytes = 1000");
    let gateway = Gateway::start(&home);
    let mut stream = TcpStream::connect(gateway.hooks).unwrap();
    let mut request = home.sender("github").webhook("push").head("POST");
    request.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
    stream.write_all(&request).unwrap();
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));

    // The end of the body never comes: whoever wanted it whole would take all of this.
    let most = 256 << 20;
    let mut written = 0;
    while written < most && stream.write_all(chunk.as_bytes()).is_ok() {
        written += chunk.len();
    }

    assert!(written < most / 4, "{written} bytes were taken");
    assert_eq!(gateway.refused("github", "too_big"), 1);
    assert_eq!(home.ledger().events(), 0);
}

#[test]
fn a_small_body_in_chunks_is_taken() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    let webhook = home.sender("github").webhook("push");
    let mut request = webhook.head("POST");
    request.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
    for piece in webhook.body.chunks(7) {
        request.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        request.extend_from_slice(piece);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(exchange(gateway.hooks, &request).unwrap().unwrap().status, 200);
}

#[test]
fn a_body_that_comes_too_slowly_is_given_up() {
    let home = Home::with("limits.request_ms = 300");
    let gateway = Gateway::start(&home);
    let mut request = home.sender("github").webhook("push").head("POST");
    request.extend_from_slice(b"content-length: 100\r\n\r\nonly this");
    assert_refused(&exchange(gateway.hooks, &request).unwrap().unwrap(), 408);
    assert_eq!(gateway.refused("github", "too_slow"), 1);
}

#[test]
fn headers_that_come_too_slowly_and_silence_end_the_connection() {
    let home = Home::with("limits.header_ms = 300");
    let gateway = Gateway::start(&home);
    for begun in [&b"POST /hooks/github HTTP/1.1\r\nhost: t\r\nx-slow: "[..], b"P", b""] {
        let mut stream = TcpStream::connect(gateway.hooks).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(begun).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("the connection is closed");
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }
    assert_eq!(gateway.post(&home.sender("github").webhook("push")).status, 200);
}

#[test]
fn a_body_that_breaks_off_is_no_event() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    let request = home.sender("github").webhook("push").request();
    let mut stream = TcpStream::connect(gateway.hooks).unwrap();
    stream.write_all(&request[..request.len() - 1]).unwrap();
    drop(stream);
    eventually("it is counted", || gateway.refused("github", "too_slow") == 1);
    assert_eq!(home.ledger().events(), 0);
}

#[test]
fn a_compressed_body_is_refused() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    for encoding in ["gzip", "br", "identity, gzip"] {
        let webhook = home.sender("github").webhook("push").with("content-encoding", encoding);
        assert_refused(&gateway.post(&webhook), 415);
    }
    assert_eq!(gateway.refused("github", "encoded"), 3);
    let plain = home.sender("github").webhook("push").with("content-encoding", "identity");
    assert_eq!(gateway.post(&plain).status, 200);
}

/// Requests of someone who does not know the secret or is not who they say, each with the cause that is counted.
fn not_verified(home: &Home) -> Vec<(Webhook, &'static str)> {
    let frameio = home.sender("frameio");
    let body = r#"{"type":"file.ready"}"#;
    let good = || frameio.webhook("file.ready");
    let signature = good().header("x-frameio-signature").to_owned();
    let truncated = signature[..signature.len() - 2].to_owned();
    let mut altered = good();
    altered.body = altered.body.iter().enumerate().map(|(n, byte)| if n == 5 { byte ^ 1 } else { *byte }).collect();
    let repeated = good();
    let again = repeated.header("x-frameio-signature").to_owned();
    let standard = home.sender("standard");
    vec![
        (good().without("x-frameio-signature"), "no_signature"),
        (good().with("x-frameio-signature", ""), "malformed_signature"),
        (good().with("x-frameio-signature", "v0="), "malformed_signature"),
        (good().with("x-frameio-signature", &truncated), "malformed_signature"),
        (good().with("x-frameio-signature", &signature.replace("v0=", "v1=")), "malformed_signature"),
        (good().with("x-frameio-signature", &signature.replace("v0=", "")), "malformed_signature"),
        (good().with("x-frameio-signature", &format!("{signature}00")), "malformed_signature"),
        (good().with("x-frameio-signature", &format!("v0={}", "zz".repeat(32))), "malformed_signature"),
        (good().with("x-frameio-signature", &signature), "bad_signature"),
        (repeated.and("x-frameio-signature", &again), "repeated_header"),
        (good().without("x-frameio-request-timestamp"), "malformed_timestamp"),
        (good().with("x-frameio-request-timestamp", "yesterday"), "malformed_timestamp"),
        (good().with("x-frameio-request-timestamp", "99999999999999999999"), "malformed_timestamp"),
        (frameio.signed_at("file.ready", body, now_ms() - 6 * MINUTE_MS), "stale_timestamp"),
        (frameio.signed_at("file.ready", body, now_ms() + 6 * MINUTE_MS), "future_timestamp"),
        (Sender::of("frameio", "frameio", "guessed").webhook("file.ready"), "bad_signature"),
        (altered, "bad_signature"),
        (standard.webhook("invoice.paid").with("webhook-id", "another"), "bad_signature"),
        (standard.webhook("invoice.paid").without("webhook-id"), "no_signed_header"),
        (home.sender("github").webhook("push").to("soundhash"), "no_signature"),
        (
            home.sender("soundhash").with_body("video.processed", "not even JSON").with("x-webhook-signature", "00"),
            "malformed_signature",
        ),
    ]
}

#[test]
fn what_is_not_verified_is_answered_with_one_text_and_writes_nothing() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    gateway.post(&home.sender("frameio").webhook("file.ready")).id();
    let written_before = bytes_in(&home);
    let mut answers = Vec::new();
    for (webhook, cause) in not_verified(&home) {
        let counted = gateway.refused(&webhook.source, cause);
        let mut answer = gateway.post(&webhook);
        assert_refused(&answer, 401);
        assert_eq!(gateway.refused(&webhook.source, cause), counted + 1, "{cause}: {webhook:?}");
        answer.headers.retain(|(name, _)| name != "date");
        answers.push(answer);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    assert_eq!(home.ledger().events(), 1);
    assert_eq!(bytes_in(&home), written_before);
}

/// The size of everything in the data folder.
fn bytes_in(home: &Home) -> u64 {
    std::fs::read_dir(home.data()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn the_edge_of_the_tolerance_is_taken() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    for (at_ms, status) in
        [(now_ms() - 4 * MINUTE_MS, 200), (now_ms() + 4 * MINUTE_MS, 200), (now_ms() - 6 * MINUTE_MS, 401)]
    {
        let webhook = home.sender("frameio").signed_at("file.ready", r#"{"type":"file.ready"}"#, at_ms);
        assert_eq!(gateway.post(&webhook).status, status);
    }
}

#[test]
fn what_is_signed_but_not_what_the_provider_promises_is_told_so_and_counted() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    let frameio = home.sender("frameio");
    let table = [
        ("not JSON", "not_json"),
        ("", "not_json"),
        (r#"{"type":"file.ready""#, "not_json"),
        ("{}", "no_type"),
        (r#"{"type":null}"#, "no_type"),
        (r#"{"type":""}"#, "no_type"),
        (r#"{"type":{"a":1}}"#, "no_type"),
        (r#"{"type":"two words"}"#, "bad_type"),
    ];
    for (body, cause) in table {
        let before = gateway.refused("frameio", cause);
        assert_refused(&gateway.post(&frameio.with_body("file.ready", body)), 400);
        assert_eq!(gateway.refused("frameio", cause), before + 1, "{body}");
    }
    let long = format!(r#"{{"type":"{}"}}"#, "x".repeat(257));
    assert_refused(&gateway.post(&frameio.with_body("file.ready", long)), 400);
    assert_refused(&gateway.post(&home.sender("github").webhook("push").without("x-github-event")), 400);
    assert_eq!(home.ledger().events(), 0);
}

#[test]
fn a_slow_sender_takes_nobodys_place() {
    let home = Home::with("limits.requests_at_once = 1");
    let gateway = Gateway::start(&home);
    let request = home.sender("github").webhook("push").request();
    let slow: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(gateway.hooks).unwrap();
            stream.write_all(&request[..request.len() - 1]).unwrap();
            stream
        })
        .collect();
    assert_eq!(gateway.post(&home.sender("github").webhook("push")).status, 200);
    drop(slow);
}

#[test]
fn more_requests_than_there_are_places_are_taken_or_asked_to_come_again() {
    let home = Home::with("limits.requests_at_once = 1");
    let gateway = Gateway::start(&home);
    let (doors, sender) = (*gateway, home.sender("github"));
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let posting: Vec<_> = (0..50).map(|_| scope.spawn(|| doors.post(&sender.webhook("push")))).collect();
        posting.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let (taken, busy): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    for answer in &busy {
        assert_refused(answer, 503);
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(home.ledger().events(), taken.len() as i64);
    assert_eq!(gateway.refused("github", "busy"), busy.len() as u64);
}

#[test]
fn bodies_that_would_fill_the_memory_are_asked_to_come_again() {
    const MIB: usize = 1 << 20;
    let home = Home::with("limits.bytes_at_once = 67_108_864\nsources.github.body_bytes = 41_943_040");
    let gateway = Gateway::start(&home);
    let sender = home.sender("github");
    let large = || sender.with_body("push", format!("{{\"a\":\"{}\"}}", "x".repeat(36 * MIB)));
    let request = large().request();
    let mut slow = TcpStream::connect(gateway.hooks).unwrap();
    slow.write_all(&request[..request.len() - 1]).unwrap();

    let mut answer = None;
    eventually("there is no room for two", || {
        answer = gateway.try_post(&large()).ok().filter(|answer| answer.status == 503);
        answer.is_some()
    });
    assert_refused(&answer.unwrap(), 503);

    drop(slow);
    eventually("there is room again", || gateway.try_post(&large()).is_ok_and(|answer| answer.status == 200));
}

#[test]
fn a_request_with_two_lengths_is_at_most_one_request() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    let hidden = home.sender("github").webhook("push").request();
    let with_two_lengths = |headers: &str, body: &str| {
        let mut request = String::from("POST /hooks/github HTTP/1.1\r\nhost: t\r\n");
        request.push_str(headers);
        request.push_str("\r\n");
        request.push_str(body);
        [request.as_bytes(), &hidden].concat()
    };
    let chunked = "transfer-encoding: chunked\r\n";
    let table = [
        (format!("{chunked}content-length: 4\r\n"), "0\r\n\r\n"),
        (format!("content-length: 4\r\n{chunked}"), "0\r\n\r\n"),
        ("content-length: 0\r\ncontent-length: 4\r\n".to_owned(), ""),
        ("transfer-encoding: xchunked\r\ncontent-length: 0\r\n".to_owned(), ""),
        ("content-length: +0\r\n".to_owned(), ""),
    ];
    for (headers, body) in table {
        assert_eq!(answers(&gateway, &with_two_lengths(&headers, body)), 1, "{headers}");
        assert_eq!(home.ledger().events(), 0, "{headers}");
    }
}

/// How many answers there are to some bytes.
fn answers(doors: &Doors, request: &[u8]) -> usize {
    let mut stream = TcpStream::connect(doors.hooks).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(request).unwrap();
    let mut told = Vec::new();
    let _ = stream.read_to_end(&mut told);
    String::from_utf8_lossy(&told).matches("HTTP/1.1 ").count()
}

#[test]
fn nonsense_and_floods_of_headers_are_survived() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    let many: String = (0..100).map(|n| format!("x-{n}: y\r\n")).collect();
    let long = format!("x-long: {}\r\n", "y".repeat(100_000));
    let head = "POST /hooks/github HTTP/1.1\r\nhost: t\r\ncontent-length: 0\r\nconnection: close\r\n";
    let table = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        vec![0; 4096],
        format!("{head}{many}\r\n").into_bytes(),
        format!("{head}{long}\r\n").into_bytes(),
        format!("{head}bad header\r\n\r\n").into_bytes(),
        format!("POST /hooks/{} HTTP/1.1\r\nhost: t\r\n\r\n", "x".repeat(100_000)).into_bytes(),
    ];
    for request in table {
        let answer = exchange(gateway.hooks, &request).unwrap();
        assert!(
            answer.is_none_or(|answer| (400..500).contains(&answer.status)),
            "{}",
            String::from_utf8_lossy(&request)
        );
    }
    assert_eq!(gateway.post(&home.sender("github").webhook("push")).status, 200);
}
