//! hand-back (`src/reclaim/inbox.rs`): what is left in an inbox is taken once, whole, by one thread.
//!
//! Explored: two pushers beside a taker, and two pushers beside two takers. Breaks caught: a parcel that is pushed without release, taken without acquire,
//! kept by its pusher although its CAS won, lost where something stands already, or taken by two.

use std::sync::Arc;

use fleeting::reclaim::inbox::{Inbox, Parcel};
use fleeting::sync::Witness;
use fleeting_loom_tests::{Model, pair, trio};
use loom::alloc::Track;

/// What is in a parcel: written by its maker, read by whoever takes it; loom tells of one that nobody drops.
struct Content(Track<Witness>);

impl Content {
    fn new() -> Content {
        let witness = Witness::default();
        witness.write();
        Content(Track::new(witness))
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        self.0.get_ref().read();
    }
}

fn push(inbox: &Arc<Inbox<Content>>) {
    inbox.push(Parcel::new(Content::new()));
}

fn push_two(inbox: &Arc<Inbox<Content>>) {
    push(inbox);
    push(inbox);
}

/// How many parcels were taken at once.
fn take(inbox: &Arc<Inbox<Content>>) -> usize {
    let (mut taken, mut next) = (0, inbox.take());
    while let Some(parcel) = next {
        taken += 1;
        next = parcel.split().1;
    }
    taken
}

#[test]
fn push_against_take() {
    Model::new("push_against_take").explore(&[0, 1, 2], || {
        let inbox = Arc::default();
        let ((), taken) = pair(&inbox, push_two, take);
        assert_eq!(taken + take(&inbox), 2, "each is taken once");
        taken
    });
}

#[test]
fn push_against_push_against_take() {
    Model::new("push_against_push_against_take").explore(&[0, 1, 2], || {
        let inbox = Arc::default();
        let ((), (), taken) = trio(&inbox, push, push, take);
        assert_eq!(taken + take(&inbox), 2, "each is taken once");
        taken
    });
}

/// A thread of the lane gathers, as `Shelf::gather` does, while a sweep takes.
#[test]
fn gather_against_take() {
    Model::new("gather_against_take").explore(&[0, 1, 2], || {
        let inbox = Arc::default();
        let gather = |inbox: &Arc<Inbox<Content>>| {
            push(inbox);
            let gathered = inbox.take();
            let count = usize::from(gathered.is_some());
            if let Some(mut batch) = gathered {
                batch.append(Parcel::new(Content::new()));
                inbox.push(batch);
            }
            count
        };
        let (gathered, taken) = pair(&inbox, gather, take);
        assert_eq!(taken + take(&inbox), 1 + gathered);
        taken
    });
}
