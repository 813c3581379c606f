//! Threads for the stress tests: some that work, one that disturbs them.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

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
