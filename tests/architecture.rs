//! The order of the modules: no file imports from a module above its own.

use std::path::{Path, PathBuf};

/// The modules from the top to the bottom. A file may import from its own line and from those below.
const ORDER: [&[&str]; 12] = [
    &["main", "lib"],
    &["commands"],
    &["output", "api"],
    &["cli"],
    &["sandbox"],
    &["image"],
    &["plan"],
    &["hub", "engine"],
    &["settings"],
    &["source"],
    &["host"],
    &["contract", "progress", "error"],
];

fn rank(module: &str) -> usize {
    ORDER
        .iter()
        .position(|modules| modules.contains(&module))
        .unwrap_or_else(|| panic!("{module} is not in the order: add it there and in ARCHITECTURE.md"))
}

/// The modules that a source text imports from, tests included, by `crate::ROOM` wherever it stands.
fn imports(text: &str) -> Vec<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>())
        // A name that starts with a capital is one that lib.rs exports. `use crate::{…}` would hide what it imports.
        .map(|name| if name.starts_with(|c: char| c.is_ascii_uppercase()) { "lib".to_owned() } else { name })
        .collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn module(file: &Path) -> String {
    let first = file.strip_prefix(src()).unwrap().iter().next().unwrap();
    Path::new(first).file_stem().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn imports_go_down() {
    let mut wrong = Vec::new();
    for file in sources(&src()) {
        let own = module(&file);
        for other in imports(&std::fs::read_to_string(&file).unwrap()) {
            assert!(!other.is_empty(), "{}: name the module: `use crate::ROOM::…`", file.display());
            let is_up = rank(&other) < rank(&own);
            let is_beside = rank(&other) == rank(&own) && other != own;
            // Two modules of one line may not import each other; those at the bottom know only themselves.
            if is_up || (is_beside && (other.as_str(), own.as_str()) != ("error", "progress")) {
                wrong.push(format!("{} (in {own}) imports {other}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_settings_read_variables() {
    let readers: Vec<String> = sources(&src())
        .iter()
        .filter(|file| !file.ends_with("tests.rs"))
        .filter(|file| {
            let text = std::fs::read_to_string(file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            code.contains("env::var") || code.contains("Variables::of_this_process")
        })
        .map(|file| file.strip_prefix(src()).unwrap().display().to_string())
        .collect();
    assert_eq!(readers.len(), 2, "{readers:?}");
    for reader in readers {
        assert!(["main.rs", "settings/variables.rs"].contains(&reader.as_str()), "{reader}");
    }
}

#[test]
fn the_top_is_seven_files_and_twelve_folders() {
    let entries: Vec<PathBuf> =
        std::fs::read_dir(src()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let folders = entries.iter().filter(|path| path.is_dir()).count();
    assert_eq!((entries.len() - folders, folders), (7, 12), "{entries:?}");
}
