//! Those who send: they sign with the code that the gateway verifies with, read from the same description.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hookgate::event::{NewEvent, wall_ms};
use hookgate::provider::{Key, Provider, Received, catalogue};
use hookgate::secret::Secret;
use http::HeaderMap;

/// Someone who sends to one source.
#[derive(Clone)]
pub struct Sender {
    source: String,
    provider: Provider,
    key: Key,
    url: Option<String>,
}

/// One signed webhook, before it is sent.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Where it goes: the end of the path.
    pub source: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// What stands behind the `?` of its address.
    pub query: Option<String>,
}

impl Sender {
    /// A sender of the catalogue, with a secret.
    pub fn of(provider: &str, source: &str, secret: &str) -> Sender {
        Sender::who(catalogue::find(provider).unwrap(), source, secret)
    }

    /// A sender that a description's text describes.
    pub fn described(text: &str, source: &str, secret: &str) -> Sender {
        Sender::who(Provider::parse(source, text).unwrap(), source, secret)
    }

    fn who(provider: Provider, source: &str, secret: &str) -> Sender {
        let key = provider.key(&Secret::new(secret)).unwrap();
        Sender { source: source.to_owned(), provider, key, url: None }
    }

    /// The same, that was told to post to a gateway at this public address.
    pub fn told(mut self, public_url: &str) -> Sender {
        self.url = Some(format!("{public_url}/hooks/{}", self.source));
        self
    }

    /// A new event of a type, unlike every other.
    pub fn webhook(&self, event_type: &str) -> Webhook {
        static NTH: AtomicU64 = AtomicU64::new(1);
        let nth = NTH.fetch_add(1, Ordering::Relaxed);
        let body = self.provider.sample(event_type, nth);
        self.with_body(event_type, body.unwrap_or_else(|| format!(r#"{{"type":"{event_type}","nth":{nth}}}"#).into()))
    }

    /// An event with this body, signed now, whatever it is.
    pub fn with_body(&self, event_type: &str, body: impl Into<Bytes>) -> Webhook {
        self.signed_at(event_type, body, wall_ms())
    }

    /// An event with this body, signed at a time.
    pub fn signed_at(&self, event_type: &str, body: impl Into<Bytes>, at_ms: u64) -> Webhook {
        let signed = self.provider.sign_as_is(event_type, body.into(), &self.key, at_ms, self.url.as_deref());
        Webhook { source: self.source.clone(), headers: signed.headers, body: signed.body, query: signed.query }
    }

    /// The event that a gateway makes of a webhook.
    pub fn event(&self, webhook: &Webhook) -> NewEvent {
        let at_ms = wall_ms();
        let received = Received::new(self.source.as_str().into(), webhook.headers.clone(), webhook.body.clone(), at_ms);
        let verified = self.provider.verify(received, std::slice::from_ref(&self.key), at_ms).unwrap();
        let headers = Some(self.provider.kept_headers(&webhook.headers));
        NewEvent { headers, ..self.provider.parse_events(verified).unwrap().remove(0) }
    }

    /// The types that its provider has samples of.
    pub fn types(&self) -> Vec<String> {
        self.provider.sample_types().map(str::to_owned).collect()
    }
}

impl Webhook {
    /// The same, with a header replaced.
    pub fn with(mut self, name: &'static str, value: &str) -> Webhook {
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    /// The same, with one more header.
    pub fn and(mut self, name: &'static str, value: &str) -> Webhook {
        self.headers.append(name, value.parse().unwrap());
        self
    }

    /// The same without a header.
    pub fn without(mut self, name: &str) -> Webhook {
        self.headers.remove(name);
        self
    }

    /// The same, to another source.
    pub fn to(mut self, source: &str) -> Webhook {
        self.source = source.to_owned();
        self
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// The bytes of a request that carries it.
    pub fn request(&self) -> Vec<u8> {
        self.whole(self.head("POST"))
    }

    /// The same for a connection that stays open.
    pub fn kept_open(&self) -> Vec<u8> {
        self.whole(self.head_on("POST", "keep-alive"))
    }

    fn whole(&self, head: Vec<u8>) -> Vec<u8> {
        let mut request = head;
        request.extend_from_slice(format!("content-length: {}\r\n\r\n", self.body.len()).as_bytes());
        request.extend_from_slice(&self.body);
        request
    }

    /// The bytes of its request line and headers, open for more.
    pub fn head(&self, method: &str) -> Vec<u8> {
        self.head_on(method, "close")
    }

    fn head_on(&self, method: &str, connection: &str) -> Vec<u8> {
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let path = format!("/hooks/{}{query}", self.source);
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: {connection}\r\n").into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head
    }
}
