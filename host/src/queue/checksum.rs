//! Whether an event is what was written: one sum over all of it that anybody is given.

use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::event::EventId;

/// An event as it is stored.
pub(super) struct Stored<'a> {
    pub id: EventId,
    pub received_at_ms: i64,
    pub source: &'a [u8],
    pub provider: &'a [u8],
    pub event_type: &'a [u8],
    pub attributes: &'a [u8],
    pub payload: &'a [u8],
    pub trace: &'a [u8],
    pub headers: &'a [u8],
}

/// Stands above the 32 bits of a sum over all. One without it is from before version 6, and of attributes and payload alone.
const OF_ALL: i64 = 1 << 32;

impl<'a> Stored<'a> {
    /// In the columns of a row: source, provider, type, when it was received, the sum, attributes, payload, trace and headers.
    ///
    /// As bytes, whatever they are now: the sum tells whether they are what was written.
    pub fn in_row(id: EventId, row: &'a Row) -> rusqlite::Result<Stored<'a>> {
        let bytes = |n| {
            Ok::<_, rusqlite::Error>(match row.get_ref(n)? {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
                _ => &[],
            })
        };
        Ok(Stored {
            id,
            received_at_ms: row.get_ref(3)?.as_i64().unwrap_or_default(),
            source: bytes(0)?,
            provider: bytes(1)?,
            event_type: bytes(2)?,
            attributes: bytes(5)?,
            payload: bytes(6)?,
            trace: bytes(7)?,
            headers: bytes(8)?,
        })
    }

    /// The sum that is stored with it: CRC-32C.
    pub fn sum(&self) -> i64 {
        let parts =
            [self.source, self.provider, self.event_type, self.attributes, self.trace, self.headers, self.payload];
        // With how long each of them is, so that nothing goes over from one into the next.
        let lengths = parts.map(|part| (part.len() as u64).to_le_bytes());
        let numbers = [self.id.to_i64(), self.received_at_ms].map(i64::to_le_bytes);
        let sum = [numbers.as_flattened(), lengths.as_flattened()].into_iter().chain(parts);
        OF_ALL | i64::from(sum.fold(0, crc32c::crc32c_append))
    }

    /// Whether it is what had this sum.
    pub fn had(&self, sum: i64) -> bool {
        let is_of_all = sum & OF_ALL != 0;
        sum == if is_of_all { self.sum() } else { old_sum(self.attributes, self.payload) }
    }
}

/// The sum of an event from before version 6.
pub(super) fn old_sum(attributes: &[u8], payload: &[u8]) -> i64 {
    i64::from(crc32c::crc32c_append(crc32c::crc32c(attributes), payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Stored<'static> {
        Stored {
            id: EventId::from_i64(7),
            received_at_ms: 1,
            source: b"s",
            provider: b"p",
            event_type: b"type",
            attributes: b"[]",
            payload: b"payload",
            trace: b"",
            headers: b"a: b\n",
        }
    }

    #[test]
    fn each_part_counts_and_so_does_where_it_ends() {
        let sum = whole().sum();
        assert!(whole().had(sum));
        for damaged in [
            Stored { id: EventId::from_i64(8), ..whole() },
            Stored { received_at_ms: 2, ..whole() },
            Stored { source: b"S", ..whole() },
            Stored { provider: b"P", ..whole() },
            Stored { event_type: b"tyPe", ..whole() },
            Stored { attributes: b"()", ..whole() },
            Stored { payload: b"Payload", ..whole() },
            Stored { trace: b"t", ..whole() },
            Stored { headers: b"a: c\n", ..whole() },
            Stored { source: b"sp", provider: b"", ..whole() },
            Stored { trace: b"a: b\n", headers: b"", ..whole() },
        ] {
            assert!(!damaged.had(sum));
        }
        assert!((0..64).all(|bit| !whole().had(sum ^ (1 << bit))), "each bit of the sum counts");
    }

    #[test]
    fn a_sum_from_before_counts_as_what_it_was() {
        let old = old_sum(b"[]", b"payload");
        assert!(whole().had(old));
        assert!(Stored { event_type: b"tyPe", ..whole() }.had(old));
        assert!(!Stored { payload: b"Payload", ..whole() }.had(old));
        assert!((0..64).all(|bit| !whole().had(old ^ (1 << bit))));
    }
}
