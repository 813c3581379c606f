//! The example `replay`, run as a program, against an independent count of the same log.
//!
//! The twin below shares nothing with the example: its own parsing, one `HashMap`, and at each request a walk over all sessions. The real
//! log is read from `$FLEETING_DATA`, or from `../shared/data`; without it, a note is printed and the synthetic logs remain.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

const HALF_AN_HOUR: i64 = 1_800;

/// What a log comes to by the rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    requests: u64,
    malformed: u64,
    clients: u64,
    created: u64,
    found: u64,
    expired: u64,
    live: u64,
    peak: u64,
}

impl Totals {
    fn times(self, copies: u64) -> Totals {
        Totals {
            requests: self.requests * copies,
            // The file is read once, whatever the number of copies.
            malformed: self.malformed,
            clients: self.clients * copies,
            created: self.created * copies,
            found: self.found * copies,
            expired: self.expired * copies,
            live: self.live * copies,
            peak: self.peak * copies,
        }
    }

    fn of_report(report: &Value) -> Totals {
        let number = |name: &str| report[name].as_u64().unwrap_or_else(|| panic!("no number {name} in {report:#}"));
        Totals {
            requests: number("requests"),
            malformed: number("malformed_lines"),
            clients: number("clients"),
            created: number("sessions_created"),
            found: number("found"),
            expired: number("expired"),
            live: number("live_at_end"),
            peak: number("peak_live"),
        }
    }
}

/// The independent count.
fn count(log: &[u8], idle: i64) -> Totals {
    let (mut totals, mut clock) = (Totals::default(), i64::MIN);
    let mut seen: HashMap<String, ()> = HashMap::new();
    let mut sessions: HashMap<String, i64> = HashMap::new();
    for line in String::from_utf8_lossy(log).lines() {
        let Some((client, time)) = client_and_time(line) else {
            totals.malformed += 1;
            continue;
        };
        totals.requests += 1;
        clock = clock.max(time);
        let before = sessions.len();
        sessions.retain(|_, last| clock < *last + idle);
        totals.expired += (before - sessions.len()) as u64;
        match sessions.insert(client.clone(), clock) {
            Some(_) => totals.found += 1,
            None => totals.created += 1,
        }
        totals.peak = totals.peak.max(sessions.len() as u64);
        seen.insert(client, ());
    }
    totals.clients = seen.len() as u64;
    totals.live = sessions.len() as u64;
    totals
}

/// The twin's reading of a line; None if it is malformed.
fn client_and_time(line: &str) -> Option<(String, i64)> {
    let (head, tail) = line.split_once("] \"")?;
    let words: Vec<&str> = head.split(' ').collect();
    let [client, ident, user, time, zone] = words[..] else { return None };
    if client.is_empty() || ident.is_empty() || user.is_empty() || !has_status_and_bytes(tail) {
        return None;
    }
    Some((client.to_owned(), unix_time(time.strip_prefix('[')?, zone)?))
}

/// Whether some quote is followed by a status and a count of bytes.
fn has_status_and_bytes(tail: &str) -> bool {
    tail.match_indices("\" ").any(|(at, _)| {
        let words: Vec<&str> = tail[at + 2..].split(' ').collect();
        let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        words.len() >= 2 && words[0].len() == 3 && is_number(words[0]) && (words[1] == "-" || is_number(words[1]))
    })
}

/// `17/May/2015:10:05:03` and `+0200` as Unix time, by adding up years and months.
fn unix_time(time: &str, zone: &str) -> Option<i64> {
    let parts: Vec<&str> = time.split(['/', ':']).collect();
    let [day, month, year, hour, minute, second] = parts[..] else { return None };
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = names.iter().position(|name| *name == month)?;
    let number = |text: &str| text.parse::<i64>().ok();
    let (day, year, hour) = (number(day)?, number(year)?, number(hour)?);
    let is_leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let lengths = |year| [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    if day < 1 || day > lengths(year)[month] || hour > 23 {
        return None;
    }
    let years: i64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let months: i64 = lengths(year)[..month].iter().sum();
    let seconds = ((years + months + day - 1) * 24 + hour) * 3_600 + number(minute)? * 60 + number(second)?;
    let (sign, zone) = zone.split_at_checked(1)?;
    let ahead = number(zone.get(..2)?)? * 3_600 + number(zone.get(2..)?)? * 60;
    match sign {
        "+" => Some(seconds - ahead),
        "-" => Some(seconds + ahead),
        _ => None,
    }
}

/// The example's program: what `cargo test` has built, or, if only this test is built and the program is older than its source, built now.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let test = std::env::current_exe().expect("the path of this test");
        let profile = test.ancestors().nth(2).expect("a test stands in target/PROFILE/deps");
        let program = profile.join("examples").join(format!("replay{}", std::env::consts::EXE_SUFFIX));
        if modified(&program).is_none_or(|built| built < newest_source()) {
            build(profile.ends_with("release"));
        }
        assert!(program.exists(), "{} was not built", program.display());
        program
    })
}

fn build(release: bool) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--example", "replay"]);
    if release {
        cargo.arg("--release");
    }
    assert!(cargo.status().expect("cargo runs").success(), "the example does not build");
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

fn newest_source() -> SystemTime {
    let files =
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/replay")).expect("the example's source");
    files.filter_map(|file| modified(&file.ok()?.path())).max().expect("the example has a source")
}

fn run(arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).output().expect("the example runs")
}

/// What the example reports of a run that must succeed.
fn report(arguments: &[&str]) -> Value {
    let arguments = [arguments, &["--json"]].concat();
    let output = run(&arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["wrong_answers"], 0, "{arguments:?}");
    report
}

fn totals(arguments: &[&str]) -> Totals {
    Totals::of_report(&report(arguments))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What stderr says of a run that must fail with exit code 1 and print nothing else.
fn failure(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output.stderr));
    assert!(output.stdout.is_empty(), "{arguments:?}: {}", text(&output.stdout));
    text(&output.stderr)
}

/// A file in the test's own folder, by a name that no other test uses. Returns its path.
fn file(name: &str, contents: &[u8]) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("replay-{name}"));
    fs::write(&path, contents).expect("a file in the target folder");
    path.to_str().expect("a path in Unicode").to_owned()
}

fn gzip(contents: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(contents).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// A log of some hours: 150 clients, bursts and quiet spells, lines out of order by seconds, and a malformed line in fifty.
fn synthetic() -> Vec<u8> {
    let (mut log, mut random, mut now) = (String::new(), 88_172_645_463_325_252_u64, 0_u64);
    for _ in 0..6_000 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        now += if random.is_multiple_of(400) { random >> 20 & 4_095 } else { random >> 40 & 3 };
        let client = (random >> 8 & 255) * (random >> 16 & 255) / 434;
        let time = (now + 60).saturating_sub(random >> 48 & 15);
        let (day, hour, minute, second) = (28 + time / 86_400, time / 3_600 % 24, time / 60 % 60, time % 60);
        let time = format!("{day:02}/Feb/2024:{hour:02}:{minute:02}:{second:02} +0000");
        match random >> 32 & 63 {
            0 => log.push_str("2001:db8::1 - - [no time] \"GET / HTTP/1.1\" 200 1\n"),
            1..20 => log.push_str(&format!("10.0.0.{client} - - [{time}] \"GET / HTTP/1.1\" 304 -\n")),
            _ => log.push_str(&format!(
                "10.0.0.{client} - - [{time}] \"GET / HTTP/1.1\" 200 77 \"-\" \"Agent/1.0 (x; y)\"\n"
            )),
        }
    }
    assert!(now < 2 * 86_400, "28 and 29 February are enough");
    log.into_bytes()
}

/// Lines with a known outcome; each says what it is there for.
const BY_HAND: &str = "\
a - - [17/May/2015:10:00:00 +0000] \"GET / HTTP/1.1\" 200 5
a - frank [17/May/2015:12:29:59 +0200] \"GET /in-another-zone-one-second-early HTTP/1.1\" 200 5
this is no request
b - - [17/May/2015:10:29:58 +0000] \"GET /out-of-order-counts-as-10:29:59 HTTP/1.1\" 200 -
a - - [17/May/2015:10:59:59 +0000] \"GET /both-expire-at-this-second HTTP/1.1\" 200 5 \"-\" \"cut off
b - - [17/May/2015:10:59:57 +0000] \"GET /a-\\\"quoted\\\"-one HTTP/1.1\" 404 0 \"-\" \"Agent\"
::1 - - [17/May/2015:11:00:00 -0000] \"\" 408 -\r
c - - [31/Apr/2015:11:00:00 +0000] \"GET /there-is-no-such-day HTTP/1.1\" 200 5
d - - [17/May/2015:11:00:00 +0000] \"GET /no-status HTTP/1.1\"
a - - [17/May/2015:11:29:59 +0000] \"GET /a-and-b-have-just-expired HTTP/1.1\" 200 5
::1 - - [17/May/2015:11:29:59 +0000] \"GET /in-the-last-second HTTP/1.1\" 200 5
::1 - - [17/May/2015:11:45:00 +0000] \"GET /live-only-if-that-touched-it HTTP/1.1\" 200 5
";

/// The numbers are counted by hand, so that a misunderstanding which the example and the twin share would show.
#[test]
fn a_log_counted_by_hand() {
    let expected = Totals { requests: 9, malformed: 3, clients: 3, created: 6, found: 3, expired: 4, live: 2, peak: 3 };
    assert_eq!(count(BY_HAND.as_bytes(), HALF_AN_HOUR), expected, "the twin");
    let log = file("by-hand.log", BY_HAND.as_bytes());
    assert_eq!(totals(&["--log", &log]), expected);
    assert_eq!(totals(&["--log", &log, "--peer", "mutex"]), expected);
}

/// Catches any disagreement with the rule on real traffic.
#[test]
fn the_real_log_agrees_with_the_twin() {
    let folder = std::env::var_os("FLEETING_DATA").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    let path = folder.join("apache_access.log");
    let Ok(log) = fs::read(&path) else {
        println!("note: {} is not there; only synthetic logs are replayed", path.display());
        return;
    };
    let expected = count(&log, HALF_AN_HOUR);
    println!("twin: {expected:?}");
    let path = path.to_str().expect("a path in Unicode");
    assert_eq!(totals(&["--log", path]), expected);
    assert_eq!(totals(&["--log", path, "--clients", "2"]), expected.times(2));
    assert_eq!(totals(&["--log", path, "--peer", "mutex"]), expected);
}

/// Catches a slice lost or doubled between threads, clients that copies share, and a peer that counts otherwise.
#[test]
fn copies_and_the_peer_agree_with_the_twin() {
    let log = synthetic();
    let expected = count(&log, HALF_AN_HOUR);
    assert!(expected.expired > 100 && expected.live > 10 && expected.malformed > 10, "a poor log: {expected:?}");
    let path = file("copies.log", &log);
    assert_eq!(totals(&["--log", &path]), expected);
    assert_eq!(totals(&["--log", &path, "--clients", "2"]), expected.times(2));
    assert_eq!(totals(&["--log", &path, "--clients", "5", "--cleaning", "1"]), expected.times(5));
    assert_eq!(totals(&["--log", &path, "--peer", "mutex"]), expected);
    assert_eq!(totals(&["--log", &path, "--peer", "mutex", "--clients", "2"]), expected.times(2));
    assert_eq!(totals(&["--log", &path, "--idle", "3"]), count(&log, 180));
    // Too rare to come: what expires is removed on return, and at the end.
    assert_eq!(totals(&["--log", &path, "--cleaning", "86400"]), expected);
}

/// Catches a reader that stops after the first member of a gzip file, or that goes by the file's name.
#[test]
fn gzip_is_known_by_its_first_bytes() {
    let log = synthetic();
    let expected = count(&log, HALF_AN_HOUR);
    let (first, second) = log.split_at(log.len() / 2);
    let compressed = [gzip(first), gzip(second)].concat();
    assert_eq!(totals(&["--log", &file("members.log", &compressed)]), expected);
    let misnamed = file("plain.gz", &log);
    assert_eq!(totals(&["--log", &misnamed]), expected);

    let cut = file("cut.gz", &compressed[..compressed.len() - 9]);
    let message = failure(&["--log", &cut]);
    assert!(message.contains("cut.gz") && message.contains("after line"), "{message}");
}

/// Catches a malformed line that goes unreported, or a flood of reports.
#[test]
fn malformed_lines_are_reported_by_number() {
    let output = run(&["--log", &file("malformed.log", BY_HAND.as_bytes()), "--json"]);
    let messages = text(&output.stderr);
    for line in [3, 8, 9] {
        assert!(messages.contains(&format!("line {line}: malformed")), "{messages}");
    }
    assert_eq!(messages.lines().count(), 3, "{messages}");

    let many = format!("{BY_HAND}{}", "junk\n".repeat(1_000));
    let output = run(&["--log", &file("many-malformed.log", many.as_bytes())]);
    let messages = text(&output.stderr);
    assert_eq!(messages.matches("malformed: ").count(), 10, "{messages}");
    assert!(messages.contains("1003 malformed lines"), "{messages}");
    assert!(text(&output.stdout).contains("malformed lines"), "the table has a row for them");
}

/// Catches a clock that follows bytes which are no text, a line without an end, or one of many megabytes.
#[test]
fn strange_bytes_do_no_harm() {
    let mut log = b"\xff\xfe\x00 - - [17/May/2015:10:00:00 +0000] \"\xc3\x28\" 200 5\n\n\r\n".to_vec();
    log.extend_from_slice(&vec![b'x'; 3 << 20]);
    log.extend_from_slice(b"\na - - [17/May/2015:10:00:01 +0000] \"GET / HTTP/1.1\" 200 5");
    let found = totals(&["--log", &file("strange.log", &log)]);
    assert_eq!((found.requests, found.malformed, found.clients), (2, 3, 2));
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let message = failure(&["--log", "no/such/file.log"]);
    assert!(message.contains("cannot read no/such/file.log"), "{message}");
    assert!(failure(&["--log", env!("CARGO_TARGET_TMPDIR")]).contains("cannot read"), "a folder");
    let message = failure(&["--log", &file("no-log.txt", b"one\ntwo\n")]);
    assert!(message.contains("none of its 2 lines is a request"), "{message}");
    assert!(failure(&["--log", &file("empty.log", b"")]).contains("none of its 0 lines"));
}

#[test]
fn a_bad_option_is_an_error_that_names_it() {
    let cases: [(&[&str], &str); 11] = [
        (&["--wrong"], "unknown option \"--wrong\""),
        (&["stray"], "unknown option \"stray\""),
        (&["--log"], "--log needs a value"),
        (&["--clients", "0"], "--clients \"0\": expected a whole number from 1"),
        (&["--clients", "-1"], "--clients"),
        (&["--idle", "half an hour"], "--idle \"half an hour\""),
        (&["--idle", "0"], "--idle \"0\""),
        (&["--requests", "18446744073709551616"], "--requests"),
        (&["--seed", ""], "--seed"),
        (&["--peer", "rwlock"], "the only peer is \"mutex\""),
        (&["--log", "x", "--seed", "1"], "--requests and --seed are for a generated mix"),
    ];
    for (arguments, message) in cases {
        let said = failure(arguments);
        assert!(said.contains(message), "{arguments:?}: {said}");
    }
}

#[test]
fn help_is_no_error() {
    let output = run(&["--help"]);
    assert!(output.status.success());
    for option in ["--log", "--clients", "--peer", "--idle", "--cleaning", "--requests", "--seed", "--json"] {
        assert!(text(&output.stdout).contains(option), "{option}");
    }
}

/// Catches a mix that is not the published one, that changes from run to run, or that the two stores answer differently.
#[test]
fn the_generated_mix_is_as_published_and_repeatable() {
    let mix = ["--requests", "400000", "--idle", "1"];
    let first = report(&mix);
    assert_eq!(first["requests"], 400_000);
    for (part, percent) in [("reads", 75.0), ("writes", 24.0), ("deletes", 1.0)] {
        let measured = first[part].as_f64().expect("a number") / 4_000.0;
        assert!((measured - percent).abs() < 0.5, "{part}: {measured} %");
    }
    for name in ["expired", "deleted", "live_at_end", "returns_after_expiry"] {
        assert!(first[name].as_u64() > Some(0), "{name} never happens: {first:#}");
    }
    let ended = ["expired", "deleted", "live_at_end"].iter().map(|name| first[*name].as_u64().expect("a number"));
    assert_eq!(first["sessions_created"].as_u64(), Some(ended.sum()));
    assert!(first["bytes_per_session"].as_f64() > Some(250.0), "less than the data: {first:#}");

    let expected = Totals::of_report(&first);
    assert_eq!(totals(&mix), expected, "again");
    assert_eq!(totals(&[&mix[..], &["--peer", "mutex"]].concat()), expected, "the peer");
    assert_ne!(totals(&[&mix[..], &["--seed", "2"]].concat()), expected, "another seed");
    assert_eq!(report(&["--requests", "7", "--clients", "4"])["requests"], 7, "fewer requests than a slice has");
}

/// Catches a table without the figures that users look for.
#[test]
fn the_table_has_every_row() {
    let output = run(&["--log", &file("table.log", &synthetic())]);
    assert!(output.status.success());
    let table = text(&output.stdout);
    let rows = [
        "requests",
        "malformed lines",
        "clients",
        "sessions created",
        "found",
        "expired",
        "live at the end",
        "peak live sessions",
        "bytes per session",
        "sweeps",
        "records handled per expired",
        "find p50",
        "find p99 ",
        "find p99.9",
        "find longest",
    ];
    for row in rows {
        assert!(table.lines().any(|line| line.trim_start().starts_with(row)), "no row {row:?} in\n{table}");
    }
}
