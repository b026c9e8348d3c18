//! A connection whose requests' heads are timed and looked at while they are read.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::heads::Heads;

/// Reads and writes as what is inside does, until a head takes too long.
pub(super) struct Watched<S> {
    inner: S,
    heads: Heads,
    /// Which head the timer is for.
    timed: Option<u64>,
    timer: Pin<Box<Sleep>>,
    /// How long a head may take.
    header: Duration,
    two_lengths: Arc<AtomicBool>,
}

impl<S> Watched<S> {
    /// `two_lengths` is set when a request that says its length twice was read, before anybody else sees it.
    pub(super) fn new(inner: S, header: Duration, two_lengths: Arc<AtomicBool>) -> Watched<S> {
        let heads = Heads::default();
        Watched { inner, timed: heads.open(), heads, timer: Box::pin(sleep(header)), header, two_lengths }
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
        if self.timed.is_some() && self.timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the headers did not arrive in time")));
        }
        ready!(Pin::new(&mut self.inner).poll_read(context, into))?;
        self.see(&into.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
