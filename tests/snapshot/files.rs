//! Snapshots in files.

use std::fs;
use std::io;

use fleeting::snapshot::{LoadErrorKind, SaveErrorKind};

use crate::{restarted, saved, sessions, small};

/// Catches a file that is not replaced, and what is left beside it.
#[test]
fn a_file_is_replaced_as_a_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sessions");
    fs::write(&path, "something longer than a snapshot. ".repeat(100)).expect("written");
    let store = small();
    let bytes = store.save_to_path(&path).expect("saved").bytes;
    assert_eq!(fs::read(&path).expect("read"), saved(&store));
    assert_eq!(fs::metadata(&path).expect("there").len(), bytes);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");
    let (other, _) = restarted(0);
    assert_eq!(other.load_from_path(&path).expect("whole").loaded, 3);
    assert_eq!(sessions(&other).len(), 3);
}

/// Catches tokens that everybody on the machine can read.
#[cfg(unix)]
#[test]
fn only_its_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sessions");
    small().save_to_path(&path).expect("saved");
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
}

/// Catches a failure that destroys the former file, or leaves its own.
#[test]
fn a_failure_leaves_the_former_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sessions");
    let store = small();
    store.save_to_path(&path).expect("saved");
    let before = fs::read(&path).expect("read");
    // A panic on the way, which is as bad as it gets.
    store.save("another", "session", crate::at(100));
    let save = || store.snapshot().on_progress(|_| std::panic::resume_unwind(Box::new(()))).save_to_path(&path);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(save)).is_err());
    assert_eq!(fs::read(&path).expect("read"), before);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "its own is gone");
    // A folder in the way cannot be replaced.
    let taken = folder.path().join("taken");
    fs::create_dir(&taken).expect("made");
    fs::write(taken.join("file"), "").expect("written");
    assert!(matches!(store.save_to_path(&taken).expect_err("a folder").kind(), SaveErrorKind::Io(_)));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
}

/// Catches a missing file that is not told from a bad one: the first start has none.
#[test]
fn no_file_is_an_error_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = restarted(0);
    let error = store.load_from_path(folder.path().join("none")).expect_err("none");
    assert_eq!((error.kind(), error.offset()), (LoadErrorKind::Io(io::ErrorKind::NotFound), 0));
    let error = store.save_to_path(folder.path().join("none/sessions")).expect_err("no folder");
    assert_eq!(error.kind(), SaveErrorKind::Io(io::ErrorKind::NotFound));
}
