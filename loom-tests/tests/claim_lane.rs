//! claim-lane (`src/lane.rs`): a lane belongs to one thread at a time, and its next holder sees what the former one wrote.
//!
//! Explored: two and three threads that claim the only lane, write without synchronization where its holder may, and give it back. Breaks caught:
//! a claim without acquire, a release without release.

use std::sync::Arc;

use fleeting::lane::Lanes;
use fleeting::sync::Witness;
use fleeting_loom_tests::{Model, pair, trio};

struct Stripe {
    lanes: Lanes,
    /// What the lane's holder writes.
    holder: Witness,
}

fn stripe() -> Arc<Stripe> {
    Arc::new(Stripe { lanes: Lanes::new(), holder: Witness::default() })
}

/// Whether the thread had the lane.
fn use_lane(stripe: &Arc<Stripe>) -> bool {
    let Some(lane) = stripe.lanes.claim() else { return false };
    stripe.holder.write();
    stripe.lanes.release(lane);
    true
}

/// One after the other, or one not at all.
#[test]
fn claim_against_claim() {
    Model::new("claim_against_claim").explore(&[(true, true), (true, false), (false, true)], || {
        let stripe = stripe();
        let had = pair(&stripe, use_lane, use_lane);
        assert!(use_lane(&stripe), "it was given back");
        had
    });
}

/// The third one may come after both, through a claim that did not wait for the first.
#[test]
fn claim_against_claim_against_claim() {
    Model::new("claim_against_claim_against_claim").explore(&[3, 2, 1], || {
        let (a, b, c) = trio(&stripe(), use_lane, use_lane, use_lane);
        [a, b, c].into_iter().map(u32::from).sum::<u32>()
    });
}
