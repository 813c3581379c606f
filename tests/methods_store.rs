//! Every method of `MemStore` in `api.md`: what it answers, what it changes, and what it leaves alone.

mod common;

use std::time::{Duration, SystemTime};

use common::{assert_store_sound, manual_store, nanoseconds, recording_store, seconds, wall_start};
use fleeting::{MemStore, RemovalCause};

fn at(count: u64) -> SystemTime {
    wall_start() + seconds(count)
}

/// Catches wrong answers of the calls that SCS users know: save, find, delete, all.
#[test]
fn save_find_delete_all() {
    let (store, clock) = manual_store();
    assert!(store.find("a").is_none());
    store.save("a", "data of a", at(10));
    assert_eq!(store.find("a").expect("just saved").as_ref(), b"data of a");
    store.save(b"b", vec![1, 2, 3], at(20));
    store.save_for(String::from("c"), [9; 4], seconds(30));
    assert_eq!(&*store.find(b"a").expect("live"), b"data of a");
    assert_eq!(store.read("b", |data| data.to_vec()), Some(vec![1, 2, 3]));
    assert_eq!(store.read("d", |_| ()), None);
    let (data, expiry) = store.find_with_expiry("c").expect("live");
    assert_eq!((&*data, expiry), (&[9; 4][..], at(30)));
    assert_eq!((store.len(), store.is_empty()), (3, false));
    let mut all: Vec<(Vec<u8>, Vec<u8>)> =
        store.all().into_iter().map(|(token, data)| (token.to_vec(), data.to_vec())).collect();
    all.sort();
    let expected = [("a", &b"data of a"[..]), ("b", &[1, 2, 3]), ("c", &[9; 4])];
    assert!(
        all.iter()
            .map(|(token, data)| (&token[..], &data[..]))
            .eq(expected.map(|(token, data)| (token.as_bytes(), data)))
    );
    clock.advance(seconds(10));
    assert_eq!(store.iter().count(), 2);
    assert!(store.delete("b"));
    assert_eq!(&*store.take("c").expect("live"), [9; 4]);
    assert!(store.find("c").is_none());
    assert!(assert_store_sound(&store).is_empty());
}

/// Catches a clone that copies the sessions, and a weak handle that keeps them.
#[test]
fn a_clone_is_a_handle_to_the_same_store() {
    let (store, _) = manual_store();
    let other = store.clone();
    let weak = store.downgrade();
    store.save_for("a", "data", seconds(1));
    drop(store);
    assert!(weak.upgrade().is_some_and(|again| again.find("a").is_some()));
    other.clear();
    assert!(other.is_empty());
    drop(other);
    assert!(weak.upgrade().is_none());
}

/// Catches a batch that skips, reorders or repeats a token, shows what has expired, or is not counted, at every size around the depth of its
/// pipeline.
#[test]
fn get_many_calls_once_for_each_token_in_order() {
    let (store, clock) = manual_store();
    for number in (0..60_u32).step_by(2) {
        store.save_for(
            number.to_be_bytes(),
            number.to_le_bytes(),
            seconds(if number.is_multiple_of(3) { 5 } else { 60 }),
        );
    }
    clock.advance(seconds(5));
    let is_there = |number: u32| number.is_multiple_of(2) && !number.is_multiple_of(3);
    for length in 0..60_u32 {
        let before = store.stats();
        // The last token twice.
        let tokens: Vec<_> = (0..length).chain(length.checked_sub(1)).map(u32::to_be_bytes).collect();
        let mut seen = Vec::new();
        store.get_many(&tokens, |token, data| seen.push((*token, data.map(<[u8]>::to_vec))));
        let expected = tokens.iter().map(|token| {
            let number = u32::from_be_bytes(*token);
            (*token, is_there(number).then(|| number.to_le_bytes().to_vec()))
        });
        assert_eq!(seen, expected.collect::<Vec<_>>());
        let hits = seen.iter().filter(|(_, data)| data.is_some()).count() as u64;
        let after = store.stats();
        assert_eq!((after.hits - before.hits, after.misses - before.misses), (hits, tokens.len() as u64 - hits));
    }
    assert_eq!(store.len(), 20, "those that had expired were removed");
}

/// Catches a create that overwrites, and one that fails on a session that has expired.
#[test]
fn create_only_if_absent() {
    let (store, clock) = manual_store();
    assert!(store.create("a", "one", at(10)).is_ok());
    let taken = store.create("a", "two", at(20)).expect_err("the token is taken");
    assert!(taken.too_long().is_none());
    assert!(!taken.to_string().is_empty());
    let (data, expiry) = store.find_with_expiry("a").expect("live");
    assert_eq!((&*data, expiry), (&b"one"[..], at(10)));
    clock.advance(seconds(10));
    assert!(store.create("a", "three", at(20)).is_ok());
    assert_eq!(&*store.find("a").expect("live"), b"three");
    assert_eq!(assert_store_sound(&store).len(), 1);
}

/// Catches an update that creates, or that keeps data or expiry.
#[test]
fn update_only_if_live() {
    let (store, clock) = manual_store();
    assert!(!store.update("a", "one", at(10)));
    assert!(store.is_empty());
    store.save("a", "one", at(10));
    assert!(store.update("a", "two", at(20)));
    clock.advance(seconds(10));
    assert_eq!(&*store.find("a").expect("live"), b"two");
    assert!(store.update("a", "three", at(11)), "shorter, too");
    clock.advance(seconds(1));
    assert!(!store.update("a", "four", at(30)));
    assert!(assert_store_sound(&store).is_empty());
}

/// Catches a lost update: of two writers that read the same version, one must be refused.
#[test]
fn compare_and_save_refuses_a_stale_version() {
    let (store, _) = manual_store();
    store.save("a", "one", at(10));
    let (data, first) = store.find_versioned("a").expect("live");
    assert_eq!(&*data, b"one");
    assert_eq!(store.find_versioned("a").expect("live").1, first, "reading changes no version");
    let second = store.compare_and_save("a", first, "two", at(20)).expect("nobody wrote");
    assert_ne!(first, second);
    let conflict = store.compare_and_save("a", first, "three", at(30)).expect_err("stale");
    assert!(conflict.too_long().is_none());
    assert!(!conflict.to_string().is_empty());
    let (data, expiry) = store.find_with_expiry("a").expect("live");
    assert_eq!((&*data, expiry), (&b"two"[..], at(20)), "a refused save changes nothing");
    let third = store.compare_and_save("a", second, "three", at(30)).expect("current");
    assert_eq!(store.find_versioned("a").expect("live").1, third);
    assert!(store.compare_and_save("b", third, "x", at(30)).is_err(), "never creates");
    assert_eq!(assert_store_sound(&store).len(), 1);
}

/// Catches a version that repeats for a token: the ABA of optimistic sessions.
#[test]
fn a_version_never_repeats_for_a_token() {
    let (store, clock) = manual_store();
    let mut seen = Vec::new();
    let mut note = |store: &MemStore| {
        let version = store.find_versioned("a").expect("live").1;
        assert!(!seen.contains(&version), "a version came back after {} writes", seen.len());
        seen.push(version);
    };
    for round in 0..100_u64 {
        store.save_for("a", "same data", seconds(1));
        note(&store);
        store.save_for("a", "same data", seconds(1));
        note(&store);
        assert!(store.update("a", "same data", clock.system_time() + seconds(1)));
        note(&store);
        match round % 5 {
            0 => assert!(store.delete("a")),
            1 => assert!(store.take("a").is_some()),
            2 => {
                clock.advance(seconds(1));
                assert_eq!(store.sweep(), 1);
            }
            3 => {
                assert!(store.rename("a", "b", clock.system_time() + seconds(1)));
                assert!(store.rename("b", "a", clock.system_time() + seconds(1)));
                note(&store);
            }
            _ => store.clear(),
        }
        common::reclaim_until(|| true); // The old entry's memory may be used again at once.
    }
    assert_store_sound(&store);
}

/// Catches a touch that copies, creates, keeps the old expiry, or forgets to.
#[test]
fn touch_moves_the_expiry_alone() {
    let (store, clock) = manual_store();
    assert!(!store.touch("a", at(10)));
    store.save("a", "data", at(10));
    let before = store.find("a").expect("live");
    assert!(store.touch("a", at(100)));
    let (after, expiry) = store.find_with_expiry("a").expect("live");
    assert_eq!(expiry, at(100));
    assert!(std::ptr::eq(before.as_ptr(), after.as_ptr()), "the bytes were copied");
    clock.advance(seconds(99));
    assert_eq!(store.sweep(), 0);
    assert!(store.touch("a", at(99) + nanoseconds(1)));
    clock.advance(nanoseconds(1));
    assert!(store.find("a").is_none(), "shorter, too");
    assert!(!store.touch("a", at(500)), "expired");
    assert!(assert_store_sound(&store).is_empty());
}

/// Catches a `find` that copies the bytes.
#[test]
fn find_shares_the_bytes() {
    let (store, _) = manual_store();
    store.save("a", [5; 1_000], at(10));
    let (first, second) = (store.find("a").expect("live"), store.find("a").expect("live"));
    assert!(std::ptr::eq(first.as_ptr(), second.as_ptr()));
    assert_eq!(store.read("a", |data| std::ptr::eq(data.as_ptr(), first.as_ptr())), Some(true));
    assert!(std::ptr::eq(first.as_ptr(), first.clone().as_ptr()));
}

/// Catches a rename that copies nothing, overwrites another session, leaves the old token, or revives the dead.
#[test]
fn rename_moves_the_session_to_a_new_token() {
    let (store, clock) = manual_store();
    store.save("old", "data", at(10));
    store.save("other", "theirs", at(10));
    assert!(!store.rename("old", "other", at(50)), "the new token is live");
    assert_eq!(store.find_with_expiry("old").expect("unchanged").1, at(10));
    assert_eq!(&*store.find("other").expect("unchanged"), b"theirs");
    assert!(!store.rename("missing", "new", at(50)));
    assert!(store.find("new").is_none());
    assert!(store.rename("old", "new", at(50)));
    assert!(store.find("old").is_none());
    let (data, expiry) = store.find_with_expiry("new").expect("live");
    assert_eq!((&*data, expiry), (&b"data"[..], at(50)));
    assert!(store.rename("new", "new", at(60)), "onto itself: a touch");
    let (data, expiry) = store.find_with_expiry("new").expect("live");
    assert_eq!((&*data, expiry), (&b"data"[..], at(60)));
    clock.advance(seconds(10));
    assert!(store.rename("new", "other", at(60)), "the other has expired");
    assert_eq!(&*store.find("other").expect("live"), b"data");
    clock.advance(seconds(50));
    assert!(!store.rename("other", "new", at(90)), "expired");
    assert!(!store.rename("other", "other", at(90)), "expired");
    assert!(assert_store_sound(&store).is_empty());
}

/// Catches "log this user out everywhere" that misses a session or takes another's.
#[test]
fn delete_where_takes_what_the_closure_chooses() {
    let (store, clock, removals) = recording_store();
    for key in 0..3_000_u32 {
        let ttl = if key % 3 == 0 { 1 } else { 10 };
        store.save_for(key.to_string(), format!("user-{}", key % 4), seconds(ttl));
    }
    clock.advance(seconds(1));
    assert_eq!(store.delete_where(|_, data| data.starts_with(b"user-2")), 500);
    assert_eq!(store.delete_where(|_, data| data.starts_with(b"user-2")), 0);
    assert_eq!(store.delete_where(|token, _| token.starts_with(b"1999")), 1);
    let removed: Vec<_> =
        removals.drain().into_iter().filter(|(_, _, cause)| *cause == RemovalCause::Removed).collect();
    assert_eq!(removed.len(), 501);
    assert_eq!(assert_store_sound(&store).len(), 1_499);
}

/// Catches a clear that leaves sessions or does not report them.
#[test]
fn clear_empties_the_store_and_it_works_on() {
    let (store, _, removals) = recording_store();
    for key in 0..1_000_u32 {
        store.save_for(key.to_le_bytes(), "data", seconds(10));
    }
    store.clear();
    assert!(store.is_empty());
    assert!(store.all().is_empty());
    let reports = removals.drain();
    assert_eq!(reports.len(), 1_000);
    assert!(reports.iter().all(|(_, _, cause)| *cause == RemovalCause::Cleared));
    store.save_for("a", "data", seconds(1));
    assert_eq!(assert_store_sound(&store).len(), 1);
}

/// Catches secrets in logs: what prints under `Debug` must show neither token nor data.
#[test]
fn token_and_data_print_redacted() {
    let (store, _) = manual_store();
    store.save_for("secret-token", "secret-data", seconds(1));
    let (token, data) = store.all().pop().expect("one session");
    for text in [format!("{token:?}"), format!("{data:?}"), format!("{:?}", store.all()), format!("{data:#?}")] {
        assert!(!text.contains("secret"), "{text}");
        assert!(!text.contains("115"), "{text}: as numbers");
        assert!(!text.to_lowercase().contains("7365"), "{text}: in hexadecimal");
    }
}

/// Catches a length that is cut to 32 bits, or a panic, on oversize data. The buffer is only read: it uses no memory.
#[test]
fn an_oversize_token_or_data_is_refused_with_an_error() {
    let (store, _) = manual_store();
    let huge = vec![0_u8; u32::MAX as usize + 1];
    store.save("a", "one", at(10));
    let (_, version) = store.find_versioned("a").expect("live");
    let before = store.stats();
    store.save("a", &huge, at(20));
    store.save(&huge, "two", at(20));
    assert!(store.try_save("a", &huge, at(20)).is_err_and(|error| !error.to_string().is_empty()));
    assert!(store.try_save(&huge, "two", at(20)).is_err());
    assert!(store.try_save("fine", "two", at(20)).is_ok());
    assert!(store.create("b", &huge, at(20)).is_err_and(|error| error.too_long().is_some()));
    assert!(store.create(&huge, "two", at(20)).is_err_and(|error| error.too_long().is_some()));
    assert!(store.compare_and_save("a", version, &huge, at(20)).is_err_and(|error| error.too_long().is_some()));
    assert!(!store.update("a", &huge, at(20)));
    assert!(store.find(&huge).is_none());
    assert!(!store.delete(&huge));
    assert!(!store.rename("a", &huge, at(20)));
    assert!(store.stats().rejected >= before.rejected + 2, "saves that were refused are counted");
    let (data, expiry) = store.find_with_expiry("a").expect("nothing changed");
    assert_eq!((&*data, expiry), (&b"one"[..], at(10)));
    assert_eq!(assert_store_sound(&store).len(), 2);
}

/// Catches statistics that miss the store's own operations.
#[test]
fn statistics_count_what_happened() {
    let (store, clock) = manual_store();
    store.save("a", "one", at(1));
    store.save("a", "two", at(1));
    store.save("b", "one", at(9));
    store.find("a");
    store.read("a", |_| ());
    store.find("missing");
    store.find_versioned("a");
    store.find_with_expiry("a");
    store.find_with_expiry("missing");
    let stats = store.stats();
    assert_eq!((stats.inserts, stats.replaced, stats.hits, stats.misses), (2, 1, 4, 2));
    assert!(store.peek("a").is_some() && store.peek_with_expiry("a").is_some());
    assert!(store.peek("missing").is_none() && store.peek_with_expiry("missing").is_none());
    assert_eq!((store.iter().count(), store.all().len(), store.iter_with_expiry().count()), (2, 2, 2));
    assert_eq!(store.delete_where(|_, _| false), 0);
    let stats = store.stats();
    assert_eq!((stats.hits, stats.misses), (4, 2), "neither looks without a trace nor listings count");
    store.delete("b");
    clock.advance(seconds(1));
    assert_eq!(store.sweep(), 1);
    let stats = store.stats();
    assert_eq!((stats.removed, stats.expired, stats.entries, stats.sweeps), (1, 1, 0, 1));
    let silent = MemStore::builder().cleanup_interval(Duration::ZERO).without_stats().build().expect("valid");
    silent.save_for("a", "one", seconds(60));
    silent.find("a");
    assert_eq!(silent.stats().hits, 0);
    assert_eq!(silent.len(), 1);
}

/// Catches looks without a trace that tell something else than those that count, and a listing whose expiries are
/// another's.
#[test]
fn peek_and_iter_tell_data_and_expiry() {
    let (store, clock) = manual_store();
    store.save("a", "one", at(5));
    store.save("b", "two", at(9));
    assert_eq!(store.peek("a").as_deref(), Some(&b"one"[..]));
    assert_eq!(
        store.peek_with_expiry("b").map(|(data, expiry)| (data.to_vec(), expiry)),
        Some((b"two".to_vec(), at(9)))
    );
    assert!(store.touch("a", at(7)));
    let listed = |store: &MemStore| {
        let mut listed: Vec<_> = store.iter_with_expiry().map(|(t, d, e)| (t.to_vec(), d.to_vec(), e)).collect();
        listed.sort();
        listed
    };
    let (a, b) = ((b"a".to_vec(), b"one".to_vec(), at(7)), (b"b".to_vec(), b"two".to_vec(), at(9)));
    assert_eq!(listed(&store), [a, b.clone()]);
    clock.advance(seconds(7));
    assert!(store.peek("a").is_none() && store.peek_with_expiry("a").is_none());
    assert_eq!(listed(&store), [b]);
}

/// Catches a builder that accepts nonsense or does not say what is wrong.
#[test]
fn the_builder_refuses_nonsense_by_name() {
    let error = MemStore::builder().capacity(usize::MAX).build().expect_err("no such room");
    assert!(error.to_string().contains("capacity"), "{error}");
    let store = MemStore::builder().capacity(1_000).cleanup_interval(Duration::ZERO).build().expect("valid");
    for key in 0..5_000_u32 {
        store.save_for(key.to_le_bytes(), key.to_be_bytes(), seconds(60));
    }
    assert_eq!(assert_store_sound(&store).len(), 5_000);
}

/// Catches versions that repeat, whichever thread saves.
#[test]
fn versions_never_repeat() {
    let (store, _) = manual_store();
    let version = |store: &MemStore| {
        store.save("a", "data", at(10));
        store.find_versioned("a").expect("just saved").1
    };
    let mut seen = std::collections::HashSet::new();
    for _ in 0..70_000 {
        assert!(seen.insert(version(&store)));
    }
    for _ in 0..3 {
        let other = store.clone();
        let versions = std::thread::spawn(move || [version(&other), version(&other)]).join().expect("no panic");
        assert!(versions.into_iter().all(|version| seen.insert(version)));
    }
}
