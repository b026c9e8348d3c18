//! A receiver of outgoing webhooks that answers as it is told: well, badly, or as no honest one would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hookgate::provider::{Received, catalogue};
use hookgate::secret::Secret;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

/// One request that it got.
#[derive(Debug, Clone)]
pub struct Hit {
    /// When, after the receiver began.
    pub at: Duration,
    /// The path.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// What it does with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Answers with a status.
    Status(u16),
    /// Answers with a status and a header.
    With(u16, &'static str, String),
    /// Answers with a status and a body.
    Body(u16, Vec<u8>),
    /// Answers with a body that never ends.
    Endless(u16),
    /// Answers, a byte at a time.
    Drip,
    /// Never answers.
    Silence,
    /// Hangs up.
    HangUp,
}

/// A receiver, for as long as the test runs.
pub struct Receiver {
    address: SocketAddr,
    hits: Arc<Mutex<Vec<Hit>>>,
}

type Answers = dyn Fn(&Hit, usize) -> Reply + Send + Sync;

impl Receiver {
    /// One that takes everything.
    pub fn new() -> Receiver {
        Receiver::answering(|_, _| Reply::Status(200))
    }

    /// One that is asked for each request, and which one it is: 1 is the first.
    pub fn answering(answers: impl Fn(&Hit, usize) -> Reply + Send + Sync + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, hits) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let (seen, answers, begun) = (hits.clone(), Arc::new(answers), Instant::now());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, answers): (_, Arc<Answers>) = (seen.clone(), answers.clone());
                std::thread::spawn(move || serve(stream, &seen, &*answers, begun));
            }
        });
        Receiver { address, hits }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL that it gets.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Everything that it got.
    pub fn hits(&self) -> Vec<Hit> {
        self.hits.lock().unwrap().clone()
    }

    /// How many requests it got.
    pub fn count(&self) -> usize {
        self.hits.lock().unwrap().len()
    }
}

impl Default for Receiver {
    fn default() -> Receiver {
        Receiver::new()
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<Hit>>, answers: &Answers, begun: Instant) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(hit) = read(&mut reader, begun) {
        let nth = {
            let mut seen = seen.lock().unwrap();
            seen.push(hit.clone());
            seen.len()
        };
        if answer(&stream, answers(&hit, nth)).is_none() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>, begun: Instant) -> Option<Hit> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = HeaderMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?);
    }
    let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Hit { at: begun.elapsed(), path, headers, body })
}

/// Answers. Nothing, where the connection is over.
fn answer(mut stream: &TcpStream, reply: Reply) -> Option<()> {
    let whole = |status: u16, header: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {status} x\r\n{header}content-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    match reply {
        Reply::Status(status) => stream.write_all(&whole(status, "", b"")).ok(),
        Reply::With(status, name, value) => stream.write_all(&whole(status, &format!("{name}: {value}\r\n"), b"")).ok(),
        Reply::Body(status, body) => stream.write_all(&whole(status, "", &body)).ok(),
        Reply::Endless(status) => {
            stream
                .write_all(format!("HTTP/1.1 {status} x\r\ncontent-length: 1000000000000\r\n\r\n").as_bytes())
                .ok()?;
            while stream.write_all(&[b'x'; 65536]).is_ok() {}
            None
        }
        Reply::Drip => {
            for byte in b"HTTP/1.1 200 x\r\ncontent-length: 1000000\r\n\r\n".iter().chain(std::iter::repeat(&b'x')) {
                stream.write_all(&[*byte]).ok()?;
                std::thread::sleep(Duration::from_millis(200));
            }
            None
        }
        Reply::Silence => {
            let _ = stream.read(&mut [0]);
            None
        }
        Reply::HangUp => None,
    }
}

impl Hit {
    /// A header's value.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The body.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether a secret signed it, in the way of a provider's.
    pub fn is_signed(&self, provider: &str, secret: &str) -> bool {
        let provider = catalogue::find(provider).unwrap();
        let key = provider.key(&Secret::new(secret)).unwrap();
        let (body, headers) = (self.body.clone().into(), self.headers.clone());
        let now_ms = hookgate::event::wall_ms();
        provider.verify(Received::new("receiver".into(), headers, body, now_ms), &[key], now_ms).is_ok()
    }
}
