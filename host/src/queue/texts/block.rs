//! A block of events, and for each which sequences of four bytes its payload may have: a table of bits, a column for each event, a row
//! for each value that such a sequence is hashed to. A text is only where all the rows of its sequences have their bit.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

/// How many events are in one block.
pub(super) const EVENTS: usize = 8192;

/// How many bytes are looked at together: a shorter text is not looked for here.
pub(super) const GRAM: usize = 4;

/// How many rows there are at first: an event of 2 KiB of JSON has one bit of five or six.
const ROWS: usize = 4096;

/// The most rows that are read for one text.
const MOST_ROWS: usize = 32;

/// Half of the rows do as well, as long as no more than this part of the bits would be set in them.
const DENSE: f64 = 0.2;

const WORDS: usize = EVENTS / 64;
const ROW_BYTES: usize = WORDS * 8;
const IDS_BYTES: usize = EVENTS * 8;
const SUM: usize = 4;
const HEAD: usize = 12;

/// The beginning of a file: which form it has.
const MAGIC: &[u8; 8] = b"hg-text1";

/// One bit for each event of a block.
type Row = [u64; WORDS];

/// A block that is being filled, by one thread; others look at it meanwhile.
pub(super) struct Open {
    ids: Vec<AtomicI64>,
    bits: Vec<AtomicU64>,
    /// How many events are in it. What is said of them was written before this was.
    len: AtomicUsize,
}

impl Open {
    pub fn new() -> Open {
        Open {
            ids: std::iter::repeat_with(AtomicI64::default).take(EVENTS).collect(),
            bits: std::iter::repeat_with(AtomicU64::default).take(ROWS * WORDS).collect(),
            len: AtomicUsize::new(0),
        }
    }

    /// Adds the next event, where there is room. Only one thread may do this.
    pub fn add(&self, id: i64, payload: &[u8]) {
        let column = self.len.load(Ordering::Relaxed);
        let Some(place) = self.ids.get(column) else { return };
        place.store(id, Ordering::Relaxed);
        let (word, bit) = (column / 64, 1u64 << (column % 64));
        for gram in payload.windows(GRAM) {
            let bits = &self.bits[row_of(gram, ROWS) * WORDS + word];
            let before = bits.load(Ordering::Relaxed);
            if before & bit == 0 {
                bits.store(before | bit, Ordering::Relaxed);
            }
        }
        self.len.store(column + 1, Ordering::Release);
    }

    /// The ids, the oldest first.
    pub fn ids(&self) -> Vec<i64> {
        let len = self.len.load(Ordering::Acquire);
        self.ids[..len].iter().map(|id| id.load(Ordering::Relaxed)).collect()
    }

    /// The newest event's id.
    pub fn last(&self) -> Option<i64> {
        let last = self.len.load(Ordering::Acquire).checked_sub(1)?;
        Some(self.ids[last].load(Ordering::Relaxed))
    }

    pub fn is_full(&self) -> bool {
        self.len.load(Ordering::Acquire) == EVENTS
    }

    /// The events that may have a text, the newest first.
    pub fn may_have(&self, text: &[u8]) -> Vec<i64> {
        let ids = self.ids();
        let mut left = [u64::MAX; WORDS];
        for row in rows_of(text, ROWS) {
            narrow(&mut left, |word| self.bits[row * WORDS + word].load(Ordering::Relaxed));
        }
        chosen(&ids, &left)
    }

    fn row(&self, row: usize, rows: usize) -> Row {
        let mut folded = [0; WORDS];
        for row in (row..ROWS).step_by(rows) {
            let own = self.bits[row * WORDS..][..WORDS].iter();
            folded.iter_mut().zip(own).for_each(|(all, bits)| *all |= bits.load(Ordering::Relaxed));
        }
        folded
    }

    /// How many rows are enough.
    fn rows(&self) -> usize {
        let set = |rows: usize| -> u32 { (0..rows).flat_map(|row| self.row(row, rows)).map(u64::count_ones).sum() };
        let mut rows = ROWS;
        while rows > 64 && f64::from(set(rows / 2)) <= DENSE * (rows / 2 * EVENTS) as f64 {
            rows /= 2;
        }
        rows
    }

    /// Writes a full block. Each part has a checksum of its own, so that nothing has to be synced and little is read.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let rows = self.rows();
        let draft = path.with_extension("draft");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = io::BufWriter::with_capacity(1 << 16, options.open(&draft)?);
        file.write_all(MAGIC)?;
        file.write_all(&(rows as u32).to_le_bytes())?;
        let ids: Vec<u8> = self.ids().into_iter().flat_map(i64::to_le_bytes).collect();
        let block = write_summed(&mut file, 0, &ids)?;
        for row in 0..rows {
            let bytes: Vec<u8> = self.row(row, rows).into_iter().flat_map(u64::to_le_bytes).collect();
            write_summed(&mut file, seed(block, row), &bytes)?;
        }
        file.into_inner().map_err(io::IntoInnerError::into_error)?;
        std::fs::rename(draft, path)
    }
}

/// A block that was written.
pub(super) struct Written {
    file: std::fs::File,
    rows: usize,
    ids: Vec<i64>,
    sum: u32,
}

impl Written {
    /// Opens one and reads which events are in it. An error where it is not what was written.
    pub fn open(path: &Path) -> io::Result<Written> {
        let mut file = std::fs::File::open(path)?;
        let mut head = [0; HEAD];
        file.read_exact(&mut head)?;
        let (magic, rows) = head.split_at(MAGIC.len());
        let rows = rows.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte));
        if magic != MAGIC || !rows.is_power_of_two() || rows > ROWS {
            return Err(damaged());
        }
        let (ids, sum) = read_summed(&mut file, 0, IDS_BYTES)?;
        let ids = ids.into_iter().map(|word| word as i64).collect();
        Ok(Written { file, rows, ids, sum })
    }

    /// The ids, the oldest first.
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// The events that may have a text, the newest first.
    pub fn may_have(&mut self, text: &[u8]) -> io::Result<Vec<i64>> {
        let mut left = [u64::MAX; WORDS];
        for row in rows_of(text, self.rows) {
            let at = HEAD + IDS_BYTES + SUM + row * (ROW_BYTES + SUM);
            self.file.seek(SeekFrom::Start(at as u64))?;
            let (bits, _) = read_summed(&mut self.file, seed(self.sum, row), ROW_BYTES)?;
            narrow(&mut left, |word| bits[word]);
            if left == [0; WORDS] {
                break;
            }
        }
        Ok(chosen(&self.ids, &left))
    }
}

/// The rows of a text, each once.
fn rows_of(text: &[u8], rows: usize) -> Vec<usize> {
    let mut found: Vec<usize> = text.windows(GRAM).map(|gram| row_of(gram, rows)).collect();
    found.sort_unstable();
    found.dedup();
    found.truncate(MOST_ROWS);
    found
}

/// The row of four bytes. Where there are half as many rows, two that differ in the highest bit are one.
fn row_of(gram: &[u8], rows: usize) -> usize {
    let number = gram.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
    // Knuth's multiplicative hashing: the upper bits are those that all others went into.
    (number.wrapping_mul(0x9e37_79b1) >> 20) as usize & (rows - 1)
}

fn narrow(left: &mut Row, bits: impl Fn(usize) -> u64) {
    left.iter_mut().enumerate().for_each(|(word, left)| *left &= bits(word));
}

/// Those whose bit is set, the last first.
fn chosen(ids: &[i64], bits: &Row) -> Vec<i64> {
    let is_set = |column: usize| bits[column / 64] >> (column % 64) & 1 == 1;
    ids.iter().enumerate().rev().filter(|(column, _)| is_set(*column)).map(|(_, id)| *id).collect()
}

/// What the checksum of a row begins with: of which block it is, by that of its ids, and which row.
fn seed(block: u32, row: usize) -> u32 {
    block ^ row as u32
}

fn write_summed(file: &mut impl Write, seed: u32, bytes: &[u8]) -> io::Result<u32> {
    let sum = crc32c::crc32c_append(seed, bytes);
    file.write_all(bytes)?;
    file.write_all(&sum.to_le_bytes())?;
    Ok(sum)
}

/// Reads so many bytes as numbers, and the checksum behind them.
fn read_summed(file: &mut impl Read, seed: u32, bytes: usize) -> io::Result<(Vec<u64>, u32)> {
    let mut read = vec![0; bytes + SUM];
    file.read_exact(&mut read)?;
    let (content, written) = read.split_at(bytes);
    let sum = crc32c::crc32c_append(seed, content);
    if sum.to_le_bytes() != written {
        return Err(damaged());
    }
    let (words, _) = content.as_chunks::<8>();
    Ok((words.iter().map(|word| u64::from_le_bytes(*word)).collect(), sum))
}

/// Whether an error says that a file is not what was written, or is not there.
pub(super) fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, NotFound, UnexpectedEof};
    matches!(error.kind(), InvalidData | NotFound | UnexpectedEof)
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is not what was written")
}
