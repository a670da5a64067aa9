//! What is wrong with a pip requirement or a module name, and what was meant.

use std::str::FromStr;

use pep508_rs::Requirement;
use url::Url;

use crate::error::{Change, InvalidValue};
use crate::source::local_requirement::LocalRequirement;
use crate::source::{families, is_path};

const FORMS: &str =
    "use NAME, NAME==1.2, 'NAME[extra]', a URL, git+https://… or the path of a folder or a wheel";

/// Why a text is not a requirement: neither PEP 508 nor one of pip's further forms (URLs and paths).
pub(super) fn refuse_requirement(text: &str) -> Option<InvalidValue> {
    refuse_file(text)
        .or_else(|| refuse_command(text))
        .or_else(|| refuse_page(text))
        .or_else(|| (!is_requirement(text)).then(|| invalid(text)))
}

fn instead(reason: &str, text: &str, right: &[&str]) -> InvalidValue {
    let mut invalid = InvalidValue::new(reason, FORMS);
    let [first, more @ ..] = right else { return invalid };
    invalid = invalid.instead("-p", text, *first);
    invalid.changes.extend(more.iter().map(|package| Change::Add("-p", (*package).to_owned())));
    if !more.is_empty() {
        invalid.hint = "repeat the option to give several packages".to_owned();
    }
    invalid
}

fn is_requirement(text: &str) -> bool {
    is_url(text) || LocalRequirement::parse(text).is_some() || is_pep_508(text)
}

fn is_pep_508(text: &str) -> bool {
    Requirement::<Url>::from_str(text).is_ok()
}

/// `https://…`, `git+https://…`, `file:///…`, without a name.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '+' | '.' | '-'));
    is_scheme && rest.starts_with("//") && !text.contains(char::is_whitespace)
}

/// A file with requirements, and an option of pip that reads one.
fn refuse_file(text: &str) -> Option<InvalidValue> {
    let file =
        ["-r", "--requirement", "-c", "--constraint"].iter().find_map(|option| text.strip_prefix(option));
    let file = file.map(|rest| rest.trim_start_matches(['=', ' ']));
    if file.is_none() && text.starts_with('-') {
        let editable =
            ["-e ", "--editable "].iter().find_map(|option| text.strip_prefix(option)).map(str::trim);
        let right: Vec<&str> = editable.filter(|path| is_requirement(path)).into_iter().collect();
        return Some(instead("it is an option of pip, not a requirement", text, &right));
    }
    let is_list = text.ends_with(".txt")
        || text.ends_with(".toml")
        || text.ends_with(".yml")
        || text.ends_with(".yaml");
    (file.is_some() || is_list && !text.contains([' ', ':', '@'])).then(|| {
        InvalidValue::new(
            "it is a file with requirements, not a requirement",
            "pass each of its requirements with -p, or the folder of a project that has a pyproject.toml",
        )
    })
}

/// `pip install NAME`, `import NAME`.
fn refuse_command(text: &str) -> Option<InvalidValue> {
    const INSTALL: [&str; 9] = [
        "pip install ",
        "pip3 install ",
        "python -m pip install ",
        "python3 -m pip install ",
        "uv pip install ",
        "uv add ",
        "conda install ",
        "!pip install ",
        "%pip install ",
    ];
    if let Some(rest) = INSTALL.iter().find_map(|command| text.strip_prefix(command)) {
        let words: Vec<&str> = rest.split_whitespace().map(without_quotes).collect();
        let right = if words.iter().all(|word| is_requirement(word)) { words } else { Vec::new() };
        return Some(instead("it is a command, not a requirement", text, &right));
    }
    let module = text.strip_prefix("import ").or_else(|| text.strip_prefix("from "))?;
    let module = module.split([' ', '.', ',']).find(|word| !word.is_empty())?;
    let right = distribution_of(module).unwrap_or(module);
    let right: Vec<&str> = Some(right).filter(|name| is_requirement(name)).into_iter().collect();
    Some(instead("it is Python code, not a requirement", text, &right))
}

/// The page of a repository, which is not an archive.
fn refuse_page(text: &str) -> Option<InvalidValue> {
    const HINT: &str = "a repository needs git+ before its URL";
    let ssh = ["github.com", "gitlab.com"]
        .iter()
        .find_map(|host| Some((host, text.strip_prefix(&format!("git@{host}:"))?)));
    let right = match ssh {
        Some((host, path)) => format!("git+https://{host}/{path}"),
        None => {
            let path = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
            let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
            let [host @ ("github.com" | "www.github.com" | "gitlab.com"), owner, repository] = parts[..]
            else {
                return None;
            };
            format!("git+https://{}/{owner}/{repository}", host.trim_start_matches("www."))
        }
    };
    let invalid = InvalidValue::new("it is the page of a repository, not a package", HINT);
    Some(if is_requirement(&right) { invalid.instead("-p", text, right) } else { invalid })
}

fn without_quotes(text: &str) -> &str {
    text.trim_matches(['"', '\'', '`', '“', '”', '‘', '’'])
}

fn invalid(text: &str) -> InvalidValue {
    let reason = match Requirement::<Url>::from_str(text) {
        // Further lines point at the character.
        Err(error) => {
            let error = error.to_string();
            let line = error.lines().next().unwrap_or_default().trim_end_matches('.').to_owned();
            let mut characters = line.chars();
            let first = characters.next().map(|c| c.to_lowercase().to_string()).unwrap_or_default();
            format!("it is not a valid requirement ({first}{})", characters.as_str())
        }
        Ok(_) => "it is not a valid requirement".to_owned(),
    };
    let right = corrected(text);
    instead(&reason, text, &right.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The requirements that a text means, if that is obvious.
fn corrected(text: &str) -> Vec<String> {
    let valid = |text: String| is_pep_508(&text).then(|| vec![text]);
    let unquoted = without_quotes(text.trim_end_matches([',', ';', '\\', ' '])).trim();
    if unquoted != text {
        return if is_requirement(unquoted) { vec![unquoted.to_owned()] } else { corrected(unquoted) };
    }
    let named_path = text.split_once('@').filter(|(_, path)| is_path(path.trim()));
    if let Some((name, path)) = named_path {
        return valid(format!("{} @ file:{}", name.trim(), path.trim())).unwrap_or_default();
    }
    valid(text.replace("=>", ">=").replace("=<", "<="))
        .or_else(|| closed_bracket(text).and_then(valid))
        .or_else(|| exact_version(text).and_then(valid))
        .or_else(|| {
            let words = text.split([',', ';', ' ']).map(without_quotes).filter(|word| !word.is_empty());
            let words: Vec<String> = words.map(str::to_owned).collect();
            (words.len() > 1 && words.iter().all(|word| is_requirement(word))).then_some(words)
        })
        .unwrap_or_default()
}

/// `NAME[extra` → `NAME[extra]`, `NAME(extra)` → `NAME[extra]`.
fn closed_bracket(text: &str) -> Option<String> {
    let (name, extras) = text.split_once(['[', '(', '{'])?;
    let extras = extras.trim_end_matches([']', ')', '}']);
    Some(format!("{name}[{extras}]"))
}

/// `NAME=1.2`, `NAME 1.2`, `NAME:1.2`, `NAME@1.2` → `NAME==1.2`.
fn exact_version(text: &str) -> Option<String> {
    let at = text.find(['=', ' ', ':', '@'])?;
    let (name, version) = text.split_at(at);
    let version = version.trim_start_matches(['=', ' ', ':', '@']);
    let version = version.strip_prefix('v').unwrap_or(version);
    let is_version = version.starts_with(|c: char| c.is_ascii_digit());
    is_version.then(|| format!("{}=={version}", name.trim_end()))
}

/// The module of a package that was given in place of a module: `ale-py` → `ale_py`. `None` if the text may be right.
pub(super) fn module_of(text: &str, is_module: impl Fn(&str) -> bool) -> Option<String> {
    let name = text.strip_prefix("import ").unwrap_or(text);
    let name = name.split(['[', '=', '<', '>', '!', '~', ' ']).next().unwrap_or_default();
    let family = families::all().iter().find(|family| is_package_of(family, name));
    let module = family.and_then(|family| family.imports.first());
    if is_module(text) {
        // Python's names are exact, even if the package's is not: pyflyt → PyFlyt.
        let module = module?;
        let top = module.split('.').next().unwrap_or_default();
        return (top != text && top.eq_ignore_ascii_case(text)).then(|| module.clone());
    }
    let module = module.cloned().unwrap_or_else(|| name.replace('-', "_"));
    (is_module(&module) && module != text).then_some(module)
}

/// The known package that contains a module.
fn distribution_of(module: &str) -> Option<&'static str> {
    let is_top = |import: &String| import.split('.').next() == Some(module);
    let family = families::all().iter().find(|family| family.imports.iter().any(is_top))?;
    family.packages.first().map(|package| package_name(package))
}

fn is_package_of(family: &families::Family, name: &str) -> bool {
    let normal = |name: &str| name.to_ascii_lowercase().replace(['_', '.'], "-");
    family.packages.first().is_some_and(|package| normal(package_name(package)) == normal(name))
}

fn package_name(requirement: &str) -> &str {
    requirement.split(['[', '=', '<', '>', '!', '~', ' ', ';']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::error::{Field, SandboxError};
    use crate::settings::values::{import, requirement};

    /// What to use instead, as it would be typed.
    fn instead_of(text: &str) -> Option<String> {
        let error: SandboxError = Field::PACKAGES.invalid(text, &requirement(text).unwrap_err());
        error.hints().last()?.strip_prefix("pass ").filter(|words| words.starts_with('-')).map(str::to_owned)
    }

    #[test]
    fn requirements_are_kept_as_they_are_written() {
        for text in [
            "numpy",
            "NumPy",
            "flappy_bird_gymnasium",
            "zope.interface",
            "numpy==1.26",
            "numpy == 1.26.*",
            "numpy>=1,<2",
            "numpy (>=1)",
            "numpy!=1.3,~=1.2",
            "gymnasium[box2d]",
            "gymnasium[box2d, mujoco]>=1.0",
            "gymnasium [box2d]",
            "torch==2.1.0+cpu",
            "rlmesh==0.1.0rc1",
            "pywin32>=1; sys_platform == 'win32'",
            "tomli; python_version < '3.11' and extra == 'x'",
            "name @ https://example.org/a.whl",
            "name@https://example.org/a.whl",
            "name[x] @ git+https://github.com/org/repo@v1.0#subdirectory=a",
            "name @ file:///a/b.whl",
            "https://example.org/a-1.0-py3-none-any.whl",
            "https://github.com/org/repo/archive/main.zip",
            "git+https://github.com/org/repo",
            "git+https://github.com/org/repo@main#egg=x",
            "git+ssh://git@github.com/org/repo.git",
            "file:///a/b",
            "./folder",
            "./folder[extra]",
            "../a b",
            "/abs/x.whl",
            "~/x",
            ".",
            "dist/x-1.0-py3-none-any.whl",
            "x-1.0-py3-none-any.whl",
            "my/folder",
            "file:x.whl",
            "name @ file:./x",
            "local",
        ] {
            assert_eq!(requirement(&format!(" {text}\n")).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_not_a_requirement_leads_to_one() {
        for (text, right) in [
            ("numpy=1.26", "--package numpy==1.26"),
            ("gymnasium[box2d]=1.0", "--package 'gymnasium[box2d]==1.0'"),
            ("numpy 1.26", "--package numpy==1.26"),
            ("numpy:1.26", "--package numpy==1.26"),
            ("numpy@1.26", "--package numpy==1.26"),
            ("numpy v1.26", "--package numpy==1.26"),
            ("numpy=>1.26", "--package 'numpy>=1.26'"),
            ("numpy, scipy", "--package numpy -p scipy"),
            ("numpy scipy>=1", "--package numpy -p 'scipy>=1'"),
            ("numpy==1.0,scipy", "--package numpy==1.0 -p scipy"),
            ("pip install numpy", "--package numpy"),
            ("pip install 'gymnasium[box2d]' scipy", "--package 'gymnasium[box2d]' -p scipy"),
            ("import numpy", "--package numpy"),
            ("import ale_py", "--package ale-py"),
            ("from minigrid.wrappers import X", "--package minigrid"),
            ("gymnasium[box2d", "--package 'gymnasium[box2d]'"),
            ("gymnasium(box2d)", "--package 'gymnasium[box2d]'"),
            ("'numpy'", "--package numpy"),
            ("numpy,", "--package numpy"),
            ("-e ./folder", "--package ./folder"),
            ("name @ ./folder", "--package 'name @ file:./folder'"),
            ("https://github.com/org/repo", "--package git+https://github.com/org/repo"),
            ("github.com/org/repo/", "--package git+https://github.com/org/repo"),
            ("git@github.com:org/repo.git", "--package git+https://github.com/org/repo.git"),
        ] {
            assert_eq!(instead_of(text).as_deref(), Some(right), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_without_a_guess() {
        for text in [
            "",
            "-r requirements.txt",
            "--requirement=requirements.txt",
            "requirements.txt",
            "environment.yml",
            "--extra-index-url https://example.org",
            "-U",
            "pip install -U numpy",
            "numpy>=",
            "numpy==a b c!",
            "[box2d]",
            "a\nb",
            "$(x)",
            "name @ not a url",
            "==1.0",
        ] {
            assert!(requirement(text).is_err(), "{text}");
            assert_eq!(instead_of(text), None, "{text}");
        }
        assert!(requirement("-r reqs.txt").unwrap_err().reason.contains("a file"));
        let reason = requirement("numpy>=").unwrap_err().reason;
        assert!(reason.starts_with("it is not a valid requirement ("), "{reason}");
    }

    #[test]
    fn a_package_in_place_of_a_module_leads_to_the_module() {
        for (text, right) in [
            ("ale-py", "ale_py"),
            ("flappy-bird-gymnasium", "flappy_bird_gymnasium"),
            ("tetris-gymnasium", "tetris_gymnasium.envs"),
            ("quoridor-env", "quoridor_sim"),
            ("shimmy[dm-control]", "shimmy"),
            ("ale-py==0.11", "ale_py"),
            ("import ale_py", "ale_py"),
            ("pyflyt", "PyFlyt.gym_envs"),
            ("my-package", "my_package"),
            ("retro:register()", "retro:register"),
        ] {
            let error: SandboxError = Field::IMPORTS.invalid(text, &import(text).unwrap_err());
            assert_eq!(error.hints().last().unwrap(), &format!("pass --import {right}"), "{text}");
        }
        for text in [
            "ale_py",
            "vizdoom",
            "PyFlyt",
            "tetris_gymnasium.envs",
            "carl",
            "my_module",
            "a.b",
            "retro:register",
        ] {
            assert_eq!(import(text).as_deref(), Ok(text));
        }
        for text in ["", "a..b", "1a", "a b c", "-x", "a;b", "ale-py:f", "a:f(1)"] {
            assert!(import(text).is_err(), "{text}");
        }
    }
}
