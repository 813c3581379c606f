//! Micro-benches of single paths of `fleeting`, warm and alone, by criterion: to see what a change does to one path.
//!
//! What a server sees is cold and beside others: that is measured by the package's program (see BENCHMARKS.md).

use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use fleeting::{Cache, ManualClock, MemStore};

const SESSIONS: usize = 1_000;
const TTL: Duration = Duration::from_secs(4 * 3600);

fn tokens() -> Vec<[u8; 32]> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut token = [0; 32];
    let mut next = || {
        random.fill(&mut token);
        token
    };
    (0..SESSIONS).map(|_| next()).collect()
}

fn store(tokens: &[[u8; 32]]) -> MemStore {
    let store = MemStore::new(Duration::ZERO);
    tokens.iter().for_each(|token| store.save_for(token, [7; 256], TTL));
    store
}

/// Goes round the tokens.
fn next<'t>(tokens: &'t [[u8; 32]], place: &mut usize) -> &'t [u8; 32] {
    *place = (*place + 1) % tokens.len();
    &tokens[*place]
}

fn sessions(criterion: &mut Criterion) {
    let tokens = tokens();
    let store = store(&tokens);
    let (mut place, expiry) = (0, SystemTime::now() + TTL);
    criterion.bench_function("find, hit", |bencher| {
        bencher.iter(|| assert!(store.find(next(&tokens, &mut place)).is_some()));
    });
    criterion.bench_function("read, hit", |bencher| {
        bencher.iter(|| assert_eq!(store.read(next(&tokens, &mut place), |data| data[0]), Some(7)));
    });
    let absent = [0; 32];
    criterion.bench_function("find, miss", |bencher| {
        bencher.iter(|| assert!(store.find(black_box(&absent)).is_none()));
    });
    criterion.bench_function("touch", |bencher| {
        bencher.iter(|| assert!(store.touch(next(&tokens, &mut place), expiry)));
    });
    criterion.bench_function("save, replacing", |bencher| {
        bencher.iter(|| store.save_for(next(&tokens, &mut place), black_box([7; 256]), TTL));
    });
    assert_eq!(store.len(), SESSIONS);
}

/// What an operation on a small store is made of, and what an operation under a lock is made of.
fn parts(criterion: &mut Criterion) {
    criterion.bench_function("part: pin and unpin", |bencher| bencher.iter(|| drop(black_box(crossbeam_epoch::pin()))));
    criterion.bench_function("part: coarse clock", |bencher| {
        bencher.iter(|| rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse));
    });
    let expiry = SystemTime::now() + TTL;
    criterion.bench_function("part: an expiry as a number", |bencher| {
        bencher.iter(|| black_box(expiry).duration_since(SystemTime::UNIX_EPOCH));
    });
    let (hasher, token) = (ahash::RandomState::new(), [7_u8; 32]);
    criterion
        .bench_function("part: hash of a token", |bencher| bencher.iter(|| hasher.hash_one(&black_box(token)[..])));
    let (counter, lock) = (AtomicU64::new(0), Mutex::new(0_u64));
    criterion.bench_function("part: a CAS", |bencher| {
        bencher.iter(|| {
            let now = counter.load(Ordering::Relaxed);
            counter.compare_exchange(now, now + 1, Ordering::AcqRel, Ordering::Relaxed)
        });
    });
    criterion.bench_function("part: lock and unlock", |bencher| bencher.iter(|| *lock.lock().expect("whole") += 1));
}

fn pins(criterion: &mut Criterion) {
    let cache: Cache<u64, u64> = Cache::builder().cleanup_interval(Duration::ZERO).build().expect("sane");
    (0..1_000).for_each(|number| _ = cache.insert_with_ttl(number, !number, TTL));
    criterion.bench_function("pin and unpin", |bencher| bencher.iter(|| drop(black_box(cache.pin()))));
    let mut number = 0;
    criterion.bench_function("get", |bencher| {
        bencher.iter(|| {
            number = (number + 1) % 1_000;
            assert_eq!(cache.get(&number), Some(!number));
        });
    });
    let pinned = cache.pin();
    criterion.bench_function("get, pinned", |bencher| {
        bencher.iter(|| {
            number = (number + 1) % 1_000;
            assert_eq!(pinned.get(&number), Some(&!number));
        });
    });
}

fn sweep(criterion: &mut Criterion) {
    let clock = ManualClock::new();
    let builder = MemStore::builder().cleanup_interval(Duration::ZERO).clock(clock.clone());
    let store = builder.build().expect("sane");
    tokens().iter().for_each(|token| store.save_for(token, [7; 256], Duration::from_secs(1 << 40)));
    let due = || {
        store.save_for([0; 32], [7; 256], Duration::from_millis(5));
        clock.advance(Duration::from_secs(1));
    };
    criterion.bench_function("sweep of one", |bencher| {
        bencher.iter_batched(due, |()| assert_eq!(store.sweep(), 1), BatchSize::PerIteration);
    });
}

criterion_group! {
    name = paths;
    config = Criterion::default().sample_size(30).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = sessions, parts, pins, sweep
}
criterion_main!(paths);
