//! Clients that hold connections without using them, as slowhttptest makes them, from many addresses of this machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;

/// What slow clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// Headers that never end, one now and then (slowhttptest -H).
    Headers,
    /// A body that never ends, a few bytes now and then (slowhttptest -B).
    Body,
    /// Many requests whose answers are read a byte now and then, and by a few never (slowhttptest -X).
    Read,
    /// Nothing at all.
    Idle,
}

/// How often a slow client says something.
const NOW_AND_THEN: Duration = Duration::from_secs(1);

/// How many requests are sent before the first answer is looked at.
const PIPELINED: usize = 20;

/// One of so many that read slowly reads nothing at all, and sends so much at the most: each answer of its own costs the gateway something,
/// and it takes megabytes of them until neither side can go on.
const ONE_READS_NOTHING: usize = 500;
const SENT_BYTES: usize = 64 << 20;

/// How many addresses they come from. All of 127.0.0.0/8 is this machine.
const ADDRESSES: usize = 40;

/// Slow clients, until they are dropped.
pub struct Slow {
    counts: Arc<Counts>,
    _threads: Runtime,
}

#[derive(Default)]
struct Counts {
    open: AtomicUsize,
    closed: AtomicUsize,
}

impl Slow {
    /// Begins with so many connections at a time. One that is closed is opened again.
    pub fn begin(attack: Attack, to: SocketAddr, connections: usize) -> Slow {
        more_files();
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let counts = Arc::<Counts>::default();
        for nth in 0..connections {
            let counts = counts.clone();
            threads.spawn(async move {
                // Not all at once, so that it is the gateway that is tried and not the listener's queue.
                tokio::time::sleep(Duration::from_millis(nth as u64)).await;
                loop {
                    if let Ok(stream) = connect(to, nth).await {
                        counts.open.fetch_add(1, Ordering::SeqCst);
                        let _ = match attack {
                            Attack::Read if nth.is_multiple_of(ONE_READS_NOTHING) => read_nothing(stream).await,
                            _ => hold(stream, attack).await,
                        };
                        counts.open.fetch_sub(1, Ordering::SeqCst);
                        counts.closed.fetch_add(1, Ordering::SeqCst);
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            });
        }
        Slow { counts, _threads: threads }
    }

    /// How many are connected now.
    pub fn open(&self) -> usize {
        self.counts.open.load(Ordering::SeqCst)
    }

    /// How many the gateway closed.
    pub fn closed(&self) -> usize {
        self.counts.closed.load(Ordering::SeqCst)
    }
}

/// Lets this process have as many files as it may.
pub fn more_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

async fn connect(to: SocketAddr, nth: usize) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let last = 2 + (nth % ADDRESSES) as u8;
    socket.bind((IpAddr::from(Ipv4Addr::new(127, 0, 1, last)), 0).into())?;
    // So that the answers that are not read fill it soon.
    socket.set_recv_buffer_size(4096)?;
    socket.connect(to).await
}

/// How each request begins.
const HEAD: &str = "POST /hooks/github HTTP/1.1\r\nhost: slow\r\nx-hub-signature-256: sha256=00\r\n";

/// So many requests, one behind another.
fn requests() -> Vec<u8> {
    format!("{HEAD}content-length: 2\r\n\r\n{{}}").repeat(PIPELINED).into_bytes()
}

/// Sends requests until that blocks, as nobody reads the answers, and then until the other side closes.
async fn read_nothing(mut stream: TcpStream) -> std::io::Result<()> {
    let requests = requests();
    for _ in 0..SENT_BYTES / requests.len() {
        stream.write_all(&requests).await?;
    }
    Ok(())
}

/// Holds a connection until the other side closes it.
async fn hold(mut stream: TcpStream, attack: Attack) -> std::io::Result<()> {
    match attack {
        Attack::Headers => {
            stream.write_all(HEAD.as_bytes()).await?;
            loop {
                said_more(&mut stream, b"x-more: and more\r\n").await?;
            }
        }
        Attack::Body => {
            stream.write_all(format!("{HEAD}content-length: 900000\r\n\r\n").as_bytes()).await?;
            loop {
                said_more(&mut stream, b"0123456789").await?;
            }
        }
        Attack::Read => {
            stream.write_all(&requests()).await?;
            loop {
                tokio::time::sleep(NOW_AND_THEN).await;
                stream.read_u8().await?;
            }
        }
        Attack::Idle => stream.read_u8().await.map(drop),
    }
}

/// Says something, and waits; the error is that the other side closed.
async fn said_more(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    let mut answer = [0; 512];
    match tokio::time::timeout(NOW_AND_THEN, stream.read(&mut answer)).await {
        Ok(Ok(0)) | Ok(Err(_)) => Err(std::io::ErrorKind::ConnectionReset.into()),
        _ => Ok(()),
    }
}
