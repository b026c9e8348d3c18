//! Who may ask what: each route by each role, with an admin token and without one.

use hookgate_tests::{Answer, Doors, Gateway, Guest, Home, api};
use serde_json::{Value, json};

const TOKEN: &str = "the-admin-token";

/// What is asked for, and the least that is good for it: nothing, where everybody may.
const ROUTES: [(&str, &str, Option<&str>); 22] = [
    ("GET", "/openapi.json", None),
    ("GET", "/openapi-admin.json", None),
    ("GET", "/healthz", Some("read")),
    ("GET", "/readyz", Some("read")),
    ("GET", "/status", Some("read")),
    ("GET", "/metrics", Some("read")),
    ("GET", "/api/v1/refusals", Some("read")),
    ("GET", "/api/v1/plugins", Some("read")),
    ("GET", "/api/v1/events", Some("read")),
    ("GET", "/api/v1/events/evt_0000000000000", Some("read")),
    ("GET", "/api/v1/dead", Some("read")),
    ("GET", "/api/v1/audit", Some("operate")),
    ("GET", "/api/v1/keys", Some("operate")),
    ("POST", "/api/v1/keys", Some("operate")),
    ("DELETE", "/api/v1/keys/none", Some("operate")),
    ("POST", "/api/v1/replay", Some("operate")),
    ("POST", "/api/v1/dead/retry", Some("operate")),
    ("POST", "/api/v1/dead/drop", Some("operate")),
    ("POST", "/api/v1/plugins/none/pause", Some("operate")),
    ("POST", "/api/v1/plugins/none/resume", Some("operate")),
    ("POST", "/api/v1/events", Some("publish")),
    ("GET", "/api/v1/webhooks", Some("publish")),
];

fn body(path: &str) -> Option<Value> {
    match path {
        "/api/v1/keys" => Some(json!({ "brief": true })),
        "/api/v1/replay" | "/api/v1/dead/retry" | "/api/v1/dead/drop" => Some(json!({ "source": "github" })),
        "/api/v1/events" => Some(json!({ "type": "a", "data": 1 })),
        _ => None,
    }
}

fn ask(doors: &Doors, shown: &str, method: &str, path: &str) -> Answer {
    let shown = if shown.is_empty() { String::new() } else { format!("authorization: Bearer {shown}\r\n") };
    api(doors.admin, &shown, method, path, body(path).filter(|_| method == "POST"))
}

fn key(doors: &Doors, shown: &str, role: &str) -> String {
    let shown = if shown.is_empty() { String::new() } else { format!("authorization: Bearer {shown}\r\n") };
    let made = api(doors.admin, &shown, "POST", "/api/v1/keys", Some(json!({ "name": role, "role": role })));
    assert_eq!((made.status, made.json()["role"].as_str()), (201, Some(role)), "{}", made.text());
    made.json()["key"].as_str().unwrap().to_owned()
}

fn with_token() -> Home {
    let home = Home::with("server.admin_token = { env = \"ADMIN_TOKEN\" }");
    let env = std::fs::read_to_string(home.path().join(".env")).unwrap();
    home.write(".env", &format!("{env}ADMIN_TOKEN={TOKEN}\n"));
    home
}

/// Whether it was let in, or with what it was not.
fn verdict(status: u16) -> u16 {
    if matches!(status, 401 | 403) { status } else { 200 }
}

/// What is to become of who shows a role: `nothing`, `garbage`, `publish`, `read`, `operate` or `token`.
fn expected(shows: &str, needed: Option<&str>, has_token: bool) -> u16 {
    match (shows, needed) {
        (_, None) => 200,
        // The applications' API takes keys, and nothing else.
        ("nothing" | "garbage" | "token", Some("publish")) => 401,
        ("nothing", _) => {
            if has_token {
                401
            } else {
                200
            }
        }
        ("garbage", _) => 401,
        ("token", _) => {
            if has_token {
                200
            } else {
                401
            }
        }
        ("operate", _) => 200,
        (role, Some(needed)) => {
            if role == needed {
                200
            } else {
                403
            }
        }
    }
}

fn check_all(home: &Home, has_token: bool) {
    let gateway = Gateway::start(home);
    let maker = if has_token { TOKEN } else { "" };
    let [publish, read, operate] = ["publish", "read", "operate"].map(|role| key(&gateway, maker, role));
    let all = [
        ("nothing", ""),
        ("garbage", "hgk_garbage"),
        ("publish", &publish),
        ("read", &read),
        ("operate", &operate),
        ("token", TOKEN),
    ];
    for (method, path, needed) in ROUTES {
        for (name, shown) in all {
            let answer = ask(&gateway, shown, method, path);
            let case = format!("{method} {path} by {name}, token: {has_token}: {} {}", answer.status, answer.text());
            assert_eq!(verdict(answer.status), expected(name, needed, has_token), "{case}");
            if answer.status == 401 {
                let told = answer.json()["error"].as_str().unwrap().to_owned();
                let is_shown = name != "nothing";
                assert_eq!(told.contains("that was shown is unknown or was revoked"), is_shown, "{case}");
                assert!(is_shown || told.starts_with("show "), "{case}");
            }
            if answer.status == 403 {
                let told = answer.json()["error"].as_str().unwrap().to_owned();
                assert!(told.contains(&format!("--role {}", needed.unwrap())), "{case}");
            }
        }
    }
}

#[test]
fn each_route_is_open_to_its_role_with_a_token() {
    check_all(&with_token(), true);
}

#[test]
fn each_route_is_open_to_its_role_without_a_token() {
    check_all(&Home::new(), false);
}

#[test]
fn every_route_that_is_described_is_in_the_matrix() {
    let gateway_home = Home::new();
    let gateway = Gateway::start(&gateway_home);
    let description = gateway.get("/openapi.json").json();
    let mut described = 0;
    let is_applications = |path: &str| path.starts_with("/api/v1/webhooks");
    for (path, methods) in description["paths"].as_object().unwrap().iter().filter(|(path, _)| !is_applications(path)) {
        for method in methods.as_object().unwrap().keys() {
            let is_meant = |(known, route, _): &(&str, &str, Option<&str>)| {
                let parts = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
                let (route, path) = (parts(route), parts(path));
                let fits = |(part, described): (&String, &String)| part == described || described.starts_with('{');
                known.eq_ignore_ascii_case(method) && route.len() == path.len() && route.iter().zip(&path).all(fits)
            };
            assert!(ROUTES.iter().any(is_meant), "{method} {path} has no row");
            described += 1;
        }
    }
    let operators =
        |(_, path, _): &&(&str, &str, Option<&str>)| path.starts_with("/api/") && !path.ends_with("/webhooks");
    assert_eq!(described, ROUTES.iter().filter(operators).count(), "each of them is described");
}

/// Asks with a `Host` of the test's choice.
fn ask_at(gateway: &Doors, host: &str, method: &str, path: &str, more: &str) -> Answer {
    let body = body(path).filter(|_| method == "POST").map(|body| body.to_string()).unwrap_or_default();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\n{host}{more}content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    hookgate_tests::exchange(gateway.admin, request.as_bytes()).unwrap().unwrap()
}

#[test]
fn a_page_in_a_browser_neither_looks_nor_changes_anything() {
    let home = Home::new();
    home.install("worker", Guest::wanting(&["push"]).component());
    let gateway = Gateway::start(&home);
    let port = gateway.admin.port();
    let (evil, here) = (format!("host: evil.example:{port}\r\n"), format!("host: localhost:{port}\r\n"));
    let led = [
        // Its own name, which it leads to this machine: what it asks is then of one origin, and it reads the answer.
        (evil.clone(), ""),
        (format!("host: 10.0.0.5:{port}\r\n"), ""),
        (format!("{here}{evil}"), ""),
        // This machine's name, which it may ask without anybody's leave, as long as nothing has to be said in a body.
        (here.clone(), "origin: https://evil.example\r\n"),
        (here.clone(), "origin: null\r\n"),
        (here.clone(), "sec-fetch-site: cross-site\r\n"),
    ];
    let operators = ROUTES.iter().filter(|(_, _, needed)| matches!(needed, Some("read" | "operate")));
    for (method, path, needed) in operators {
        let is_probe = matches!(*path, "/healthz" | "/readyz");
        for (host, more) in &led {
            let answer = ask_at(&gateway, host, method, path, more);
            let is_asked_by_name = more.is_empty();
            let expected = if is_probe && is_asked_by_name { 200 } else { 403 };
            assert_eq!(answer.status, expected, "{method} {path} {host}{more}: {}", answer.text());
            if expected == 403 {
                let told = answer.text();
                let role = needed.unwrap();
                assert!(told.contains("localhost") && told.contains(&format!("--role {role}")), "{told}");
                assert!(!told.contains("worker") && !told.contains("evil"), "{told}");
            }
        }
        let answer = ask_at(&gateway, &here, method, path, "");
        assert!(
            !matches!(answer.status, 401 | 403),
            "{method} {path} by whoever is on this machine: {}",
            answer.text()
        );
    }
    // No page knows a key, so who shows one may call the gateway what they like.
    let read = key(&gateway, "", "read");
    for path in ["/metrics", "/status", "/api/v1/dead"] {
        let shown = format!("authorization: Bearer {read}\r\n");
        assert_eq!(ask_at(&gateway, &evil, "GET", path, &shown).status, 200, "{path}");
    }
    assert_eq!(gateway.plugin("worker")["paused"], false);
}

#[test]
fn with_a_token_it_is_asked_by_any_name_and_told_to_nobody_without() {
    let home = with_token();
    let gateway = Gateway::start(&home);
    let host = "host: hookgate.monitoring.svc:8081\r\n";
    for path in ["/healthz", "/readyz", "/status", "/metrics"] {
        let shown = format!("authorization: Bearer {TOKEN}\r\n");
        assert_eq!(ask_at(&gateway, host, "GET", path, &shown).status, 200, "{path}");
        assert_eq!(ask_at(&gateway, host, "GET", path, "").status, 401, "{path}");
    }
}

#[test]
fn roles_outlive_the_process_and_end_with_their_key() {
    let home = with_token();
    let gateway = Gateway::start(&home);
    let read = key(&gateway, TOKEN, "read");
    gateway.stop().unwrap();
    let gateway = Gateway::start(&home);
    assert_eq!(ask(&gateway, &read, "GET", "/status").status, 200);
    assert_eq!(ask(&gateway, &read, "GET", "/api/v1/keys").status, 403);
    let listed = ask(&gateway, TOKEN, "GET", "/api/v1/keys").json();
    assert_eq!((&listed[0]["name"], &listed[0]["role"]), (&"read".into(), &"read".into()));
    assert_eq!(ask(&gateway, TOKEN, "DELETE", "/api/v1/keys/read").status, 204);
    assert_eq!(ask(&gateway, &read, "GET", "/status").status, 401);
}

#[test]
fn other_ways_to_show_something_are_no_way_around() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    let read = key(&gateway, "", "read");
    let ask = |shown: &str| api(gateway.admin, shown, "GET", "/api/v1/keys", None).status;
    assert_eq!(ask(""), 200, "on this machine, where there is no token");
    for shown in [
        "authorization: Basic aGVsbG8=\r\n",
        "authorization: \r\n",
        "x-api-key: \r\n",
        "x-api-key: hgk_garbage\r\n",
        "authorization: Bearer \r\n",
    ] {
        assert_eq!(ask(shown), 401, "{shown}");
    }
    assert_eq!(ask(&format!("x-api-key: {read}\r\n")), 403);
}
