//! Freezes one thread at whatever instruction it is at, and thaws it.
//!
//! ```text
//! controller   arms the victim's timer, which sends SIGUSR1 to the victim every some 20 us, whatever it is doing
//! victim       handler: the interrupted pc lies in our own text, in an operation (of the wanted kind)?
//!                yes: PARKED; sleeps by futex until it is thawed
//!                no:  counts why not, and goes on to the next signal
//! ```
//!
//! The timer is the kernel's, and directed at the thread (`SIGEV_THREAD_ID`, which is what tgkill does too): so the moment depends neither on the
//! controller's turn on a processor nor on what the victim does.
//!
//! A thread whose pc lies outside our executable's text (libc, the vDSO, the kernel) is let go: glibc's allocator lives there, and
//! a thread that is frozen while it holds an arena's lock blocks others through no fault of ours. Everything else is in
//! our text: the standard library, the crates, the subjects and their locks.
//!
//! The handler allocates nothing, takes no lock and prints nothing: atomics and one system call.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, compiler_fence};
use std::thread;
use std::time::{Duration, Instant};

use crate::kinds::{self, Kind};
use crate::text;

/// What the controller and one worker share. Lives for ever, since a signal cannot be called back.
#[derive(Debug)]
pub struct Slot {
    /// The timer that signals the worker.
    timer: AtomicPtr<c_void>,
    /// IDLE, ARMED or PARKED. The controller arms; controller and handler disarm by CAS, so that one of them does.
    state: AtomicU8,
    /// The kind of the operation that the worker is in.
    kind: AtomicU8,
    /// The only kind to park in, or `kinds::NONE` for any.
    wanted: AtomicU8,
    /// Where it was parked.
    pc: AtomicUsize,
    /// How often it was thawed: the parked thread sleeps until this changes.
    thaws: AtomicU32,
    /// Signals that met it outside our text: in the allocator, the vDSO, the kernel.
    pub outside: AtomicU32,
    /// Signals that met it in no operation, or in one of another kind.
    pub elsewhere: AtomicU32,
    /// Operations that the worker has completed.
    pub operations: AtomicU64,
    /// The generation whose course the worker has completed last.
    pub done: AtomicU32,
    /// The longest operation that overlapped a freeze, in nanoseconds.
    pub longest: AtomicU64,
    /// Operations with a wrong answer.
    pub wrong: AtomicU64,
}

/// A frozen thread; dropped, it thaws.
#[derive(Debug)]
pub struct Frozen {
    slot: &'static Slot,
    /// The operation that it is in the middle of.
    pub kind: Kind,
    /// The instruction that it is at.
    pub pc: usize,
}

const IDLE: u8 = 0;
const ARMED: u8 = 1;
const PARKED: u8 = 2;

impl Slot {
    /// For a worker that has not started.
    pub fn leak() -> &'static Slot {
        Box::leak(Box::new(Slot {
            timer: AtomicPtr::new(ptr::null_mut()),
            state: AtomicU8::new(IDLE),
            kind: AtomicU8::new(kinds::NONE),
            wanted: AtomicU8::new(kinds::NONE),
            pc: AtomicUsize::new(0),
            thaws: AtomicU32::new(0),
            outside: AtomicU32::new(0),
            elsewhere: AtomicU32::new(0),
            operations: AtomicU64::new(0),
            done: AtomicU32::new(0),
            longest: AtomicU64::new(0),
            wrong: AtomicU64::new(0),
        }))
    }

    /// Makes the calling thread this slot's.
    pub fn occupy(&'static self) {
        // SAFETY: a sigevent is plain data, for which zeros are valid.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = libc::SIGUSR1;
        event.sigev_value = libc::sigval { sival_ptr: ptr::from_ref(self).cast_mut().cast() };
        // SAFETY: gettid has no preconditions.
        event.sigev_notify_thread_id = unsafe { libc::gettid() };
        let mut timer: libc::timer_t = ptr::null_mut();
        // SAFETY: both pointers are to initialized locals.
        let result = unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) };
        assert_eq!(result, 0, "timer_create");
        // A timer's handle may be null: the first one's is.
        self.timer.store(timer, Ordering::Release);
    }

    /// Ends the occupation.
    pub fn vacate(&self) {
        // SAFETY: the handle is `occupy`'s, and is not used again.
        let result = unsafe { libc::timer_delete(self.timer.load(Ordering::Acquire)) };
        assert_eq!(result, 0, "timer_delete");
    }

    /// Says that an operation of this kind begins on the slot's thread.
    #[inline]
    pub fn enter(&self, kind: Kind) {
        self.kind.store(kind as u8, Ordering::Relaxed);
        // The handler runs on this very thread: only the compiler could reorder.
        compiler_fence(Ordering::SeqCst);
    }

    /// Says that it has ended.
    #[inline]
    pub fn leave(&self) {
        compiler_fence(Ordering::SeqCst);
        self.kind.store(kinds::NONE, Ordering::Relaxed);
        self.operations.fetch_add(1, Ordering::Relaxed);
    }

    /// Begins to signal the slot's thread: after `delay`, then again and again, until it is met in our text, in an operation (of the wanted kind).
    pub fn arm(&self, wanted: Option<Kind>, delay: Duration, interval: Duration) {
        self.wanted.store(wanted.map_or(kinds::NONE, |kind| kind as u8), Ordering::Relaxed);
        // Release: carries `wanted`.
        self.state.store(ARMED, Ordering::Release);
        self.set_timer(delay.max(Duration::from_nanos(1)), interval);
    }

    /// Waits until the thread is frozen; if it is not for so long, ends the signalling.
    pub fn await_frozen(&'static self, patience: Duration) -> Option<Frozen> {
        let start = Instant::now();
        while self.state.load(Ordering::Acquire) != PARKED && start.elapsed() < patience {
            thread::sleep(Duration::from_micros(20));
        }
        self.set_timer(Duration::ZERO, Duration::ZERO);
        if self.state.compare_exchange(ARMED, IDLE, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            return None;
        }
        let kind = Kind::from_u8(self.kind.load(Ordering::Relaxed)).expect("parked in an operation");
        Some(Frozen { slot: self, kind, pc: self.pc.load(Ordering::Relaxed) })
    }

    fn set_timer(&self, delay: Duration, interval: Duration) {
        let time = |duration: Duration| libc::timespec { tv_sec: 0, tv_nsec: i64::from(duration.subsec_nanos()) };
        let setting = libc::itimerspec { it_value: time(delay), it_interval: time(interval) };
        let timer = self.timer.load(Ordering::Acquire);
        // SAFETY: the timer is `occupy`'s; the old setting is not asked for.
        let result = unsafe { libc::timer_settime(timer, 0, &raw const setting, ptr::null_mut()) };
        assert_eq!(result, 0, "timer_settime");
    }

    /// The handler's part: decides and parks.
    fn signalled(&self, pc: usize) {
        // Acquire: with `arm`. A signal that comes late finds nothing armed.
        if self.state.load(Ordering::Acquire) != ARMED {
            return;
        }
        let (kind, wanted) = (self.kind.load(Ordering::Relaxed), self.wanted.load(Ordering::Relaxed));
        if kind == kinds::NONE || (wanted != kinds::NONE && wanted != kind) {
            self.elsewhere.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if !text::contains(pc) {
            self.outside.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // Before it is known that it is parked: the controller thaws only after that.
        let thaws = self.thaws.load(Ordering::Relaxed);
        self.pc.store(pc, Ordering::Relaxed);
        // Release: carries the pc.
        if self.state.compare_exchange(ARMED, PARKED, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return;
        }
        while self.thaws.load(Ordering::Acquire) == thaws {
            futex(&self.thaws, libc::FUTEX_WAIT, thaws);
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.slot.state.store(IDLE, Ordering::Relaxed);
        self.slot.thaws.fetch_add(1, Ordering::Release);
        futex(&self.slot.thaws, libc::FUTEX_WAKE, 1);
    }
}

/// Installs the handler.
pub fn install() {
    text::locate();
    // SAFETY: a sigaction is plain data, for which zeros are valid: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_signal;
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
    // SAFETY: the action is initialized and its handler has the signature that SA_SIGINFO asks for; the old action is not asked for.
    let result = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut()) };
    assert_eq!(result, 0, "sigaction");
}

extern "C" fn on_signal(_signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: errno belongs to this thread, and lives as long as it.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let saved = unsafe { *errno };
    // SAFETY: with SA_SIGINFO, `info` is valid.
    let info = unsafe { &*info };
    // Else: it was not the timer that sent it.
    if info.si_code == libc::SI_TIMER {
        // SAFETY: a timer's signal has a value: ours the slot.
        let slot = unsafe { info.si_value().sival_ptr }.cast::<Slot>();
        // SAFETY: `occupy` gave it a slot that lives for ever.
        let slot = unsafe { &*slot };
        slot.signalled(interrupted_pc(context));
    }
    // SAFETY: as above. The interrupted code may be about to read it.
    unsafe { *errno = saved };
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn interrupted_pc(context: *mut c_void) -> usize {
    // SAFETY: with SA_SIGINFO, the third argument of a handler is a ucontext_t.
    let context = unsafe { &*context.cast::<libc::ucontext_t>() };
    context.uc_mcontext.gregs[libc::REG_RIP as usize].cast_unsigned() as usize
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!("the trial by freezing knows where the program counter is on Linux on x86-64 only");

fn futex(word: &AtomicU32, operation: c_int, value: u32) {
    // SAFETY: the word outlives the call; without a timeout the kernel touches nothing else.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            operation | libc::FUTEX_PRIVATE_FLAG,
            value,
            ptr::null::<libc::timespec>(),
        )
    };
}
