//! The models as programs: built once, listed, and run with an environment.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// How long a model runs to see where it comes by: long after it has been everywhere.
const VISIT_SECONDS: &str = "3";

/// A place in the sources that a model came by, and one of its orderings there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Site {
    /// From `src/` on.
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub part: String,
    pub order: String,
}

impl Site {
    /// Of a line `site /path/src/map/bucket.rs:122:21 success AcqRel`.
    fn parse(line: &str) -> Option<Site> {
        let [place, part, order] = line.strip_prefix("site ")?.split(' ').collect::<Vec<_>>()[..] else {
            return None;
        };
        let mut numbers = place.rsplitn(3, ':');
        let (column, line, path) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?, numbers.next()?);
        let file = format!("src/{}", path.rsplit_once("/src/").map_or(path, |(_, file)| file));
        Some(Site { file, line, column, part: part.into(), order: order.into() })
    }

    /// The protocols: the map, with the nodes' reference counts; the index; the engine; the life of the janitor.
    pub fn is_in_scope(&self) -> bool {
        crate::sources::is_in_scope(&self.file)
    }

    /// What it can be weakened to, a half at a time.
    pub fn weakenings(&self) -> &'static [&'static str] {
        match (self.part.as_str(), self.order.as_str()) {
            ("fence", _) => &["removed"],
            (_, "Acquire" | "Release") => &["Relaxed"],
            (_, "AcqRel") => &["Acquire", "Release"],
            _ => &[],
        }
    }

    /// What `to` lacks of a site's ordering, as the comments call it.
    pub fn dropped(&self, to: &str) -> &'static str {
        match (self.part.as_str(), self.order.as_str(), to) {
            ("fence", ..) => "fence",
            ("failure", ..) => "failure's Acquire",
            (_, "Acquire", _) | (_, "AcqRel", "Release") => "Acquire",
            _ => "Release",
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{} {}", self.file, self.line, self.column, self.part)
    }
}

/// One model: a test of one of the binaries.
#[derive(Debug)]
pub struct Model {
    program: PathBuf,
    pub name: String,
    pub seconds: f64,
    pub sites: BTreeSet<Site>,
}

/// How a model ended.
#[derive(Debug)]
pub enum Verdict {
    Passed(String),
    /// The first panic's message.
    Failed(String),
    /// A loop went on for ever on stale values, which no machine does: neither caught nor passed.
    Spun,
}

impl Model {
    fn run(&self, variables: &[(&str, &str)]) -> Verdict {
        let output = Command::new(&self.program)
            .args(["--exact", &self.name, "--nocapture", "--test-threads=1"])
            .envs(variables.iter().copied())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("a model that was built runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            return Verdict::Passed(text);
        }
        let mut lines = text.lines().skip_while(|line| !line.contains("panicked at")).skip(1);
        let why = lines.next().map_or_else(|| output.status.to_string(), |line| line.trim().chars().take(70).collect());
        if why.contains("maximum number of branches") { Verdict::Spun } else { Verdict::Failed(why) }
    }

    /// Runs it with one ordering weakened, for so long at most.
    pub fn run_weakened(&self, weakening: &str, seconds: u64) -> Verdict {
        self.run(&[("FLEETING_WEAKEN", weakening), ("FLEETING_MODEL_SECONDS", &seconds.to_string())])
    }
}

/// All sites that a model came by.
pub fn sites(models: &[Model]) -> BTreeSet<Site> {
    models.iter().flat_map(|model| model.sites.iter().cloned()).collect()
}

/// Builds the models of the plain pass, runs each as it is for some seconds, and notes where it comes by.
///
/// # Panics
///
/// One does not build, or fails by itself.
pub fn build_and_visit(jobs: usize) -> Vec<Model> {
    let found =
        programs().into_iter().flat_map(|program| names(&program).into_iter().map(move |name| (program.clone(), name)));
    let queue = Mutex::new(found.collect::<VecDeque<_>>());
    let models = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((program, name)) = next else { break };
                    let model = visit(program, name);
                    models.lock().unwrap_or_else(PoisonError::into_inner).push(model);
                }
            });
        }
    });
    models.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn visit(program: PathBuf, name: String) -> Model {
    let mut model = Model { program, name, seconds: 0.0, sites: BTreeSet::new() };
    let started = Instant::now();
    match model.run(&[("FLEETING_SITES", "1"), ("FLEETING_MODEL_SECONDS", VISIT_SECONDS)]) {
        Verdict::Failed(why) => panic!("{} fails as it is: {why}", model.name),
        Verdict::Spun => panic!("{} spins as it is", model.name),
        Verdict::Passed(text) => model.sites = text.lines().filter_map(Site::parse).collect(),
    }
    model.seconds = started.elapsed().as_secs_f64();
    model
}

/// Builds as `run.sh plain` does, into its folder.
fn programs() -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("cargo")
        .args(["test", "--locked", "--tests", "--no-run"])
        .current_dir(here)
        .envs([("RUSTFLAGS", "--cfg loom"), ("CARGO_TARGET_DIR", "target/plain")])
        .output()
        .expect("cargo runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the models do not build:\n{text}");
    let program = |line: &str| {
        let path = line.trim().strip_prefix("Executable tests/")?.split_once('(')?.1.strip_suffix(')')?;
        Some(here.join(path))
    };
    let programs: Vec<PathBuf> = text.lines().filter_map(program).collect();
    assert!(!programs.is_empty(), "cargo names no programs:\n{text}");
    programs
}

fn names(program: &Path) -> Vec<String> {
    let output = Command::new(program).arg("--list").output().expect("a model that was built runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|line| line.strip_suffix(": test").map(str::to_owned)).collect()
}
