//! Our own text: where it lies, and which source a program counter stands for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use addr2line::Loader;

static START: AtomicUsize = AtomicUsize::new(0);
static END: AtomicUsize = AtomicUsize::new(0);
/// What was added to the file's addresses when it was loaded.
static BIAS: AtomicUsize = AtomicUsize::new(0);

/// Reads the process's map once, before any handler asks.
pub fn locate() {
    let maps = fs::read_to_string("/proc/self/maps").expect("/proc is mounted");
    let executable = executable();
    let ours = maps.lines().filter(|line| line.ends_with(&*executable.to_string_lossy()));
    let number = |digits: &str| usize::from_str_radix(digits, 16).expect("a number of /proc/self/maps");
    for line in ours {
        // start-end permissions offset device inode path
        let mut words = line.split_ascii_whitespace();
        let (range, permissions, offset) = (words.next(), words.next(), words.next());
        let (Some((start, end)), Some(permissions), Some(offset)) =
            (range.and_then(|range| range.split_once('-')), permissions, offset)
        else {
            continue;
        };
        if number(offset) == 0 {
            BIAS.store(number(start), Ordering::Relaxed);
        }
        if permissions.contains('x') {
            START.store(number(start), Ordering::Relaxed);
            END.store(number(end), Ordering::Relaxed);
        }
    }
    assert!(contains(locate as *const () as usize), "our own text was found in /proc/self/maps");
    assert!(!contains(libc::malloc as *const () as usize), "the allocator is not in our text");
}

/// Whether a program counter lies in our text. Async-signal-safe.
#[inline]
pub fn contains(pc: usize) -> bool {
    (START.load(Ordering::Relaxed)..END.load(Ordering::Relaxed)).contains(&pc)
}

fn executable() -> PathBuf {
    fs::read_link("/proc/self/exe").expect("/proc is mounted")
}

/// How many of the program counters stand for which source: a file of `fleeting`, a crate, or `(other)`: this harness and the standard
/// library, outside of any inlined code of the former.
pub fn places(pcs: &[usize]) -> BTreeMap<String, usize> {
    let loader = Loader::new(executable()).expect("our own executable has line tables");
    let mut places = BTreeMap::new();
    for pc in pcs {
        *places.entry(place(&loader, pc - BIAS.load(Ordering::Relaxed))).or_default() += 1;
    }
    places
}

/// The innermost inlined function that is known decides.
fn place(loader: &Loader, address: usize) -> String {
    let fleeting = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it is in a folder of the crate").join("src");
    let mut files = Vec::new();
    if let Ok(mut frames) = loader.find_frames(address as u64) {
        while let Ok(Some(frame)) = frames.next() {
            let file = frame.location.and_then(|location| location.file);
            files.extend(file.map(|file| normal(Path::new(file))));
        }
    }
    let own = files.iter().find_map(|file| Some(format!("src/{}", file.strip_prefix(&fleeting).ok()?.display())));
    let of_crate = || files.iter().find_map(|file| crate_of(file));
    own.or_else(of_crate).unwrap_or_else(|| "(other)".to_string())
}

/// The crate, if a file is one of a registry's.
fn crate_of(file: &Path) -> Option<String> {
    let mut parts = file.components().map(|part| part.as_os_str().to_string_lossy());
    parts.find(|part| part == "registry")?;
    // registry/src/INDEX/CRATE-VERSION/...
    parts.nth(2).map(|name| name.into_owned())
}

/// Without `..`: a path dependency's sources are named relatively.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        if part.as_os_str() == ".." {
            normal.pop();
        } else {
            normal.push(part);
        }
    }
    normal
}
