//! rename-session (`src/store.rs`): the new token is published before the old one is cut, by identity: who finds neither has missed the
//! session, and who changes the old one meanwhile makes the renaming start over, or fail.
//!
//! Explored: a renaming beside a find of both tokens, a deletion, a save, another renaming, a creation of the new
//! token, the expiry of the old one. Breaks caught: a cut before the put, a copy that stays where the source was
//! deleted, a source removed by its name, one that has expired.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fleeting::MemStore;
use fleeting_loom_tests::{Model, later, pair, store, store_with_visible_clock, trio};

/// The tokens lie in both buckets of the table.
const OLD: &str = "old";
const NEW: &str = "new";
const OTHER: &str = "other";

fn with_session() -> Arc<MemStore> {
    let store = store();
    store.save(OLD, "1", later());
    store
}

fn find(store: &MemStore, token: &str) -> Option<String> {
    store.read(token, |data| String::from_utf8_lossy(data).into_owned())
}

fn is_there(store: &MemStore, token: &str) -> bool {
    store.read(token, |data| assert!(matches!(data, b"1" | b"2"))).is_some()
}

/// What each token holds, the old one's first.
fn tokens(store: &MemStore) -> (Option<String>, Option<String>) {
    (find(store, OLD), find(store, NEW))
}

/// One of them finds it, or both do.
fn find_against_rename_to(name: &'static str, new: &'static str) {
    Model::new(name).rmw(5).explore(&[(true, true), (true, false), (false, true)], move || {
        let store = with_session();
        let (renamed, found) = pair(
            &store,
            move |store| store.rename(OLD, new, later()),
            move |store| (is_there(store, OLD), is_there(store, new)),
        );
        assert!(renamed);
        assert_ne!(found, (false, false), "the session was nowhere");
        assert_eq!((is_there(&store, OLD), is_there(&store, new), store.len()), (false, true, 1));
        found
    });
}

#[test]
fn find_against_rename() {
    find_against_rename_to("find_against_rename", NEW);
}

#[test]
fn find_against_rename_to_another() {
    find_against_rename_to("find_against_rename_to_another", OTHER);
}

/// A logout is not undone.
#[test]
fn rename_against_delete() {
    Model::new("rename_against_delete").rmw(5).explore(&[(true, false), (false, true)], || {
        let store = with_session();
        let (renamed, deleted) = pair(&store, |store| store.rename(OLD, NEW, later()), |store| store.delete(OLD));
        assert_eq!(is_there(&store, NEW), renamed, "a session that was deleted is there");
        assert!(!is_there(&store, OLD));
        (renamed, deleted)
    });
}

/// What is saved meanwhile moves; what is saved after is a session of its own.
#[test]
fn rename_against_save() {
    Model::new("rename_against_save").plain(6).rmw(4).explore(&[(false, "2"), (true, "1")], || {
        let store = with_session();
        let (renamed, ()) =
            pair(&store, |store| store.rename(OLD, NEW, later()), |store| store.save(OLD, "2", later()));
        assert!(renamed);
        match tokens(&store) {
            (None, Some(new)) if new == "2" => (false, "2"),
            (Some(old), Some(new)) if (&*old, &*new) == ("2", "1") => (true, "1"),
            other => panic!("{other:?}"),
        }
    });
}

/// One of two renamings gets the session.
#[test]
fn rename_against_rename() {
    Model::new("rename_against_rename").plain(2).rmw(3).explore(&[(true, false), (false, true)], || {
        let store = with_session();
        let renamed = pair(&store, |store| store.rename(OLD, NEW, later()), |store| store.rename(OLD, OTHER, later()));
        assert_eq!((is_there(&store, NEW), is_there(&store, OTHER)), renamed);
        assert_eq!((is_there(&store, OLD), store.len()), (false, 1));
        renamed
    });
}

/// No session is overwritten by another.
#[test]
fn rename_against_create() {
    Model::new("rename_against_create").rmw(5).explore(&[(true, false), (false, true)], || {
        let store = with_session();
        let (renamed, created) =
            pair(&store, |store| store.rename(OLD, NEW, later()), |store| store.create(NEW, "2", later()).is_ok());
        let expected = if created { (Some("1"), Some("2")) } else { (None, Some("1")) };
        let found = tokens(&store);
        assert_eq!((found.0.as_deref(), found.1.as_deref()), expected);
        (renamed, created)
    });
}

/// The copy is taken back by identity: what another saved under the new token stays.
#[test]
fn rename_against_delete_against_save() {
    Model::new("rename_against_delete_against_save").plain(2).rmw(2).explore(&[(true, false), (false, true)], || {
        let store = with_session();
        let (renamed, deleted, ()) = trio(
            &store,
            |store| store.rename(OLD, NEW, later()),
            |store| store.delete(OLD),
            |store| store.save(NEW, "2", later()),
        );
        assert_eq!(find(&store, NEW).as_deref(), Some("2"), "a save was lost");
        assert!(!(renamed && deleted));
        (renamed, deleted)
    });
}

/// A session that has expired has no other life: who does not find the new token then will not find it later. (Who
/// looks for the old one, too, removes it.)
#[test]
fn rename_against_expiry() {
    const SOON: Duration = Duration::from_secs(5);
    let model = Model::new("rename_against_expiry").plain(5).rmw(4);
    model.explore(&[(true, true), (false, true), (false, false)], || {
        let world = store_with_visible_clock();
        world.0.save(OLD, "1", SystemTime::UNIX_EPOCH + SOON);
        let (renamed, found) = pair(
            &world,
            |(store, _)| store.rename(OLD, NEW, later()),
            |(store, clock)| {
                clock.advance(SOON);
                is_there(store, NEW)
            },
        );
        assert!(found || !renamed, "a session that had expired is there again");
        let (store, _) = world;
        assert_eq!((is_there(&store, OLD), is_there(&store, NEW), store.len()), (false, renamed, usize::from(renamed)));
        (renamed, found)
    });
}
