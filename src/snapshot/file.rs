//! A file that is replaced as a whole.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::{SaveError, Saved};

/// Writes a new file beside `path`, synchronizes it with the disk, and renames it. If anything fails before that, the new file goes.
pub fn replace(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<Saved, SaveError>,
) -> Result<Saved, SaveError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Readable by its owner only, and a name that nobody can foresee.
    let mut file = tempfile::Builder::new().prefix(".fleeting-").suffix(".tmp").tempfile_in(folder)?;
    let saved = write(file.as_file_mut())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    synchronize(folder)?;
    Ok(saved)
}

/// The renaming outlasts a loss of power once the folder is on the disk.
fn synchronize(folder: &Path) -> io::Result<()> {
    // Elsewhere folders cannot be opened as files.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
