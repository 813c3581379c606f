//! The only file that names atomics: `std`'s in a build, `loom`'s in a model.
//!
//! Under `--cfg loom_rmw_loads` every load of a model is a compare-exchange that must fail. Stock loom
//! forgets some interleavings of a load beside another thread's store (tokio-rs/loom#166); as
//! read-modify-writes they are all explored. That pass sees no stale reads, so the models run both ways.

pub use core::sync::atomic::Ordering;

#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, fence};

#[cfg(loom)]
pub use self::model::{AtomicPtr, AtomicU64, AtomicUsize, Witness, fence};

#[cfg(loom)]
mod model {
    use super::Ordering;
    pub use loom::sync::atomic::fence;

    /// A load as `loom` should see it: plain, or as a compare-exchange that fails.
    macro_rules! load {
        ($self:ident, $order:ident, $impossible:expr) => {
            if cfg!(loom_rmw_loads) {
                let impossible = $impossible;
                match $self.0.compare_exchange(impossible, impossible, Ordering::AcqRel, $order) {
                    Ok(value) | Err(value) => value,
                }
            } else {
                $self.0.load($order)
            }
        };
    }

    macro_rules! integer {
        ($name:ident, $int:ty) => {
            #[derive(Debug)]
            pub struct $name(loom::sync::atomic::$name);

            impl $name {
                pub fn new(value: $int) -> Self {
                    Self(loom::sync::atomic::$name::new(value))
                }
                pub fn load(&self, order: Ordering) -> $int {
                    load!(self, order, 0xDEAD_BEEF_0BAD_F00D)
                }
                pub fn store(&self, value: $int, order: Ordering) {
                    self.0.store(value, order);
                }
                pub fn swap(&self, value: $int, order: Ordering) -> $int {
                    self.0.swap(value, order)
                }
                pub fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                    self.0.fetch_add(value, order)
                }
                pub fn fetch_sub(&self, value: $int, order: Ordering) -> $int {
                    self.0.fetch_sub(value, order)
                }
                pub fn fetch_or(&self, value: $int, order: Ordering) -> $int {
                    self.0.fetch_or(value, order)
                }
                pub fn fetch_xor(&self, value: $int, order: Ordering) -> $int {
                    self.0.fetch_xor(value, order)
                }
                pub fn fetch_min(&self, value: $int, order: Ordering) -> $int {
                    self.0.fetch_min(value, order)
                }
                pub fn compare_exchange(
                    &self,
                    current: $int,
                    new: $int,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$int, $int> {
                    self.0.compare_exchange(current, new, success, failure)
                }
            }
        };
    }

    integer!(AtomicU64, u64);
    integer!(AtomicUsize, usize);

    #[derive(Debug)]
    pub struct AtomicPtr<T>(loom::sync::atomic::AtomicPtr<T>);

    impl<T> AtomicPtr<T> {
        pub fn new(value: *mut T) -> Self {
            Self(loom::sync::atomic::AtomicPtr::new(value))
        }
        pub fn load(&self, order: Ordering) -> *mut T {
            load!(self, order, core::ptr::without_provenance_mut(usize::MAX - 6))
        }
        pub fn store(&self, value: *mut T, order: Ordering) {
            self.0.store(value, order);
        }
        pub fn compare_exchange(
            &self,
            current: *mut T,
            new: *mut T,
            success: Ordering,
            failure: Ordering,
        ) -> Result<*mut T, *mut T> {
            self.0.compare_exchange(current, new, success, failure)
        }
    }

    /// Stands for plain bytes, whose races loom would not see.
    #[derive(Debug, Default)]
    pub struct Witness(loom::cell::UnsafeCell<()>);

    // SAFETY: loom panics where threads race on the cell, which is what it is here for.
    #[allow(unsafe_code)]
    unsafe impl Sync for Witness {}

    impl Witness {
        /// The bytes are read.
        pub fn read(&self) {
            self.0.with(|_| ());
        }
        /// The bytes are written, or freed.
        pub fn write(&self) {
            self.0.with_mut(|_| ());
        }
    }
}
