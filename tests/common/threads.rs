//! Threads for the stress tests: some that work, one that disturbs them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::{Random, lock, scaled};

/// How many threads [`workers`] starts.
pub const WORKERS: u64 = 4;

/// Runs `background` again and again, but at least once, on a thread of its own for as long as `work` runs.
pub fn beside<R>(mut background: impl FnMut() + Send, work: impl FnOnce() -> R) -> R {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                background();
                if done.load(Ordering::Relaxed) {
                    break;
                }
                thread::yield_now();
            }
        });
        // The flag is set even if the work panics, or the scope would wait for ever.
        struct Finish<'a>(&'a AtomicBool);
        impl Drop for Finish<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _finish = Finish(&done);
        work()
    })
}

/// Runs `work` on [`WORKERS`] threads, numbered from 0, that set out together.
pub fn workers(work: impl Fn(u64) + Sync) {
    let start = Barrier::new(WORKERS as usize);
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (start, work) = (&start, &work);
            scope.spawn(move || {
                start.wait();
                work(worker);
            });
        }
    });
}

/// Runs `left` and `right` at the same moment, round after round: `right` on a thread of its own, all else on this one.
/// `prepare` comes before, `check` after both, with what they answered.
///
/// Ends early after 1.5 s, times the stress factor: with fewer cores than threads, rounds are slow.
///
/// A random delay of some nanoseconds on either side moves the two past each other. One duel at a time in this process: two of
/// them would take each other's cores, and never be at the same moment.
pub fn duel<L, R: Send>(
    rounds: u64,
    mut prepare: impl FnMut(u64),
    mut left: impl FnMut(u64) -> L,
    mut right: impl FnMut(u64) -> R + Send,
    mut check: impl FnMut(u64, L, R),
) {
    /// Ends the other side's wait even if this one panics.
    struct Finish<'a>(&'a AtomicU64);
    impl Drop for Finish<'_> {
        fn drop(&mut self) {
            self.0.store(u64::MAX, Ordering::Release);
        }
    }
    /// Spins for the start, and gives way if the other side seems to lack a core.
    fn wait(turn: &AtomicU64, round: u64) -> bool {
        for spins in 0_u32.. {
            match turn.load(Ordering::Acquire) {
                u64::MAX => return false,
                now if now >= round => return true,
                _ if spins % 4_096 == 4_095 => thread::yield_now(),
                _ => std::hint::spin_loop(),
            }
        }
        false
    }
    fn delay(random: &mut Random) {
        (0..random.below(60)).for_each(|_| std::hint::spin_loop());
    }
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = lock(&TURN);
    let (started, ended) = (&AtomicU64::new(0), &AtomicU64::new(0));
    let answer = &Mutex::new(None);
    thread::scope(|scope| {
        scope.spawn(move || {
            let _finish = Finish(ended);
            let mut random = Random::new(1);
            for round in 1..=rounds {
                if !wait(started, round) {
                    return;
                }
                delay(&mut random);
                let result = right(round);
                *lock(answer) = Some(result);
                ended.store(round, Ordering::Release);
            }
        });
        let _finish = Finish(started);
        let mut random = Random::new(2);
        let limit = Instant::now() + Duration::from_millis(scaled(1_500));
        for round in 1..=rounds {
            if Instant::now() > limit {
                break;
            }
            prepare(round);
            started.store(round, Ordering::Release);
            if round.is_multiple_of(16) {
                wait(ended, round); // So both orders occur, even on one core.
            }
            delay(&mut random);
            let mine = left(round);
            wait(ended, round);
            let theirs = lock(answer).take().expect("the other side panicked");
            check(round, mine, theirs);
        }
    });
}
