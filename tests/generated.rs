//! `completions/` and `man/` are what the definitions of today give. `REGENERATE=1 cargo test generated` writes them anew.

use std::path::Path;

use clap_complete::Shell;
use rlmesh_sandbox::cli;

use crate::support::{Run, StandIn};

const SHELLS: [(Shell, &str, &str); 5] = [
    (Shell::Bash, "bash", "rlmesh-sandbox.bash"),
    (Shell::Zsh, "zsh", "_rlmesh-sandbox"),
    (Shell::Fish, "fish", "rlmesh-sandbox.fish"),
    (Shell::PowerShell, "powershell", "_rlmesh-sandbox.ps1"),
    (Shell::Elvish, "elvish", "rlmesh-sandbox.elv"),
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

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "rlmesh-sandbox", &mut script);
    script
}

#[test]
fn completions_are_up_to_date() {
    let files: Vec<(String, Vec<u8>)> =
        SHELLS.iter().map(|(shell, _, file)| ((*file).to_owned(), script(*shell))).collect();
    compare("completions", &files);
}

#[test]
fn the_program_prints_the_same_completions() {
    for (shell, name, _) in SHELLS {
        Run::new(["completions", name])
            .docker(StandIn::missing())
            .stdout(String::from_utf8(script(shell)).unwrap())
            .check();
    }
}

#[test]
fn man_pages_are_up_to_date() {
    let mut program = cli::command();
    program.build();
    let mut files = vec![("rlmesh-sandbox.1".to_owned(), page(program.clone()))];
    for verb in program.get_subcommands() {
        let name = format!("rlmesh-sandbox-{}", verb.get_name());
        files.push((format!("{name}.1"), page(verb.clone())));
    }
    compare("man", &files);
}

fn page(command: clap::Command) -> Vec<u8> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).unwrap();
    page
}

/// The section of the README between two comments.
pub(crate) fn compare_section(name: &str, text: &str) {
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
