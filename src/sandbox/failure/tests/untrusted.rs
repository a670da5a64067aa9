//! Whatever a container prints, only what is valid is offered.

use proptest::prelude::*;

use super::*;
use crate::settings::values::requirement;

#[test]
fn requirements_and_ids_from_outside_are_plain() {
    for text in ["gymnasium[box2d]", "numpy<2", "a.b-c_d==1.*", "x[a,b]>=1,<2"] {
        assert!(is_requirement(text) && requirement(text).is_ok(), "{text}");
    }
    for text in ["", "-x", "a b", "a;b", "x @ git+https://y", "./x", "a'", "a[b", "$(x)", "a\nb", "x==1; rm"]
    {
        assert!(!is_requirement(text), "{text}");
    }
    assert!(is_env_id("ALE/Pong-v5") && is_env_id("a:B-v0"));
    for text in ["", "-x", "hf://a/b", "image://x", "x; rm", "a b", "./x", "é"] {
        assert!(!is_env_id(text), "{text}");
    }
}

#[test]
fn misspellings_are_near() {
    assert!(near("CartPole", "cartpol") && near("gym_pusht", "gympusht") && near("Okk", "Ok"));
    assert!(!near("HalfCheetahBullet", "HalfCheetah") && !near("CartPoleSwingUp", "CartPole"));
    assert!(!near(&"x".repeat(10_000), "x"));
}

/// Checks that every value of a change is valid for its option.
fn assert_valid(diagnosis: &Diagnosis) {
    for change in &diagnosis.changes {
        let is_valid = match change {
            Change::Source(id) => is_env_id(id),
            Change::Add("-p", value) => is_requirement(value),
            Change::Add("-i", value) => import(value).is_ok(),
            Change::Add("--apt", value) => debian_package(value).is_ok(),
            Change::Add("--wrap", value) => wrapper(value).is_ok(),
            Change::Add("-e", value) => value == "MUJOCO_GL=egl" || value == "SDL_VIDEODRIVER=dummy",
            Change::Add("--shm-size", value) => value == "1g",
            Change::Add("--ready-timeout", value) => value.parse::<u64>().is_ok(),
            Change::Add("-k", value) => value.strip_prefix("id=").is_some_and(is_env_id),
            Change::Replace { option: "-i", new, .. } => import(new).is_ok(),
            Change::Replace { option: "--wrap", new, .. } => wrapper(new).is_ok(),
            Change::Replace { option: "-k", new, .. } => {
                new == "render_mode=rgb_array" || new.strip_prefix("id=").is_some_and(is_env_id)
            }
            _ => false,
        };
        assert!(is_valid, "{change:?}");
    }
}

proptest! {
    #[test]
    fn no_log_makes_a_change_that_is_not_valid(
        parts in proptest::collection::vec(prop_oneof![
            any::<String>(),
            "[a-zA-Z0-9_.;$('\"`\\[\\]<>= -]{0,30}",
            proptest::sample::select(vec![
                "Traceback (most recent call last):\n",
                "\n",
                "  File \"/x/site-packages/",
                "\", line ",
                "ModuleNotFoundError: No module named '",
                "ImportError: lib",
                ".so.1: cannot open shared object file",
                "Library \"",
                "\" not found",
                "pip install \"",
                "NameNotFound: ",
                "Did you mean: `",
                "DeprecatedEnv: Please use `",
                "VersionNotFound: versioned environments: [ `v",
                "Unsupported space type: ",
                "No such file or directory: '",
                "Current thread 0x1 (most recent call first):\n",
                "\u{1b}[",
                "step failed: ",
                "`",
                "'",
                "\"",
            ]).prop_map(str::to_owned),
        ], 0..12),
        names in proptest::collection::vec("[a-zA-Z0-9_./:; $-]{0,12}", 0..6),
        exit_code in 0..256i64,
        env_id in proptest::sample::select(vec!["CartPole-v1", "sf/Okk-v0", "é"]),
    ) {
        let log = parts.concat();
        let mut plan = plan(env_id);
        spec(&mut plan).imports = vec!["sfenvs".to_owned()];
        let by_name: BTreeMap<String, Vec<String>> =
            names.iter().map(|name| (name.clone(), names.clone())).collect();
        let facts = Facts {
            missing: by_name.clone(),
            registered: names.clone(),
            others: by_name.clone(),
            modules: by_name,
            callables: names,
            ..Facts::default()
        };
        let end = (exit_code > 0).then_some(ContainerEnd { exit_code, is_out_of_memory: false });
        let _ = question(&plan, &log);
        let diagnosis = startup(&plan, end, &log, &facts.checked());
        assert_valid(&diagnosis);
        prop_assert!(!diagnosis.hints.is_empty());
        prop_assert!(diagnosis.telling.lines().count() <= 8);
    }
}

/// Texts that must never be typed, nor look like something else.
const HOSTILE: [&str; 18] = [
    "$(touch x)",
    "`id`",
    "'; rm -rf / #",
    "\"; rm -rf / #",
    "a && b",
    "-p",
    "--privileged",
    "-v /:/host",
    "-p evil",
    "a\rhint: rm -rf /",
    "\u{1b}]0;title\u{7}",
    "\u{1b}[2J",
    "x\u{202e}txt.exe",
    "a\u{200b}b",
    "x\0y",
    "../../etc/passwd",
    "evil @ https://evil/x.whl",
    "git+https://evil/x",
];

#[test]
fn hostile_texts_and_long_lines_become_neither_changes_nor_terminal_codes() {
    let templates = [
        "ModuleNotFoundError: No module named '{}'",
        "ImportError: {}: cannot open shared object file: No such file or directory",
        "OSError: {}.so.1: cannot open shared object file: No such file or directory",
        "ImportError: Library \"{}\" not found.",
        "gymnasium.error.DependencyNotInstalled: run `pip install \"{}\"`",
        "gymnasium.error.DependencyNotInstalled: run pip install {}",
        "gymnasium.error.NameNotFound: Environment `X` doesn't exist. Did you mean: `{}`?",
        "gymnasium.error.VersionNotFound: versioned environments: [ `v{}` ]",
        "gymnasium.error.DeprecatedEnv: Please use `{}` instead",
        "RuntimeError: the package x registers these environments: {}, {}",
        "RuntimeError: --import {} failed: the module m has no n; similar names are {}",
        "TypeError: f() got an unexpected keyword argument '{}'",
        "ValueError: Unsupported space type: {}",
        "FileNotFoundError: [Errno 2] No such file or directory: '{}'",
        "{}",
    ];
    let mut plans = [plan("X-v0"), samples::plan(samples::folder()), samples::prebuilt("x")];
    if let ResolvedSource::Folder(folder) = &mut spec(&mut plans[1]).source {
        folder.added_env = Some(String::new());
    }
    for (text, template) in
        HOSTILE.iter().flat_map(|text| templates.iter().map(move |template| (text, template)))
    {
        let line = template.replace("{}", text);
        for log in [line.clone(), traceback(&line), format!("env step failed: {line}")] {
            plans.iter().for_each(|plan| assert_harmless(plan, &log));
        }
    }
    // A long line, and many lines.
    for text in ["A", "a.b ", "-v1, `v2`; ", "$(x)"] {
        for template in templates {
            let line = template.replace("{}", &text.repeat((1 << 20) / text.len()));
            assert_harmless(&plans[0], &traceback(&line));
            let line = traceback(&template.replace("{}", text));
            assert_harmless(&plans[0], &line.repeat((1 << 20) / line.len()));
        }
    }
}

fn assert_harmless(plan: &Plan, log: &str) {
    let _ = question(plan, log);
    let found = startup(plan, DEAD, log, &Facts::default());
    assert_valid(&found);
    for change in &found.changes {
        let Some(typed) = shlex::split(&change.to_string()) else { panic!("{change:?}") };
        assert!(typed.len() <= 2 && !typed.concat().contains(['$', '`', ';']), "{change:?}");
    }
    let is_plain = |text: &str| !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
    assert!(is_plain(&found.telling) && found.cause.as_deref().is_none_or(is_plain), "{found:?}");
    assert!(found.telling.lines().all(|line| line.chars().count() <= 200), "{}", found.telling);
    assert!(found.telling.lines().count() <= 8 && found.changes.len() <= 10, "{found:?}");
}
