//! Whole session stores: all operations, renames, versions, handles that outlive their sessions.
//!
//! Catches what `caches.rs` does, on the other node layout; and a login that is done twice, a session that a rename loses, a save that
//! comes late and is kept, a handle whose bytes are freed.

use fleeting_shuttle_tests::caches::join;
use fleeting_shuttle_tests::clock::ticks;
use fleeting_shuttle_tests::stores::{ALL, Kind, WITHOUT_COPIES, World, name, number};
use fleeting_shuttle_tests::{explore, ignore};
use shuttle::thread;

/// All operations, on few tokens.
#[test]
fn sessions() {
    explore("sessions", || {
        let world = World::default();
        join([(); 4].map(|()| world.spawn(ALL, 3, 8)));
        world.finish();
    });
}

/// All but renames: of each session's data it is known what became of it.
#[test]
fn sessions_without_renames() {
    explore("sessions-without-renames", || {
        let world = World::default();
        join([(); 4].map(|()| world.spawn(WITHOUT_COPIES, 2, 8)));
        world.finish();
    });
}

/// All operations by five threads while the table grows.
#[test]
fn sessions_while_growing() {
    explore("sessions-while-growing", || {
        let world = World::default();
        (0..8).for_each(|token| world.save(token, ticks(3)));
        join([(); 5].map(|()| world.spawn(ALL, 14, 8)));
        world.finish();
    });
}

/// While a session is renamed there and back, there is no moment at which neither token finds it.
#[test]
fn renames() {
    explore("renames", || {
        let world = World::default();
        world.save(0, ticks(100));
        let renamer = world.clone();
        let rename = thread::spawn(move || {
            assert!(renamer.rename(0, 1, ticks(90)));
            assert!(renamer.rename(1, 2, ticks(80)));
        });
        let finder = world.clone();
        let find = thread::spawn(move || {
            for _ in 0..3 {
                // In the order of the renaming: what has left the one is in the next.
                let found = (0..3).any(|token| finder.store.find(name(token)).is_some());
                assert!(found, "there was a moment without the session");
            }
        });
        let others = [(); 2].map(|()| {
            let world = world.clone();
            thread::spawn(move || {
                (3..7).for_each(|token| world.save(token, ticks(50)));
                world.clock.advance(ticks(1));
                world.store.sweep();
            })
        });
        join([rename, find].into_iter().chain(others));
        assert_eq!(world.store.find(name(2)).map(|data| number(&data)), Some(0), "the rename lost the session");
        assert!(!world.store.delete(name(0)) && !world.store.delete(name(1)), "the rename left a token behind");
        world.finish();
    });
}

/// A session is renamed, deleted and saved at once: it is renamed as a whole, or not at all.
#[test]
fn rename_against_logout() {
    explore("rename-against-logout", || {
        let world = World::default();
        world.save(0, ticks(100));
        let renamers = [1, 2].map(|to| {
            let world = world.clone();
            thread::spawn(move || ignore(world.rename(0, to, ticks(90))))
        });
        let leaver = world.clone();
        let leave = thread::spawn(move || ignore(leaver.store.delete(name(0))));
        join(renamers.into_iter().chain([leave]));
        let left = [0, 1, 2].map(|token| world.store.find(name(token)).is_some());
        // One of the three got the session.
        assert!(!(left[0] || left[1] && left[2]), "more than one got the session: {left:?}");
        world.finish();
    });
}

/// Of two creations of one token one wins, and no save by comparison is lost.
#[test]
fn versions() {
    explore("versions", || {
        let world = World::default();
        let threads = [(); 3].map(|()| {
            let world = world.clone();
            thread::spawn(move || {
                let expiry = world.clock.wall(ticks(100));
                let mut created = u32::from(world.store.create(name(0), 0_u32.to_le_bytes(), expiry).is_ok());
                for _ in 0..3 {
                    loop {
                        let (data, version) = world.store.find_versioned(name(0)).expect("nobody deletes it");
                        let next = number(&data) + 1;
                        if world.store.compare_and_save(name(0), version, next.to_le_bytes(), expiry).is_ok() {
                            break;
                        }
                    }
                    created += u32::from(world.store.create(name(0), 0_u32.to_le_bytes(), expiry).is_ok());
                    // A touch is no save.
                    assert!(world.store.touch(name(0), world.clock.wall(ticks(90))));
                }
                created
            })
        });
        (0..9).for_each(|_| ignore(world.ledger.number()));
        let created: u32 = threads.map(|thread| thread.join().expect("it did not panic")).into_iter().sum();
        assert_eq!(created, 1, "one token was created twice, or never");
        assert_eq!(world.store.find(name(0)).map(|data| number(&data)), Some(9), "a save was lost");
    });
}

/// Handles to data and tokens are kept by other threads than those that delete the sessions.
#[test]
fn handles() {
    explore("handles", || {
        let world = World::default();
        (0..3).for_each(|token| world.save(token, ticks(2)));
        let keepers = [(); 2].map(|()| {
            let world = world.clone();
            thread::spawn(move || {
                let kept = world.store.all();
                let also: Vec<_> = kept.iter().map(|(_, data)| data.clone()).collect();
                world.store.clear();
                for ((token, data), copy) in kept.iter().zip(&also) {
                    assert_eq!(**token, name(number(data) as u8), "another session's data");
                    assert_eq!(number(data), number(copy));
                }
            })
        });
        let others = world.spawn(&[Kind::Take, Kind::Find, Kind::Delete, Kind::Sweep, Kind::Advance], 3, 6);
        join(keepers.into_iter().chain([others]));
        world.finish();
    });
}
