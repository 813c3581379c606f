//! Lock-freedom, deterministically: a scheduler that stops one thread for ever after its k-th step, for each k.
//!
//! A scene is some threads, each with a fixed amount of work. One of them is the victim. For every k up to its last step it is stopped
//! after its k-th, and the others must all end their work within a budget of steps:
//!
//! * only the victim can run, and the others are not done: they are *blocked* by it (a mutex);
//! * the budget is spent: they *spin*, waiting for it (a spin lock).
//!
//! Then the victim is let go on, everything ends, and all invariants must hold. ("For ever" is over when nothing is left
//! that could tell the difference.)
//!
//! For each k the victim first runs alone, then, in other executions, mixed at random with the others, so that it is stopped in the
//! middle of their work too.

use std::env;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use fleeting::reclaim;
use shuttle::scheduler::{ReplayScheduler, Schedule, Scheduler, Task, TaskId};
use shuttle::thread;
use shuttle::{MaxSteps, Runner};

use crate::explore::{config, print};

/// Steps after which those who are not done count as spinning: some hundred times what they need.
const BUDGET: usize = 100_000;

/// Executions for each k in which the victim is mixed with the others.
const MIXED: usize = 2;

/// Threads, and what must hold when all are done.
#[expect(missing_debug_implementations, reason = "closures")]
pub struct Scene {
    /// The threads' work, in order.
    pub threads: Vec<Box<dyn FnOnce() + Send>>,
    /// Checks the invariants.
    pub finish: Box<dyn FnOnce()>,
}

/// What came of all freezes of a scene.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Executions.
    pub executions: usize,
    /// Executions in which the victim was stopped half-way.
    pub freezes: usize,
    /// Those in which the others were blocked.
    pub blocked: usize,
    /// Those in which the others spun.
    pub spinning: usize,
    /// The most steps that the others took until they were done.
    pub longest: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { executions, freezes, blocked, spinning, longest } = self;
        write!(f, "executions {executions} freezes {freezes} blocked {blocked} spinning {spinning} longest {longest}")
    }
}

impl Report {
    /// Asserts that nobody waited for a stopped thread.
    pub fn assert_lock_free(self) {
        assert!(self.freezes > 0, "nobody was stopped: {self}");
        assert_eq!((self.blocked, self.spinning), (0, 0), "threads wait for one that is stopped: {self}");
    }
}

/// Stops each of these threads (by their place in the scene) after each of its steps.
pub fn freeze(name: &str, victims: &[usize], scene: impl Fn() -> Scene + Send + Sync + 'static) -> Report {
    let (started, scene) = (Instant::now(), Arc::new(scene));
    let mut total = Report::default();
    if let Ok(schedule) = env::var("FLEETING_REPLAY") {
        let schedule = std::fs::read_to_string(&schedule).unwrap_or(schedule);
        let scheduler = ReplayScheduler::new_from_encoded(schedule.trim().trim_matches('"').trim());
        Runner::new(scheduler, config()).run(move || play(&*scene, &Turn::default()));
        print(&format!("frozen {name} replayed: it passed\n"));
        return total;
    }
    for &victim in victims {
        let turn = Arc::new(Turn::default());
        let report = Arc::new(Mutex::new(Report::default()));
        let freezer = Freezer::new(victim, turn.clone(), report.clone());
        let mut config = config();
        config.max_steps = MaxSteps::FailAfter(10 * BUDGET);
        let scene = scene.clone();
        Runner::new(freezer, config).run(move || play(&*scene, &turn));
        let report = *lock(&report);
        total.executions += report.executions;
        total.freezes += report.freezes;
        total.blocked += report.blocked;
        total.spinning += report.spinning;
        total.longest = total.longest.max(report.longest);
    }
    print(&format!("frozen {name} victims {} {total} seconds {:.2}\n", victims.len(), started.elapsed().as_secs_f64()));
    total
}

/// What the execution tells the scheduler.
#[derive(Debug, Default)]
struct Turn {
    /// Every thread has been spawned.
    started: AtomicBool,
    /// Every thread but the victim is done.
    others_done: AtomicBool,
    victim: std::sync::atomic::AtomicUsize,
}

fn play(scene: &impl Fn() -> Scene, turn: &Turn) {
    reclaim::start();
    let Scene { threads, finish } = scene();
    let mut threads: Vec<_> = threads.into_iter().map(thread::spawn).collect();
    let victim = threads.remove(turn.victim.load(Ordering::SeqCst));
    turn.started.store(true, Ordering::SeqCst);
    for other in threads {
        other.join().expect("a panic of a thread ends the execution before");
    }
    turn.others_done.store(true, Ordering::SeqCst);
    victim.join().expect("a panic of a thread ends the execution before");
    finish();
    reclaim::finish();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The part of an execution that the scheduler is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// The victim has steps left.
    Before,
    /// It is stopped; the others have taken so many steps since.
    Frozen(usize),
    /// It goes on, or ended before it could be stopped.
    After,
}

struct Freezer {
    /// The victim's task: the main thread is task 0, and spawns the others in order.
    victim: TaskId,
    turn: Arc<Turn>,
    report: Arc<Mutex<Report>>,
    /// The victim is stopped after so many steps.
    after: usize,
    /// 0: it runs alone until then.
    variation: usize,
    /// Whether it could be stopped so late, in any variation.
    froze: bool,
    part: Part,
    steps: usize,
    random: u64,
}

impl Freezer {
    fn new(victim: usize, turn: Arc<Turn>, report: Arc<Mutex<Report>>) -> Freezer {
        turn.victim.store(victim, Ordering::SeqCst);
        let victim = TaskId::from(victim + 1);
        let random = 0x9E37_79B9_7F4A_7C15;
        // So that the first execution is that of k = 0.
        let (after, variation, froze) = (usize::MAX, MIXED, true);
        Freezer { victim, turn, report, after, variation, froze, part: Part::After, steps: 0, random }
    }

    fn random(&mut self) -> u64 {
        // Xorshift.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn choose(&mut self, tasks: &[TaskId]) -> TaskId {
        tasks[(self.random() >> 16) as usize % tasks.len()]
    }
}

impl Scheduler for Freezer {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.variation += 1;
        if self.variation > MIXED {
            if !self.froze {
                return None;
            }
            (self.after, self.variation, self.froze) = (self.after.wrapping_add(1), 0, false);
        }
        (self.part, self.steps) = (Part::Before, 0);
        self.turn.started.store(false, Ordering::SeqCst);
        self.turn.others_done.store(false, Ordering::SeqCst);
        lock(&self.report).executions += 1;
        Some(Schedule::new(self.random()))
    }

    fn next_task(&mut self, runnable: &[&Task], _current: Option<TaskId>, _is_yielding: bool) -> Option<TaskId> {
        let all: Vec<TaskId> = runnable.iter().map(|task| task.id()).collect();
        let main = TaskId::from(0);
        if !self.turn.started.load(Ordering::SeqCst) {
            return Some(main);
        }
        let is_victim_runnable = all.contains(&self.victim);
        if self.part == Part::Before {
            if self.steps < self.after {
                let is_alone = self.variation == 0 && is_victim_runnable;
                let task = if is_alone { self.victim } else { self.choose(&all) };
                self.steps += usize::from(task == self.victim);
                return Some(task);
            }
            self.part = if is_victim_runnable { Part::Frozen(0) } else { Part::After };
            if is_victim_runnable {
                self.froze = true;
                lock(&self.report).freezes += 1;
            }
        }
        if let Part::Frozen(steps) = self.part {
            let others: Vec<TaskId> = all.iter().copied().filter(|&task| task != self.victim).collect();
            let is_done = self.turn.others_done.load(Ordering::SeqCst);
            if !others.is_empty() && !is_done && steps < BUDGET {
                self.part = Part::Frozen(steps + 1);
                return Some(self.choose(&others));
            }
            let mut report = lock(&self.report);
            match is_done {
                true => report.longest = report.longest.max(steps),
                false if others.is_empty() => report.blocked += 1,
                false => report.spinning += 1,
            }
            self.part = Part::After;
        }
        Some(self.choose(&all))
    }

    fn next_u64(&mut self) -> u64 {
        self.random()
    }
}
