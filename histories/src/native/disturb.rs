//! Disturbs threads inside operations: before each atomic step, now and then, the thread yields or spins.
//!
//! Without it, operations of some hundred nanoseconds hardly ever overlap on two cores, and the run would prove nothing.

use std::cell::Cell;
use std::hint;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;

use fleeting::sync::checked::HOOK;

static YIELD_EVERY: AtomicU32 = AtomicU32::new(u32::MAX);

thread_local! {
    static STATE: Cell<u64> = const { Cell::new(0) };
}

/// From now on, each thread yields once in so many steps, and spins as often.
pub fn install(yield_every: u32) {
    // Ordering: Relaxed here and below: nothing hangs on it.
    YIELD_EVERY.store(yield_every, Ordering::Relaxed);
    HOOK.set(step).expect("installed once");
}

fn step() {
    // A thread that is ending has no state left; it is not disturbed.
    let _ = STATE.try_with(|state| {
        let mut word = state.get();
        if word == 0 {
            static SEED: AtomicU64 = AtomicU64::new(1);
            word = SEED.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed) | 1;
        }
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        state.set(word);
        let (choice, every) = ((word >> 32) as u32, YIELD_EVERY.load(Ordering::Relaxed));
        if choice.is_multiple_of(every) {
            if word & 2 == 0 {
                thread::yield_now();
            } else {
                (0..word & 0x1FF).for_each(|_| hint::spin_loop());
            }
        }
    });
}
