//! One request and its answer over a pooled connection, with the credential put in and taken out.

use std::error::Error;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use http::{HeaderMap, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use zeroize::Zeroizing;

use super::connect::{Connector, Reach, Unreachable, Within};
use super::{Cause, Credential, HostGrant, NoAnswer, Outbound, Request, Response, Schemes};

/// The most that an answer's headers may take, in bytes; they may be 100.
const ANSWER_HEADER_BYTES: usize = 64 << 10;

/// Connections to one granted host, kept for the next request.
pub(super) struct Client(Http);

/// Speaks HTTP over connections that go no further than they may.
pub(super) type Http = legacy::Client<Within<HttpsConnector<Connector>>, Full<Bytes>>;

/// A client whose connections go through a connector; so many idle ones of each host are kept.
pub(super) fn http(outbound: &Outbound, connector: Connector, schemes: Schemes, idle: usize) -> Http {
    let tls = HttpsConnectorBuilder::new().with_tls_config((*outbound.tls()).clone());
    let tls = if schemes.http { tls.https_or_http() } else { tls.https_only() };
    // Looking up, connecting and shaking hands each at its longest.
    let within = connector.within() * 2;
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(idle)
        .http1_max_buf_size(ANSWER_HEADER_BYTES)
        .http2_max_header_list_size(ANSWER_HEADER_BYTES as u32)
        .build(Within::new(tls.enable_all_versions().wrap_connector(connector), within))
}

impl Client {
    pub fn new(outbound: &Outbound, grant: &HostGrant) -> Client {
        let reach = Reach {
            allow_private: grant.allow_private.clone(),
            has_credential: grant.credential.is_some(),
            within: grant.limits.connect,
            fix: "write allow_private = [\"ADDRESS\"] beside the host",
        };
        Client(http(outbound, Connector::new(outbound, reach), grant.schemes, grant.limits.at_once))
    }

    /// Sends a request and reads all of the answer.
    pub async fn exchange(&self, grant: &HostGrant, request: &Request) -> Result<Response, NoAnswer> {
        let secret = grant.credential.as_ref().map(Credential::now).transpose()?;
        let sent = self.0.request(outgoing(request, secret.as_ref())?).await;
        let (head, body) = sent.map_err(|error| told(&error))?.into_parts();
        let bytes: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if bytes > ANSWER_HEADER_BYTES {
            let told = format!("the answer has more than {ANSWER_HEADER_BYTES} bytes of headers");
            return Err(NoAnswer::new(Cause::Limit, told));
        }
        let most = grant.limits.response_bytes;
        let body = whole(body, most).await?;
        let mut response = Response { status: head.status, headers: head.headers, body };
        if let Some(secret) = &secret {
            secret.take_out_of(&mut response);
        }
        Ok(response)
    }
}

/// What belongs to the connection, and what would say where the request goes: not the plugin's to say.
pub(crate) fn is_the_hosts_own(name: &HeaderName) -> bool {
    let own = [
        HOST,
        CONTENT_LENGTH,
        CONNECTION,
        TRANSFER_ENCODING,
        TE,
        TRAILER,
        UPGRADE,
        EXPECT,
        PROXY_AUTHORIZATION,
        PROXY_AUTHENTICATE,
    ];
    own.contains(name) || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings")
}

fn outgoing(request: &Request, secret: Option<&Shown>) -> Result<http::Request<Full<Bytes>>, NoAnswer> {
    let invalid = |error: &dyn Error| NoAnswer::new(Cause::Invalid, format!("the request is wrong: {error}"));
    let uri: Uri = request.url.as_str().parse().map_err(|error: http::uri::InvalidUri| invalid(&error))?;
    let mut built = http::Request::new(Full::new(request.body.clone()));
    *built.method_mut() = request.method.clone();
    *built.uri_mut() = uri;
    let headers = built.headers_mut();
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("hookgate/", env!("CARGO_PKG_VERSION"))));
    let mut own = HeaderMap::new();
    for (name, value) in request.headers.iter().filter(|(name, _)| !is_the_hosts_own(name)) {
        own.append(name.clone(), value.clone());
    }
    headers.extend(own);
    if let Some(secret) = secret {
        headers.insert(secret.header.clone(), secret.value.clone());
    }
    Ok(built)
}

/// A credential as it is at the moment.
pub(super) struct Shown {
    header: HeaderName,
    value: HeaderValue,
    /// The texts by which an answer would give it away.
    forms: Vec<Zeroizing<Vec<u8>>>,
}

impl Credential {
    fn now(&self) -> Result<Shown, NoAnswer> {
        let failed = |why: String| NoAnswer::new(Cause::Failed, why);
        // Where it should be is the operator's business alone.
        let unreadable = |why: String| {
            tracing::error!("the credential of a host cannot be read: {why}");
            failed("the credential of this host cannot be read: the gateway's log says why".into())
        };
        let (header, value, forms) = match self {
            Credential::Bearer(token) => {
                let token = token.now().map_err(unreadable)?;
                let value = [b"Bearer ", token.expose()].concat();
                (AUTHORIZATION, Zeroizing::new(value), vec![Zeroizing::new(token.expose().to_vec())])
            }
            Credential::Basic { username, password } => {
                let password = password.now().map_err(unreadable)?;
                let pair = Zeroizing::new([username.as_bytes(), b":", password.expose()].concat());
                let encoded = Zeroizing::new(STANDARD.encode(&*pair));
                let value = Zeroizing::new(format!("Basic {}", &**encoded).into_bytes());
                let forms =
                    vec![Zeroizing::new(encoded.as_bytes().to_vec()), Zeroizing::new(password.expose().to_vec())];
                (AUTHORIZATION, value, forms)
            }
            Credential::Header { name, value } => {
                let value = value.now().map_err(unreadable)?;
                let bytes = Zeroizing::new(value.expose().to_vec());
                (name.clone(), bytes.clone(), vec![bytes])
            }
        };
        let mut value = HeaderValue::from_bytes(&value)
            .map_err(|_| failed("the credential of this host cannot stand in a header".to_owned()))?;
        value.set_sensitive(true);
        Ok(Shown { header, value, forms })
    }
}

impl Shown {
    /// Puts stars where an answer repeats the credential, as servers do that show what they were sent.
    fn take_out_of(&self, response: &mut Response) {
        for value in response.headers.values_mut() {
            if let Some(masked) = self.masked(value.as_bytes()) {
                *value = HeaderValue::from_bytes(&masked).unwrap_or(HeaderValue::from_static(""));
            }
        }
        if let Some(masked) = self.masked(&response.body) {
            response.body = masked.into();
        }
    }

    fn masked(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut masked: Option<Vec<u8>> = None;
        for form in self.forms.iter().filter(|form| !form.is_empty()) {
            let finder = memchr::memmem::Finder::new(&**form);
            let found: Vec<usize> = finder.find_iter(masked.as_deref().unwrap_or(text)).collect();
            for at in found {
                masked.get_or_insert_with(|| text.to_vec())[at..at + form.len()].fill(b'*');
            }
        }
        masked
    }
}

/// Reads a body up to a limit.
async fn whole(mut body: Incoming, most: usize) -> Result<Bytes, NoAnswer> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let broken = |error: hyper::Error| NoAnswer::new(Cause::Failed, format!("the answer broke off: {error}"));
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        if read.len() + data.len() > most {
            let told = format!("the answer has more than the {most} bytes that response_bytes allows");
            return Err(NoAnswer::new(Cause::Limit, told));
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}

/// Why there is no answer, told from what the client says. Never from what a stranger says.
pub(super) fn told(error: &legacy::Error) -> NoAnswer {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut last = error.to_string();
    while let Some(error) = cause {
        if let Some(unreachable) = error.downcast_ref::<Unreachable>() {
            return unreachable.into();
        }
        last = error.to_string();
        cause = error.source();
    }
    NoAnswer::new(Cause::Failed, format!("no answer: {last}"))
}

impl From<&Unreachable> for NoAnswer {
    fn from(unreachable: &Unreachable) -> NoAnswer {
        let kind = match unreachable {
            Unreachable::Denied(_) => Cause::Denied,
            Unreachable::Late(_) => Cause::Timeout,
            Unreachable::Failed(_) => Cause::Failed,
        };
        NoAnswer::new(kind, unreachable.to_string())
    }
}
