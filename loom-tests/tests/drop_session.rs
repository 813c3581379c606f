//! drop-session (`src/map/record.rs`): whoever gives the last reference of a session up frees it, after every use of its bytes.
//!
//! Explored: handles and the map's own share given up at once; a handle taken under a guard beside a removal, and beside a save and a take of
//! the store. Breaks caught: a count that is lowered without release, a freeing without acquire, a handle that takes no reference.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use fleeting::map::{Map, Node as _, Record, Shared};
use fleeting::reclaim::Ref;
use fleeting_loom_tests::{Key, Model, NEVER, later, pair, pin, store, trio};

const K: Key = Key::new(0, 7, 0);

fn record() -> fleeting::map::Owned<Record> {
    Record::new(K.hash, b"token", b"data", NEVER, 1).expect("short")
}

/// A part of a record that one thread gives up.
#[derive(Clone)]
struct Parts(Rc<[Cell<Option<Shared>>; 3]>);

impl Parts {
    /// Reads the data and gives the handle up.
    fn give_up(&self, index: usize) {
        let handle = self.0[index].take().expect("one a thread");
        assert_eq!(handle.data(), b"data");
        drop(handle);
    }
}

#[test]
fn drop_against_drop_against_drop() {
    Model::new("drop_against_drop_against_drop").explore(&[()], || {
        let guard = pin();
        let record = record().publish(&guard);
        let handles = [0, 1, 2].map(|_| Cell::new(Some(Shared::new(record))));
        // The map's share.
        // SAFETY: it is in no map, and this is its only release but the handles' own.
        unsafe { Record::release(record.pointer()) };
        let parts = Parts(Rc::new(handles));
        trio(&parts, |parts| parts.give_up(0), |parts| parts.give_up(1), |parts| parts.give_up(2));
    });
}

/// The collector gives the map's share up, after the grace period, beside a handle that is cloned and one that is dropped.
#[test]
fn release_against_clone_against_drop() {
    Model::new("release_against_clone_against_drop").explore(&[()], || {
        let guard = pin();
        let record = record().publish(&guard);
        let handles = [0, 1, 2].map(|index| Cell::new((index > 0).then(|| Shared::new(record))));
        let parts = Parts(Rc::new(handles));
        let pointer = record.pointer();
        trio(
            &parts,
            // SAFETY: it is in no map, and this is its only release but the handles' own.
            |_| unsafe { Record::release(pointer) },
            |parts| {
                let handle = parts.0[1].take().expect("one a thread");
                let clone = handle.clone();
                drop(handle);
                assert_eq!(clone.token(), b"token");
            },
            |parts| parts.give_up(2),
        );
    });
}

/// The store's own operations: what a find, or a take, has returned stays as it was, whatever becomes of the session.
#[test]
fn find_against_save_against_take() {
    Model::new("find_against_save_against_take").plain(4).rmw(4).explore(
        &[
            (Some(1), Some(1)),
            (Some(1), Some(2)),
            (Some(2), Some(2)),
            (None, Some(2)),
            (None, Some(1)),
            (Some(2), Some(1)),
        ],
        || {
            let store = store();
            store.save("token", [1], later());
            let ((), taken, found) = trio(
                &store,
                |store| store.save("token", [2], later()),
                |store| store.take("token"),
                |store| store.find("token"),
            );
            (found.map(|data| data[0]), taken.map(|data| data[0]))
        },
    );
}

/// The count is raised under a guard, while the record is removed and retired.
#[test]
fn find_against_remove() {
    Model::new("find_against_remove").on_real_epoch().explore(&[true, false], || {
        let map = Arc::new(Map::<Record>::with_capacity(0));
        {
            let guard = pin();
            let seat = map.seek(K.hash, |_| true, &guard);
            assert!(map.put(&seat, record(), &guard).is_ok());
        }
        let (removed, found) = pair(
            &map,
            |map| {
                let is_cut = {
                    let guard = pin();
                    let seat = map.seek(K.hash, |_| true, &guard);
                    map.cut(&seat, &guard).is_some()
                };
                if cfg!(fleeting_real_epoch) {
                    // So that the collector frees it here, if it may.
                    (0..3).for_each(|_| pin().flush());
                }
                is_cut
            },
            |map| {
                let handle = {
                    let guard = pin();
                    map.find(K.hash, |record: Ref<'_, Record>| Record::token(record) == b"token", &guard)
                        .map(Shared::new)
                };
                handle.is_some_and(|handle| handle.clone().data() == b"data")
            },
        );
        assert!(removed);
        found
    });
}
