//! Integers that `increment` and `decrement` work on.

mod sealed {
    pub trait Sealed {}
}

/// A primitive integer. Sealed: implemented for all of them, and for nothing else.
pub trait Integer: Copy + sealed::Sealed {
    /// The sum, unless it overflows.
    fn plus(self, by: Self) -> Option<Self>;
    /// The difference, unless it overflows.
    fn minus(self, by: Self) -> Option<Self>;
}

macro_rules! integers {
    ($($int:ty)*) => {$(
        impl sealed::Sealed for $int {}
        impl Integer for $int {
            fn plus(self, by: Self) -> Option<Self> {
                self.checked_add(by)
            }
            fn minus(self, by: Self) -> Option<Self> {
                self.checked_sub(by)
            }
        }
    )*};
}

integers!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);
