//! The program as a process.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The program, its output piped.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_session_server"));
    command.args(arguments).stdout(Stdio::piped());
    command
}

/// A server at a free port; what it printed is read up to its address.
pub struct Server {
    process: Child,
    pub lines: Vec<String>,
    pub address: String,
    /// Kept open: who writes to a pipe that is closed fails.
    output: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts it, at a free port unless told otherwise.
    pub fn start(arguments: &[&str]) -> Server {
        let mut process = command(&["--port", "0"]).args(arguments).spawn().expect("a process");
        let output = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let mut server = Server { process, lines: Vec::new(), address: String::new(), output };
        while server.address.is_empty() {
            let line = server.output.next().expect("the server prints its address").expect("text");
            match line.strip_prefix("listening on ") {
                Some(address) => server.address = address.to_owned(),
                None => server.lines.push(line),
            }
        }
        server
    }

    /// Stops it as a supervisor does, and waits for its end.
    pub fn stop(mut self) {
        let kill = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(kill.expect("kill").success());
        assert!(self.process.wait().expect("an end").success());
    }
}

impl Drop for Server {
    /// Of a test that failed.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
