//! One store in a process of its own, whose memory is then that store's. The parent asks by lines, the child answers by numbers.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};

use super::{churn, memory};
use crate::kinds::Boxed;
use crate::peers::{Store, Visitor, visit_sessions};

/// What a child does with its store, request by request.
pub type Serve = Box<dyn FnMut(&str) -> Vec<f64>>;

pub struct Child {
    pub name: &'static str,
    process: process::Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Child {
    pub fn start(role: &str, name: &'static str, entries: usize) -> Result<Child, String> {
        let failed = |error: io::Error| format!("a child process for {name}: {error}");
        let program = std::env::current_exe().map_err(failed)?;
        let mut process = Command::new(program)
            .args(["child", role, name, &entries.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let input = process.stdin.take().ok_or("a child without input")?;
        let output = BufReader::new(process.stdout.take().ok_or("a child without output")?);
        Ok(Child { name, process, input, output })
    }

    pub fn ask(&mut self, request: &str) -> Result<Vec<f64>, String> {
        let failed = |error: io::Error| format!("the child process of {}: {error}", self.name);
        writeln!(self.input, "{request}").and_then(|()| self.input.flush()).map_err(failed)?;
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(failed)?;
        let numbers: Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
        match numbers {
            Ok(numbers) if !numbers.is_empty() => Ok(numbers),
            _ => Err(format!("the child process of {} answered {line:?}", self.name)),
        }
    }
}

impl Drop for Child {
    /// It ends when its input does; this one does not wait for its store to be taken apart.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Names(Vec<&'static str>);

impl Visitor<Boxed> for Names {
    fn visit<S: Store<Kind = Boxed>>(&mut self) {
        self.0.push(S::name());
    }
}

/// The stores, ours first.
pub fn names() -> Vec<&'static str> {
    let mut names = Names(Vec::new());
    visit_sessions(&mut names);
    names.0
}

struct Find<'a> {
    role: &'a str,
    name: &'a str,
    entries: usize,
    found: Option<Serve>,
}

impl Visitor<Boxed> for Find<'_> {
    fn visit<S: Store<Kind = Boxed>>(&mut self) {
        if S::name() == self.name {
            self.found = match self.role {
                "churn" => Some(churn::serve::<S>(self.entries)),
                "memory" => Some(memory::serve::<S>(self.entries)),
                _ => None,
            };
        }
    }
}

/// The child's side.
pub fn serve(role: &str, name: &str, entries: usize) -> Result<(), String> {
    let mut find = Find { role, name, entries, found: None };
    visit_sessions(&mut find);
    let mut serve = find.found.ok_or("no such role or store")?;
    for line in io::stdin().lines() {
        let numbers = serve(&line.map_err(|error| error.to_string())?);
        let numbers: Vec<String> = numbers.iter().map(f64::to_string).collect();
        println!("{}", numbers.join(" "));
    }
    Ok(())
}

/// Bytes of memory that this process has to itself.
pub fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.expect("Linux tells it") * 1024.0
}

/// Asks the allocator to give back to the system what nobody uses. By itself glibc does so only at the end of its heap, mimalloc after a while.
pub fn trim() {
    #[cfg(all(target_env = "gnu", not(feature = "mimalloc")))]
    {
        unsafe extern "C" {
            fn malloc_trim(pad: usize) -> std::ffi::c_int;
        }
        // SAFETY: glibc's own function, with the signature of its manual; it may be called at any time.
        unsafe { malloc_trim(0) };
    }
    #[cfg(feature = "mimalloc")]
    {
        unsafe extern "C" {
            fn mi_collect(force: bool);
        }
        // SAFETY: mimalloc's own function, with the signature of its manual; it may be called at any time.
        unsafe { mi_collect(true) };
    }
}
