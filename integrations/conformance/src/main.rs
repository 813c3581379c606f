//! Prints how the stores do in the cases, what was wrong, and which cases catch which planted fault.

use fleeting_session_conformance::{CASES, Verdict, fault_table, peer_table, peers};

fn main() {
    let verdicts: Vec<_> = peers().iter().map(|peer| (peer.name, peer.verdicts())).collect();
    println!("{}\n{}", peer_table(&verdicts), fault_table());
    for (name, verdicts) in verdicts {
        for (case, verdict) in CASES.iter().zip(verdicts) {
            if let Verdict::Fails(what) = verdict {
                println!("{name}: {}: {what}", case.id);
            }
        }
    }
}
