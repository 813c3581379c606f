//! Rules of style that a program can check. Catches a label that lost its table row or its models, an atomic or an unsafe block outside
//! its home, a README that has grown.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The sources, by their path below `src`.
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let src = root().join("src");
    let mut paths = Vec::new();
    walk(&src, &mut paths);
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&src).expect("below src").to_string_lossy().into_owned();
        (name, fs::read_to_string(path).expect("a source"))
    };
    let sources: Vec<_> = paths.into_iter().map(read).collect();
    assert!(sources.len() > 20, "the walk found the sources");
    sources
}

/// Words in `[brackets]` of kebab-case, in a text.
fn labels(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split('[').skip(1).filter_map(|rest| {
        let label = rest.split_once(']')?.0;
        let is_label = label.contains('-') && label.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        is_label.then(|| label.to_string())
    })
}

/// The labels at atomic sites, and those of the orderings tables' rows.
fn sites_and_rows() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut sites, mut rows) = (BTreeSet::new(), BTreeSet::new());
    for (_, text) in sources() {
        for line in text.lines().map(str::trim_start) {
            if let Some(row) = line.strip_prefix("//! | ") {
                let label = row.split('|').next().unwrap_or_default().trim();
                if label.contains('-') && !label.contains("---") {
                    rows.insert(label.to_string());
                }
            } else if line.starts_with("//") && !line.starts_with("//!") {
                sites.extend(labels(line));
            }
        }
    }
    assert!(rows.len() >= 10, "the tables were found: {rows:?}");
    (sites, rows)
}

#[test]
fn each_label_has_a_site_and_a_row() {
    let (sites, rows) = sites_and_rows();
    assert_eq!(sites, rows);
}

/// `touch-versus-sweep` is modelled in `loom-tests/tests/touch_versus_sweep.rs`, whose first line says so; and no model is of a protocol
/// without a name.
#[test]
fn each_label_has_a_file_of_models() {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(root().join("loom-tests/tests")).expect("the models") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().expect("a file").to_string_lossy().into_owned();
        // It checks the checker.
        if stem == "self_check" {
            continue;
        }
        let (label, text) = (stem.replace('_', "-"), fs::read_to_string(&path).expect("a file of models"));
        assert!(
            text.starts_with(&format!("//! {label} (`src/")),
            "the first line of {} names another label",
            path.display()
        );
        assert!(text.contains("Model::new("), "{} explores nothing", path.display());
        files.insert(label);
    }
    assert_eq!(files, sites_and_rows().1);
}

#[test]
fn each_thing_is_named_in_its_home_only() {
    let homes = [
        (
            "sync::atomic",
            &[
                "sync.rs",
                "sync/checked.rs",
                "reclaim/model.rs",
                "reclaim/pool.rs",
                "reclaim/shelf.rs",
                "reclaim/tests.rs",
                "clock.rs",
                "stats.rs",
                "store.rs",
                "observe.rs",
                "janitor.rs",
            ][..],
        ),
        ("crossbeam_epoch::", &["reclaim/collector.rs", "reclaim/model.rs"]),
        ("crossbeam_skiplist::", &["expiry/skip.rs"]),
        ("Instant::now", &["clock.rs", "clock/system.rs", "janitor.rs"]),
        ("thread::Builder", &["janitor.rs"]),
        (
            "Mutex",
            &[
                "sync.rs",
                "sync/checked.rs",
                "clock.rs",
                "janitor.rs",
                "loading.rs",
                "expiry/model.rs",
                "reclaim/tests.rs",
            ],
        ),
        (
            "unsafe {",
            &[
                "expiry/pile.rs",
                "map/bulk.rs",
                "map/entry.rs",
                "map/migrate.rs",
                "map/mod.rs",
                "map/node.rs",
                "map/record.rs",
                "map/spill.rs",
                "map/table.rs",
                "map/zeroed.rs",
                "prefetch.rs",
                "reclaim/inbox.rs",
                "reclaim/local.rs",
                "reclaim/mod.rs",
                "reclaim/model.rs",
                "reclaim/pool.rs",
                "reclaim/shelf.rs",
                "reclaim/tests.rs",
            ],
        ),
    ];
    for (name, text) in sources() {
        for (thing, homes) in homes {
            let used = text.lines().map(str::trim_start).any(|line| !line.starts_with("//") && line.contains(thing));
            assert!(!used || homes.contains(&name.as_str()), "{name} names {thing}");
        }
    }
}

#[test]
fn sequentially_consistent_accesses_are_fences_only() {
    // The wrappers of checked builds only pass orderings on.
    for (name, text) in sources().into_iter().filter(|(name, _)| name != "sync/checked.rs") {
        for line in text.lines().filter(|line| line.contains("SeqCst") && !line.trim_start().starts_with("//")) {
            assert!(line.contains("fence(Ordering::SeqCst)"), "{name}: {line}");
        }
    }
}

#[test]
fn documents_keep_their_size() {
    let lines = |name: &str| fs::read_to_string(root().join(name)).expect(name).lines().count();
    assert!(lines("README.md") <= 150);
    for (name, text) in sources() {
        let code = text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//")).count();
        assert!(code <= 550, "{name} has {code} lines of code: is it one thought?");
    }
}
