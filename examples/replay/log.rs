//! An Apache log: read whole, its times made to never go back, its clients numbered.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;

use crate::driver::{Action, Request, Workload};
use crate::line;

/// Malformed lines that are reported one by one.
const SHOWN: u64 = 10;

/// A longer line is malformed; it is not kept in memory.
const LONGEST_LINE: u64 = 1 << 20;

/// What `gzip` files begin with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A log, ready to be replayed.
#[derive(Debug, Default)]
pub struct Log {
    /// The clock of each slice: strictly ascending, in seconds since the epoch.
    times: Vec<u64>,
    /// For each slice, the request that follows it.
    ends: Vec<usize>,
    /// The client of each request.
    requests: Vec<u32>,
    /// The name of each client.
    clients: Vec<Box<[u8]>>,
    lines: u64,
    malformed: u64,
}

impl Log {
    /// Reads a log, plain or gzip. Malformed lines are reported on stderr, counted and skipped.
    ///
    /// # Errors
    ///
    /// A message for the user: the file cannot be read to its end.
    pub fn read(path: &Path) -> Result<Log, String> {
        let mut log = Log::default();
        let read = open(path).and_then(|input| log.take_lines(input, path));
        read.map_err(|error| match log.lines {
            0 => format!("cannot read {}: {error}", path.display()),
            lines => format!("cannot read {} after line {lines}: {error}", path.display()),
        })?;
        if log.malformed > SHOWN {
            eprintln!("replay: {}: {} malformed lines, of which {SHOWN} were shown", path.display(), log.malformed);
        }
        Ok(log)
    }

    /// The clock of each slice.
    pub fn times(&self) -> &[u64] {
        &self.times
    }

    pub fn requests(&self) -> usize {
        self.requests.len()
    }

    pub fn lines(&self) -> u64 {
        self.lines
    }

    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// The log as one thread replays it: copy 0 has the clients of the log, each other one has clients of its own.
    pub fn copy(&self, number: usize) -> Copy<'_> {
        Copy { log: self, number, next: 0 }
    }

    fn take_lines(&mut self, mut input: Box<dyn BufRead>, path: &Path) -> io::Result<()> {
        let (mut line, mut numbers) = (Vec::new(), HashMap::new());
        let mut shown = Instant::now();
        while read_line(&mut input, &mut line)? {
            self.lines += 1;
            match line::parse(&line) {
                Ok(line) => self.take(&line, &mut numbers),
                Err(reason) => self.report(path, reason),
            }
            if shown.elapsed() >= Duration::from_secs(1) {
                shown = Instant::now();
                eprintln!("replay: {}: {} lines read", path.display(), self.lines);
            }
        }
        Ok(())
    }

    fn take(&mut self, line: &line::Line<'_>, numbers: &mut HashMap<Box<[u8]>, u32>) {
        // The clock never goes back.
        if self.times.last().is_none_or(|now| line.time > *now) {
            self.times.push(line.time);
            self.ends.push(self.requests.len());
        }
        let client = match numbers.get(line.client) {
            Some(client) => *client,
            None => self.number(line.client, numbers),
        };
        self.requests.push(client);
        if let Some(end) = self.ends.last_mut() {
            *end = self.requests.len();
        }
    }

    fn number(&mut self, client: &[u8], numbers: &mut HashMap<Box<[u8]>, u32>) -> u32 {
        let number = u32::try_from(self.clients.len()).expect("a log of four billion clients fits no memory");
        self.clients.push(client.into());
        numbers.insert(client.into(), number);
        number
    }

    fn report(&mut self, path: &Path, reason: &str) {
        self.malformed += 1;
        if self.malformed <= SHOWN {
            eprintln!("replay: {}, line {}: malformed: {reason}", path.display(), self.lines);
        }
    }
}

/// The log as one thread replays it.
#[derive(Debug)]
pub struct Copy<'a> {
    log: &'a Log,
    number: usize,
    next: usize,
}

impl Workload for Copy<'_> {
    fn next(&mut self, slice: usize) -> Option<Request> {
        if self.next == self.log.ends[slice] {
            return None;
        }
        let session = self.log.requests[self.next];
        self.next += 1;
        Some(Request { session, action: Action::Visit })
    }

    fn token(&self, session: u32, token: &mut Vec<u8>) {
        token.extend_from_slice(&self.log.clients[session as usize]);
        if self.number > 0 {
            // No client of a log has a space in its name.
            token.extend_from_slice(format!(" {}", self.number).as_bytes());
        }
    }

    /// 200 to 300 bytes: Wikimedia's small sessions.
    fn data_length(&self, session: u32) -> usize {
        200 + (session as usize * 37) % 101
    }

    fn sessions_expected(&self) -> usize {
        self.log.clients.len()
    }
}

fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let mut file = File::open(path)?;
    let mut start = Vec::new();
    file.by_ref().take(GZIP.len() as u64).read_to_end(&mut start)?;
    let is_gzip = start == GZIP;
    let whole = Cursor::new(start).chain(file);
    if is_gzip {
        return Ok(Box::new(BufReader::new(MultiGzDecoder::new(BufReader::new(whole)))));
    }
    Ok(Box::new(BufReader::new(whole)))
}

/// Reads the next line without its end; false at the end of the file. Of a line that is too long, reads the first part and skips the rest.
fn read_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    if input.take(LONGEST_LINE).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.pop_if(|last| *last == b'\n').is_some() {
        line.pop_if(|last| *last == b'\r');
    } else if line.len() as u64 == LONGEST_LINE {
        input.skip_until(b'\n')?;
        line.clear();
    }
    Ok(true)
}
