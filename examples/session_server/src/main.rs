//! The program: starts, serves, and at the end saves. `--help` tells the options.

use std::error::Error;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use fleeting::MemStore;
use fleeting::snapshot::LoadErrorKind;
use metrics_exporter_prometheus::PrometheusBuilder;
use session_server::app::App;
use session_server::load;
use session_server::options::Options;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, sleep};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("session_server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let address = (options.address, options.port);
    let listener = TcpListener::bind(address).await.map_err(|error| refused(&options, &error))?;
    // Before the store: what is counted without a recorder is lost to it.
    let app = App::new(&options, PrometheusBuilder::new().install_recorder()?)?;
    if let Some(path) = &options.snapshot {
        load_sessions(app.sessions().store(), path)?;
    }
    println!("listening on http://{}", listener.local_addr()?);
    if options.load > 0 {
        load::start(&app.router(), options.load, &options.password, options.lifetime());
        println!("{} simulated clients; sessions live {} s", options.load, options.lifetime().as_secs());
    }
    tokio::spawn(sample(app.clone()));

    let (stopping, stopped) = oneshot::channel();
    let server = axum::serve(listener, app.router()).with_graceful_shutdown(async move {
        asked_to_stop().await;
        let _ = stopping.send(());
    });
    tokio::select! {
        result = server => result?,
        // Requests under way may end; who keeps a connection open for ever may not hold the server up.
        () = async { _ = stopped.await; sleep(Duration::from_secs(3)).await } => {}
    }
    if let Some(path) = &options.snapshot {
        let saved =
            app.sessions().store().save_to_path(path).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("{} sessions saved to {}", saved.records, path.display());
    }
    Ok(())
}

/// A port that cannot be had, with what to do.
fn refused(options: &Options, error: &io::Error) -> String {
    let (address, port) = (options.address, options.port);
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {port} of {address} is in use by another program: choose another by --port, or a free one by --port 0"
        ),
        _ => format!("cannot listen at port {port} of {address}: {error}"),
    }
}

/// The sessions of a former run, if there was one.
///
/// # Errors
///
/// The file is there and not good: to go on would overwrite it at the end.
fn load_sessions(store: &MemStore, path: &Path) -> Result<(), String> {
    match store.load_from_path(path) {
        Ok(loaded) => {
            println!("{} sessions loaded, {} had expired", loaded.loaded, loaded.expired);
            Ok(())
        }
        Err(error) if error.kind() == LoadErrorKind::Io(io::ErrorKind::NotFound) => Ok(()),
        Err(error) => Err(format!("{}: {error}; move the file away to start without", path.display())),
    }
}

/// Samples for the dashboard, each second.
async fn sample(app: App) {
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        app.sample();
    }
}

/// Ctrl-C, or what `kill` and service supervisors send.
async fn asked_to_stop() {
    let interrupted = async { _ = tokio::signal::ctrl_c().await };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminated) = signal(SignalKind::terminate()) else { return interrupted.await };
        tokio::select! {
            () = interrupted => {}
            _ = terminated.recv() => {}
        }
    }
    #[cfg(not(unix))]
    interrupted.await;
}
