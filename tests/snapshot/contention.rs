//! Saving and loading beside writers.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::common::{assert_store_sound, manual_store, seconds};
use crate::{at, restarted, saved, sessions};

const STEADY: u32 = 2_000;

fn steady(number: u32) -> [u8; 5] {
    let [a, b, c, d] = number.to_le_bytes();
    [b's', a, b, c, d]
}

/// Catches a session that is there throughout, and is not saved, or saved twice, while the table grows; one that was there at no moment; and a snapshot
/// that is not whole.
#[test]
fn saving_beside_writers() {
    let (store, _) = manual_store();
    (0..STEADY).for_each(|number| store.save(steady(number), number.to_le_bytes(), at(100)));
    let (is_over, begun) = (AtomicBool::new(false), Barrier::new(3));
    thread::scope(|scope| {
        for thread in 0..2_u32 {
            let (store, is_over, begun) = (&store, &is_over, &begun);
            scope.spawn(move || {
                begun.wait();
                for number in 0_u32.. {
                    let token = [thread.to_le_bytes(), number.to_le_bytes()].concat();
                    store.save(&token, [9; 8], at(100));
                    // Every other one stays: the table grows.
                    if number % 2 == 0 {
                        store.delete(&token);
                    }
                    store.save(
                        steady(number % STEADY),
                        (number % STEADY).to_le_bytes(),
                        at(100 + u64::from(number % 50)),
                    );
                    if is_over.load(Ordering::Relaxed) || number > 30_000 {
                        break;
                    }
                }
            });
        }
        begun.wait();
        for _ in 0..8 {
            let file = saved(&store);
            let (other, _) = restarted(0);
            let loaded = other.load_from(&file[..]).expect("whole");
            assert_eq!((loaded.expired, loaded.already_present), (0, 0), "each once");
            for (token, (data, expiry)) in sessions(&other) {
                let is_steady = token.len() == 5 && token[1..] == data[..] && expiry < at(150);
                assert!(is_steady || (token.len() == 8 && data == [9; 8]), "{token:?} {data:?}");
            }
            assert!(
                (0..STEADY).all(|number| other.find(steady(number)).is_some()),
                "what is there throughout is saved"
            );
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_store_sound(&store);
}

/// Catches a record that is loaded twice, or over what lives, while four threads load it and others save, touch and delete.
#[test]
fn loading_under_contention() {
    let (store, _) = manual_store();
    (0..20_000_u32).for_each(|number| store.save(number.to_le_bytes(), "loaded", at(1_000)));
    let file = saved(&store);
    let (other, clock) = restarted(0);
    let (came, begun) = (AtomicU64::new(0), Barrier::new(4));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                begun.wait();
                let loaded = other.load_from(&file[..]).expect("whole");
                assert_eq!(loaded.loaded + loaded.already_present, 20_000);
                came.fetch_add(loaded.loaded, Ordering::Relaxed);
            });
        }
        scope.spawn(|| {
            begun.wait();
            for number in (0..20_000_u32).step_by(2) {
                let token = number.to_le_bytes();
                if other.create(token, "written", at(1_000)).is_ok() {
                    came.fetch_add(1, Ordering::Relaxed);
                }
                assert!(other.touch(token, at(500)));
            }
        });
    });
    assert_eq!(came.load(Ordering::Relaxed), 20_000, "each token came once");
    assert_store_sound(&other);
    clock.advance(seconds(500));
    assert_eq!(other.sweep(), 10_000, "each touch counts");
}
