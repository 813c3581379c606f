//! The only file that names `crossbeam_epoch`: pinning, retiring, and the one place where a shared
//! pointer becomes a reference.
//!
//! * [`pin`] keeps everything that is reachable now allocated until the guard is dropped.
//! * [`retire`] frees a pointer, once, after every guard that was pinned at that moment is gone; `retire_home` does so for small
//!   objects, which come back to the thread that retired them. During a [`BulkRemoval`], so does whatever is retired by `retire_soon`.
//! * `safe_point` lets the collector work for the thread, where it may run the user's code.
//! * [`reach`] turns a pointer that the structure vouches for into a [`Ref`] that lives as long as the guard.
//!
//! In models (`--cfg loom` or `--cfg shuttle`) the *oracle* of [`oracle`] takes crossbeam's place: it frees nothing before the
//! end, and panics when a guard pinned after a retirement reaches what was retired, when something is
//! retired twice, and when something is neither freed nor retired at the end. With
//! `--cfg fleeting_real_epoch` the models run over the real collector instead.

#![allow(unsafe_code)]

#[cfg(not(any(loom, shuttle)))]
mod bulk;
#[cfg(not(any(loom, shuttle)))]
mod home;
pub mod yard;

use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

#[cfg(not(all(any(loom, shuttle), not(fleeting_real_epoch))))]
pub use self::real::{Guard, born, died, pin, retire};

#[cfg(not(any(loom, shuttle)))]
pub use self::{
    bulk::BulkRemoval,
    home::{flush, retire_home, retire_soon, safe_point},
};

#[cfg(not(any(loom, shuttle)))]
pub use self::real::collector;

#[cfg(all(any(loom, shuttle), not(fleeting_real_epoch)))]
pub use self::oracle::{Guard, born, died, finish, pin, retire, start};

/// A shared reference that an epoch guard keeps allocated. It is a pointer and no `&T`, so that a node
/// with bytes behind its struct can reach them with the provenance of the whole allocation.
pub struct Ref<'g, T> {
    pointer: NonNull<T>,
    guard: PhantomData<&'g T>,
}

impl<T> Clone for Ref<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ref<'_, T> {}

impl<'g, T> Ref<'g, T> {
    /// The pointer, with the provenance of its allocation.
    #[inline]
    pub fn pointer(self) -> NonNull<T> {
        self.pointer
    }

    /// Whether both are the same object (not: equal ones).
    #[inline]
    pub fn is(self, other: Ref<'_, T>) -> bool {
        self.pointer == other.pointer
    }

    /// The object, for as long as the guard.
    #[inline]
    pub fn get(self) -> &'g T {
        // SAFETY: E1: `reach` was called with a pointer that stays allocated for 'g, and shared objects
        // are only ever borrowed immutably.
        unsafe { self.pointer.as_ref() }
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.get()
    }
}

impl<T> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pointer.fmt(f)
    }
}

#[cfg(any(loom, shuttle))]
pub use self::retire as retire_soon;

/// [`retire`], whatever the size. (Models free at the end.)
///
/// # Safety
///
/// E2, as for `retire`.
#[cfg(any(loom, shuttle))]
pub unsafe fn retire_home<T: 'static>(pointer: *mut T, _bytes: usize, free: unsafe fn(*mut T), guard: &Guard) {
    // SAFETY: E2, by the caller.
    unsafe { retire(pointer, free, guard) }
}

/// Has the collector free what can be freed. (Models: the oracle does so at the end, and no thread holds anything back.)
#[cfg(any(loom, shuttle))]
pub fn flush(guard: &Guard) {
    guard.flush();
}

/// In models, nothing is handed over.
#[cfg(any(loom, shuttle))]
pub fn safe_point(_guard: &Guard) {}

/// In models, nothing is freed before the end.
#[cfg(any(loom, shuttle))]
#[derive(Debug)]
pub struct BulkRemoval(());

#[cfg(any(loom, shuttle))]
impl BulkRemoval {
    /// Begins one.
    pub fn begin() -> Self {
        BulkRemoval(())
    }

    /// Has the collector free what can be freed.
    pub fn step(&self) {
        flush(&pin());
    }
}

/// Makes a [`Ref`] of a pointer that was read from a structure under `guard`.
///
/// # Safety
///
/// E1: the pointee was reachable at some moment since `guard` was pinned, and whoever unlinks it frees it
/// through [`retire`] only.
#[inline]
pub unsafe fn reach<'g, T>(pointer: NonNull<T>, guard: &'g Guard) -> Ref<'g, T> {
    #[cfg(all(any(loom, shuttle), not(fleeting_real_epoch)))]
    oracle::check(pointer.as_ptr().cast(), guard);
    let _ = guard;
    Ref { pointer, guard: PhantomData }
}

#[cfg(not(all(any(loom, shuttle), not(fleeting_real_epoch))))]
mod real {
    pub use crossbeam_epoch::{Guard, pin};

    /// The collector that [`pin`] pins, for the skip list.
    #[cfg(not(any(loom, shuttle)))]
    pub fn collector() -> crossbeam_epoch::Collector {
        crossbeam_epoch::default_collector().clone()
    }

    /// Frees `pointer` with `free` once no guard of today can reach it.
    ///
    /// # Safety
    ///
    /// E2: `pointer` is unlinked from every shared structure, is retired once, and `free` may run on any
    /// thread, at any later time.
    #[inline]
    pub unsafe fn retire<T: 'static>(pointer: *mut T, free: unsafe fn(*mut T), guard: &Guard) {
        let closure = move || {
            // SAFETY: E2, by the caller.
            unsafe { free(pointer) }
        };
        // SAFETY: E2 is what `defer_unchecked` asks for: the closure may outlive the guard and change threads.
        unsafe { guard.defer_unchecked(closure) }
    }

    /// Tells the oracle that an object exists. Nothing in a build.
    #[inline(always)]
    pub fn born<T>(_pointer: *const T) {}

    /// Tells the oracle that an object is freed. Nothing in a build.
    #[inline(always)]
    pub fn died<T>(_pointer: *const T) {}
}

/// The model's reclaimer: it knows when each object was retired, and tells on whoever comes too late.
#[cfg(all(any(loom, shuttle), not(fleeting_real_epoch)))]
mod oracle {
    use core::any::type_name;
    use std::cell::RefCell;
    use std::collections::HashMap;

    use crate::sync::Ordering;
    #[cfg(loom)]
    use loom::sync::atomic::fence;
    #[cfg(shuttle)]
    use shuttle::sync::atomic::fence;

    #[derive(Default)]
    struct State {
        time: u64,
        /// Object -> the time it was retired at, if it was.
        objects: HashMap<usize, Option<u64>>,
        /// With what it is, to be told.
        retired: Vec<(usize, &'static str, Box<dyn FnOnce()>)>,
    }

    thread_local! {
        // All threads of a model run on one thread of the system.
        static STATE: RefCell<State> = RefCell::default();
    }

    /// A pin: what was retired before it must not be reached through it.
    #[derive(Debug)]
    pub struct Guard {
        pinned: u64,
    }

    impl Guard {
        /// Frees nothing: the oracle does at the end.
        pub fn flush(&self) {}
    }

    /// Pins: the fence makes every unlinking that was retired before visible, as crossbeam's does.
    pub fn pin() -> Guard {
        fence(Ordering::SeqCst);
        STATE.with_borrow_mut(|state| {
            state.time += 1;
            Guard { pinned: state.time }
        })
    }

    /// Notes an object.
    pub fn born<T>(pointer: *const T) {
        let before = STATE.with_borrow_mut(|state| state.objects.insert(pointer.addr(), None));
        assert!(before.is_none(), "an object was made where another one still lives");
    }

    /// Notes that an object is being freed.
    pub fn died<T>(pointer: *const T) {
        let known = STATE.with_borrow_mut(|state| state.objects.remove(&pointer.addr()));
        assert!(known.is_some() || std::thread::panicking(), "freed twice, or never made");
    }

    /// Stamps the object; it is freed at the end of the model.
    ///
    /// # Safety
    ///
    /// As for the real one.
    pub unsafe fn retire<T: 'static>(pointer: *mut T, free: unsafe fn(*mut T), _guard: &Guard) {
        fence(Ordering::SeqCst);
        STATE.with_borrow_mut(|state| {
            state.time += 1;
            let time = state.time;
            let known = state.objects.get_mut(&pointer.addr()).expect("retired an object that is freed");
            assert!(known.is_none(), "retired twice");
            *known = Some(time);
            // SAFETY: E2, by the caller.
            state.retired.push((pointer.addr(), type_name::<T>(), Box::new(move || unsafe { free(pointer) })));
        });
    }

    /// Panics if the object was retired before the guard was pinned, or is gone.
    pub fn check(pointer: *const (), guard: &Guard) {
        STATE.with_borrow(|state| match state.objects.get(&pointer.addr()) {
            None => panic!("reached an object that is freed"),
            Some(Some(retired)) => {
                assert!(*retired > guard.pinned, "reached an object that was retired before the pin");
            }
            Some(None) => {}
        });
    }

    /// Ends one execution of a model: frees what was retired, and panics if anything is left.
    pub fn finish() {
        loop {
            let Some((object, what, free)) = STATE.with_borrow_mut(|state| state.retired.pop()) else { break };
            let is_known = STATE.with_borrow(|state| state.objects.contains_key(&object));
            assert!(is_known, "{what} was freed before its grace period was over");
            free();
        }
        let left = STATE.with_borrow_mut(|state| std::mem::take(state).objects.len());
        assert_eq!(left, 0, "objects were leaked");
    }

    /// Forgets everything, at the start of an execution (an earlier one may have panicked).
    pub fn start() {
        let old = STATE.with_borrow_mut(std::mem::take);
        std::mem::forget(old);
    }
}
