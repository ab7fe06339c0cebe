//! What the benches share: their numbers, the machine, and what `/proc` knows.

use std::collections::HashMap;

use anyhow::Context as _;

/// The number after a flag, or `default`.
pub fn number(flag: &str, default: u64) -> anyhow::Result<u64> {
    let value = std::env::args().skip_while(|argument| argument != flag).nth(1);
    value.map_or(Ok(default), |value| {
        value.parse().with_context(|| format!("the number after {flag}"))
    })
}

/// A runtime that has the machine the reference figures are for: two cores.
pub fn two_cores() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    Ok(runtime.worker_threads(2).enable_all().build()?)
}

/// What the process with this number, or `self`, holds now and held at most.
pub fn memory_of(process: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let fields: HashMap<&str, &str> = status.lines().filter_map(|line| line.split_once(':')).collect();
    let mib = |name: &str| {
        let kib = fields.get(name).and_then(|value| value.split_whitespace().next());
        kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1_024
    };
    format!("{} MiB (peak {})", mib("VmRSS"), mib("VmHWM"))
}
