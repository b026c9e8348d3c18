//! Every provider of the catalogue, from the request to the plugin, with what is its own.

use std::collections::BTreeSet;
use std::sync::Barrier;

use hookgate::event::now_ms;
use hookgate::provider::{Provider, catalogue};
use hookgate_tests::sns::{self, Sns};
use hookgate_tests::{Answer, Gateway, Guest, Home, Sender, Webhook, eventually, run_hookgate};

const PUBLIC: &str = "https://hooks.example.com";

/// A secret of a provider's, with which a sender can sign.
fn secret(provider: &str) -> String {
    match provider {
        "discord" => format!("seed:{}", "07".repeat(32)),
        "aws-sns" => sns::KEY.to_owned(),
        _ => "whsec_YSBzZWNyZXQgb2Ygbm9ib2R5".to_owned(),
    }
}

/// A folder with a source of each provider, by its name.
fn home() -> Home {
    let source = |provider: Provider| {
        let name = &provider.name;
        let token = if provider.wants_verify_token() { "verify_token = { file = \"token\" }\n" } else { "" };
        format!("[sources.{name}]\nprovider = \"{name}\"\nsecrets = [{{ file = \"{name}.secret\" }}]\n{token}")
    };
    let sources: String = catalogue::all().map(source).collect();
    let home = Home::new();
    for name in catalogue::names() {
        home.write(&format!("{name}.secret"), &secret(name));
    }
    home.write("token", "the-verify-token");
    home.configure(&format!("server.public_url = \"{PUBLIC}\"\n{sources}"));
    home
}

fn sender(provider: &str) -> Sender {
    Sender::of(provider, provider, &secret(provider)).told(PUBLIC)
}

/// The event's id, which every answer has in its header.
fn id(answer: &Answer) -> String {
    assert!((200..300).contains(&answer.status), "{}: {}", answer.status, answer.text());
    answer.header("x-hookgate-event").unwrap().to_owned()
}

#[test]
fn every_type_that_there_is_a_sample_of_comes_through() {
    let home = home();
    home.install("teller", Guest::telling(&["*"]).component());
    let gateway = Gateway::start(&home);
    let mut expected = BTreeSet::new();
    for provider in catalogue::all() {
        for event_type in provider.sample_types() {
            let answer = gateway.post(&sender(&provider.name).webhook(event_type));
            assert_eq!(answer.status, provider.success.as_u16(), "{}: {}", provider.name, answer.text());
            expected.insert(format!("[{0}][{0}][{event_type}][{1}]", provider.name, id(&answer)));
        }
    }
    assert!(expected.len() > 100, "{}", expected.len());
    let told = || -> Vec<String> { home.ledger().attempts("teller").into_iter().map(|attempt| attempt.why).collect() };
    eventually("all were told", || told().len() >= expected.len());
    let told = told();
    for start in expected {
        assert!(told.iter().any(|told| told.starts_with(&start)), "{start}");
    }
}

/// What is different when a sender sends the same again: it signs anew, at another time.
fn sent_again(provider: &Provider, webhook: &Webhook) -> Webhook {
    let sender = sender(&provider.name);
    let mut again = sender.signed_at("any", webhook.body.clone(), now_ms() + 2_000);
    for (name, value) in &webhook.headers {
        let is_of_the_signature = provider.signature_headers().any(|one| one == name);
        // Twitch and Standard Webhooks sign their ids: those stay, and so the signature has to.
        if !is_of_the_signature {
            again.headers.insert(name.clone(), value.clone());
        }
    }
    again
}

#[test]
fn a_delivery_is_one_event_however_often_and_at_once_it_comes() {
    let home = home();
    let gateway = Gateway::start(&home);
    for (events, provider) in (1..).zip(catalogue::all()) {
        let event_type = provider.sample_types().next().unwrap();
        let webhook = sender(&provider.name).webhook(event_type);
        let barrier = Barrier::new(32);
        let ids: BTreeSet<String> = std::thread::scope(|scope| {
            let post = || {
                barrier.wait();
                id(&gateway.post(&webhook))
            };
            let all: Vec<_> = (0..32).map(|_| scope.spawn(post)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(ids.len(), 1, "{}", provider.name);
        assert_eq!(home.ledger().events(), events, "{}", provider.name);
    }
}

#[test]
fn who_signs_a_retry_anew_is_recognised_by_the_delivery_id() {
    let home = home();
    let gateway = Gateway::start(&home);
    // Those whose retries carry a new time, and an id that is not signed by itself or stands in the body.
    for name in ["stripe", "slack", "zoom", "linear"] {
        let provider = catalogue::find(name).unwrap();
        let webhook = sender(name).webhook(provider.sample_types().next().unwrap());
        let first = id(&gateway.post(&webhook));
        let again = sent_again(&provider, &webhook);
        assert_ne!(again.headers, webhook.headers, "{name}");
        let answer = gateway.post(&again);
        assert_eq!((id(&answer), answer.is_duplicate()), (first, true), "{name}");
    }
}

#[test]
fn handshakes_are_answered_and_no_plugin_hears_of_them() {
    let home = home();
    home.install("teller", Guest::telling(&["*"]).component());
    let gateway = Gateway::start(&home);
    let zoom = r#"{"event":"endpoint.url_validation","payload":{"plainToken":"abc"},"event_ts":1}"#;
    let answer = gateway.post(&sender("zoom").with_body("endpoint.url_validation", zoom));
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.json()["plainToken"], "abc");
    assert_eq!(answer.json()["encryptedToken"].as_str().unwrap().len(), 64);
    let twitch = r#"{"challenge":"pogchamp","subscription":{"type":"channel.follow"}}"#;
    let kind = "webhook_callback_verification";
    let answer = gateway.post(&sender("twitch").with_body("any", twitch).with("twitch-eventsub-message-type", kind));
    assert_eq!((answer.status, &*answer.text(), answer.header("content-type")), (200, "pogchamp", Some("text/plain")));
    let slack = r#"{"type":"url_verification","challenge":"3eZ","token":"x"}"#;
    let answer = gateway.post(&sender("slack").with_body("any", slack));
    assert_eq!((answer.status, &*answer.text()), (200, "3eZ"));
    let answer = gateway.post(&sender("discord").with_body("any", r#"{"version":1,"type":0}"#));
    assert_eq!((answer.status, answer.body.len(), answer.header("content-type")), (204, 0, None));

    let meta = |token: &str| {
        gateway.get_hook(&format!("meta?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}"))
    };
    assert_eq!((meta("the-verify-token").status, &*meta("the-verify-token").text()), (200, "1158201444"));
    assert_eq!((meta("another").status, meta("").status), (401, 401));
    assert_eq!(gateway.get_hook("meta").status, 401);
    assert_eq!(gateway.get_hook("github?hub.mode=subscribe").status, 405);
    // A handshake that nobody signed is none.
    let unsigned = sender("zoom").with_body("any", zoom).with("x-zm-signature", &format!("v0={}", "0".repeat(64)));
    assert_eq!(gateway.post(&unsigned).status, 401);
    assert_eq!(home.ledger().events(), 0);
    assert_eq!(gateway.refused("meta", "wrong_token"), 3);
}

#[test]
fn one_request_of_meta_is_an_event_for_each_change() {
    let home = home();
    home.install("teller", Guest::telling(&["meta:*"]).component());
    let gateway = Gateway::start(&home);
    let change =
        |id: &str| format!(r#"{{"field":"messages","value":{{"messages":[{{"id":"{id}","type":"text"}}],"n":1.50}}}}"#);
    let body = |changes: &str| {
        format!(r#"{{"object":"whatsapp_business_account","entry":[{{"id":"1","changes":[{changes}]}}]}}"#)
    };
    let sender = sender("meta");
    let both = sender.with_body("any", body(&format!("{},{}", change("wamid.1"), change("wamid.2"))));
    let answer = gateway.post(&both);
    let ids: Vec<String> = serde_json::from_value(answer.json()["ids"].clone()).unwrap();
    assert_eq!((ids.len(), &ids[0]), (2, &id(&answer)));
    let told = || home.ledger().attempts("teller");
    eventually("both were told", || told().len() == 2);
    for (nth, wamid) in ["wamid.1", "wamid.2"].iter().enumerate() {
        let end = format!("{}]", body(&change(wamid)));
        let start = format!("[meta][meta][whatsapp_business_account.messages][{}]", ids[nth]);
        assert!(told().iter().any(|one| one.why.starts_with(&start) && one.why.ends_with(&end)), "{end}");
    }
    // One of them again, and a new one.
    let again = gateway.post(&sender.with_body("any", body(&format!("{},{}", change("wamid.2"), change("wamid.3")))));
    assert_eq!(again.json()["ids"][0], *ids[1]);
    assert_eq!(again.json()["duplicate"], false);
    assert_eq!(home.ledger().events(), 3);
}

#[test]
fn what_is_about_the_same_thing_is_no_repeat() {
    let home = home();
    let gateway = Gateway::start(&home);
    let whatsapp = |messages: &str| {
        format!(
            r#"{{"object":"whatsapp_business_account","entry":[{{"id":"1","changes":[{{"field":"messages","value":{{"messages":[{messages}]}}}}]}}]}}"#
        )
    };
    let both = whatsapp(r#"{"id":"A"},{"id":"B"}"#);
    let table: [(&str, String, String); 3] = [
        ("hmac", r#"{"type":"order.updated","id":7,"total":1}"#.into(), r#"{"type":"order.updated","id":7,"total":2}"#.into()),
        ("meta", whatsapp(r#"{"id":"A"}"#), both),
        (
            "meta",
            r#"{"object":"instagram","entry":[{"id":"1","time":1,"messaging":[{"message":{"mid":"m1","text":"hi"}}]}]}"#.into(),
            r#"{"object":"instagram","entry":[{"id":"1","time":2,"messaging":[{"message":{"mid":"m1","is_deleted":true}}]}]}"#.into(),
        ),
    ];
    for (name, one, other) in table {
        let ids = [one, other].map(|body| id(&gateway.post(&sender(name).with_body("any", body))));
        assert_ne!(ids[0], ids[1], "{name}");
    }
}

#[test]
fn gitlab_is_verified_by_its_token_and_by_its_signing_token() {
    let home = Home::with(
        "[sources.gitlab]\nprovider = \"gitlab\"\nsecrets = [{ file = \"token.secret\" }, { file = \"signing.secret\" }]",
    );
    home.write("token.secret", "a-token");
    home.write("signing.secret", &secret("gitlab"));
    let gateway = Gateway::start(&home);
    let by = |secret: &str| gateway.post(&Sender::of("gitlab", "gitlab", secret).webhook("push")).status;
    assert_eq!((by("a-token"), by(&secret("gitlab"))), (200, 200));
    assert_eq!((by("another-token"), by("whsec_YW5vdGhlcg==")), (401, 401));
    let metrics = gateway.get("/metrics").text();
    for nth in [0, 1] {
        let line = format!("hookgate_verified_total{{source=\"gitlab\",secret=\"{nth}\"}} 1");
        assert!(metrics.contains(&line), "{line}");
    }
}

/// What `hookgate check` prints.
fn checked(home: &Home) -> String {
    let ran = run_hookgate(home, &["check"]);
    ran.out + &ran.err
}

#[test]
fn a_secret_counts_in_its_span_and_check_warns_before_its_end() {
    let home = Home::with("");
    home.write("old.secret", "the-old-secret");
    let with = |spans: [&str; 2]| {
        home.configure(&format!(
            "sources.github.secrets = [{{ env = \"GITHUB_SECRET\"{} }}, {{ file = \"old.secret\"{} }}]",
            spans[0], spans[1]
        ));
    };
    let statuses = || {
        let gateway = Gateway::start(&home);
        let new = gateway.post(&home.sender("github").webhook("push")).status;
        (new, gateway.post(&Sender::of("github", "github", "the-old-secret").webhook("push")).status)
    };
    with([", not_before = 2020-01-01", ", not_after = 2100-01-01T00:00:00Z"]);
    assert_eq!(statuses(), (200, 200));
    with(["", ", not_after = 2021-12-31"]);
    assert_eq!(statuses(), (200, 401));
    with([", not_before = \"2100-01-01\"", ", not_after = 2021-12-31"]);
    assert_eq!(statuses(), (503, 503));
    let check = || checked(&home);
    let told = check();
    for expected in [
        "secret 1: counts from 2100-01-01T00:00:00Z on",
        "secret 2: counted until 2021-12-31T23:59:59Z: take it out",
        "no secret counts now",
    ] {
        assert!(told.contains(expected), "{expected:?} is not in\n{told}");
    }
    let soon = (now_ms() / 1000 + 3 * 86_400 + 60) as i64;
    with(["", &format!(", not_after = \"{}\"", jiff::Timestamp::from_second(soon).unwrap())]);
    assert!(check().contains("3 days from now: is the next one here?"), "{}", check());
    with([", not_before = 2022-01-01, not_after = 2021-01-01", ", not_after = \"soon\""]);
    let told = check();
    for expected in ["secrets[0].not_after: is before `not_before`", "secrets[1].not_after: must be a day"] {
        assert!(told.contains(expected), "{expected:?} is not in\n{told}");
    }
    let six = ["{ env = \"GITHUB_SECRET\" }"; 6].join(", ");
    home.configure(&format!("sources.github.secrets = [{six}]"));
    assert!(check().contains("are at most 5"));
}

#[test]
fn a_provider_of_ones_own_can_be_like_another() {
    let home = Home::with(
        "[sources.acme]\nsecrets = [{ env = \"GITHUB_SECRET\" }]\n[sources.acme.provider]\nlike = \"hmac\"\n\
         signature.at = \"{header:X-Acme-Signature}\"\nsignature.prefix = \"sha256=\"\n",
    );
    let gateway = Gateway::start(&home);
    let webhook = Sender::of("github", "acme", "the-secret-of-github").with_body("push", r#"{"type":"order.paid"}"#);
    let signature = webhook.header("x-hub-signature-256").to_owned();
    assert_eq!(gateway.post(&webhook.clone().with("x-acme-signature", &signature)).status, 200);
    assert_eq!(gateway.post(&webhook).status, 401);
    home.configure("[sources.acme]\nsecrets = [{ env = \"GITHUB_SECRET\" }]\nprovider = { like = \"hmca\" }");
    let told = checked(&home);
    assert!(told.contains("sources.acme.provider.like: there is no `hmca`; did you mean `hmac`?"), "{told}");
}

#[test]
fn a_vector_that_does_not_verify_is_a_mistake_with_its_line() {
    let home = Home::with(
        "[sources.acme]\nsecrets = [{ env = \"GITHUB_SECRET\" }]\n[sources.acme.provider]\nlike = \"hmac\"\n\
         vectors = [{ secret = \"s\", body = \"b\", headers = { X-Signature = \"0000000000000000000000000000000000000000000000000000000000000000\" } }]",
    );
    let told = checked(&home);
    assert!(
        told.contains("sources.acme.provider.vectors[0]: is not verified: the signature matches no secret"),
        "{told}"
    );
}

/// A message of SNS, signed by its certificate.
fn message(kind: &str, id: &str, certificate: &str) -> Webhook {
    let body = format!(
        r#"{{"Type":"{kind}","MessageId":"{id}","Token":"t","TopicArn":"arn:aws:sns:eu-central-1:000000000000:cuts","Message":"ready","SubscribeURL":"https://{}/?Action=ConfirmSubscription&Token=t","Timestamp":"2020-01-01T00:00:00.000Z","SignatureVersion":"2","Signature":"-","SigningCertURL":"{certificate}"}}"#,
        sns::HOST
    );
    Sender::of("aws-sns", "sns", sns::KEY).with_body(kind, body).with("x-amz-sns-message-type", kind)
}

#[test]
fn messages_of_a_topic_are_verified_by_the_certificate_that_amazon_serves() {
    let home = Home::new();
    let sns = Sns::start(&home.path().join("ca.pem"));
    home.write("topic", "arn:aws:sns:eu-central-1:000000000000:cuts");
    home.configure(&format!(
        "[outbound]\nca_file = \"ca.pem\"\nhosts = {{ \"{}\" = \"{}\" }}\n\
         [sources.sns]\nprovider = \"aws-sns\"\nsecrets = [{{ file = \"topic\" }}]",
        sns::HOST,
        sns.address
    ));
    let gateway = Gateway::start(&home);
    let good = format!("https://{}/SimpleNotificationService-1.pem", sns::HOST);
    let post = |webhook: &Webhook| gateway.post(webhook).status;

    // While the certificate cannot be had, the sender must try again.
    sns.set_down(true);
    assert_eq!(post(&message("Notification", "1", &good)), 503);
    sns.set_down(false);
    let other = good.replace("-1.pem", "-2.pem");
    assert_eq!(post(&message("Notification", "1", &other)), 200);
    assert_eq!(post(&message("Notification", "2", &other)), 200);
    assert_eq!(sns.asked().len(), 2, "it is asked for once: {:?}", sns.asked());
    let confirm = message("SubscriptionConfirmation", "3", &other);
    assert_eq!(post(&confirm), 200);
    assert_eq!(sns.asked().last().unwrap(), "/?Action=ConfirmSubscription&Token=t");

    // Nobody else's certificate, topic or text counts, and nothing is fetched for them.
    let asked = sns.asked().len();
    let evil = good.replace("amazonaws.com", "amazonaws.com.example.org");
    assert_eq!(post(&message("Notification", "4", &evil)), 401);
    // Somebody's bucket by the name of sns, another spelling of the same, and a message that can be read in two ways.
    assert_eq!(post(&message("Notification", "4", &good.replace("eu-central-1", "s3"))), 401);
    assert_eq!(post(&message("Notification", "4", &format!("{other}#1"))), 401);
    let text = |from: &str, to: &str| {
        let mut webhook = message("Notification", "5", &other);
        webhook.body = String::from_utf8(webhook.body.to_vec()).unwrap().replace(from, to).into();
        webhook
    };
    assert_eq!(post(&text(":cuts", ":other")), 401);
    assert_eq!(post(&text("ready", "Ready")), 401);
    assert_eq!(post(&text("{", "{\"Message\":\"another\",")), 401);
    assert_eq!(post(&text("\"SignatureVersion\":\"2\"", "\"SignatureVersion\":\"1\"")), 401);
    assert_eq!(sns.asked().len(), asked);
    assert_eq!(home.ledger().events(), 2);

    // By a certificate everybody's messages would be taken.
    home.write("topic", include_str!("../../keys/nobody.crt"));
    assert!(
        checked(&home).contains("secrets[0]: is not a key of this provider: it must be the topic's ARN"),
        "{}",
        checked(&home)
    );
}
