//! The verdicts: on the planted faults, so that each case is seen to fail; on our stores; on those of others, as the READMEs have them.

use std::fs;

use fleeting_session_conformance::{CASES, FAULTS, Fault, Planted, Verdict, failed, peer_table, peers};

/// Which cases catch a fault, and no others do.
fn catchers(fault: Fault) -> &'static [&'static str] {
    match fault {
        Fault::NoopDelete => &[
            "touch_revives_nothing",
            "delete_ends",
            "late_save",
            "race_of_save_and_delete",
            "race_of_touch_and_delete",
        ],
        Fault::OverwritingCreate => &["create_collision", "create_on_deleted", "race_of_creations"],
        Fault::StaleData => &["keeps_apart", "save_replaces"],
        Fault::CreatingTouch => &["unknown_key"],
        Fault::StaleExpiry => &["save_moves_expiry", "past_expiry"],
        Fault::NoopTouch | Fault::ForgetfulTouch => &["touch_moves_expiry"],
        Fault::IgnoredExpiry => &[
            "save_moves_expiry",
            "exact_expiry",
            "past_expiry",
            "touch_moves_expiry",
            "touch_revives_nothing",
            "save_after_expiry",
            "frees_expired",
        ],
        Fault::Resurrection => &["late_save", "race_of_save_and_delete"],
        Fault::ReusedKey => &["create_on_deleted"],
        Fault::ResurrectionElsewhere => &["late_save_elsewhere"],
        Fault::ObedientSave => &["save_after_expiry", "made_up_key"],
        Fault::LateExpiry => &[
            "exact_expiry",
            "past_expiry",
            "touch_moves_expiry",
            "touch_revives_nothing",
            "save_after_expiry",
            "frees_expired",
        ],
        Fault::RoundedExpiry => &["round_trip", "exact_expiry"],
        Fault::ImmortalPast => &["past_expiry"],
        Fault::OverflowingExpiry => &["far_expiry"],
        Fault::RevivingTouch => &["touch_revives_nothing", "race_of_touch_and_delete"],
        Fault::DeleteAll => &["keeps_apart"],
        Fault::NeverFreed => &["frees_expired"],
        Fault::Talkative => &["prints_nothing"],
        Fault::RacingCreate => &["race_of_creations"],
        Fault::RacingSave => &["race_of_save_and_delete"],
        Fault::RacingTouch => &["race_of_touch_and_delete"],
    }
}

/// Catches a case that does not see what it is there for, or sees what is not wrong.
#[test]
fn each_fault_is_caught_by_its_cases() {
    for &fault in FAULTS {
        assert_eq!(failed(|| Box::new(Planted::new(Some(fault)))), catchers(fault), "{fault:?}");
    }
}

/// Catches a case that no fault shows to fail.
#[test]
fn each_case_catches_a_fault() {
    for case in CASES {
        assert!(FAULTS.iter().any(|&fault| catchers(fault).contains(&case.id)), "{}", case.name);
    }
}

/// Catches a case that a store without faults cannot pass.
#[test]
fn a_store_without_faults_passes_all() {
    for case in CASES {
        assert_eq!(case.ask(&Planted::new(None)), Verdict::Passes, "{}", case.name);
    }
}

/// Catches any of our stores that does what it should not, one of the others that is told to do so and does not, and a README that tells other
/// than what was found. The cache is no store by itself: what it fails is what the store behind it is for.
#[test]
fn stores_do_as_their_readmes_say() {
    let mut verdicts = peers().map(|peer| (peer.name, peer.verdicts()));
    for (name, verdicts) in &mut verdicts {
        let (expected, not_asked) = expected(name);
        for (case, verdict) in CASES.iter().zip(verdicts.iter_mut()) {
            // That two threads never met on a busy machine is not to another store's credit. (Ours fail no race, and the planted stores are slow enough.)
            if case.id.starts_with("race") && expected.contains(&case.id) && *verdict == Verdict::Passes {
                *verdict = Verdict::Fails("not seen this time".to_owned());
            }
        }
        let verdicts = &*verdicts;
        let having = |wanted: fn(&Verdict) -> bool| -> Vec<&str> {
            CASES.iter().zip(verdicts).filter(|(_, verdict)| wanted(verdict)).map(|(case, _)| case.id).collect()
        };
        let fails = having(|verdict| matches!(verdict, Verdict::Fails(_)));
        let inapplicable = having(|verdict| *verdict == Verdict::Inapplicable);
        assert_eq!(fails, expected, "{name}: {verdicts:?}");
        assert_eq!(inapplicable, not_asked, "{name}");
    }
    let [store, actix, cache, memory, moka] = verdicts;
    for (folder, table) in
        [("tower-sessions", peer_table(&[store, cache, memory, moka])), ("actix-session", peer_table(&[actix]))]
    {
        let path = format!("{}/../{folder}/README.md", env!("CARGO_MANIFEST_DIR"));
        let readme = fs::read_to_string(path).expect("a README");
        assert!(readme.contains(&table), "{folder}/README.md should have this:\n{table}");
    }
}

/// Which cases a store fails, and which it cannot be asked.
fn expected(name: &str) -> (&'static [&'static str], &'static [&'static str]) {
    let touches: &[&str] = &["touch_moves_expiry", "touch_revives_nothing", "race_of_touch_and_delete"];
    match name {
        "`FleetingStore`" => (&[], touches),
        "`FleetingSessionStore`" => (&[], &["create_collision", "create_on_deleted", "race_of_creations"]),
        "`FleetingCache`" => (
            &["create_collision", "create_on_deleted", "save_after_expiry", "made_up_key", "race_of_creations"],
            touches,
        ),
        "`MemoryStore` 0.15" => (
            &[
                "create_on_deleted",
                "late_save",
                "save_after_expiry",
                "made_up_key",
                "frees_expired",
                "prints_nothing",
                "race_of_save_and_delete",
            ],
            touches,
        ),
        _ => (
            &[
                "create_on_deleted",
                "late_save",
                "save_after_expiry",
                "made_up_key",
                "prints_nothing",
                "race_of_creations",
                "race_of_save_and_delete",
            ],
            &["touch_moves_expiry", "touch_revives_nothing", "frees_expired", "race_of_touch_and_delete"],
        ),
    }
}
