//! Follows the heads of the requests of a connection while their bytes are read. hyper keeps one of two lengths that a request says, as
//! RFC 9112 allows it, and tells nobody; and its one timer cannot tell a connection that is idle from headers that come slowly.

/// Where in the bytes of a connection somebody reads.
#[derive(Debug, Default)]
pub(super) struct Heads {
    at: At,
    /// How many heads have ended.
    ended: u64,
    /// Whether the head that is read has its first line.
    has_first_line: bool,
    /// The beginning of the line that is read.
    line: Vec<u8>,
    /// Whether that line goes on beyond it.
    is_cut: bool,
    length: Option<Length>,
    is_coded: bool,
    two_lengths: bool,
}

/// What a `Content-Length` says; nothing, where that is no number.
type Length = Option<u64>;

#[derive(Debug, Default)]
enum At {
    #[default]
    Head,
    /// In a body, of which so much is to come.
    Body(u64),
    /// Behind the head of the last request.
    Over,
}

/// How much of a line is looked at: more than a name that counts, its colon and its number have.
const LINE_BYTES: usize = 64;

impl Heads {
    /// Looks at bytes that were read.
    pub(super) fn see(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match &mut self.at {
                At::Over => return,
                At::Body(left) => {
                    let many = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= many as u64;
                    bytes = &bytes[many..];
                    if *left == 0 {
                        self.at = At::Head;
                    }
                }
                At::Head => {
                    let end = memchr::memchr(b'\n', bytes);
                    let piece = &bytes[..end.unwrap_or(bytes.len())];
                    let room = LINE_BYTES - self.line.len();
                    self.line.extend_from_slice(&piece[..piece.len().min(room)]);
                    self.is_cut |= piece.len() > room;
                    bytes = &bytes[end.map_or(bytes.len(), |end| end + 1)..];
                    if end.is_some() {
                        self.line_ends();
                    }
                }
            }
        }
    }

    /// Which head is open: the first from the start on, each other from its first byte on.
    pub(super) fn open(&self) -> Option<u64> {
        let has_begun = self.ended == 0 || self.has_first_line || !self.line.is_empty();
        (matches!(self.at, At::Head) && has_begun).then_some(self.ended)
    }

    /// Whether a request said its length in two ways. It is the last that is followed.
    pub(super) fn two_lengths(&self) -> bool {
        self.two_lengths
    }

    fn line_ends(&mut self) {
        let (line, is_cut) = (std::mem::take(&mut self.line), std::mem::take(&mut self.is_cut));
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        match (line.is_empty(), self.has_first_line) {
            // Empty lines in front of a request are nothing.
            (true, false) => {}
            (true, true) => self.head_ends(),
            (false, false) => self.has_first_line = true,
            (false, true) => self.note(line, is_cut),
        }
    }

    fn note(&mut self, line: &[u8], is_cut: bool) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (parts.next().unwrap_or_default().trim_ascii(), parts.next().unwrap_or_default());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.is_coded = true;
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            let number = || std::str::from_utf8(value.trim_ascii()).ok()?.parse().ok();
            // Of a number that is cut it is not known what it says.
            let number: Length = if is_cut { None } else { number() };
            // Two that differ are none.
            self.length = Some(self.length.map_or(number, |before| before.filter(|_| number == before)));
        }
    }

    fn head_ends(&mut self) {
        let (length, is_coded) = (self.length.take(), std::mem::take(&mut self.is_coded));
        (self.has_first_line, self.ended) = (false, self.ended + 1);
        self.at = match (length, is_coded) {
            (None, false) | (Some(Some(0)), false) => At::Head,
            (Some(Some(length)), false) => At::Body(length),
            (None, true) => At::Over,
            (Some(_), true) | (Some(None), false) => {
                // Where a length cannot be read, what follows cannot be told from a body, and is taken for the worst.
                self.two_lengths = true;
                At::Over
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How it stands after these bytes, however they come.
    fn seen(bytes: &str) -> Heads {
        let (mut whole, mut single) = (Heads::default(), Heads::default());
        whole.see(bytes.as_bytes());
        bytes.as_bytes().chunks(1).for_each(|byte| single.see(byte));
        assert_eq!(format!("{whole:?}"), format!("{single:?}"));
        whole
    }

    const CODED: &str = "Transfer-Encoding: chunked\r\n";

    #[test]
    fn two_lengths_are_seen_in_any_order_and_spelling() {
        for lengths in [
            format!("{CODED}Content-Length: 4\r\n"),
            format!("Content-Length: 4\r\n{CODED}"),
            format!("content-length:4\n{}", CODED.to_lowercase()),
            format!("CONTENT-LENGTH: 4\r\nX: y\r\n{}", CODED.to_uppercase()),
            format!("Content-Length: 4\r\nContent-Length: 4\r\n{CODED}"),
            format!("Content-Length: {}4\r\n{CODED}", " ".repeat(100)),
            format!("Content-Length: nonsense\r\n{CODED}"),
        ] {
            assert!(seen(&format!("POST / HTTP/1.1\r\n{lengths}\r\n")).two_lengths(), "{lengths}");
        }
    }

    #[test]
    fn one_length_is_one() {
        for lengths in ["", "Content-Length: 4\r\n", CODED, "X-Content-Length: 4\r\nX: content-length: 4\r\n"] {
            assert!(!seen(&format!("POST / HTTP/1.1\r\n{lengths}\r\n")).two_lengths(), "{lengths}");
        }
        assert!(!seen(&format!("POST /Content-Length:4 HTTP/1.1\r\n{CODED}\r\n")).two_lengths());
    }

    #[test]
    fn bodies_are_passed_over_and_the_next_head_is_found() {
        let body = format!("{CODED}Content-Length: 4\r\n\r\n");
        let first = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        assert!(!seen(&first.repeat(3)).two_lengths(), "what stands in a body is no header");
        let second = format!("{first}\r\nPOST / HTTP/1.1\r\nContent-Length: 1\r\n{CODED}\r\n");
        assert!(seen(&second).two_lengths());
    }

    #[test]
    fn a_head_is_open_from_its_first_byte_to_its_end() {
        let table = [
            ("", Some(0)),
            ("POST / HT", Some(0)),
            ("POST / HTTP/1.1\r\nX: y\r\n", Some(0)),
            ("POST / HTTP/1.1\r\n\r\n", None),
            ("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", None),
            ("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", None),
            ("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcP", Some(1)),
            ("POST / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\n\r\nP", Some(2)),
        ];
        for (bytes, open) in table {
            assert_eq!(seen(bytes).open(), open, "{bytes:?}");
        }
        assert_eq!(seen(&format!("POST / HTTP/1.1\r\n{CODED}\r\nwhatever")).open(), None);
    }

    #[test]
    fn a_padded_length_hides_nothing() {
        // Read as a head, it would hide what comes behind it.
        let body = "P / H\r\nContent-Length: 9999\r\n\r\n";
        assert_eq!(body.len(), 31);
        for padding in (0..100).flat_map(|many| [" ".repeat(many), "0".repeat(many)]) {
            let first = format!("POST / HTTP/1.1\r\nContent-Length: {padding}31\r\n\r\n");
            assert_eq!(seen(&format!("{first}{}", &body[..30])).open(), None, "{padding:?}");
            let second = format!("POST / HTTP/1.1\r\nContent-Length: 4\r\n{CODED}\r\n");
            assert!(seen(&format!("{first}{body}{second}")).two_lengths(), "{padding:?}");
        }
    }

    #[test]
    fn a_length_that_cannot_be_read_makes_all_that_follows_doubtful() {
        let unlike = "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n";
        for doubtful in [unlike, "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"] {
            assert!(seen(doubtful).two_lengths());
        }
    }
}
