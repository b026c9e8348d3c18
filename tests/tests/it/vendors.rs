//! The vendors' own libraries sign what the gateway takes, and take what `hookgate send` makes; what is altered neither takes.

use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hookgate::event::now_ms;
use hookgate::provider::{Key, Provider, Received, catalogue};
use hookgate::secret::Secret;
use hookgate_tests::{from_environment, skipped};
use serde_json::{Value, json};

/// How many bodies, each way.
const MANY: usize = 500;

/// How often one of them is altered.
const ALTERED: usize = 60;

/// The vendors' libraries in one language.
struct Vendors {
    language: &'static str,
}

impl Vendors {
    /// Has them do something, with these lines on their standard input. Gives the lines that they print.
    fn run(&self, words: &[&str], input: &[Value]) -> Vec<Value> {
        let (program, file) = if self.language == "python" { ("python", "vendors.py") } else { ("node", "vendors.js") };
        let folder = from_environment("HOOKGATE_RECEIVERS").join("tests/vendors");
        let mut command = Command::new(program);
        command.env("PATH", from_environment("HOOKGATE_TOOLS")).current_dir(folder).arg(file).args(words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let text: String = input.iter().map(|line| format!("{line}\n")).collect();
        let writing = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
        let output = child.wait_with_output().unwrap();
        writing.join().unwrap().unwrap();
        assert!(output.status.success(), "{file} {words:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let lines =
            text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
        lines.collect()
    }
}

/// A request in the form that both sides speak.
fn received(line: &Value) -> Received {
    let headers = line["headers"].as_object().unwrap().iter();
    let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.as_str().unwrap().parse().unwrap()));
    let body = BASE64.decode(line["body"].as_str().unwrap()).unwrap();
    let at_ms = line["at"].as_u64().unwrap() * 1000;
    let received = Received::new("s".into(), headers.collect(), body.into(), at_ms);
    let url =
        line["url"].as_str().map(|url| url.split_once('?').map_or((url, None), |(url, query)| (url, Some(query))));
    let (url, query) = url.unzip();
    Received { url: url.map(Into::into), query: query.flatten().map(str::to_owned), ..received }
}

/// Whether the gateway's code takes a request.
fn takes(provider: &Provider, line: &Value) -> Result<(), String> {
    let key = provider.key(&Secret::new(line["secret"].as_str().unwrap())).map_err(|error| error.to_string())?;
    let request = received(line);
    let at_ms = request.at_ms;
    provider.verify(request, &[key], at_ms).map(drop).map_err(|error| error.to_string())
}

/// The same request, but for something that is signed.
fn altered(line: &Value, nth: usize) -> Value {
    let mut other = line.clone();
    let mut body = BASE64.decode(line["body"].as_str().unwrap()).unwrap();
    match nth % 3 {
        0 => body.extend_from_slice(b"&x=1"),
        1 if body.len() > 8 => body.truncate(body.len() / 2),
        _ => other["secret"] = another_secret(line["secret"].as_str().unwrap()).into(),
    }
    other["body"] = BASE64.encode(body).into();
    other
}

/// A secret of the same form.
fn another_secret(secret: &str) -> String {
    let (start, last) = secret.split_at(secret.len() - 4);
    // Hexadecimal digits, and letters of Base64.
    format!("{start}{}", if last == "abcd" { "dcba" } else { "abcd" })
}

/// The gateway's bodies: some that trip people up, and random ones.
fn bodies(library: &Value) -> Vec<Vec<u8>> {
    let (takes_binary, takes_empty) = (library["binary"] == true, library["empty"] != false);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut all: Vec<Vec<u8>> =
        vec!["\u{feff}{\"a\":1}".into(), b"{\"a\":\r\n1}\r\n".to_vec(), vec![b'x'; 1 << 20], "é😀\u{0}".into()];
    all.extend(takes_empty.then(Vec::new));
    all.extend(takes_binary.then(|| vec![0xff, 0xfe, 0x00, 0xc3, 0x28]));
    while all.len() < MANY {
        let long = random() as usize % 3000 + 1;
        let byte = |n: u64| if takes_binary { n as u8 } else { b' ' + (n % 95) as u8 };
        all.push((0..long).map(|_| byte(random())).collect());
    }
    all
}

/// A body as this provider's have to be, holding whatever it is given.
fn fitting(provider: &str, body: Vec<u8>) -> Vec<u8> {
    match provider {
        // The time stands in the body.
        "linear" => json!({ "webhookTimestamp": 0, "data": String::from_utf8_lossy(&body) }).to_string().into_bytes(),
        // A form, in whose order of fields the libraries differ beyond this.
        "twilio" => format!("Body={}&To=a&To=b", BASE64.encode(body)).replace(['+', '/', '='], "").into_bytes(),
        _ => body,
    }
}

/// A secret that signs, and what the vendor's library is given to verify by.
fn key(provider: &Provider) -> (Key, String) {
    // RFC 8032 has no secrets: this pair is in every description of Ed25519's.
    let seed = "seed:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let public = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8";
    let shared = "whsec_YSBzZWNyZXQgb2YgdGhpcnR5IHR3byBieXRlcyE=";
    let (ours, theirs) = if &*provider.name == "discord" { (seed, public) } else { (shared, shared) };
    (provider.key(&Secret::new(ours)).unwrap(), theirs.to_owned())
}

/// A request that the gateway's code signed.
fn signed(provider: &Provider, body: Vec<u8>) -> Value {
    const URL: &str = "https://hooks.example.com/hooks/s";
    let (key, secret) = key(provider);
    let now_ms = now_ms();
    let made = provider.sign_as_is("any", Bytes::from(body), &key, now_ms, Some(URL));
    let headers = made.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()));
    let url = made.query.map_or(URL.to_owned(), |query| format!("{URL}?{query}"));
    json!({
        "secret": secret, "url": url, "headers": headers.collect::<serde_json::Map<_, _>>(),
        "body": BASE64.encode(made.body), "at": now_ms / 1000,
    })
}

fn cross_check(language: &'static str) {
    if skipped(language) {
        return;
    }
    let vendors = Vendors { language };
    let libraries = vendors.run(&["list"], &[]).remove(0);
    let mut checked = 0;
    for library in libraries.as_array().unwrap() {
        let name = library["provider"].as_str().unwrap();
        let provider = catalogue::find(name).unwrap_or_else(|| panic!("{name} is not in the catalogue"));
        if library["signs"] == true {
            let lines = vendors.run(&["sign", name, &MANY.to_string(), "a seed"], &[]);
            assert_eq!(lines.len(), MANY);
            for (nth, line) in lines.iter().enumerate() {
                assert_eq!(takes(&provider, line), Ok(()), "{name}: {}", short(line));
                let other = altered(line, nth);
                if nth < ALTERED {
                    assert!(takes(&provider, &other).is_err(), "{name}: altered, {}", short(&other));
                }
            }
            checked += 1;
        }
        if library["verifies"] == true {
            let bodies = bodies(library).into_iter().map(|body| fitting(name, body));
            let lines: Vec<Value> = bodies.map(|body| signed(&provider, body)).collect();
            let told = vendors.run(&["verify", name], &lines);
            assert_eq!(told.len(), MANY);
            for (line, told) in lines.iter().zip(&told) {
                assert_eq!(told["ok"], true, "{name}: {told}: {}", short(line));
            }
            let others: Vec<Value> = lines.iter().take(ALTERED).enumerate().map(|(n, line)| altered(line, n)).collect();
            for (line, told) in others.iter().zip(vendors.run(&["verify", name], &others)) {
                assert_eq!(told["ok"], false, "{name}: altered, {}", short(line));
            }
            checked += 1;
        }
    }
    assert!(checked >= 10, "{checked}");
}

/// The beginning of a line, for a message.
fn short(line: &Value) -> String {
    line.to_string().chars().take(300).collect()
}

#[test]
fn python() {
    cross_check("python");
}

#[test]
fn javascript() {
    cross_check("javascript");
}
