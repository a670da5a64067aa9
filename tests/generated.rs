//! `man/` and the README's table are what the definitions of today give, and `completions/` is what the program
//! prints. `REGENERATE=1 cargo test generated` writes them again.

use std::path::Path;

use rlmesh_sandbox::cli;

use crate::manual::page;
use crate::support::{Run, StandIn};

const SHELLS: [(&str, &str); 5] = [
    ("bash", "rlmesh-sandbox.bash"),
    ("zsh", "_rlmesh-sandbox"),
    ("fish", "rlmesh-sandbox.fish"),
    ("powershell", "_rlmesh-sandbox.ps1"),
    ("elvish", "rlmesh-sandbox.elv"),
];

fn compare(folder: &str, files: &[(String, Vec<u8>)]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    if std::env::var_os("REGENERATE").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for (name, content) in files {
            std::fs::write(folder.join(name), content).unwrap();
        }
    }
    let mut there: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut expected: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
    there.sort();
    expected.sort();
    assert_eq!(there, expected, "in {}", folder.display());
    for (name, content) in files {
        let committed = std::fs::read(folder.join(name)).unwrap();
        assert!(committed == *content, "{name} is out of date: run REGENERATE=1 cargo test generated");
    }
}

#[test]
fn the_program_prints_the_completion_scripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), SHELLS.len());
    for (name, file) in SHELLS {
        let script = std::fs::read_to_string(folder.join(file)).unwrap();
        Run::new(["completions", name]).docker(StandIn::missing()).stdout(script).check();
    }
}

#[test]
fn man_pages_are_up_to_date() {
    let mut program = cli::command();
    program.build();
    let mut files = vec![("rlmesh-sandbox.1".to_owned(), page(&program, None).into_bytes())];
    for verb in program.get_subcommands().filter(|verb| verb.get_name() != "help") {
        let name = format!("rlmesh-sandbox-{}.1", verb.get_name());
        files.push((name, page(&program, Some(verb)).into_bytes()));
    }
    compare("man", &files);
}

#[test]
fn the_manual_has_every_variable() {
    let architecture = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let text = std::fs::read_to_string(architecture).unwrap();
    let (_, section) = text.split_once("## Environment variables\n").unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let columns = rows.filter_map(|row| row.split('|').nth(1));
    let names: Vec<&str> = columns.flat_map(|names| names.split('`').skip(1).step_by(2)).collect();
    assert!(names.len() > 20, "{names:?}");
    let mut program = cli::command();
    program.build();
    let page = page(&program, None);
    for name in names.into_iter().filter(|name| !name.ends_with("_TEST_WAITS")) {
        assert!(page.contains(&format!("\\fB{name}\\fR")), "{name}");
    }
}

/// The section of the README between two comments.
fn compare_section(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&file).unwrap();
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
    let (before, rest) = readme.split_once(&begin).unwrap();
    let (there, after) = rest.split_once(&end).unwrap();
    if std::env::var_os("REGENERATE").is_some() {
        std::fs::write(&file, [before, &begin, text, &end, after].concat()).unwrap();
    } else {
        assert!(there == text, "{name} in README.md is out of date: run REGENERATE=1 cargo test generated");
    }
}

#[test]
fn the_readme_lists_the_known_environments() {
    let table: toml::Table = toml::from_str(include_str!("../src/source/families.toml")).unwrap();
    let rows = |name: &str| table[name].as_array().unwrap().iter();
    let list = |value: &toml::Value| -> Vec<String> {
        match value {
            toml::Value::Array(items) => items.iter().map(|item| item.as_str().unwrap().to_owned()).collect(),
            toml::Value::Table(items) => items
                .iter()
                .map(|(name, value)| {
                    format!(
                        "{name}={}",
                        value.as_str().map_or_else(|| serde_json::to_string(value).unwrap(), str::to_owned)
                    )
                })
                .collect(),
            _ => panic!("{value:?}"),
        }
    };
    let code = |words: Vec<String>| match words.len() {
        0 => "–".to_owned(),
        count @ ..=6 => words[..count].iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" "),
        count => {
            let first: Vec<String> = words[..4].iter().map(|word| format!("`{word}`")).collect();
            format!("{} and {} more", first.join(" "), count - 4)
        }
    };
    let mut text = "| ids | packages | imports, wrappers | system packages, variables, arguments | in addition for a frame | seen |\n\
                    |---|---|---|---|---|---|\n"
        .to_owned();
    for family in rows("family") {
        let field = |names: &[&str]| code(names.iter().flat_map(|name| list(&family[*name])).collect());
        let render = &family["render"];
        let frame = ["packages", "apt", "variables"].iter().flat_map(|name| list(&render[*name])).collect();
        text += &format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            field(&["ids"]),
            field(&["packages"]),
            field(&["imports", "wrap"]),
            field(&["apt", "variables", "kwargs"]),
            if family["tried"].as_str() == Some("frame") { code(frame) } else { "no frames".to_owned() },
            match family["tried"].as_str() {
                Some("frame") => "steps, frames",
                Some("steps") => "steps",
                other => panic!("{other:?}"),
            }
        );
    }
    text += "\nThese environments cannot be served:\n\n| ids | why |\n|---|---|\n";
    for unserved in rows("unserved") {
        text += &format!("| {} | {} |\n", code(list(&unserved["ids"])), unserved["reason"].as_str().unwrap());
    }
    compare_section("known environments", &text);
}
