//! What the disk can do by itself: append and fdatasync, with as many writers.

use std::io::Write;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// Appends of one size by `writers` who each wait for their own, all that wait together in one fdatasync. Gives how many a second.
pub async fn appends_per_second(folder: &Path, writers: usize, bytes: usize, time: Duration) -> anyhow::Result<f64> {
    let mut file = std::fs::File::create(folder.join("raw.log"))?;
    let (sender, inbox) = mpsc::channel::<(Vec<u8>, oneshot::Sender<()>)>();
    let writing = std::thread::spawn(move || -> std::io::Result<()> {
        let mut group = Vec::new();
        while let Ok((record, done)) = inbox.recv() {
            let mut waiting = vec![done];
            group.extend_from_slice(&record);
            while let Ok((record, done)) = inbox.try_recv() {
                group.extend_from_slice(&record);
                waiting.push(done);
            }
            file.write_all(&group)?;
            file.sync_data()?;
            group.clear();
            for done in waiting {
                let _ = done.send(());
            }
        }
        Ok(())
    });
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..writers {
        let sender = sender.clone();
        tasks.spawn(async move {
            let mut count = 0u64;
            while begun.elapsed() < time {
                let (done, written) = oneshot::channel();
                if sender.send((vec![7; bytes], done)).is_err() || written.await.is_err() {
                    break;
                }
                count += 1;
            }
            count
        });
    }
    drop(sender);
    let total: u64 = tasks.join_all().await.into_iter().sum();
    let took = begun.elapsed();
    writing.join().map_err(|_| anyhow::anyhow!("the writer failed"))??;
    Ok(total as f64 / took.as_secs_f64())
}

/// The middle of many appends of 8 KiB, each with its own fdatasync, at a pace: a machine that rests between them takes longer.
pub async fn fsync_median(folder: &Path, every: Duration) -> anyhow::Result<Duration> {
    let mut file = std::fs::File::create(folder.join("fsync.log"))?;
    let mut times = Vec::new();
    for _ in 0..300 {
        let begun = Instant::now();
        file.write_all(&[7; 8192])?;
        file.sync_data()?;
        times.push(begun.elapsed());
        tokio::time::sleep(every).await;
    }
    times.sort();
    Ok(super::report::quantile(&times, 0.5))
}
