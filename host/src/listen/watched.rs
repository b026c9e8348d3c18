//! A connection whose requests' heads are timed and looked at while they are read, and whose answers must be read in turn.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::heads::Heads;

/// Reads and writes as what is inside does, until a head takes too long, or nothing that is written is read for too long.
pub(super) struct Watched<S> {
    inner: S,
    heads: Heads,
    /// Which head the timer is for.
    timed: Option<u64>,
    timer: Pin<Box<Sleep>>,
    /// How long a head may take.
    header: Duration,
    /// How long what is written may wait without any of it being read.
    unread: Duration,
    /// Runs while something waits.
    waiting: Option<Pin<Box<Sleep>>>,
    two_lengths: Arc<AtomicBool>,
}

/// Why a connection was given up here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Late {
    #[error("the headers did not arrive in time")]
    Head,
    #[error("the answers were not read in time")]
    Reader,
}

impl From<Late> for Error {
    fn from(late: Late) -> Error {
        Error::new(ErrorKind::TimedOut, late)
    }
}

impl<S> Watched<S> {
    /// `two_lengths` is set when a request that says its length twice was read, before anybody else sees it.
    pub(super) fn new(inner: S, header: Duration, unread: Duration, two_lengths: Arc<AtomicBool>) -> Watched<S> {
        let (heads, timer) = (Heads::default(), Box::pin(sleep(header)));
        Watched { inner, timed: heads.open(), heads, timer, header, unread, waiting: None, two_lengths }
    }

    /// Lets the result of a write through. One that has to wait does so for a while at the most.
    fn written<T>(&mut self, context: &mut Context<'_>, result: Poll<Result<T>>) -> Poll<Result<T>> {
        if result.is_ready() {
            self.waiting = None;
            return result;
        }
        let unread = self.unread;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(unread)));
        waiting.as_mut().poll(context).map(|()| Err(Late::Reader.into()))
    }

    fn see(&mut self, bytes: &[u8]) {
        self.heads.see(bytes);
        if self.heads.two_lengths() {
            self.two_lengths.store(true, Ordering::Release);
        }
        let open = self.heads.open();
        if open.is_some() && open != self.timed {
            self.timer.as_mut().reset(Instant::now() + self.header);
        }
        self.timed = open;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let before = into.filled().len();
        // What has come has come in time, however late it is looked at.
        if let Poll::Ready(read) = Pin::new(&mut self.inner).poll_read(context, into) {
            self.see(&into.filled()[before..]);
            return Poll::Ready(read);
        }
        if self.timed.is_some() && self.timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(Late::Head.into()));
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.written(context, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(context);
        self.written(context, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let result = Pin::new(&mut self.inner).poll_shutdown(context);
        self.written(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(context, bytes);
        self.written(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const UNREAD: Duration = Duration::from_millis(500);

    fn watched<S>(inner: S, header: Duration) -> Watched<S> {
        Watched::new(inner, header, UNREAD, Arc::default())
    }

    fn late(error: &Error) -> Option<Late> {
        error.get_ref()?.downcast_ref().copied()
    }

    #[tokio::test]
    async fn who_reads_nothing_is_given_up() {
        let (ours, _theirs) = duplex(8);
        let mut watched = watched(ours, Duration::from_secs(60));
        let begun = Instant::now();
        let error = watched.write_all(&[0; 9]).await.unwrap_err();
        assert_eq!(late(&error), Some(Late::Reader));
        assert!(begun.elapsed() >= UNREAD);
    }

    #[tokio::test]
    async fn who_reads_slowly_is_not() {
        let (ours, mut theirs) = duplex(8);
        let mut watched = watched(ours, Duration::from_secs(60));
        let begun = Instant::now();
        let reading = tokio::spawn(async move {
            for _ in 0..14 {
                sleep(UNREAD / 10).await;
                theirs.read_exact(&mut [0; 8]).await.unwrap();
            }
        });
        watched.write_all(&[0; 8 * 14]).await.unwrap();
        assert!(begun.elapsed() > UNREAD, "each write waits anew");
        reading.await.unwrap();
    }

    #[tokio::test]
    async fn what_has_come_is_read_however_late_and_what_has_not_is_late() {
        let (ours, mut theirs) = duplex(64);
        let mut watched = watched(ours, Duration::from_millis(20));
        theirs.write_all(b"POST").await.unwrap();
        sleep(Duration::from_millis(60)).await;
        let mut bytes = [0; 64];
        assert_eq!(watched.read(&mut bytes).await.unwrap(), 4);
        assert_eq!(late(&watched.read(&mut bytes).await.unwrap_err()), Some(Late::Head));
    }
}
