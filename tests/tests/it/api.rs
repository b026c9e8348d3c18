//! The API of outgoing webhooks: who may, what is taken, what is refused and in which words.

use hookgate_tests::{Answer, Doors, Gateway, Home, Process, Receiver, api, exchange, run_hookgate};
use serde_json::{Value, json};

fn home(receiver: &Receiver) -> Home {
    Home::with(&format!("outgoing.allow_private = [\"{}\"]", receiver.address()))
}

const ROUTES: [(&str, &str); 14] = [
    ("POST", "/api/v1/events"),
    ("GET", "/api/v1/webhooks"),
    ("POST", "/api/v1/webhooks"),
    ("GET", "/api/v1/webhooks/events"),
    ("GET", "/api/v1/webhooks/whk_1"),
    ("PATCH", "/api/v1/webhooks/whk_1"),
    ("DELETE", "/api/v1/webhooks/whk_1"),
    ("POST", "/api/v1/webhooks/whk_1/rotate"),
    ("POST", "/api/v1/webhooks/whk_1/test"),
    ("GET", "/api/v1/webhooks/whk_1/deliveries"),
    ("POST", "/api/v1/webhooks/whk_1/deliveries/evt_1/redeliver"),
    ("POST", "/api/v1/webhooks/whk_1/redeliver"),
    ("GET", "/api/v1/webhooks/whk_1/stats"),
    ("GET", "/api/v1/webhooks/nothing/here"),
];

#[test]
fn without_a_key_nothing_is_done() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    let key = gateway.key();
    for (method, path) in ROUTES {
        for shown in ["", "authorization: Bearer hgk_wrong\r\n", "authorization: Basic x\r\n", "x-api-key: \r\n"] {
            let answer = api(gateway.admin, shown, method, path, Some(json!({})));
            let is_there = path != "/api/v1/webhooks/nothing/here";
            assert_eq!(answer.status, if is_there { 401 } else { 404 }, "{method} {path} {shown}");
            if is_there {
                assert!(answer.json()["error"].as_str().unwrap().contains("hookgate keys create"));
            }
        }
    }
    let by_header = api(gateway.admin, &format!("x-api-key: {key}\r\n"), "GET", "/api/v1/webhooks", None);
    assert_eq!((by_header.status, by_header.json()), (200, json!([])));
    assert_eq!(gateway.api(&key, "GET", "/api/v1/webhooks", None).status, 200);
    assert_eq!(gateway.api(&key, "PUT", "/api/v1/webhooks", None).status, 405);
}

#[test]
fn keys_are_made_listed_revoked_and_outlive_the_process() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    let make = |body: Value| api(gateway.admin, "", "POST", "/api/v1/keys", Some(body));
    let made = make(json!({ "name": "shop" }));
    assert_eq!(made.status, 201);
    let (id, key) = (made.json()["id"].as_str().unwrap().to_owned(), made.json()["key"].as_str().unwrap().to_owned());
    assert!(key.starts_with("hgk_") && key.len() >= 36);
    assert_eq!(make(json!({ "name": "" })).status, 422);
    assert_eq!(make(json!({ "name": "", "brief": true })).status, 422);
    let listed = gateway.get("/api/v1/keys");
    assert!(listed.text().contains("shop") && !listed.text().contains(&key));
    let brief = make(json!({ "brief": true })).json()["key"].as_str().unwrap().to_owned();
    assert_eq!(gateway.api(&brief, "GET", "/api/v1/webhooks", None).status, 200);
    gateway.stop().unwrap();

    let gateway = Gateway::start(&home);
    assert_eq!(gateway.api(&key, "GET", "/api/v1/webhooks", None).status, 200);
    assert_eq!(gateway.api(&brief, "GET", "/api/v1/webhooks", None).status, 401, "it was kept nowhere");
    assert_eq!(api(gateway.admin, "", "DELETE", &format!("/api/v1/keys/{id}"), None).status, 204);
    assert_eq!(gateway.api(&key, "GET", "/api/v1/webhooks", None).status, 401);
    assert_eq!(api(gateway.admin, "", "DELETE", "/api/v1/keys/shop", None).status, 404);
}

#[test]
fn a_page_in_a_browser_makes_no_key() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    let ask = |host: &str, media_type: &str| -> Answer {
        let request = format!(
            "POST /api/v1/keys HTTP/1.1\r\nhost: {host}\r\ncontent-type: {media_type}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
        );
        exchange(gateway.admin, request.as_bytes()).unwrap().unwrap()
    };
    let here = gateway.admin.to_string();
    // A name that its owner has lead here; and a form, which no browser asks before it sends.
    assert_eq!(ask("evil.example", "application/json").status, 403);
    assert_eq!(ask(&here, "text/plain").status, 415);
    assert_eq!(ask(&here, "application/json; charset=utf-8").status, 201);
}

#[test]
fn with_a_token_only_who_shows_it_makes_keys() {
    let home = Home::with("server.admin_token = { env = \"ADMIN_TOKEN\" }");
    home.write(".env", "ADMIN_TOKEN=the-admin-token\nFRAMEIO_SECRET=a\nGITHUB_SECRET=b\nSOUNDHASH_SECRET=c\nSTANDARD_SECRET=whsec_AAAA\n");
    let gateway = Process::start(&home);
    let make = |shown: &str| api(gateway.admin, shown, "POST", "/api/v1/keys", Some(json!({})));
    assert_eq!(make("").status, 401);
    let made = make("authorization: Bearer the-admin-token\r\n");
    assert_eq!(made.status, 201);
    let key = made.json()["key"].as_str().unwrap().to_owned();
    assert_eq!(gateway.api(&key, "GET", "/api/v1/webhooks", None).status, 200);
    assert_eq!(gateway.api(&key, "GET", "/api/v1/keys", None).status, 403, "an application's key makes no keys");
    assert_eq!(gateway.api("the-admin-token", "GET", "/api/v1/webhooks", None).status, 401);
    let url = format!("http://{}", gateway.admin);
    let ran = run_hookgate(&home, &["webhooks", "list", "--admin", &url]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn what_is_wrong_is_told_by_its_field() {
    let receiver = Receiver::new();
    let home = home(&receiver);
    let gateway = Gateway::start(&home);
    let key = gateway.key();
    let url = receiver.url();
    let create = |body: Value| gateway.api(&key, "POST", "/api/v1/webhooks", Some(body));
    for (body, told) in [
        (json!({ "events": ["a"] }), "missing field `url`"),
        (json!({ "url": url }), "missing field `events`"),
        (json!({ "url": url, "events": [] }), "events: must name 1 to 100 types"),
        (json!({ "url": url, "events": ["a b"] }), "events: "),
        (json!({ "url": url, "events": "a" }), "events: invalid type"),
        (json!({ "url": url, "events": ["a"], "event": ["a"] }), "unknown field `event`"),
        (json!({ "url": "not a url", "events": ["a"] }), "url: is no URL"),
        (json!({ "url": "ftp://example.com", "events": ["a"] }), "url: must begin with https://"),
        (json!({ "url": "https://a:b@example.com", "events": ["a"] }), "url: has a user's name"),
        (
            json!({ "url": format!("https://example.com/{}", "x".repeat(2048)), "events": ["a"] }),
            "url: has more than 2048",
        ),
        (json!({ "url": url, "events": ["a"], "secret": "short" }), "secret: must be 8 to 512"),
        (json!({ "url": url, "events": ["a"], "secret": "whsec_not-base64" }), "secret: must be Base64"),
        (
            json!({ "url": url, "events": ["a"], "rate_limit_per_minute": 0 }),
            "rate_limit_per_minute: must be from 1 to 1000",
        ),
        (json!({ "url": url, "events": ["a"], "sources": [] }), "sources: "),
        (json!({ "url": url, "events": ["github:push"], "sources": ["api"] }), "sources: leave none"),
        (
            json!({ "url": url, "events": ["a"], "custom_headers": { "X-Webhook-Signature": "x" } }),
            "custom_headers: x-webhook-signature is the gateway's own",
        ),
        (
            json!({ "url": url, "events": ["a"], "custom_headers": { "a": "b\r\nc: d" } }),
            "custom_headers: the value of a",
        ),
        (json!({ "url": url, "events": ["a"], "custom_headers": { "a": "\u{e9}" } }), "custom_headers: the value of a"),
        (
            json!({ "url": url, "events": ["a"], "rate_limit_per_minute": 1.5 }),
            "rate_limit_per_minute: must be a whole",
        ),
    ] {
        let answer = create(body.clone());
        assert_eq!(answer.status, 422, "{body} {}", answer.text());
        assert!(answer.json()["error"].as_str().unwrap().contains(told), "{told} is not in {}", answer.text());
    }
    let fine = json!({ "url": url, "events": ["a"], "key_pair": null, "secret": null, "rate_limit_per_minute": 60.0 });
    assert_eq!(create(fine).status, 201);
    for odd in ["/api/v1/webhooks/%ff", "/api/v1/nothing", "/api/v1/webhooks/"] {
        let answer = gateway.api(&key, "GET", odd, None);
        assert!(answer.status >= 400 && answer.json()["error"].is_string(), "{odd} {}", answer.text());
    }
    let raw = |media_type: &str, body: &str| {
        let head =
            format!("authorization: Bearer {key}\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\n", body.len());
        let request = format!("POST /api/v1/webhooks HTTP/1.1\r\nhost: x\r\n{head}connection: close\r\n\r\n{body}");
        exchange(gateway.admin, request.as_bytes()).unwrap().unwrap().status
    };
    for array in ["[]", "[\"https://example.com/\", [\"a\"], null, null, null, null, null, null]", "7", "null"] {
        assert_eq!(raw("application/json", array), 422, "{array}");
    }
    assert_eq!((raw("application/json", "{"), raw("application/json", ""), raw("text/plain", "{}")), (400, 400, 415));
    let all = gateway.api(&key, "GET", "/api/v1/webhooks", None).json();
    assert_eq!(all.as_array().map(Vec::len), Some(1), "nothing came of what was wrong");
}

#[test]
fn private_receivers_must_be_spelled_out() {
    let receiver = Receiver::new();
    let home = home(&receiver);
    let gateway = Gateway::start(&home);
    let key = gateway.key();
    let port = receiver.address().port();
    let create =
        |url: &str| gateway.api(&key, "POST", "/api/v1/webhooks", Some(json!({ "url": url, "events": ["a"] })));
    let refused = [
        "http://127.0.0.1:1/".to_owned(),
        "http://localhost:1/".into(),
        "http://[::1]:1/".into(),
        "http://2130706433:1/".into(),
        "http://0x7f.1:1/".into(),
        "http://[::ffff:127.0.0.1]:1/".into(),
        "http://10.0.0.1/".into(),
        "http://169.254.169.254/latest/meta-data/".into(),
        "https://192.168.1.1/".into(),
        format!("http://{}/", gateway.hooks),
        format!("http://{}/", gateway.admin),
        format!("http://127.0.0.2:{port}/"),
    ];
    for url in refused {
        let answer = create(&url);
        assert_eq!(answer.status, 422, "{url} {}", answer.text());
        let told = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(told.contains("allow_private") || told.contains("gateway itself"), "{told}");
    }
    for url in [receiver.url(), format!("http://2130706433:{port}/"), format!("http://localhost:{port}/")] {
        assert_eq!(create(&url).status, 201, "{url}");
    }
    let id = gateway.api(&key, "GET", "/api/v1/webhooks", None).json()[0]["id"].as_str().unwrap().to_owned();
    let change = json!({ "url": "http://127.0.0.1:1/" });
    assert_eq!(gateway.api(&key, "PATCH", &format!("/api/v1/webhooks/{id}"), Some(change)).status, 422);
}

#[test]
fn a_webhook_is_made_changed_and_listed() {
    let receiver = Receiver::new();
    let home = home(&receiver);
    let gateway = Gateway::start(&home);
    let key = gateway.key();
    let ask = |method: &str, path: &str, body: Option<Value>| {
        gateway.api(&key, method, &format!("/api/v1/webhooks{path}"), body)
    };
    let made = ask("POST", "", Some(json!({ "url": receiver.url(), "events": ["video.processed", "match.*"] }))).json();
    let id = made["id"].as_str().unwrap().to_owned();
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let shown = ask("GET", &format!("/{id}"), None).json();
    assert!(shown["secret"].is_null(), "it is shown once");
    for field in [
        "id",
        "url",
        "description",
        "events",
        "is_active",
        "rate_limit_per_minute",
        "custom_headers",
        "total_deliveries",
        "successful_deliveries",
        "failed_deliveries",
        "last_delivery_at",
        "last_success_at",
        "last_failure_at",
        "created_at",
        "updated_at",
    ] {
        assert!(shown.get(field).is_some(), "{field}");
    }
    let change = json!({ "description": "mine", "rate_limit_per_minute": 60, "events": ["a"], "is_active": false });
    let changed = ask("PATCH", &format!("/{id}"), Some(change)).json();
    assert_eq!(
        (&changed["description"], &changed["events"], &changed["is_active"]),
        (&"mine".into(), &json!(["a"]), &false.into())
    );
    assert_eq!(changed["url"], shown["url"], "what is not said stays");
    let cleared =
        ask("PATCH", &format!("/{id}"), Some(json!({ "description": null, "rate_limit_per_minute": null }))).json();
    assert!(cleared["description"].is_null() && cleared["rate_limit_per_minute"].is_null());
    ask("POST", "", Some(json!({ "url": receiver.url(), "events": ["b"] })));
    let list = |query: &str| ask("GET", query, None).json().as_array().map(Vec::len);
    assert_eq!((list(""), list("?is_active=true"), list("?is_active=false")), (Some(2), Some(1), Some(1)));
    assert_eq!(ask("GET", "?is_active=maybe", None).status, 422);
    assert_eq!(ask("GET", "/events", None).json()["events"], json!(["a", "b"]), "of those that wait");
    for (method, path) in
        [("GET", "/whk_none"), ("PATCH", "/whk_none"), ("DELETE", "/whk_none"), ("GET", "/whk_none/stats")]
    {
        assert_eq!(ask(method, path, Some(json!({}))).status, 404, "{method} {path}");
    }
    for query in ["?limit=0", "?limit=1001", "?status=odd", "?before=evt_1", "?since=yesterday", "?nothing=1"] {
        assert_eq!(ask("GET", &format!("/{id}/deliveries{query}"), None).status, 422, "{query}");
    }
    let rotate = |body: Value| ask("POST", &format!("/{id}/rotate"), Some(body));
    assert_eq!(rotate(json!({ "grace_s": 99_999_999 })).status, 422);
    assert_eq!(rotate(json!({ "secret": "short" })).status, 422);
}

#[test]
fn deliveries_are_paged_and_filtered() {
    let receiver = Receiver::new();
    let home = home(&receiver);
    let gateway = Gateway::start(&home);
    let key = gateway.key();
    let hook = json!({ "url": receiver.url(), "events": ["*"] });
    let id = gateway.api(&key, "POST", "/api/v1/webhooks", Some(hook)).json()["id"].as_str().unwrap().to_owned();
    for n in 0..7 {
        let body = json!({ "type": if n % 2 == 0 { "even.x" } else { "odd" }, "data": n });
        assert_eq!(gateway.api(&key, "POST", "/api/v1/events", Some(body)).status, 202);
    }
    let look = |query: &str| -> Vec<Value> {
        gateway
            .api(&key, "GET", &format!("/api/v1/webhooks/{id}/deliveries{query}"), None)
            .json()
            .as_array()
            .unwrap()
            .clone()
    };
    hookgate_tests::eventually("all are done", || look("?status=done").len() == 7);
    assert_eq!(
        (look("?event_type=even.*").len(), look("?event_type=odd").len(), look("?status=dead").len()),
        (4, 3, 0)
    );
    assert_eq!(look("?status=success").len(), 7, "as SoundHash calls it");
    let (first, mut seen, mut before) = (look("?limit=3"), Vec::new(), String::new());
    assert_eq!(first.len(), 3);
    loop {
        let page = look(&format!("?limit=3{before}"));
        let Some(last) = page.last() else { break };
        before = format!("&before={}", last["event_id"].as_str().unwrap());
        seen.extend(page.iter().map(|one| one["event_id"].as_str().unwrap().to_owned()));
    }
    assert!(seen.len() == 7 && seen.is_sorted_by(|a, b| a > b), "{seen:?}");
    assert_eq!((look("?since=2020-01-01T00:00:00Z").len(), look("?until=2020-01-01T00:00:00Z").len()), (7, 0));
}

#[test]
fn what_cannot_be_published_is_told() {
    let home = Home::with("limits.body_bytes = 1000");
    let gateway = Gateway::start(&home);
    let key = gateway.key();
    let publish = |body: Value| gateway.api(&key, "POST", "/api/v1/events", Some(body));
    for (body, status) in [
        (json!({ "data": 1 }), 422),
        (json!({ "type": "a" }), 422),
        (json!({ "type": "", "data": 1 }), 422),
        (json!({ "type": "a b", "data": 1 }), 422),
        (json!({ "type": "a", "data": 1, "id": "" }), 422),
        (json!({ "type": "a", "data": 1, "resource": { "id": "1" } }), 422),
        (json!({ "type": "a", "data": 1, "more": 1 }), 422),
        (json!({ "type": "a", "data": "x".repeat(1000) }), 413),
        (json!({ "type": "a", "data": "x".repeat(100_000) }), 413),
        (json!({ "type": "a", "data": null }), 202),
        (json!({ "type": "a", "data": "x".repeat(900) }), 202),
    ] {
        let answer = publish(body.clone());
        assert!(answer.status == 202 || answer.json()["error"].is_string(), "{}", answer.text());
        assert_eq!(answer.status, status, "{body} {}", answer.text());
    }
    assert_eq!(home.ledger().events(), 2);
}

#[test]
fn the_api_can_have_a_listener_of_its_own() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = Home::with(&format!("outgoing.listen = \"{free}\""));
    let gateway = Process::start(&home);
    assert!(gateway.printed().contains(&format!("api     http://{free}")), "{}", gateway.printed());
    let key = gateway.key();
    let there = Doors { admin: free, ..*gateway };
    assert_eq!(there.api(&key, "GET", "/api/v1/webhooks", None).status, 200);
    for hidden in ["/status", "/metrics", "/api/v1/keys"] {
        assert_eq!(there.get(hidden).status, 404, "{hidden}");
    }
    let described = there.get("/openapi.json").json();
    assert_eq!(described["openapi"].as_str().map(|version| &version[..2]), Some("3."));
    assert!(described["paths"]["/api/v1/webhooks/{id}/deliveries"]["get"].is_object());
    assert!(described["paths"]["/api/v1/replay"].is_null(), "nothing of what operators may ask");
}

#[test]
fn the_admin_address_describes_all_that_is_asked_there() {
    let home = Home::new();
    let gateway = Gateway::start(&home);
    let paths = |document: &str| gateway.get(document).json()["paths"].clone();
    let all = paths("/openapi.json");
    for (method, path) in [
        ("get", "/api/v1/events"),
        ("post", "/api/v1/events"),
        ("get", "/api/v1/events/{id}"),
        ("post", "/api/v1/replay"),
        ("get", "/api/v1/plugins"),
        ("get", "/api/v1/webhooks"),
        ("post", "/api/v1/webhooks/{id}/redeliver"),
    ] {
        assert!(all[path][method].is_object(), "{method} {path}");
    }
    let operators = paths("/openapi-admin.json");
    assert!(operators.as_object().unwrap().iter().all(|(path, methods)| all[path] == *methods), "and all of these");
    // An application shows a key, whatever operators may do.
    let keyed = json!([{ "bearer": [] }, { "x-api-key": [] }]);
    assert_eq!([&all["/api/v1/events"]["post"]["security"], &all["/api/v1/webhooks"]["get"]["security"]], [&keyed; 2]);
}
