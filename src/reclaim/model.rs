//! What stands for `reclaim` in models: the oracle, or crossbeam's own default collector.
//!
//! The oracle knows when each object was retired, and panics when one is reached too late, retired twice, or leaked. It frees nothing before the end
//! of a model, so nothing comes back to a thread: what the shelves do is modelled by itself (`loom-tests/tests/hand_back.rs`).

#[cfg(all(any(loom, shuttle), not(fleeting_real_epoch)))]
pub use self::oracle::{Guard, born, check, died, finish, pin, retire, start};
#[cfg(fleeting_real_epoch)]
pub use self::real::{Guard, born, died, pin, retire};

/// Has the collector free what can be freed. (The oracle does so at the end.)
pub fn flush() {
    pin().flush();
}

/// Does nothing: in models nothing comes back to a thread.
pub fn safe_point() {}

/// Does nothing: in models nothing is held back.
pub fn maintain() {}

/// In models nobody waits for a janitor to free a table.
#[derive(Debug)]
pub struct Housekeeper(());

impl Housekeeper {
    /// Begins one.
    pub fn begin() -> Self {
        Housekeeper(())
    }
}

/// Returns true: in models nobody asks to wait while he is pinned.
pub fn is_calm() -> bool {
    true
}

/// Frees a large object once no guard of now can reach it.
///
/// # Safety
///
/// E2, for the object.
pub unsafe fn retire_in_pieces<T: 'static>(
    pointer: *mut T,
    bytes: usize,
    free: unsafe fn(*mut T),
    _pieces: impl Iterator<Item = *mut ()>,
    _free_piece: unsafe fn(*mut ()),
) {
    // SAFETY: E2, by the caller.
    unsafe { retire(pointer, bytes, super::Kind::Plain, free) }
}

/// Drops an object that no other thread has ever seen.
///
/// # Safety
///
/// E2, and nobody can reach the object.
pub unsafe fn drop_later<T: 'static>(pointer: *mut T, _bytes: usize, free: unsafe fn(*mut T)) {
    // SAFETY: by the caller.
    unsafe { free(pointer) }
}

/// Frees something that no other thread can reach.
///
/// # Safety
///
/// E2, and nobody can reach the object.
pub unsafe fn drop_alone<T: 'static>(pointer: *mut T, _bytes: usize, free: unsafe fn(*mut T)) {
    // SAFETY: by the caller.
    unsafe { free(pointer) }
}

/// In models, nothing is freed before the end.
#[derive(Debug)]
pub struct BulkRemoval(());

impl BulkRemoval {
    /// Begins one.
    pub fn begin() -> Self {
        BulkRemoval(())
    }

    /// Has the collector free what can be freed.
    pub fn step(&self) {
        flush();
    }
}

#[cfg(fleeting_real_epoch)]
mod real {
    pub use crossbeam_epoch::{Guard, pin};

    use super::super::Kind;

    /// Frees `pointer` with `free` once no guard of today can reach it.
    ///
    /// # Safety
    ///
    /// E2, for the object.
    pub unsafe fn retire<T: 'static>(pointer: *mut T, _bytes: usize, _kind: Kind, free: unsafe fn(*mut T)) {
        let closure = move || {
            // SAFETY: E2, by the caller.
            unsafe { free(pointer) }
        };
        // SAFETY: E2 is what `defer_unchecked` asks for: the closure may outlive the guard and change threads.
        unsafe { pin().defer_unchecked(closure) }
    }

    /// Tells the oracle that an object exists. Does nothing here.
    pub fn born<T>(_pointer: *const T) {}

    /// Tells the oracle that an object is freed. Does nothing here.
    pub fn died<T>(_pointer: *const T) {}
}

/// The model's reclaimer.
#[cfg(all(any(loom, shuttle), not(fleeting_real_epoch)))]
mod oracle {
    use core::any::type_name;
    use std::cell::RefCell;
    use std::collections::HashMap;

    use super::super::Kind;
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
    pub unsafe fn retire<T: 'static>(pointer: *mut T, _bytes: usize, _kind: Kind, free: unsafe fn(*mut T)) {
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
