//! User code that blocks, in every place where an act runs it: all other threads go on meanwhile.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use super::common::{seconds, within_a_minute};
use super::plan::{self, Place};
use super::subject::{Act, Case, STARTS, Start, Subject, perform, scout};
use super::{alone, cache, store};

/// How long a thread may take for what it does in a millisecond, before it counts as blocked.
const LIMIT: u64 = 20;

/// Whether an act may wait for the load that another one is in the middle of.
fn may_wait<B>(act: &Act<B>, other: &Act<B>, variant: usize) -> bool {
    const ONE_HASH: usize = 2;
    act.loads.is_some() && other.loads.is_some() && (act.loads == other.loads || variant == ONE_HASH)
}

/// Blocks one thread at one call of user code, and lets another do everything there is, growth and sweeps included. Says whether the
/// call came.
fn block<B: Subject>(blocked: usize, start: Start, variant: usize, place: Place, call: u32) -> bool {
    let acts = B::acts();
    let case = Case(format!("{}, {start:?}, variant {variant}: {place:?} blocks at {call}", acts[blocked].name));
    let subject = Arc::new(B::new(start, variant));
    let (reach, reached) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let theirs = Arc::clone(&subject);
    let thread = thread::spawn(move || {
        let reach_too = reach.clone();
        plan::plan(place, call, move || {
            let _ = reach_too.send(true);
            let _ = released.recv();
        });
        perform(&B::acts()[blocked], &*theirs, place);
        plan::cancel();
        let _ = reach.send(false);
    });
    let came = reached.recv_timeout(seconds(LIMIT)).expect("the act comes to the call, or ends");
    let (done, is_done) = mpsc::channel();
    let (mine, others) = (Arc::clone(&subject), blocked);
    let worker = thread::spawn(move || {
        let acts = B::acts();
        for act in acts.iter().filter(|act| !may_wait(act, &acts[others], variant)) {
            let _ = done.send(act.name);
            (act.run)(&mine);
        }
    });
    // Who waits for the load that is blocked gets its answer in the end.
    let waiter = came.then(|| acts.iter().position(|act| may_wait(act, &acts[blocked], variant))).flatten();
    let waiter = waiter.map(|act| {
        let theirs = Arc::clone(&subject);
        thread::spawn(move || (B::acts()[act].run)(&theirs))
    });
    let mut last = "nothing yet";
    loop {
        match is_done.recv_timeout(seconds(LIMIT)) {
            Ok(act) => last = act,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("{last:?} waits for the one that is blocked"),
        }
    }
    worker.join().expect("no panic");
    assert!(!came || !thread.is_finished(), "it was not blocked");
    drop(release);
    thread.join().expect("no panic");
    if let Some(waiter) = waiter {
        waiter.join().expect("no panic");
    }
    assert_eq!(subject.contained_panics(), 0);
    Arc::into_inner(subject).expect("all threads are gone").finish();
    drop(case);
    came
}

fn each_call_blocks<B: Subject>(places: &[Place]) {
    let (mut cases, mut variant) = (Vec::new(), 0);
    let acts = B::acts();
    for (index, act) in acts.iter().enumerate() {
        for start in STARTS {
            variant = (variant + 1) % super::subject::VARIANTS;
            for (place, calls) in scout(act, start, variant) {
                // The first call, the last, or one between: all of them would take too long.
                let call = [0, calls - 1, calls / 2][(index + variant) % 3];
                if block::<B>(index, start, variant, place, call) {
                    cases.push(place);
                }
            }
        }
    }
    for place in places {
        assert!(cases.contains(place), "nothing blocked in {place:?}: this tests nothing");
    }
}

/// Catches, for each place where `Cache` runs user code, a lock held over it, a claim that others wait for, and a growth or sweep that only the
/// blocked thread could finish.
#[test]
fn in_a_cache() {
    let _alone = alone();
    within_a_minute(|| {
        each_call_blocks::<cache::Subjected>(plan::IN_A_CACHE);
    });
}

/// The same for `MemStore`.
#[test]
fn in_a_store() {
    let _alone = alone();
    within_a_minute(|| {
        each_call_blocks::<store::Subjected>(plan::IN_A_STORE);
    });
}
