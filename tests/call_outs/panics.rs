//! User code that panics, in every place where an act runs it, at every call.

use super::common::{provoke, quieten_provoked_panics, survive, within_a_minute};
use super::plan::{self, Place};
use super::subject::{Act, Case, STARTS, Start, Subject, VARIANTS, perform, scout};
use super::{alone, cache, store};

/// Runs an act with a panic at one call of user code, and says whether the call came.
fn panic_once<B: Subject>(act: &Act<B>, start: Start, variant: usize, place: Place, call: u32) -> bool {
    let case = Case(format!("{}, {start:?}, variant {variant}: {place:?} panics at call {call}", act.name));
    let subject = B::new(start, variant);
    plan::plan(place, call, || provoke());
    let answer = survive(|| perform(act, &subject, place));
    let came = !plan::cancel();
    let (after, before) = ((act.model)(start.state()), start.state());
    // The clock's panic, but for its last reading: that is made when the new entry is out already.
    let is_settling = act.settles && matches!(place, Place::Clock | Place::CoarseClock) && answer.is_some();
    let is_contained = place == Place::Listener || (place.is_drop() && !act.drops_here) || is_settling;
    if is_contained {
        assert_eq!(answer, Some(after.0), "it is contained, and changes no answer");
        assert_eq!(subject.state(), after.1, "it is contained, and undoes nothing");
    } else if !place.is_drop() {
        assert!(came, "the call did not come");
        assert!(answer.is_none(), "the panic goes to the caller");
    }
    let is_counted = (place == Place::Listener && came) || is_settling;
    // Of another cache that the act made, nobody can ask.
    if !act.name.starts_with("drop another") {
        assert_eq!(subject.contained_panics(), u64::from(is_counted));
    }
    let state = subject.state();
    assert!(state == before || state == after.1, "the key holds {state:?}");
    if !act.clears {
        subject.check_bystanders();
    }
    let again = survive(|| (act.run)(&subject));
    let expected = (act.model)(state);
    assert_eq!((again, subject.state()), (Some(expected.0), expected.1), "it was {state:?}, and then again");
    subject.finish();
    drop(case);
    came
}

/// Runs every act with a panic at each of its calls into user code (at a sample, where they are many).
fn each_call_panics<B: Subject>(places: &[Place]) {
    quieten_provoked_panics();
    let mut cases = Vec::new();
    for act in B::acts() {
        for start in STARTS {
            for variant in 0..VARIANTS {
                for (place, calls) in scout(&act, start, variant) {
                    if place == Place::DropKey && act.loads.is_some() {
                        // The key is an argument; when its drop panics, rustc leaks what is being returned (rust-lang/rust#47949).
                        continue;
                    }
                    let mut call = 0;
                    while call < calls {
                        if panic_once(&act, start, variant, place, call) {
                            cases.push(place);
                        }
                        call += 1 + call / 2;
                    }
                }
            }
        }
    }
    for place in places {
        assert!(cases.contains(place), "nothing panicked in {place:?}: this tests nothing");
    }
}

/// Catches, for each place where `Cache` runs user code: a panic that is swallowed, or not contained where it should be; a
/// slot, bucket, load or pin that it leaves behind; an entry that it loses, changes half-way, forgets to expire, or frees twice.
#[test]
fn in_a_cache() {
    let _alone = alone();
    within_a_minute(|| {
        each_call_panics::<cache::Subjected>(&[plan::IN_A_CACHE, &[Place::ClockOrigin]].concat());
    });
}

/// The same for `MemStore`.
#[test]
fn in_a_store() {
    let _alone = alone();
    within_a_minute(|| {
        each_call_panics::<store::Subjected>(plan::IN_A_STORE);
    });
}
