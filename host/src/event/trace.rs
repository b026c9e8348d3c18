//! Where an event stands in somebody's trace, as the W3C's Trace Context writes it.

use std::fmt;
use std::str::FromStr;

use http::HeaderMap;

/// The header that says it.
pub const TRACEPARENT: &str = "traceparent";

/// A span of somebody else's, under which ours stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace, never zero.
    pub trace_id: [u8; 16],
    /// The span in it, never zero.
    pub span_id: [u8; 8],
    /// What is known of it: [`TraceParent::SAMPLED`] and nothing else that this version of the standard does not name.
    pub flags: u8,
}

impl TraceParent {
    /// The flag of a trace that somebody keeps.
    pub const SAMPLED: u8 = 1;

    /// How long it is in bytes: trace, span, flags.
    pub const BYTES: usize = 25;

    /// The flags that have a meaning: sampled, and that the trace's id was drawn by chance.
    const KNOWN: u8 = 3;

    /// What a request says. Nothing where it says nothing, says it twice, or says what is none.
    pub fn in_headers(headers: &HeaderMap) -> Option<TraceParent> {
        let mut said = headers.get_all(TRACEPARENT).iter();
        let first = said.next()?;
        if said.next().is_some() {
            return None;
        }
        first.to_str().ok()?.parse().ok()
    }

    /// Whether somebody keeps the trace.
    pub fn is_sampled(self) -> bool {
        self.flags & TraceParent::SAMPLED != 0
    }

    /// As it is stored.
    pub fn to_bytes(self) -> [u8; TraceParent::BYTES] {
        let mut bytes = [0; TraceParent::BYTES];
        bytes[..16].copy_from_slice(&self.trace_id);
        bytes[16..24].copy_from_slice(&self.span_id);
        bytes[24] = self.flags;
        bytes
    }

    /// What was stored; nothing, where that is none.
    pub fn from_bytes(bytes: &[u8]) -> Option<TraceParent> {
        let bytes: &[u8; TraceParent::BYTES] = bytes.try_into().ok()?;
        let (trace_id, rest) = bytes.split_first_chunk()?;
        let (span_id, rest) = rest.split_first_chunk()?;
        TraceParent::valid(*trace_id, *span_id, *rest.first()?)
    }

    fn valid(trace_id: [u8; 16], span_id: [u8; 8], flags: u8) -> Option<TraceParent> {
        let flags = flags & TraceParent::KNOWN;
        (trace_id != [0; 16] && span_id != [0; 8]).then_some(TraceParent { trace_id, span_id, flags })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", hex::encode(self.trace_id), hex::encode(self.span_id), self.flags)
    }
}

/// A text that names no span.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a traceparent is 00-<32 hex digits>-<16 hex digits>-<2 hex digits>, in lower case, and no id is zero")]
pub struct NotATraceParent;

impl FromStr for TraceParent {
    type Err = NotATraceParent;

    fn from_str(text: &str) -> Result<TraceParent, NotATraceParent> {
        parse(text.as_bytes()).ok_or(NotATraceParent)
    }
}

/// Its parts, and where they begin.
const TRACE_AT: usize = 3;
const SPAN_AT: usize = 36;
const FLAGS_AT: usize = 53;
const LENGTH: usize = 55;

fn parse(text: &[u8]) -> Option<TraceParent> {
    let (known, later) = text.split_at_checked(LENGTH)?;
    let version = digits::<1>(known, 0)?[0];
    // A later version may have more to say, behind a dash; the last one is for none.
    let is_one = match version {
        0 => later.is_empty(),
        0xff => false,
        _ => later.first().is_none_or(|next| *next == b'-'),
    };
    let has_dashes = [TRACE_AT, SPAN_AT, FLAGS_AT].iter().all(|at| known[at - 1] == b'-');
    if !is_one || !has_dashes {
        return None;
    }
    TraceParent::valid(digits(known, TRACE_AT)?, digits(known, SPAN_AT)?, digits::<1>(known, FLAGS_AT)?[0])
}

/// The bytes of lower-case hex digits.
fn digits<const N: usize>(text: &[u8], at: usize) -> Option<[u8; N]> {
    let text = text.get(at..at + 2 * N)?;
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok().filter(|()| !text.iter().any(u8::is_ascii_uppercase))?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard's section 3.2.
    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_standards_example_reads_and_writes() {
        let read: TraceParent = EXAMPLE.parse().unwrap();
        assert_eq!(hex::encode(read.trace_id), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(hex::encode(read.span_id), "b7ad6b7169203331");
        assert!(read.is_sampled());
        assert_eq!(read.to_string(), EXAMPLE);
        assert_eq!(TraceParent::from_bytes(&read.to_bytes()), Some(read));
    }

    #[test]
    fn later_versions_are_read_as_far_as_they_are_known() {
        let later = |text: &str| text.parse::<TraceParent>().map(|read| read.to_string());
        assert_eq!(later(&EXAMPLE.replacen("00", "01", 1)), Ok(EXAMPLE.to_owned()));
        assert_eq!(later(&format!("{}-more", EXAMPLE.replacen("00", "cc", 1))), Ok(EXAMPLE.to_owned()));
        // Flags that nobody knows yet are not handed on.
        assert_eq!(later(&EXAMPLE.replace("-01", "-fd")), Ok(EXAMPLE.to_owned()));
        assert!(!EXAMPLE.replace("-01", "-fe").parse::<TraceParent>().unwrap().is_sampled());
    }

    #[test]
    fn garbage_is_none() {
        let zero_trace = EXAMPLE.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32));
        let zero_span = EXAMPLE.replace("b7ad6b7169203331", &"0".repeat(16));
        let upper = EXAMPLE.replace("0af7", "0AF7");
        let (last, longer) = (EXAMPLE.replacen("00", "ff", 1), format!("{EXAMPLE}-more"));
        let glued = format!("{}more", EXAMPLE.replacen("00", "01", 1));
        let underscores = EXAMPLE.replace('-', "_");
        let (short, odd) = (&EXAMPLE[..54], EXAMPLE.replace("b7ad", "b7ag"));
        for text in ["", "00", short, &odd, &zero_trace, &zero_span, &upper, &last, &longer, &glued, &underscores] {
            assert_eq!(text.parse::<TraceParent>(), Err(NotATraceParent), "{text}");
        }
        assert_eq!(TraceParent::from_bytes(&[0; 25]), None);
        assert_eq!(TraceParent::from_bytes(&[1; 24]), None);
    }

    #[test]
    fn what_is_said_twice_is_not_believed() {
        let mut headers = HeaderMap::new();
        headers.append(TRACEPARENT, EXAMPLE.parse().unwrap());
        assert!(TraceParent::in_headers(&headers).is_some());
        headers.append(TRACEPARENT, EXAMPLE.parse().unwrap());
        assert_eq!(TraceParent::in_headers(&headers), None);
        assert_eq!(TraceParent::in_headers(&HeaderMap::new()), None);
    }
}
