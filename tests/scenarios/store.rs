//! Scenarios of the session store on one thread.

use std::thread;

use crate::common::{ignore, manual_store, recording_store, seconds, wall_start};

fn token(number: u32) -> String {
    format!("token {number}")
}

/// Data of 0 to 299 bytes.
fn data(number: u32) -> Vec<u8> {
    vec![number as u8; number as usize % 300]
}

/// Catches tables and records that are not freed.
pub fn growth() {
    let (store, _) = manual_store();
    for number in 0..100_000_u32 {
        store.save_for(number.to_le_bytes(), number.to_le_bytes(), seconds(60 + u64::from(number) % 60));
    }
    assert_eq!(store.len(), 100_000);
}

/// Catches the record of a save, creation or renaming that was refused, or that came too late.
pub fn conditional() {
    let (store, clock, _removals) = recording_store();
    let (later, past) = (wall_start() + seconds(60), wall_start());
    clock.advance(seconds(1));
    for number in 0..500 {
        store.save(token(number), data(number), later);
        assert!(store.create(token(number), data(number + 1), later).is_err());
        assert!(store.create(token(number + 10_000), data(number), past).is_ok());
        assert!(!store.update(token(number + 20_000), data(number), later));
        assert!(store.update(token(number), data(number + 2), later));
        let (_, version) = store.find_versioned(token(number)).expect("live");
        let next = store.compare_and_save(token(number), version, data(number + 3), later).expect("unchanged");
        assert!(store.compare_and_save(token(number), version, data(number), later).is_err());
        assert!(store.compare_and_save(token(number), next, data(number + 4), later).is_ok());
        assert!(store.rename(token(number), token(number + 30_000), later));
        assert!(!store.rename(token(number), token(number + 31_000), later));
        store.save(token(number), data(number), later);
        assert!(!store.rename(token(number), token(number + 30_000), later), "the new token is taken");
        match number % 5 {
            0 => assert!(store.rename(token(number), token(number + 40_000), past)),
            1 => assert!(store.touch(token(number), past)),
            2 => store.save(token(number), data(number), past),
            3 => assert!(store.take(token(number)).is_some()),
            _ => assert!(store.delete(token(number))),
        }
    }
    assert_eq!(store.len(), 500);
    assert_eq!(store.delete_where(|token, _| token.ends_with(b"3")), 50);
}

/// Catches records and the index's parts when sessions expire.
pub fn expiry() {
    let (store, clock, removals) = recording_store();
    for round in 0..3 {
        for number in 0..5_000 {
            store.save_for(token(number), data(number), seconds(1 + u64::from(number) % 20));
            if number % 7 == 0 {
                assert!(store.touch(token(number), clock.system_time() + seconds(30)));
            }
        }
        for _ in 0..10 {
            clock.advance(seconds(2));
            if round > 0 {
                store.sweep();
            }
        }
        let left = store.all().len();
        assert_eq!(left, 715, "those that were touched");
    }
    ignore(removals.drain());
}

/// Catches a reference count that comes out wrong: handles that are dropped after the session, the store, elsewhere.
pub fn handles_outlive() {
    let (store, _) = manual_store();
    (0..1_000).for_each(|number| store.save_for(token(number), data(number), seconds(60)));
    let handles: Vec<_> = (0..1_000).filter_map(|number| store.find(token(number))).collect();
    let all = store.all();
    let taken = store.take(token(7)).expect("live");
    let mut walk = store.iter();
    let first = walk.next();
    drop(walk);
    (0..500).for_each(|number| assert!(store.delete(token(number)) || number == 7));
    (500..600).for_each(|number| store.save_for(token(number), data(1), seconds(60)));
    drop(store);
    assert!(handles.iter().enumerate().all(|(number, handle)| **handle == *data(number as u32)));
    let clones: Vec<_> = all.iter().map(|(token, data)| (token.clone(), data.clone())).collect();
    thread::spawn(move || drop((all, taken))).join().expect("no panic");
    drop(handles);
    assert!(clones.iter().all(|(token, _)| token.starts_with(b"token ")));
    drop(first);
}
