//! The typed caches: `Cache<u64, u64>` and `Cache<String, Arc<[u8]>>` beside the same peers with the same types.

use super::Bench;
use super::single::{self, CELLS, Cell};
use crate::kinds::{Numbers, Strings};

pub fn run(bench: &mut Bench) -> Result<(), String> {
    let chosen = ["hit", "hit-read", "miss", "zipf", "touch", "save", "zipf-75-25"];
    let cells = CELLS.iter().filter(|cell| chosen.contains(&cell.0) && cell.3 <= 2 && bench.wants(cell.0));
    let cells: Vec<Cell> = cells.copied().collect();
    for entries in bench.sizes(&[5_000], &[100_000, 1_000_000]) {
        single::run_kind::<Numbers>(bench, &cells, entries)?;
        single::run_kind::<Strings>(bench, &cells, entries)?;
    }
    Ok(())
}

/// The same cells as `single`, on `Cache<[u8; 32], Arc<[u8]>>`, where the peers keep tokens inline as well.
pub fn run_inline(bench: &mut Bench) -> Result<(), String> {
    let cells: Vec<Cell> = CELLS.iter().filter(|cell| bench.wants(cell.0)).copied().collect();
    for entries in bench.sizes(&[5_000], &[1_000, 100_000, 1_000_000]) {
        single::run_kind::<crate::kinds::Inline>(bench, &cells, entries)?;
    }
    Ok(())
}
