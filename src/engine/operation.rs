//! One operation on one cache: it pins, and when it ends it unpins first, then tells the listener who left, then drops what may be dropped.
//!
//! The thread that unlinked an entry owns it until the listener has been told; only then is it retired. So a listener runs without a pin, and one that is
//! slow holds back no memory but that of the entries which it has yet to be told of.
//!
//! A listener may change caches. What leaves by that is told when the listener has returned, by the outermost operation of the thread that tells: a listener
//! that puts back what has left does not nest.
//!
//! Where the thread-locals behind this are gone (a thread that ends), listeners are told at once, nested or not.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::{Engine, RemovalCause};
use crate::contain::contain;
use crate::expiry::Timed;
use crate::map::Gone;
use crate::reclaim::{self, Guard, Ref};
use crate::stats::Panics;
use crate::sync::thread_local;

/// Called with each entry that leaves.
pub type Listener<N> = Box<dyn Fn(Ref<'_, N>, RemovalCause) + Send + Sync>;

/// A pin, and what is to be done when the operation has ended.
pub struct Operation<'e, N: Timed> {
    // Dropped first: the thread is unpinned when the rest happens.
    guard: Guard,
    end: End<'e, N>,
}

struct End<'e, N: Timed> {
    engine: &'e Engine<N>,
    /// Whether the operation changes the cache, so that its end is a safe point.
    is_change: bool,
    /// The entries that left. None until the first, so that a read writes one word.
    left: Cell<Option<Box<Notices<N>>>>,
}

struct Notices<N: Timed>(Vec<Left<N>>);

struct Left<N: Timed> {
    node: Gone<N>,
    cause: RemovalCause,
}

/// A listener, and where its panics are counted.
pub struct Notifier<N: Timed> {
    listener: Listener<N>,
    panics: Arc<Panics>,
}

impl<N: Timed> Engine<N> {
    /// Begins an operation that only reads, but for the removal of what has expired.
    #[inline]
    pub fn read(&self) -> Operation<'_, N> {
        self.operation(false)
    }

    /// Begins an operation that changes the cache.
    #[inline]
    pub fn change(&self) -> Operation<'_, N> {
        self.operation(true)
    }

    #[inline]
    fn operation(&self, is_change: bool) -> Operation<'_, N> {
        Operation { guard: reclaim::pin(), end: End { engine: self, is_change, left: Cell::new(None) } }
    }
}

impl<N: Timed> Operation<'_, N> {
    /// Notes that an entry left; without a listener, retires it.
    #[inline]
    pub(super) fn note(&self, node: Gone<N>, cause: RemovalCause) {
        if self.end.engine.notifier.is_some() {
            let mut left = self.end.left.take().unwrap_or_else(|| Box::new(Notices(Vec::new())));
            left.0.push(Left { node, cause });
            self.end.left.set(Some(left));
        }
    }
}

impl<N: Timed> Deref for Operation<'_, N> {
    type Target = Guard;

    #[inline]
    fn deref(&self) -> &Guard {
        &self.guard
    }
}

impl<N: Timed> fmt::Debug for Operation<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").field("is_change", &self.end.is_change).finish_non_exhaustive()
    }
}

impl<N: Timed> Drop for End<'_, N> {
    #[inline]
    fn drop(&mut self) {
        if let Some(left) = self.left.take()
            && let Some(notifier) = &self.engine.notifier
        {
            tell(notifier, left.0);
        }
        if self.is_change {
            reclaim::safe_point();
        }
    }
}

type Telling = Box<dyn FnOnce()>;

thread_local! {
    /// What is told when the listener that this thread is in has returned; None while it is in none.
    static TOLD_LATER: RefCell<Option<VecDeque<Telling>>> = RefCell::default();
}

/// Tells a listener of what left, now or when the listener that this thread is in has returned.
#[cold]
fn tell<N: Timed>(notifier: &Arc<Notifier<N>>, left: Vec<Left<N>>) {
    /// Ends the telling, whatever happens.
    struct Outermost;
    impl Drop for Outermost {
        fn drop(&mut self) {
            let _ = TOLD_LATER.try_with(RefCell::take);
        }
    }
    let mut left = Some(left);
    let is_outermost = TOLD_LATER.try_with(|later| {
        let mut later = later.borrow_mut();
        if let Some(later) = &mut *later {
            let (notifier, left) = (notifier.clone(), left.take());
            later.push_back(Box::new(move || left.into_iter().for_each(|left| notifier.tell(left))));
            return false;
        }
        *later = Some(VecDeque::new());
        true
    });
    // Where the thread is ending, there is no later: what left is told now.
    let is_outermost = is_outermost.unwrap_or(false);
    let _outermost = is_outermost.then(|| Outermost);
    left.into_iter().for_each(|left| notifier.tell(left));
    if is_outermost {
        while let Ok(Some(next)) =
            TOLD_LATER.try_with(|later| later.borrow_mut().as_mut().and_then(VecDeque::pop_front))
        {
            // Its end may be that of a listener, whose drop is the user's.
            contain(next);
        }
    }
}

impl<N: Timed> Notifier<N> {
    /// A notifier that counts panics there.
    pub fn new(listener: Listener<N>, panics: Arc<Panics>) -> Self {
        Notifier { listener, panics }
    }

    fn tell(&self, left: Vec<Left<N>>) {
        for Left { node, cause } in left {
            if !contain(|| (self.listener)(node.node(), cause)) {
                self.panics.note();
            }
        }
    }
}
