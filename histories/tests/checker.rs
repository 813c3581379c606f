//! The checker says yes to histories that have an explanation, and no to those that have none: written by hand, event by event.
//!
//! A checker that always said yes would fail the second half of these, one that always said no the first.

use histories::cache::{CacheAnswer, CacheKey, CacheOperation, NEVER};
use histories::rename::{PairOperation, TokenPair};
use histories::store::{StoreAnswer, StoreOperation};
use histories::{Call, Violation, check};

use CacheAnswer::{Did, Done, Seen, Until, Value};
use CacheOperation::{
    Advance, Clear, Get, GetWithDeadline, Increment, Insert, InsertIfAbsent, InsertUntil, InsertWithTtl, Iterate,
    Remove, Take, Touch, Update,
};

type CacheCall = Call<CacheOperation, CacheAnswer>;

/// A call of a thread, from one stamp to another.
fn call(thread: usize, from: u64, to: u64, operation: CacheOperation, answer: CacheAnswer) -> CacheCall {
    Call { thread, clock: 0, invoked: from, returned: Some(to), operation, answer: Some(answer) }
}

/// A call that never returned.
fn pending(thread: usize, from: u64, operation: CacheOperation) -> CacheCall {
    Call { thread, clock: 0, invoked: from, returned: None, operation, answer: None }
}

#[track_caller]
fn explained(calls: &[CacheCall]) {
    if let Err(violation) = check(&CacheKey::default(), calls) {
        panic!("this has an explanation:\n{violation}");
    }
}

/// The violation, which is about that call.
#[track_caller]
fn unexplained(calls: &[CacheCall], failing: &CacheCall) -> Violation<CacheKey> {
    let violation = check(&CacheKey::default(), calls).expect_err("this has no explanation");
    assert_eq!(&violation.calls[violation.failing], failing, "{violation}");
    violation
}

const ABSENT: CacheAnswer = Value(None);

fn value(value: u64) -> CacheAnswer {
    Value(Some(value))
}

#[test]
fn an_empty_history_and_a_sequential_one() {
    explained(&[]);
    explained(&[
        call(0, 1, 2, Get, ABSENT),
        call(0, 3, 4, Insert(7), Did(true)),
        call(0, 5, 6, Get, value(7)),
        call(0, 7, 8, Update(8), value(7)),
        call(0, 9, 10, Take, value(8)),
        call(0, 11, 12, Remove, Did(false)),
    ]);
}

#[test]
fn a_read_beside_a_write_may_see_either() {
    let write = call(0, 1, 10, Insert(7), Did(true));
    explained(&[write.clone(), call(1, 2, 3, Get, ABSENT), call(1, 4, 5, Get, value(7))]);
    explained(&[write.clone(), call(1, 2, 3, Get, value(7)), call(2, 2, 6, Get, ABSENT)]);
    let late = call(1, 4, 5, Get, ABSENT);
    unexplained(&[write, call(1, 2, 3, Get, value(7)), late.clone()], &late);
}

#[test]
fn a_stale_read_is_found() {
    let read = call(1, 5, 6, Get, value(1));
    let violation =
        unexplained(&[call(0, 1, 2, Insert(1), Did(true)), call(0, 3, 4, Insert(2), Did(false)), read.clone()], &read);
    assert_eq!(violation.states.len(), 1);
    assert_eq!(violation.states[0].entry.map(|entry| entry.value), Some(2));
}

#[test]
fn a_value_that_nobody_wrote_is_found() {
    let read = call(0, 1, 2, Get, value(9));
    unexplained(std::slice::from_ref(&read), &read);
}

#[test]
fn two_winners_of_one_entry_are_found() {
    let insert = call(0, 1, 2, Insert(1), Did(true));
    let second = call(2, 4, 7, Remove, Did(true));
    unexplained(&[insert.clone(), call(1, 3, 6, Remove, Did(true)), second.clone()], &second);
    explained(&[insert, call(1, 3, 6, Remove, Did(true)), call(2, 4, 7, Remove, Did(false))]);

    let second = call(1, 2, 4, InsertIfAbsent(2), Did(true));
    unexplained(&[call(0, 1, 3, InsertIfAbsent(1), Did(true)), second.clone()], &second);
}

#[test]
fn a_lost_update_is_found() {
    let insert = call(0, 1, 2, Insert(10), Did(true));
    let second = call(2, 3, 6, Increment(1), value(11));
    unexplained(&[insert.clone(), call(1, 4, 5, Increment(1), value(11)), second.clone()], &second);
    explained(&[insert, call(1, 4, 5, Increment(1), value(12)), call(2, 3, 6, Increment(1), value(11))]);
}

#[test]
fn an_entry_dies_with_the_tick_of_its_deadline() {
    let insert = call(0, 1, 2, InsertUntil(5, 2), Did(true));
    let first = call(1, 3, 4, Advance(1), Done);
    let second = call(1, 5, 8, Advance(2), Done);
    explained(&[insert.clone(), first.clone(), second.clone(), call(0, 6, 7, Get, value(5))]);
    explained(&[insert.clone(), first.clone(), second.clone(), call(0, 6, 7, Get, ABSENT)]);
    explained(&[insert.clone(), first.clone(), second.clone(), call(0, 9, 10, Get, ABSENT)]);
    let late = call(0, 9, 10, Get, value(5));
    unexplained(&[insert.clone(), first.clone(), second.clone(), late.clone()], &late);
    let early = call(0, 4, 5, Get, ABSENT);
    unexplained(&[insert.clone(), first, early.clone()], &early);

    // Once seen dead, it does not come back.
    let revived = call(0, 12, 13, Get, value(5));
    let calls = [insert, call(1, 5, 20, Advance(2), Done), call(2, 9, 10, Get, ABSENT), revived.clone()];
    unexplained(&calls, &revived);
}

#[test]
fn a_time_to_live_begins_at_one_moment_of_its_call() {
    let advance = call(1, 2, 3, Advance(1), Done);
    let insert = |clock| Call { clock, ..call(0, 1, 4, InsertWithTtl(5, 3), Did(true)) };
    for deadline in [3, 4] {
        explained(&[insert(0), advance.clone(), call(0, 5, 6, GetWithDeadline, Until(Some((5, deadline))))]);
    }
    for deadline in [2, 5, NEVER] {
        let read = call(0, 5, 6, GetWithDeadline, Until(Some((5, deadline))));
        unexplained(&[insert(0), advance.clone(), read.clone()], &read);
    }
    let read = call(0, 5, 6, GetWithDeadline, Until(Some((5, 3))));
    unexplained(&[insert(1), advance, read.clone()], &read);
}

#[test]
fn a_touch_that_returned_true_is_not_undone() {
    let insert = call(0, 1, 2, InsertUntil(5, 1), Did(true));
    let (touch, advance) = (call(0, 3, 6, Touch(4), Did(true)), call(1, 4, 7, Advance(1), Done));
    explained(&[insert.clone(), touch.clone(), advance.clone(), call(2, 8, 9, Get, value(5))]);
    let read = call(2, 8, 9, Get, ABSENT);
    unexplained(&[insert.clone(), touch, advance.clone(), read.clone()], &read);
    let late = call(0, 8, 9, Touch(4), Did(true));
    unexplained(&[insert, advance, late.clone()], &late);
}

#[test]
fn a_clear_spares_only_what_came_in_meanwhile() {
    let (old, young) = (call(0, 1, 2, Insert(1), Did(true)), call(0, 4, 5, Insert(2), Did(false)));
    let clear = call(1, 3, 6, Clear, Done);
    explained(&[old.clone(), clear.clone(), call(0, 7, 8, Get, ABSENT)]);
    explained(&[old.clone(), young.clone(), clear.clone(), call(0, 7, 8, Get, value(2))]);
    explained(&[old.clone(), young, clear.clone(), call(0, 7, 8, Get, ABSENT)]);
    let read = call(0, 7, 8, Get, value(1));
    unexplained(&[old, clear, read.clone()], &read);
}

#[test]
fn a_walk_sees_what_is_there_throughout_exactly_once() {
    let old = call(0, 1, 2, Insert(1), Did(true));
    explained(&[old.clone(), call(1, 3, 6, Iterate, Seen(vec![1]))]);
    explained(&[old.clone(), call(1, 3, 6, Iterate, Seen(vec![])), call(0, 4, 5, Remove, Did(true))]);
    explained(&[old.clone(), call(1, 3, 6, Iterate, Seen(vec![])), call(0, 4, 5, Insert(2), Did(false))]);
    for seen in [vec![], vec![1, 1], vec![2]] {
        let walk = call(1, 3, 6, Iterate, Seen(seen));
        unexplained(&[old.clone(), walk.clone()], &walk);
    }
}

#[test]
fn a_call_that_never_returned_may_have_taken_effect_or_not() {
    let insert = pending(0, 1, Insert(1));
    explained(&[insert.clone(), call(1, 2, 3, Get, ABSENT), call(1, 4, 5, Get, value(1))]);
    explained(&[insert.clone(), call(1, 2, 3, Get, ABSENT), call(1, 4, 5, Get, ABSENT)]);
    let read = call(1, 4, 5, Get, ABSENT);
    unexplained(&[insert, call(1, 2, 3, Get, value(1)), read.clone()], &read);
}

#[test]
fn the_order_of_the_calls_in_the_history_does_not_count() {
    explained(&[call(1, 3, 4, Get, value(1)), call(0, 1, 2, Insert(1), Did(true))]);
}

/// Forty thousand calls, of which one runs all the time, in one history.
#[test]
fn long_histories_cost_little() {
    let mut calls = vec![call(1, 0, 1_000_000, Insert(1), Did(false))];
    for round in 0..10_000 {
        let (stamp, number) = (1 + round * 20, 2 + round);
        calls.push(call(0, stamp, stamp + 3, Insert(number), Did(false)));
        calls.push(call(2, stamp + 1, stamp + 4, Insert(1_000_000 + number), Did(round == 0)));
        calls.push(call(3, stamp + 2, stamp + 5, Update(2_000_000 + number), value(number)));
        calls.push(call(0, stamp + 6, stamp + 7, Get, value(2_000_000 + number)));
    }
    let checked = check(&CacheKey::default(), &calls).expect("explained");
    assert_eq!(checked.calls, 40_001);
    assert_eq!(checked.overlapping, 40_001);
    assert!(checked.configurations < 20, "{checked:?}");
    let read = call(2, 900_000, 900_001, Get, value(7));
    calls.push(read.clone());
    let violation = unexplained(&calls, &read);
    assert!(violation.calls.len() < 10, "{violation}");
}

/// What is printed names threads, operations and answers; what has no part in the violation is gone.
#[test]
fn a_violation_is_shrunk_and_readable() {
    let mut calls = Vec::new();
    for round in 0..100 {
        let (stamp, number) = (round * 20, 1 + round);
        calls.push(call(0, stamp, stamp + 3, Insert(number), Did(round == 0)));
        calls.push(call(1, stamp + 2, stamp + 5, Get, value(number)));
        calls.push(call(2, stamp + 6, stamp + 7, Get, value(number)));
        calls.push(call(2, stamp + 8, stamp + 9, Remove, Did(true)));
        calls.push(call(3, stamp + 10, stamp + 11, Insert(number), Did(true)));
    }
    calls.push(call(2, 3_000, 3_001, Remove, Did(true)));
    let read = call(1, 3_002, 3_003, Get, value(100));
    let violation = unexplained(&[calls, vec![read.clone(), call(0, 3_004, 3_005, Get, ABSENT)]].concat(), &read);
    let text = violation.to_string();
    assert_eq!(violation.calls.len(), 3, "{text}");
    for part in ["thread 2", "+ Remove", "+ Get", "= Value(Some(100))", "NOT LINEARIZABLE"] {
        assert!(text.contains(part), "{part} in:\n{text}");
    }
}

/// A renaming of a session that expires meanwhile moves it before that, or not at all; whoever looks for both tokens
/// may see it on its way.
#[test]
fn a_renaming_gives_no_second_life() {
    let call = |thread, from, to, operation, answer| Call {
        thread,
        clock: 0,
        invoked: from,
        returned: Some(to),
        operation,
        answer: Some(answer),
    };
    let find = |token| PairOperation::On(token, StoreOperation::Find);
    let history = |is_moved, found_midway: Option<u64>, found_later: Option<u64>| {
        vec![
            call(0, 1, 2, PairOperation::On(0, StoreOperation::Save(1 << 16, 5)), StoreAnswer::Done),
            call(0, 3, 20, PairOperation::RenameFrom(0, 9), StoreAnswer::Did(is_moved)),
            call(1, 4, 5, PairOperation::Advance(5), StoreAnswer::Done),
            call(1, 6, 7, find(0), StoreAnswer::Data(None)),
            call(1, 8, 9, find(1), StoreAnswer::Data(found_midway)),
            call(1, 21, 22, find(1), StoreAnswer::Data(found_later)),
        ]
    };
    let session = Some(1 << 16);
    for (is_moved, midway, later, is_possible) in [
        (true, session, session, true),
        (false, None, None, true),
        (false, session, None, true),
        (true, None, session, false),
        (true, None, None, false),
        (false, None, session, false),
        (true, session, None, false),
    ] {
        let is_explained = check(&TokenPair, &history(is_moved, midway, later)).is_ok();
        assert_eq!(is_explained, is_possible, "{is_moved} {midway:?} {later:?}");
    }
}
