//! A round of renames between two tokens, and of other operations on them: many pairs of tokens, one after the other, with few operations each. (A rename that
//! runs may have come to many points, so long histories of them cost much to check.)

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use fleeting::{ManualClock, MemStore};
use histories::Ticks;
use histories::rename::{FAR, PairOperation, TokenPair, ask};
use histories::store::{StoreAnswer, StoreOperation};

use super::random::Random;
use super::round::{Next, Object, Plan, Tally, check_all, run};

/// Operations on each pair.
const EACH: usize = 20;

struct RenameRound {
    store: MemStore,
    ticks: Ticks,
    pairs: Vec<[String; 2]>,
    /// Operations chosen so far.
    chosen: AtomicUsize,
    /// Others for each rename.
    others: u64,
}

impl Object for RenameRound {
    type Operation = PairOperation;
    type Answer = StoreAnswer;
    type Specification = TokenPair;
    type Memory = ();

    /// Both tokens of a pair have one history.
    fn keys(&self) -> usize {
        self.pairs.len()
    }

    fn specification(&self) -> TokenPair {
        TokenPair
    }

    fn now(&self) -> u64 {
        self.ticks.now()
    }

    fn next(&self, random: &mut Random, value: u64, (): &mut ()) -> Next<PairOperation> {
        // Ordering: Relaxed: threads need not agree on where one pair ends.
        let pair = self.chosen.fetch_add(1, Relaxed) / EACH;
        let token = usize::from(random.one_in(2));
        // One that comes soon, has come, or does not come.
        let expiry = if random.one_in(2) { FAR } else { self.now() + random.below(4) };
        let operation = match random.below(9 + self.others) {
            0 => StoreOperation::Save(value, expiry),
            1 | 2 => StoreOperation::Create(value, expiry),
            3 => StoreOperation::Update(value, expiry),
            4 => StoreOperation::Touch(expiry),
            5 => StoreOperation::Delete,
            6 => StoreOperation::Take,
            7 | 8 => return Next::On(pair, PairOperation::RenameFrom(token, expiry)),
            _ => StoreOperation::Find,
        };
        Next::On(pair, PairOperation::On(token, operation))
    }

    fn ask(&self, pair: usize, operation: &PairOperation) -> StoreAnswer {
        ask(&self.store, &self.ticks, &self.pairs[pair], operation)
    }

    fn learn(&self, _: usize, _: &StoreAnswer, (): &mut ()) {}

    fn walk(&self, operation: &PairOperation) -> Vec<StoreAnswer> {
        unreachable!("{operation:?} is no walk")
    }

    fn advance(&self, now: u64) -> Option<PairOperation> {
        Some(PairOperation::Advance(now + 1))
    }

    fn fill(&self, _: &mut Random, number: u64) {
        self.store.save_for(format!("filler {number}"), number.to_le_bytes(), self.ticks.duration(FAR));
    }

    fn sweep(&self) {
        self.store.sweep();
    }
}

/// One round on a fresh store.
pub fn round(random: &mut Random, tally: &mut Tally) -> Result<(), String> {
    let ticks = Ticks::new(ManualClock::new(), Duration::from_secs(1));
    let builder = MemStore::builder().clock(ticks.clock().clone()).cleanup_interval(Duration::ZERO);
    let store = builder.build().expect("a store");
    // Each move of the clock is in the history of every pair: so there are few pairs, and the clock moves in the
    // midst of each.
    let plan = Plan { operations: 500, pace: random.choose(&[6, 12, 24]), ..Plan::random(random) };
    let pairs =
        (0..plan.workers * plan.operations / EACH + 1).map(|pair| [format!("{pair} old"), format!("{pair} new")]);
    let others = random.choose(&[3, 6, 12]);
    let object = RenameRound { store, ticks, pairs: pairs.collect(), chosen: AtomicUsize::new(0), others };
    let histories = run(&object, plan, random, tally);
    check_all(&object, &histories, tally)
}
