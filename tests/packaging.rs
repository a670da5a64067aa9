//! What packages install: the wheel, the Debian package, and the crate say and contain the same.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use toml::Table;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn table(file: &str) -> Table {
    std::fs::read_to_string(root().join(file)).unwrap().parse().unwrap()
}

/// Every file and link below a folder, by its path from there.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.symlink_metadata().unwrap().is_dir() {
            found.extend(below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// The completions of the shells that look for them in `share`, and their places there.
const COMPLETIONS: [(&str, &str); 3] = [
    ("completions/rlmesh-sandbox.bash", "bash-completion/completions/rlmesh-sandbox"),
    ("completions/_rlmesh-sandbox", "zsh/site-functions/_rlmesh-sandbox"),
    ("completions/rlmesh-sandbox.fish", "fish/vendor_completions.d/rlmesh-sandbox.fish"),
];

#[test]
fn generated_links_of_the_wheel_are_up_to_date() {
    let share = root().join("packaging/wheel/data/share");
    let mut expected: BTreeMap<PathBuf, PathBuf> =
        COMPLETIONS.iter().map(|(file, place)| (share.join(place), PathBuf::from(file))).collect();
    for page in below(&root().join("man")) {
        let name = page.file_name().unwrap();
        expected.insert(share.join("man/man1").join(name), Path::new("man").join(name));
    }
    for target in expected.values_mut() {
        // All places are two folders below share/, which is four below the top.
        *target = Path::new("../../../../../..").join(&*target);
    }
    if std::env::var_os("REGENERATE").is_some() {
        let _ = std::fs::remove_dir_all(&share);
        for (link, target) in &expected {
            std::fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(target, link).unwrap();
        }
    }
    let there: BTreeMap<PathBuf, PathBuf> =
        below(&share).into_iter().map(|link| (link.clone(), std::fs::read_link(link).unwrap())).collect();
    assert!(there == expected, "they are out of date: run REGENERATE=1 cargo test generated; {there:#?}");
    for link in expected.keys() {
        assert!(link.is_file(), "{} leads nowhere", link.display());
    }
}

#[test]
fn the_debian_package_installs_files_that_exist() {
    let manifest = table("Cargo.toml");
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    let assets: BTreeMap<&str, &str> =
        assets.iter().map(|asset| (asset[0].as_str().unwrap(), asset[1].as_str().unwrap())).collect();
    assert_eq!(assets["target/release/rlmesh-sandbox"], "usr/bin/");
    assert_eq!(assets["man/*.1"], "usr/share/man/man1/");
    for (file, _) in COMPLETIONS {
        assert!(assets.contains_key(file), "{file}");
    }
    for file in assets.keys().filter(|file| !file.starts_with("target/") && !file.contains('*')) {
        assert!(root().join(file).is_file(), "{file}");
    }
}

#[test]
fn the_python_package_says_what_the_crate_says() {
    let (crate_, project) = (table("Cargo.toml"), table("pyproject.toml"));
    for field in ["name", "description", "license", "readme", "keywords"] {
        assert_eq!(crate_["package"][field], project["project"][field], "{field}");
    }
    assert!(!project["project"].as_table().unwrap().contains_key("version"), "it is that of Cargo.toml");
    let share = project["tool"]["maturin"]["data"].as_str().unwrap();
    assert!(root().join(share).join("data/share").is_dir());
}
