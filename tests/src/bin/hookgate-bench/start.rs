//! How long a start takes, and how much memory the gateway has.

use std::time::Duration;

use super::report::{Report, median, ms};
use super::{Setting, server};

/// Measures with 1 and with 100 plugins, compiled anew and from the cache.
pub async fn measure(setting: &Setting, report: &mut Report) -> anyhow::Result<()> {
    report.table(
        "Start until requests are taken",
        &["plugins", "compiled anew ms", "from the cache ms", "memory when idle MiB", "at the peak MiB"],
    );
    for count in [1, 100] {
        let plugins = distinct(&setting.sample("file-ready")?, count);
        let folder = server::folder("", &plugins)?;
        let cold = server::gateway_in(setting, folder.path(), &[])?.ready_in;
        let (mut warm, mut idle, mut peak) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..setting.rounds.max(5) {
            let server = server::gateway_in(setting, folder.path(), &[])?;
            warm.push(server.ready_in.as_secs_f64());
            tokio::time::sleep(Duration::from_secs(1)).await;
            idle.push(server.proc("status", "VmRSS:") as f64 / 1024.0);
            peak.push(server.proc("status", "VmHWM:") as f64 / 1024.0);
        }
        let warm = Duration::from_secs_f64(median(warm));
        let mib = |figures| format!("{:.0}", median(figures));
        report.row(&[count.to_string(), ms(cold), ms(warm), mib(idle), mib(peak)]);
    }
    report.note("Each of the plugins is a file of its own: the same code with another custom section, so that none shares compiled code.");
    Ok(())
}

/// The same plugin with a custom section of its own for each name.
fn distinct(plugin: &[u8], count: usize) -> Vec<(String, Vec<u8>)> {
    let marked = |n: usize| {
        let name = format!("plugin-{n:03}");
        let mut bytes = plugin.to_vec();
        // Section 0 is custom: its size, then its name with its length.
        bytes.extend([0, name.len() as u8 + 1, name.len() as u8]);
        bytes.extend(name.as_bytes());
        (name, bytes)
    };
    (0..count).map(marked).collect()
}
