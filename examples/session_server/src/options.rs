//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// A web server that keeps its sessions in process: log in, look, log out, and watch the store at work.
#[derive(Parser, Clone, Debug)]
#[command(about, args_override_self = true)]
pub struct Options {
    /// The address to listen at. Any but a loopback one makes cookies for HTTPS only, as --https does
    #[arg(long, default_value = "127.0.0.1")]
    pub address: IpAddr,
    /// The port to listen at; 0 for a free one, which is printed
    #[arg(long, default_value_t = 3000)]
    pub port: u16,
    /// Browsers come by HTTPS, through a proxy: cookies are for HTTPS only
    #[arg(long)]
    pub https: bool,
    /// Seconds from a session's last request to its end [default: 1800, and 20 with --load]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    lifetime: Option<u64>,
    /// Milliseconds between two sweeps of the janitor
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    cleanup_interval: u64,
    /// Logins are refused while there are this many sessions
    #[arg(long, value_name = "SESSIONS", default_value_t = 1_000_000)]
    pub max_sessions: usize,
    /// The password of everybody: this is a demonstration
    #[arg(long, default_value = "fleeting")]
    pub password: String,
    /// Drives the server with so many simulated clients, so that there is something to see
    #[arg(long, value_name = "CLIENTS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub load: u32,
    /// Sessions are loaded from this file at the start, and saved to it at the end (Ctrl-C, SIGTERM)
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
}

impl Options {
    /// From a session's last request to its end.
    pub fn lifetime(&self) -> Duration {
        let usual = if self.load > 0 { 20 } else { 1800 };
        Duration::from_secs(self.lifetime.unwrap_or(usual))
    }

    /// Between two sweeps.
    pub fn cleanup_interval(&self) -> Duration {
        Duration::from_millis(self.cleanup_interval)
    }

    /// Whether browsers reach the server by HTTPS only.
    pub fn is_https(&self) -> bool {
        self.https || !self.address.is_loopback()
    }
}
