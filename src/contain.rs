//! Containing panics of user code that runs where nothing may unwind: callbacks, and the drops of keys and values.

use core::mem;
use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

/// Runs `work`; false if it panicked. Never unwinds.
///
/// A panic's payload is dropped, since a callback that panics again and again would leak one each time. Its own drop may panic too: the
/// payload of that panic is forgotten, or there would be no end.
pub fn contain(work: impl FnOnce()) -> bool {
    let Err(payload) = catch_unwind(AssertUnwindSafe(work)) else { return true };
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(second);
    }
    false
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::panic::resume_unwind;
    use std::sync::Arc;

    use super::*;

    /// Catches a payload that is leaked.
    #[test]
    fn payloads_are_dropped() {
        let shared = Arc::new(());
        let payload = shared.clone();
        assert!(!contain(|| resume_unwind(Box::new(payload))));
        assert_eq!(Arc::strong_count(&shared), 1);
        assert!(contain(|| {}));
    }

    /// Catches a payload whose drop unwinds out of `contain`.
    #[test]
    fn payloads_may_panic_too() {
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                resume_unwind(Box::new(()));
            }
        }
        assert!(!contain(|| resume_unwind(Box::new(Panics))));
    }
}
