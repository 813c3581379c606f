//! Closures that write the key which they decide about. Such a closure undoes the call that runs it: the entry has
//! changed, so it is asked again.
//!
//! The first decision of a call costs nothing here. From the second on, which are rare, the thread notes what it
//! decides about, and each of its writes leaves word there of the node that it published under that hash. If that is
//! the very node that the next decision is about, then nobody but the closure has caused it.

use std::cell::{Cell, RefCell};

use super::Engine;
use crate::expiry::Timed;
use crate::reclaim::Ref;
use crate::sync::thread_local;

thread_local! {
    /// How many decisions are noted: all that a write looks at, unless there are any.
    static DEPTH: Cell<usize> = Cell::default();
    /// The decisions that run, the innermost last.
    static DECISIONS: RefCell<Vec<Noted>> = RefCell::default();
}

/// Decisions, after the first, that a closure may undo: it may have its reasons for some, and for so many it has none.
const MOST: usize = 1_000;

struct Noted {
    /// The engine, by its address.
    engine: usize,
    hash: u64,
    /// The node that this thread has published last under that hash, by its address; 0 for none.
    published: usize,
}

/// A decision that is noted until this is dropped.
pub(super) struct Decision;

impl Decision {
    /// Notes that this thread decides about a key.
    pub(super) fn begin<N: Timed>(engine: &Engine<N>, hash: u64) -> Decision {
        let noted = Noted { engine: address(engine), hash, published: 0 };
        // As a thread ends, there is no place to note it: then nothing is detected.
        let _ = DECISIONS.try_with(|decisions| decisions.borrow_mut().push(noted));
        DEPTH.with(|depth| depth.set(depth.get() + 1));
        Decision
    }

    /// The node that this thread has published since under the key's hash, by its address.
    pub(super) fn published(&self) -> Option<usize> {
        let last = DECISIONS.try_with(|decisions| decisions.borrow().last().map(|noted| noted.published));
        last.ok().flatten().filter(|&published| published != 0)
    }
}

impl Drop for Decision {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
        let _ = DECISIONS.try_with(|decisions| decisions.borrow_mut().pop());
    }
}

/// Notes that this thread has published a node.
#[inline]
pub(super) fn published<N: Timed>(engine: &Engine<N>, node: Ref<'_, N>) {
    if DEPTH.with(Cell::get) != 0 {
        note(address(engine), node.hash(), node.pointer().addr().get());
    }
}

#[cold]
fn note(engine: usize, hash: u64, node: usize) {
    let _ = DECISIONS.try_with(|decisions| {
        let mut decisions = decisions.borrow_mut();
        for noted in decisions.iter_mut().filter(|noted| (noted.engine, noted.hash) == (engine, hash)) {
            noted.published = node;
        }
    });
}

/// Counts a decision that its own closure has undone.
///
/// # Panics
///
/// There were too many of them.
#[cold]
pub(super) fn undone(count: &mut usize) {
    *count += 1;
    assert!(*count <= MOST, "the closure of update, compute or remove_if has written its own key each time it ran");
}

fn address<N: Timed>(engine: &Engine<N>) -> usize {
    std::ptr::from_ref(engine).addr()
}
