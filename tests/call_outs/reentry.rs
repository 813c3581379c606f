//! User code that uses the cache from within, in every place where an act runs it: each act inside each.
//!
//! What the two answer, and what they leave, must be what they would have in one order or the other.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use super::common::within_a_minute;
use super::plan::{self, Place};
use super::subject::{Act, Case, STARTS, Start, Subject, VARIANTS, perform, scout};
use super::{alone, cache, store};

/// Runs `outer`, and `inner` within it, at one call of user code. Says whether the call came.
fn nest<B: Subject>(outer: &Act<B>, inner: &Act<B>, start: Start, variant: usize, place: Place, call: u32) -> bool {
    let what = format!("{:?} in {:?}, at call {call} of {place:?}", inner.name, outer.name);
    let case = Case(format!("{what}; {start:?}, variant {variant}"));
    let subject = Arc::new(B::new(start, variant));
    let inside = Rc::new(Cell::new(None));
    let (within, run, heard) = (Arc::clone(&subject), inner.run, Rc::clone(&inside));
    plan::plan(place, call, move || heard.set(Some(run(&within))));
    let answer = perform(outer, &*subject, place);
    let came = !plan::cancel();
    assert!(came || place.is_drop(), "the call did not come");
    if let Some(inside) = inside.get() {
        let outer_first = (outer.model)(start.state());
        let then = (inner.model)(outer_first.1);
        let one = (outer_first.0, then.0, then.1);
        let inner_first = (inner.model)(start.state());
        let then = (outer.model)(inner_first.1);
        let other = (then.0, inner_first.0, then.1);
        let seen = (answer, inside, subject.state());
        if outer.expires || inner.expires {
            // A deadline may have come in between, so that what a `compute` puts is dead on arrival: "absent".
            let is_dead = outer.name.starts_with("compute, put") && seen.0 == Some(0);
            assert!(is_dead || [one.0, other.0].contains(&seen.0), "{seen:?}, not {one:?} or {other:?}");
            assert!([one.1, other.1].contains(&seen.1), "{seen:?}, not {one:?} or {other:?}");
            assert!([one.2, other.2, None].contains(&seen.2), "{seen:?}, not {one:?} or {other:?}");
        } else {
            let is_spared = outer.walks && seen == (None, inner_first.0, inner_first.1);
            assert!(seen == one || seen == other || is_spared, "{seen:?}, not {one:?} or {other:?}");
        }
    }
    if !outer.clears && !inner.clears {
        subject.check_bystanders();
    }
    assert_eq!(subject.contained_panics(), 0, "an assertion failed in a callback");
    Arc::into_inner(subject).expect("the plan is gone").finish();
    drop(case);
    came
}

/// Runs every act inside every other.
fn each_call_reenters<B: Subject>() -> usize {
    let acts = B::acts();
    let (mut nested, mut variant, mut turn) = (0, 0, 0_u32);
    for outer in &acts {
        for start in STARTS {
            variant = (variant + 1) % VARIANTS;
            for (place, calls) in scout(outer, start, variant) {
                for inner in &acts {
                    // The first call, the last, and those between in turn: all of them would take a minute.
                    turn = turn.wrapping_add(1);
                    let call = [0, calls - 1, turn % calls][turn as usize % 3];
                    nested += usize::from(nest(outer, inner, start, variant, place, call));
                }
            }
        }
    }
    nested
}

/// Catches, for each place where `Cache` runs user code, a lock or a claim held over it, a look-up or write that goes on with what it saw before,
/// and state that two operations on one thread share.
#[test]
fn in_a_cache() {
    let _alone = alone();
    let nested = within_a_minute(each_call_reenters::<cache::Subjected>);
    assert!(nested > 10_000, "only {nested} were nested");
}

/// The same for `MemStore`.
#[test]
fn in_a_store() {
    let _alone = alone();
    let nested = within_a_minute(each_call_reenters::<store::Subjected>);
    assert!(nested > 2_000, "only {nested} were nested");
}
