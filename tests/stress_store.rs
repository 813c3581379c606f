//! Threads on one session store: what sessions promise to several requests of one user at the same moment.
//!
//! `FLEETING_STRESS=10` runs ten times the work.

mod common;

use std::sync::Arc;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::fates::Fates;
use common::threads::{WORKERS, beside, workers};
use common::{Random, assert_store_sound, ignore, manual_store, nanoseconds, scaled, seconds, wall_start};
use fleeting::{ManualClock, MemStore};

/// Data that says whose it is and can be checked for damage: the token's number, a count, and a filling made from both.
fn data_of(number: u64, count: u64) -> Vec<u8> {
    let filling = (number * 31 + count) as u8;
    let mut data = number.to_le_bytes().to_vec();
    data.extend(count.to_le_bytes());
    data.resize(16 + (number + count) as usize % 200, filling);
    data
}

/// Checks the filling and answers the count.
fn count_in(data: &[u8], number: u64) -> u64 {
    let count = u64::from_le_bytes(data[8..16].try_into().expect("eight bytes"));
    assert_eq!(data, data_of(number, count), "damaged data, or another session's");
    count
}

fn token_of(number: u64) -> String {
    format!("session:{number:08}")
}

/// Catches torn or foreign data, handles that change, and return values that do not add up, while the table grows,
/// sessions expire and a janitor's work is done beside.
#[test]
fn mixed_requests_add_up() {
    for tokens in [4, 1_000, 20_000, 60_000, 60_000, 60_000] {
        let clock = ManualClock::starting_at(wall_start());
        let fates = Arc::new(Fates::new(WORKERS * steps()));
        let log = Arc::clone(&fates);
        let store = MemStore::builder()
            .cleanup_interval(Duration::ZERO)
            .clock(clock.clone())
            .on_removal(move |token: &[u8], data: &[u8], _| {
                let digits = std::str::from_utf8(&token[8..]).ok();
                log.gone(count_in(data, digits.and_then(|digits| digits.parse().ok()).expect("a number")));
            })
            .build()
            .expect("valid");
        let tick = || clock.advance(nanoseconds(700_000));
        let sweep = || ignore(store.sweep());
        beside(tick, || beside(sweep, || workers(|worker| serve(&store, &clock, worker, tokens, &fates))));
        assert_eq!(store.stats().contained_panics, 0);
        let left = assert_store_sound(&store);
        fates.check(left.values().map(|data| u64::from_le_bytes(data[8..16].try_into().expect("eight bytes"))));
        clock.advance(seconds(10_000));
        store.sweep();
        assert_eq!(store.len(), 0, "sessions forgotten by the expiry index");
    }
}

fn steps() -> u64 {
    scaled(50_000)
}

/// One thread of [`mixed_requests_add_up`].
fn serve(store: &MemStore, clock: &ManualClock, worker: u64, tokens: u64, fates: &Fates) {
    let mut random = Random::new(worker * 13 + tokens);
    let mut kept = Vec::new();
    for _ in 0..steps() {
        let number = random.below(tokens);
        let token = token_of(number);
        let count = fates.next();
        let data = || data_of(number, count);
        let ttl = nanoseconds(random.below(200) * 1_000_000 + 1);
        let expiry = clock.system_time() + ttl;
        let saved = match random.below(20) {
            0..=4 => {
                store.save(&token, data(), expiry);
                true
            }
            5 | 6 => {
                store.save_for(&token, data(), ttl);
                true
            }
            7 | 8 => store.create(&token, data(), expiry).is_ok(),
            9 => store.update(&token, data(), expiry),
            10 => {
                let found = store.find_versioned(&token);
                found.is_some_and(|(_, version)| store.compare_and_save(&token, version, data(), expiry).is_ok())
            }
            11 | 12 => {
                store.touch(&token, expiry);
                false
            }
            13 => {
                store.delete(&token);
                false
            }
            14 => {
                store.take(&token).inspect(|data| ignore(count_in(data, number)));
                false
            }
            15 if random.below(300) == 0 => {
                store.delete_where(|_, data| data[8] % 2 == 0);
                false
            }
            15 if random.below(300) == 0 => {
                store.clear();
                false
            }
            15 => {
                if let Some(data) = store.find(&token) {
                    kept.push((number, count_in(&data, number), data));
                }
                false
            }
            _ => {
                store.read(&token, |data| count_in(data, number));
                false
            }
        };
        // A session whose expiry comes before it is published never is.
        if saved && clock.system_time() < expiry {
            fates.published(count);
        }
    }
    for (number, count, data) in kept {
        assert_eq!(count_in(&data, number), count, "a handle changed");
    }
}

/// Catches a lost update: of all threads that count in one session by `compare_and_save`, none may overwrite another.
#[test]
fn counting_by_compare_and_save_loses_nothing() {
    let (store, clock) = manual_store();
    store.save_for("cart", 0_u64.to_le_bytes(), seconds(60));
    let steps = scaled(50_000);
    let disturb = || {
        store.touch("cart", clock.system_time() + seconds(90));
        store.sweep();
    };
    beside(disturb, || {
        workers(|_| {
            for _ in 0..steps {
                loop {
                    let (data, version) = store.find_versioned("cart").expect("live");
                    let count = u64::from_le_bytes((*data).try_into().expect("eight bytes")) + 1;
                    let expiry = clock.system_time() + seconds(60);
                    if store.compare_and_save("cart", version, count.to_le_bytes(), expiry).is_ok() {
                        break;
                    }
                }
            }
        });
    });
    let count = store.read("cart", |data| u64::from_le_bytes(data.try_into().expect("eight bytes")));
    assert_eq!(count, Some(steps * WORKERS));
    assert_store_sound(&store);
}

/// Catches two sessions under one new token, or one session under two: of several threads exactly one wins.
#[test]
fn exactly_one_create_and_one_rename_win() {
    let (store, clock) = manual_store();
    let rounds = scaled(8_000);
    let start = Barrier::new(WORKERS as usize);
    let created: Vec<AtomicU64> = (0..rounds).map(|_| AtomicU64::new(0)).collect();
    let renamed: Vec<AtomicU64> = (0..rounds).map(|_| AtomicU64::new(0)).collect();
    workers(|worker| {
        for round in 0..rounds {
            let token = token_of(round);
            let expiry = clock.system_time() + seconds(60);
            start.wait();
            let won = store.create(&token, data_of(round, worker), expiry).is_ok();
            created[round as usize].fetch_add(u64::from(won), Ordering::Relaxed);
            start.wait();
            let won = store.rename(&token, format!("{token}/{worker}"), expiry);
            renamed[round as usize].fetch_add(u64::from(won), Ordering::Relaxed);
            assert!(store.find(&token).is_none(), "a rename returned with the old token live");
        }
    });
    assert!(created.iter().all(|count| count.load(Ordering::Relaxed) == 1));
    assert!(renamed.iter().all(|count| count.load(Ordering::Relaxed) == 1));
    assert_eq!(assert_store_sound(&store).len() as u64, rounds);
}

/// Catches two renames onto one new token that both answer true, one session overwriting the other.
#[test]
fn exactly_one_of_several_sessions_gets_the_new_token() {
    let (store, clock) = manual_store();
    let rounds = scaled(8_000);
    let start = Barrier::new(WORKERS as usize);
    let won: Vec<AtomicU64> = (0..rounds).map(|_| AtomicU64::new(0)).collect();
    workers(|worker| {
        for round in 0..rounds {
            let (old, new) = (format!("{round}/{worker}"), token_of(round));
            let expiry = clock.system_time() + seconds(60);
            store.save(&old, data_of(round, worker), expiry);
            start.wait();
            let renamed = store.rename(&old, &new, expiry);
            won[round as usize].fetch_add(u64::from(renamed), Ordering::Relaxed);
            assert_eq!(store.find(&old).is_none(), renamed, "gone if it moved, untouched if it did not");
            let owner = store.read(&new, |data| count_in(data, round)).expect("somebody won");
            assert_eq!(owner == worker, renamed);
        }
    });
    assert!(won.iter().all(|count| count.load(Ordering::Relaxed) == 1));
    assert_eq!(assert_store_sound(&store).len() as u64, rounds * WORKERS);
}

/// Catches a moment at which neither the old nor the new token finds the session.
#[test]
fn a_renamed_session_can_always_be_found() {
    let (store, clock) = manual_store();
    let steps = scaled(400_000);
    // The rename from token n to n + 1 starts only after `intent` is n + 1.
    let intent = AtomicU64::new(0);
    store.save_for(token_of(0), "the session", seconds(60));
    let mut seen = 0_u64;
    let watch = || {
        let from = intent.load(Ordering::SeqCst).saturating_sub(1);
        if store.find(token_of(from)).is_none() && store.find(token_of(from + 1)).is_none() {
            let now = intent.load(Ordering::SeqCst);
            assert!(now >= from + 2, "found under neither token {from} nor the next; the session was at most at {now}");
        } else {
            seen += 1;
        }
    };
    beside(watch, || {
        for step in 0..steps {
            intent.store(step + 1, Ordering::SeqCst);
            assert!(store.rename(token_of(step), token_of(step + 1), clock.system_time() + seconds(60)));
            assert!(store.find(token_of(step)).is_none());
            assert!(store.read(token_of(step + 1), |data| data == b"the session") == Some(true));
        }
    });
    assert!(seen > 0, "the watcher never met the session");
    assert_eq!(assert_store_sound(&store).len(), 1);
}

/// Catches a late request that brings a session back after its logout.
#[test]
fn nothing_revives_a_deleted_session() {
    let (store, clock) = manual_store();
    let rounds = scaled(10_000);
    let start = Barrier::new(WORKERS as usize);
    workers(|worker| {
        for round in 0..rounds {
            let token = token_of(round);
            let expiry = clock.system_time() + seconds(60);
            if worker == 0 {
                store.save(&token, "before", expiry);
            }
            start.wait();
            match worker {
                0 => assert!(store.delete(&token), "updates and touches never remove"),
                1 => ignore(store.update(&token, "late", expiry)),
                2 => ignore(store.touch(&token, expiry)),
                _ => {
                    if let Some((_, version)) = store.find_versioned(&token) {
                        ignore(store.compare_and_save(&token, version, "late", expiry));
                    }
                }
            }
            start.wait();
            assert!(store.find(&token).is_none(), "round {round}");
        }
    });
    assert!(assert_store_sound(&store).is_empty());
}

/// Catches a walk that loses or repeats sessions while the table grows and other sessions come and go.
#[test]
fn all_lists_each_session_that_is_there_throughout_once() {
    const STABLE: u64 = 400;
    const MOST: u64 = 8_000;
    let mut walks = 0;
    for _ in 0..scaled(5) {
        let (store, clock) = manual_store();
        for number in 0..STABLE {
            store.save_for(token_of(number), data_of(number, 0), seconds(600));
        }
        let next = AtomicU64::new(STABLE);
        let churn = || {
            for _ in 0..40 {
                let number = next.fetch_add(1, Ordering::Relaxed);
                store.save_for(token_of(number), data_of(number, 0), seconds(60));
                if number.is_multiple_of(3) {
                    store.delete(token_of(number));
                }
                store.touch(token_of(number % STABLE), clock.system_time() + seconds(600 + number % 60));
            }
        };
        beside(churn, || {
            while next.load(Ordering::Relaxed) < MOST {
                let mut counts = vec![0_u32; STABLE as usize];
                for (_, data) in store.iter() {
                    let number = u64::from_le_bytes(data[..8].try_into().expect("eight bytes"));
                    assert_eq!(count_in(&data, number), 0);
                    if number < STABLE {
                        counts[number as usize] += 1;
                    }
                }
                assert!(counts.iter().all(|count| *count == 1), "{counts:?}");
                walks += 1;
            }
        });
        assert_store_sound(&store);
    }
    assert!(walks > scaled(5), "hardly any walk met a growth");
}
