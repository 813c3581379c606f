//! The atomics of checked builds: thin wrappers that know from where they are called.
//!
//! * Every operation is a *site*: file, line and column of the call. Functions of ours that only pass an operation on are
//!   `#[track_caller]` in checked builds, so that the site is the line that names the ordering.
//! * `FLEETING_SITES=1` prints each site with its orderings at the end of a model ([`sites`]).
//! * `FLEETING_WEAKEN=file:line:column:success:Relaxed` weakens one ordering of one site while the program runs: `loom-tests`'
//!   `orderings` does so for all of them. (`failure` for a compare-exchange's second ordering, `removed` for a fence.)
//!
//! Under `--cfg loom_rmw_loads` every load is a compare-exchange that must fail. Stock loom forgets some interleavings
//! of a load beside another thread's store (tokio-rs/loom#166); as read-modify-writes they are all explored. That
//! pass sees no stale reads, so the models run both ways.

use core::panic::Location;
use std::collections::BTreeSet;
use std::env;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::Ordering;

#[cfg(fleeting_hooked)]
use core::sync::atomic as inner;
#[cfg(loom)]
use loom::sync::atomic as inner;
#[cfg(shuttle)]
use shuttle::sync::atomic as inner;

/// What an ordering belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Part {
    Load,
    Store,
    /// Of a read-modify-write, or of a compare-exchange that succeeds.
    Success,
    /// Of a compare-exchange that fails.
    Failure,
    Fence,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Load => "load",
            Part::Store => "store",
            Part::Success => "success",
            Part::Failure => "failure",
            Part::Fence => "fence",
        }
    }
}

/// The one ordering that this process weakens.
#[derive(Debug)]
struct Weakening {
    file: String,
    line: u32,
    column: u32,
    part: String,
    /// None: the fence is removed.
    to: Option<Ordering>,
}

impl Weakening {
    fn from_environment() -> Option<Weakening> {
        let text = env::var("FLEETING_WEAKEN").ok()?;
        let [file, line, column, part, to] = text.split(':').collect::<Vec<_>>()[..] else {
            panic!("FLEETING_WEAKEN={text}: not file:line:column:part:ordering")
        };
        let number = |text: &str| text.parse().expect("FLEETING_WEAKEN: a line and a column");
        let to = match to {
            "Relaxed" => Some(Ordering::Relaxed),
            "Acquire" => Some(Ordering::Acquire),
            "Release" => Some(Ordering::Release),
            "AcqRel" => Some(Ordering::AcqRel),
            "removed" => None,
            _ => panic!("FLEETING_WEAKEN: no such ordering: {to}"),
        };
        Some(Weakening { file: file.into(), line: number(line), column: number(column), part: part.into(), to })
    }
}

static SITES: Mutex<BTreeSet<(&'static str, u32, u32, Part, &'static str)>> = Mutex::new(BTreeSet::new());

/// Notes a site, and says which ordering it has in this process. None: no fence at all.
#[track_caller]
fn weakened(part: Part, order: Ordering) -> Option<Ordering> {
    static IS_COUNTING: OnceLock<bool> = OnceLock::new();
    static WEAKENING: OnceLock<Option<Weakening>> = OnceLock::new();
    let site = Location::caller();
    if *IS_COUNTING.get_or_init(|| env::var_os("FLEETING_SITES").is_some()) {
        let site = (site.file(), site.line(), site.column(), part, name(order));
        SITES.lock().unwrap_or_else(PoisonError::into_inner).insert(site);
    }
    match WEAKENING.get_or_init(Weakening::from_environment) {
        Some(weakening)
            if weakening.line == site.line()
                && weakening.column == site.column()
                && weakening.part == part.name()
                && site.file().ends_with(&weakening.file) =>
        {
            #[cfg(loom)]
            give_way();
            weakening.to
        }
        _ => Some(order),
    }
}

/// Lets loom's other threads run now and then at a weakened site: else a loop that waits for a newer value gets the stale one for ever,
/// which no machine does.
#[cfg(loom)]
fn give_way() {
    if VISITS.fetch_add(1, Ordering::Relaxed) % 4 == 3 {
        loom::thread::yield_now();
    }
}

/// Visits to the weakened site in this execution.
#[cfg(loom)]
static VISITS: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(0);

/// Begins an execution of a model.
#[cfg(loom)]
pub fn start() {
    VISITS.store(0, Ordering::Relaxed);
}

#[track_caller]
fn order(part: Part, order: Ordering) -> Ordering {
    weakened(part, order).expect("only fences can be removed")
}

fn name(order: Ordering) -> &'static str {
    match order {
        Ordering::Relaxed => "Relaxed",
        Ordering::Acquire => "Acquire",
        Ordering::Release => "Release",
        Ordering::AcqRel => "AcqRel",
        _ => "SeqCst",
    }
}

/// The sites met since the last call, a line each: `site file:line:column part ordering`. Empty unless asked for.
pub fn sites() -> String {
    let mut sites = SITES.lock().unwrap_or_else(PoisonError::into_inner);
    let line = |(file, line, column, part, order): (&str, u32, u32, Part, &str)| {
        format!("site {file}:{line}:{column} {} {order}\n", part.name())
    };
    std::mem::take(&mut *sites).into_iter().map(line).collect()
}

/// What runs before each operation of a hooked build.
#[cfg(fleeting_hooked)]
pub static HOOK: OnceLock<fn()> = OnceLock::new();

/// One step of a thread.
#[inline]
fn step() {
    #[cfg(fleeting_hooked)]
    if let Some(hook) = HOOK.get() {
        hook();
    }
}

#[track_caller]
pub fn fence(order: Ordering) {
    step();
    if let Some(order) = weakened(Part::Fence, order) {
        inner::fence(order);
    }
}

/// A load as `loom` should see it: plain, or as a compare-exchange that fails.
macro_rules! load {
    ($self:ident, $order:ident, $impossible:expr) => {{
        step();
        let order = order(Part::Load, $order);
        if cfg!(loom_rmw_loads) {
            let impossible = $impossible;
            match $self.0.compare_exchange(impossible, impossible, Ordering::AcqRel, order) {
                Ok(value) | Err(value) => value,
            }
        } else {
            $self.0.load(order)
        }
    }};
}

macro_rules! integer {
    ($name:ident, $int:ty) => {
        #[derive(Debug)]
        pub struct $name(inner::$name);

        impl $name {
            pub fn new(value: $int) -> Self {
                Self(inner::$name::new(value))
            }
            #[track_caller]
            pub fn load(&self, order: Ordering) -> $int {
                load!(self, order, 0xDEAD_BEEF_0BAD_F00D)
            }
            #[track_caller]
            pub fn store(&self, value: $int, at: Ordering) {
                step();
                self.0.store(value, order(Part::Store, at));
            }
            integer!(@update $int, swap, fetch_add, fetch_sub, fetch_or, fetch_xor, fetch_min);
            #[track_caller]
            pub fn compare_exchange(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                step();
                let (success, failure) = (order(Part::Success, success), order(Part::Failure, failure));
                self.0.compare_exchange(current, new, success, failure)
            }
        }
    };
    (@update $int:ty, $($operation:ident),*) => {
        $(
            #[track_caller]
            pub fn $operation(&self, value: $int, at: Ordering) -> $int {
                step();
                self.0.$operation(value, order(Part::Success, at))
            }
        )*
    };
}

integer!(AtomicU64, u64);
integer!(AtomicUsize, usize);

#[derive(Debug)]
pub struct AtomicBool(inner::AtomicBool);

impl AtomicBool {
    pub fn new(value: bool) -> Self {
        Self(inner::AtomicBool::new(value))
    }
    #[track_caller]
    pub fn load(&self, at: Ordering) -> bool {
        step();
        let at = order(Part::Load, at);
        if cfg!(loom_rmw_loads) {
            // There is no impossible value: but true over true changes nothing. (An `or` of false does, in loom: over a store
            // that it does not see.)
            match self.0.compare_exchange(true, true, Ordering::AcqRel, at) {
                Ok(value) | Err(value) => value,
            }
        } else {
            self.0.load(at)
        }
    }
    #[track_caller]
    pub fn store(&self, value: bool, at: Ordering) {
        step();
        self.0.store(value, order(Part::Store, at));
    }
}

#[derive(Debug)]
pub struct AtomicPtr<T>(inner::AtomicPtr<T>);

impl<T> AtomicPtr<T> {
    pub fn new(value: *mut T) -> Self {
        Self(inner::AtomicPtr::new(value))
    }
    #[track_caller]
    pub fn load(&self, order: Ordering) -> *mut T {
        load!(self, order, core::ptr::without_provenance_mut(usize::MAX - 6))
    }
    #[track_caller]
    pub fn store(&self, value: *mut T, at: Ordering) {
        step();
        self.0.store(value, order(Part::Store, at));
    }
    #[track_caller]
    pub fn swap(&self, value: *mut T, at: Ordering) -> *mut T {
        step();
        self.0.swap(value, order(Part::Success, at))
    }
    #[track_caller]
    pub fn compare_exchange(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        step();
        let (success, failure) = (order(Part::Success, success), order(Part::Failure, failure));
        self.0.compare_exchange(current, new, success, failure)
    }
}

/// Stands for plain bytes, whose races loom would not see.
#[cfg(loom)]
#[derive(Debug, Default)]
pub struct Witness(loom::cell::UnsafeCell<()>);

// SAFETY: loom panics where threads race on the cell, which is what it is here for.
#[cfg(loom)]
#[allow(unsafe_code)]
unsafe impl Sync for Witness {}

#[cfg(loom)]
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
