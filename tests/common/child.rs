//! Runs a test in a process of its own: what ends a process, or hangs it, then fails one test, with a name and a
//! message.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The variable that holds the name of the case to run, in the child.
const CASE: &str = "FLEETING_TEST_CASE";

/// How long a case may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs each of `cases` in a child process, which is the test `test` of this program again; fails with the names
/// and the output of those that did not come back, or not in time.
///
/// The child does not return from here: it ends with its case.
pub fn run_each(test: &str, cases: &[(&str, &dyn Fn())]) {
    if let Ok(chosen) = std::env::var(CASE) {
        let case = cases.iter().find(|(name, _)| *name == chosen);
        case.expect("a case of that name").1();
        std::process::exit(0);
    }
    let failed: Vec<_> = cases.iter().filter_map(|(name, _)| failure(test, name)).collect();
    assert!(failed.is_empty(), "{} of {} cases failed:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

/// Runs `case` in a child process, as [`run_each`] does.
pub fn run(test: &str, case: impl Fn()) {
    run_each(test, &[(test, &case)]);
}

fn failure(test: &str, case: &str) -> Option<String> {
    let mut child = Command::new(std::env::current_exe().expect("the path of this program"))
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CASE, case)
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts again");
    let mut errors = child.stderr.take().expect("it is piped");
    // On a thread, so that a full pipe stops nobody.
    let output = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = errors.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let end = end_within(&mut child, LIMIT);
    let output = output.join().expect("the reader does not panic");
    match end {
        Some(status) if status.success() => None,
        Some(status) => Some(format!("{case}: {status}: {}", output.trim())),
        None => Some(format!("{case}: had not come to an end after {LIMIT:?}: a deadlock: {}", output.trim())),
    }
}

fn end_within(child: &mut Child, limit: Duration) -> Option<std::process::ExitStatus> {
    let limit = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("the child can be asked") {
            return Some(status);
        }
        if Instant::now() > limit {
            child.kill().expect("the child can be ended");
            child.wait().expect("the child has ended");
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}
