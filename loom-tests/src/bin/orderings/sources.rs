//! What the sources say of their orderings: where they stand, and which of them no model shows.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::models::{self, Model, Site};

/// The files of the protocols.
pub fn is_in_scope(file: &str) -> bool {
    let is_folder = ["src/map/", "src/expiry/"].iter().any(|folder| file.starts_with(folder));
    (is_folder && !["src/expiry/model.rs", "src/expiry/skip.rs", "src/map/tests.rs"].contains(&file))
        || ["src/engine.rs", "src/janitor.rs", "src/lane.rs", "src/loading.rs"].contains(&file)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the project").to_path_buf()
}

fn lines(file: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    text.lines().map(str::to_owned).collect()
}

fn files() -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let (root, mut found) = (root(), Vec::new());
    walk(&root.join("src"), &mut found);
    let name = |path: &PathBuf| path.strip_prefix(&root).expect("below the root").to_string_lossy().into_owned();
    found.iter().map(name).filter(|file| is_in_scope(file)).collect()
}

/// Orderings that carry something and stand in the sources where no model comes by.
pub fn unvisited(models: &[Model]) -> Vec<String> {
    let visited: BTreeSet<(String, usize)> =
        models::sites(models).into_iter().map(|site| (site.file, site.line)).collect();
    let mut unvisited = Vec::new();
    for file in files() {
        // Unit tests stand at the end of a file.
        let is_code = |(_, line): &(usize, &String)| line.as_str() != "mod tests {";
        for (index, line) in lines(&file).iter().enumerate().take_while(is_code) {
            let code = line.split("//").next().unwrap_or_default();
            let carries = ["Acquire", "Release", "AcqRel", "SeqCst"]
                .iter()
                .any(|order| code.contains(&format!("Ordering::{order}")));
            // A call that is broken over lines begins some lines above its orderings.
            let call = (index.saturating_sub(5)..=index).any(|line| visited.contains(&(file.clone(), line + 1)));
            if carries && !call {
                unvisited.push(format!("{file}:{} {}", index + 1, code.trim()));
            }
        }
    }
    unvisited
}

/// Why no model shows what a weakening drops, if the comment above the site says so: `No model shows its Release: ` and the reason.
pub fn reason(site: &Site, dropped: &str) -> Option<String> {
    let lines = lines(&site.file);
    // The statement may begin above the call; its comment ends right before it.
    let above = lines[..site.line].iter().rev().skip(1);
    let code = above.clone().take_while(|line| !line.trim_start().starts_with("//")).count();
    if code > 4 {
        return None;
    }
    let comment: Vec<&str> =
        above.skip(code).map_while(|line| line.trim_start().strip_prefix("//")).map(str::trim).collect();
    let text = comment.into_iter().rev().collect::<Vec<_>>().join(" ");
    let mark = format!("No model shows its {dropped}: ");
    text.split_once(&mark).map(|(_, reason)| reason.to_owned())
}
