//! The program itself: ports, signals, snapshots.

use std::error::Error;
use std::net::TcpListener;
use std::process::{Output, Stdio};

mod browser;
mod server;

use server::{Server, command};

fn fails(arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = command(arguments).stderr(Stdio::piped()).output().expect("a process");
    assert_eq!(status.code(), Some(1));
    String::from_utf8(stderr).expect("text")
}

#[test]
fn a_port_in_use_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let message = fails(&["--port", &port]);
    assert!(message.contains(&format!("port {port} of 127.0.0.1 is in use")), "{message}");
    assert!(message.contains("--port"), "{message}");
}

/// Catches a restart that forgets, or that keeps no file.
#[test]
fn sessions_survive_a_restart() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("sessions");
    let arguments = ["--snapshot", file.to_str().expect("text")];
    let server = Server::start(&arguments);
    let login = ureq::post(format!("{}/api/login", server.address)).content_type("application/json");
    let answer = login.send(r#"{"name":"ferris","password":"fleeting"}"#)?;
    let cookie = answer.headers()["set-cookie"].to_str()?.split(';').next().expect("a pair").to_owned();
    server.stop();

    let server = Server::start(&arguments);
    assert_eq!(server.lines, ["1 sessions loaded, 0 had expired"]);
    let seen = ureq::get(format!("{}/api/session", server.address)).header("cookie", cookie).call();
    assert!(seen?.body_mut().read_to_string()?.contains("ferris"));
    server.stop();

    std::fs::write(&file, "no snapshot")?;
    let message = fails(&["--port", "0", "--snapshot", file.to_str().expect("text")]);
    assert!(message.contains("not a snapshot"), "{message}");
    Ok(())
}
