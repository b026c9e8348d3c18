//! What must never be connected to, and what a request may be.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::secret::Secret;

/// Listens on loopback and counts who comes.
struct Canary {
    port: u16,
    came: Arc<AtomicUsize>,
}

impl Canary {
    async fn new() -> Canary {
        // The same port on both loopbacks.
        let (v4, v6) = loop {
            let v4 = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = v4.local_addr().unwrap().port();
            match TcpListener::bind(("::1", port)).await {
                Ok(v6) => break (v4, Some(v6)),
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
                // A machine without IPv6.
                Err(_) => break (v4, None),
            }
        };
        let (port, came) = (v4.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        for listener in std::iter::once(v4).chain(v6) {
            let came = came.clone();
            tokio::spawn(async move {
                while listener.accept().await.is_ok() {
                    came.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        Canary { port, came }
    }

    fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }
}

/// Answers by what a name begins with; a name that rebinds means something else each time.
struct Names(AtomicUsize);

impl Resolve for Names {
    fn resolve(&self, name: &str, port: u16) -> Resolving {
        let nth = self.0.fetch_add(1, Ordering::SeqCst);
        let addresses: &[&str] = match name.split('.').next().unwrap_or_default() {
            // Allowed, and nobody is there; a second look would find the canary.
            "rebinds" if nth.is_multiple_of(2) => &["127.0.0.2"],
            "rebinds" => &["127.0.0.1"],
            "many" => &["10.0.0.1", "127.0.0.1", "::1", "169.254.169.254"],
            "mapped" => &["::ffff:127.0.0.1"],
            "nat64" => &["64:ff9b::7f00:1"],
            "sixtofour" => &["2002:7f00:1::"],
            "metadata" => &["169.254.169.254", "fd00:ec2::254"],
            "nobody" => &[],
            _ => &["127.0.0.1", "::1"],
        };
        let found = addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), port)).collect();
        Box::pin(std::future::ready(Ok(found)))
    }
}

fn outbound(own: &[SocketAddr]) -> Arc<Outbound> {
    let counters = Counters::default();
    Outbound::new(Roots::default(), own.to_vec(), Arc::new(Names(AtomicUsize::new(0))), counters)
}

fn grant(ports: &[u16]) -> HostGrant {
    HostGrant {
        host: HostPattern::Any,
        schemes: Schemes { https: true, http: true },
        ports: ports.to_vec(),
        methods: Vec::new(),
        path_prefix: "/".into(),
        limits: HostLimits {
            connect: Duration::from_millis(300),
            whole: Duration::from_secs(2),
            request_bytes: 1000,
            response_bytes: 1000,
            at_once: 4,
            per_minute: 100_000,
        },
        credential: None,
        allow_private: Vec::new(),
    }
}

fn hosts(grant: HostGrant) -> Arc<Hosts> {
    Hosts::new(&outbound(&[]), "tested", vec![HostPattern::Any], &[grant])
}

fn request(url: &str) -> Result<Request, url::ParseError> {
    let url = url.parse()?;
    Ok(Request { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new(), timeout: None })
}

/// Everything that has led someone into a network that was not theirs: `PORT` is the canary's.
const FORMS: &str = "
http://127.0.0.1:PORT/            http://127.0.0.1:PORT             http://127.1:PORT/              http://127.0.1:PORT/
http://2130706433:PORT/           http://0x7f000001:PORT/           http://0x7F.0x0.0x0.0x1:PORT/   http://017700000001:PORT/
http://0177.0.0.1:PORT/           http://0177.0.0.01:PORT/          http://0x7f.1:PORT/             http://127.0.0.0x1:PORT/
http://127.0x0.0.1:PORT/          http://127.00.00.01:PORT/         http://127.0.0.1.:PORT/         http://127.127.127.127:PORT/
http://127.255.255.254:PORT/      http://0.0.0.0:PORT/              http://0:PORT/                  http://0x0:PORT/
http://00000000:PORT/             http://0.1:PORT/                  http://[::1]:PORT/              http://[::]:PORT/
http://[0:0:0:0:0:0:0:1]:PORT/    http://[0000::0001]:PORT/         http://[::127.0.0.1]:PORT/      http://[::7f00:1]:PORT/
http://[::ffff:127.0.0.1]:PORT/   http://[::ffff:7f00:1]:PORT/      http://[::FFFF:127.0.0.1]:PORT/ http://[0:0:0:0:0:ffff:127.0.0.1]:PORT/
http://[::ffff:0:127.0.0.1]:PORT/ http://[64:ff9b::127.0.0.1]:PORT/ http://[64:ff9b::7f00:1]:PORT/  http://[64:ff9b:1::7f00:1]:PORT/
http://[2002:7f00:1::]:PORT/      http://[2002:7f00:0001::1]:PORT/  http://[2001::1]:PORT/          http://[fe80::1]:PORT/
http://[fc00::1]:PORT/            http://[fd00::1]:PORT/            http://[fd00:ec2::254]:PORT/    http://[fec0::1]:PORT/
http://[ff02::1]:PORT/            http://[100::1]:PORT/             http://[2001:db8::1]:PORT/      http://[::ffff:169.254.169.254]:PORT/
http://169.254.169.254:PORT/      http://169.254.169.254/           http://2852039166:PORT/         http://0xa9fea9fe:PORT/
http://0251.0376.0251.0376:PORT/  http://169.254.43518:PORT/        http://100.100.100.200:PORT/    http://192.0.0.192:PORT/
http://10.0.0.1:PORT/             http://10.1:PORT/                 http://167772161:PORT/          http://172.16.0.1:PORT/
http://172.31.255.255:PORT/       http://192.168.0.1:PORT/          http://192.168.1:PORT/          http://3232235521:PORT/
http://100.64.0.1:PORT/           http://192.0.0.1:PORT/            http://192.0.2.1:PORT/          http://192.88.99.1:PORT/
http://198.18.0.1:PORT/           http://198.51.100.1:PORT/         http://203.0.113.1:PORT/        http://224.0.0.1:PORT/
http://240.0.0.1:PORT/            http://255.255.255.255:PORT/      http://localhost:PORT/          http://LOCALHOST:PORT/
http://LocalHost.:PORT/           http://localhost.localdomain:PORT/ http://localtest.me:PORT/      http://a.b.c.localhost:PORT/
http://127.0.0.1.nip.io:PORT/     http://rebinds.test:PORT/         http://rebinds.test:PORT/again  http://rebinds.test:PORT/once-more
http://many.test:PORT/            http://mapped.test:PORT/          http://nat64.test:PORT/         http://sixtofour.test:PORT/
http://metadata.test:PORT/        http://metadata.google.internal:PORT/ http://nobody.test:PORT/    http://instance-data:PORT/
http://user@127.0.0.1:PORT/       http://user:pass@127.0.0.1:PORT/  http://api.example.com@127.0.0.1:PORT/
http://127.0.0.1:PORT@api.example.com/ http://api.example.com:80@127.0.0.1:PORT/ http://api.example.com%40127.0.0.1:PORT/
http://127.0.0.1:PORT#@api.example.com/ http://127.0.0.1:PORT?@api.example.com/ http://127.0.0.1:PORT\\@api.example.com/
http://api.example.com\\@127.0.0.1:PORT/ http:\\\\127.0.0.1:PORT/   http:/127.0.0.1:PORT/           http:127.0.0.1:PORT/
http:///127.0.0.1:PORT/           http:////127.0.0.1:PORT/          http://①②⑦.⓪.⓪.①:PORT/     http://１２７.０.０.１:PORT/
http://127。0。0。1:PORT/          http://127．0．0．1:PORT/         http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:PORT/   http://loc\u{AD}alhost:PORT/
http://l\u{200B}ocalhost:PORT/    http://%6c%6f%63%61%6c%68%6f%73%74:PORT/ http://%31%32%37.0.0.1:PORT/ http://127.0.0.1%00.example.com:PORT/
http://127.0.0.1%0d%0aX:PORT/     http://127.0.0.1%09:PORT/         http://127.0.0.1%2f:PORT/       http://[::1%25lo]:PORT/
http://[::1%lo]:PORT/             http://[127.0.0.1]:PORT/          https://127.0.0.1:PORT/         https://localhost:PORT/
https://[::1]:PORT/               HTTP://127.0.0.1:PORT/            ftp://127.0.0.1:PORT/           file:///etc/passwd
gopher://127.0.0.1:PORT/          ws://127.0.0.1:PORT/              data:text/plain,x               unix:/run/docker.sock
dict://127.0.0.1:PORT/            ldap://127.0.0.1:PORT/            jar:http://127.0.0.1:PORT!/     about:blank
http://xn--localhost-:PORT/       http://256.0.0.1:PORT/            http://1.2.3.4.5:PORT/          http://127.0.0.1:99999/
";

#[tokio::test]
async fn no_form_of_an_own_address_reaches_a_listener() {
    let canary = Canary::new().await;
    let hosts = hosts(grant(&[canary.port, 80, 443]));
    let mut forms = 0;
    let inserted = FORMS.replace("PORT", &canary.port.to_string());
    let odd =
        [" http://127.0.0.1:PORT/", "ht\ttp://127.0.0.1:PORT/", "http://127.0.0.1\n:PORT/", "http://127.0.\r0.1:PORT/"];
    let odd = odd.map(|form| form.replace("PORT", &canary.port.to_string()));
    for form in inserted.split_whitespace().map(str::to_owned).chain(odd) {
        forms += 1;
        let Ok(request) = request(&form) else { continue };
        let sent = hosts.send(request, "evt").await;
        let failed = sent.expect_err(&form);
        assert!(matches!(failed.kind, Cause::Denied | Cause::Invalid | Cause::Failed), "{form}: {failed:?}");
        assert_eq!(canary.came(), 0, "{form} reached the canary");
    }
    assert!(forms >= 120, "{forms}");
    // It does sing.
    let named = ["127.0.0.1", "::1"].map(|ip| SocketAddr::new(ip.parse().unwrap(), canary.port));
    let allowed = HostGrant { allow_private: named.to_vec(), ..grant(&[canary.port]) };
    let hosts = self::hosts(allowed);
    let request = request(&format!("http://localhost:{}/", canary.port)).unwrap();
    assert_eq!(hosts.send(request, "evt").await.unwrap_err().kind, Cause::Failed);
    assert_eq!(canary.came(), 1);
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_what_was_looked_at_is_connected_to() {
    let canary = Canary::new().await;
    let names = Arc::new(Names(AtomicUsize::new(0)));
    let outbound = Outbound::new(Roots::default(), Vec::new(), names.clone(), Counters::default());
    let allowed = SocketAddr::from(([127, 0, 0, 2], canary.port));
    let grant = HostGrant { allow_private: vec![allowed], ..grant(&[canary.port]) };
    let hosts = Hosts::new(&outbound, "tested", vec![HostPattern::Any], &[grant]);
    let request = request(&format!("http://rebinds.test:{}/", canary.port)).unwrap();
    let failed = hosts.send(request.clone(), "evt").await.unwrap_err();
    assert!(failed.kind == Cause::Failed && failed.why.contains("cannot connect"), "{failed:?}");
    assert_eq!((names.0.load(Ordering::SeqCst), canary.came()), (1, 0));
    // The next request looks anew, and what it finds is not allowed.
    assert_eq!(hosts.send(request, "evt").await.unwrap_err().kind, Cause::Denied);
    assert_eq!(canary.came(), 0);
}

#[tokio::test]
async fn a_credential_crosses_no_strange_network_in_clear_text() {
    let canary = Canary::new().await;
    let at = SocketAddr::from(([127, 0, 0, 1], canary.port));
    let credential = Some(Credential::Bearer(Held::Fixed(Secret::new("t0k3n-secret"))));
    let grant = HostGrant { credential, allow_private: vec![at], ..grant(&[canary.port, 80]) };
    let hosts = hosts(grant);
    let failed = hosts.send(request("http://1.1.1.1/").unwrap(), "evt").await.unwrap_err();
    assert!(failed.kind == Cause::Denied && failed.why.contains("in clear text"), "{failed:?}");
    // Spelled out, it may.
    let _ = hosts.send(request(&format!("http://{at}/")).unwrap(), "evt").await;
    assert_eq!(canary.came(), 1);
}

#[tokio::test]
async fn the_gateways_own_ports_are_never_connected_to() {
    let canary = Canary::new().await;
    let at = SocketAddr::from(([127, 0, 0, 1], canary.port));
    for own in [at, SocketAddr::from(([0, 0, 0, 0], canary.port))] {
        let allowed = HostGrant { allow_private: vec![at], ..grant(&[canary.port]) };
        let hosts = Hosts::new(&outbound(&[own]), "tested", vec![HostPattern::Any], &[allowed]);
        let failed = hosts.send(request(&format!("http://127.0.0.1:{}/", canary.port)).unwrap(), "evt").await;
        let failed = failed.unwrap_err();
        assert!(failed.kind == Cause::Denied && failed.why.contains("is this gateway itself"), "{failed:?}");
    }
    assert_eq!(canary.came(), 0);
}

/// A server that says the same to everyone, and what it was last told.
async fn server(answer: String) -> (SocketAddr, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, told) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(String::new())));
    let heard = told.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (answer, heard) = (answer.clone(), heard.clone());
            tokio::spawn(async move {
                let mut bytes = vec![0; 64 << 10];
                let read = stream.read(&mut bytes).await.unwrap();
                *heard.lock().unwrap() = String::from_utf8_lossy(&bytes[..read]).into_owned();
                let echoed = answer.replace("ECHO", &heard.lock().unwrap());
                let whole = echoed.replace("LENGTH", &echoed.split_once("\r\n\r\n").unwrap().1.len().to_string());
                stream.write_all(whole.as_bytes()).await.unwrap();
            });
        }
    });
    (at, told)
}

fn granted(at: SocketAddr) -> HostGrant {
    HostGrant { allow_private: vec![at], ..grant(&[at.port()]) }
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let canary = Canary::new().await;
    let location = format!("http://127.0.0.1:{}/", canary.port);
    let (at, _) = server(format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")).await;
    let answer = hosts(granted(at)).send(request(&format!("http://{at}/")).unwrap(), "evt").await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.headers["location"].to_str().unwrap()), (302, &*location));
    assert_eq!(canary.came(), 0);
}

#[tokio::test]
async fn credentials_go_out_and_do_not_come_back() {
    let (at, told) =
        server("HTTP/1.1 200 OK\r\nx-echo: t0k3n-secret\r\ncontent-length: LENGTH\r\n\r\nyou sent ECHO".into()).await;
    let held = || Held::Fixed(Secret::new("t0k3n-secret"));
    let name = HeaderName::from_static("x-api-key");
    for (credential, sent) in [
        (Credential::Bearer(held()), "authorization: Bearer t0k3n-secret"),
        (Credential::Basic { username: "u".into(), password: held() }, "authorization: Basic dTp0MGszbi1zZWNyZXQ="),
        (Credential::Header { name, value: held() }, "x-api-key: t0k3n-secret"),
    ] {
        let mut request = request(&format!("http://{at}/")).unwrap();
        for own in ["authorization", "x-api-key", "host", "content-length", "transfer-encoding", "connection"] {
            request.headers.insert(HeaderName::from_static(own), "7".parse().unwrap());
        }
        let grant = HostGrant { credential: Some(credential), ..granted(at) };
        let answer = hosts(grant).send(request, "evt").await.unwrap();
        let told = told.lock().unwrap().clone();
        assert!(told.contains(sent) && told.contains(&format!("host: {at}")), "{told}");
        assert!(!told.contains("transfer-encoding"), "{told}");
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(body.contains("you sent GET") && body.contains("********"), "{body}");
        for form in ["t0k3n-secret", "dTp0MGszbi1zZWNyZXQ="] {
            assert!(!body.contains(form) && !format!("{:?}", answer.headers).contains(form), "{body}");
        }
    }
}

#[tokio::test]
async fn what_is_not_granted_is_denied_with_the_key() {
    let (at, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes".into()).await;
    let base = granted(at);
    let url = format!("http://{at}/v4/things");
    let get = || request(&url).unwrap();
    let table: Vec<(HostGrant, Request, Cause, &str)> = vec![
        (HostGrant { schemes: Schemes::HTTPS, ..base.clone() }, get(), Cause::Denied, "schemes"),
        (HostGrant { ports: vec![1], ..base.clone() }, get(), Cause::Denied, "ports"),
        (
            HostGrant { schemes: Schemes::HTTP, ..base.clone() },
            request(&format!("https://{at}/")).unwrap(),
            Cause::Denied,
            "schemes",
        ),
        (base.clone(), Request { method: Method::CONNECT, ..get() }, Cause::Denied, "CONNECT"),
        (HostGrant { methods: vec![Method::POST], ..base.clone() }, get(), Cause::Denied, "methods"),
        (HostGrant { path_prefix: "/v5".into(), ..base.clone() }, get(), Cause::Denied, "path_prefix"),
        (
            HostGrant { path_prefix: "/v4/".into(), ..base.clone() },
            request(&format!("http://{at}/v4/../admin")).unwrap(),
            Cause::Denied,
            "path_prefix",
        ),
        (base.clone(), Request { body: vec![0; 1001].into(), ..get() }, Cause::Limit, "request_bytes"),
        (
            HostGrant { host: "other.example".parse().unwrap(), ..base.clone() },
            get(),
            Cause::Denied,
            "[plugins.tested.hosts.",
        ),
    ];
    for (grant, request, kind, expected) in table {
        let failed = hosts(grant).send(request, "evt").await.unwrap_err();
        assert!(failed.kind == kind && failed.why.contains(expected), "{failed:?} for {expected}");
    }
    let unasked =
        Hosts::new(&outbound(&[]), "tested", vec!["other.example".parse().unwrap()], std::slice::from_ref(&base));
    let failed = unasked.send(get(), "evt").await.unwrap_err();
    assert!(failed.kind == Cause::Denied && failed.why.contains("did not ask"), "{failed:?}");
    let mut many = get();
    for n in 0..65 {
        many.headers.insert(HeaderName::from_bytes(format!("x-{n}").as_bytes()).unwrap(), "1".parse().unwrap());
    }
    assert_eq!(hosts(base.clone()).send(many, "evt").await.unwrap_err().kind, Cause::Limit);
    assert_eq!(&hosts(base).send(get(), "evt").await.unwrap().body[..], b"yes");
}

#[tokio::test]
async fn answers_have_limits() {
    let large = format!("HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n{}", "x".repeat(2000));
    let broken = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx".to_owned();
    let headers = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(100 << 10));
    for (answer, expected) in [
        (large, Cause::Limit),
        (broken, Cause::Failed),
        ("nonsense\r\n\r\n".into(), Cause::Failed),
        (headers, Cause::Limit),
    ] {
        let (at, _) = server(answer).await;
        let failed = hosts(granted(at)).send(request(&format!("http://{at}/")).unwrap(), "evt").await.unwrap_err();
        assert_eq!(failed.kind, expected, "{failed:?}");
    }
}

#[tokio::test]
async fn there_is_a_pace() {
    let (at, _) = server("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".into()).await;
    let limits = HostLimits { per_minute: 2, ..grant(&[]).limits };
    let hosts = hosts(HostGrant { limits, ..granted(at) });
    let send = || hosts.send(request(&format!("http://{at}/")).unwrap(), "evt");
    assert!(send().await.is_ok() && send().await.is_ok());
    assert_eq!(send().await.unwrap_err().kind, Cause::Busy);
}
