//! Wrong input: every one ends in its exit code with a hint, and starts nothing.

use crate::support::Run;

/// Runs a line that must be refused before docker is asked for anything, and gives what was said.
#[track_caller]
fn refused(arguments: &[&str], status: i32) -> String {
    let checked = Run::new(arguments).status(status).stderr_with(["error: ", "\nhint: "]).check();
    let stderr = checked.stderr;
    assert!(stderr.starts_with("error: "), "{arguments:?}: {stderr}");
    assert!(!stderr.contains("panicked") && !stderr.contains("Some("), "{arguments:?}: {stderr}");
    assert_eq!(checked.calls, Vec::<String>::new(), "{arguments:?}");
    for folder in [checked.run.home(), checked.run.here()] {
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "{arguments:?} has left a file");
    }
    stderr
}

#[test]
fn wrong_command_lines() {
    for arguments in [
        &["frobnicate"][..],
        &["run"],
        &["run", "CartPole-v1", "--no-such-option"],
        &["run", "CartPole-v1", "-d", "--", "true"],
        &["run", "CartPole-v1", "--owner-pid", "1"],
        &["run", "CartPole-v1", "--format", "yaml"],
        &["run", "-q", "-v", "CartPole-v1"],
        &["stop"],
        &["stop", "--mine", "x"],
        &["ps", "--filter", "colour=red"],
        &["logs", "--build", "x"],
        &["logs", "x", "--since", "yesterday"],
        &["run", "CartPole-v1", "--name", "a/b"],
        &["stop", ""],
        &["stop", "--timeout", "soon", "x"],
        &["completions", "tcsh"],
        &["logs", "a b"],
    ] {
        refused(arguments, 2);
    }
}

#[test]
fn wrong_sources() {
    for source in ["", "  ", "gym://", "foo://x", "hf://", "hf://a", "hf://a/b:c/d/e", "image://", "a\nb"] {
        for verb in ["build", "run", "hash"] {
            refused(&[verb, source], 2);
        }
    }
    let long = "x".repeat(300);
    assert!(refused(&["run", &long], 2).contains("too long"));
    assert!(refused(&["build", &long], 2).contains("too long"));
}

#[test]
fn what_is_wrong_with_a_command_line_ends_in_the_one_to_type() {
    for (arguments, next) in [
        (&["run", "CartPol-v1", "-d"][..], "run CartPole-v1 -d"),
        (&["build", "Taxi-v3"], "build Taxi-v4"),
        (&["run", "CartPole-v7", "--dry-run"], "run CartPole-v1 --dry-run"),
        (&["run", "hf:org/repo", "--", "a b"], "run hf://org/repo -- 'a b'"),
        (&["ls", "https://huggingface.co/org/repo/tree/v1"], "ls hf://org/repo@v1"),
        (
            &["run", "gym.make('CartPole-v1', render_mode='rgb_array')"],
            "run CartPole-v1 -k render_mode=rgb_array",
        ),
        (&["run", "“CartPole-v1”"], "run CartPole-v1"),
        (&["run", "a/env.py"], "run ./a"),
        (&["run", "X-v0", "-p", "numpy=1.26"], "run X-v0 -p numpy==1.26"),
        (&["run", "X-v0", "-p=numpy, scipy<2", "-d"], "run X-v0 -p=numpy -d -p 'scipy<2'"),
        (&["run", "X-v0", "-p", "gymnasium[box2d"], "run X-v0 -p 'gymnasium[box2d]'"),
        (&["run", "X-v0", "--rlmesh-package=rlmesh=0.1.0"], "run X-v0 --rlmesh-package=rlmesh==0.1.0"),
        (&["run", "X-v0", "-p", "ale-py", "-i", "ale-py"], "run X-v0 -p ale-py -i ale_py"),
        (&["run", "CartPole-v1", "-k", "render_mode=human"], "run CartPole-v1 -k render_mode=rgb_array"),
        (&["run", "X-v0", "-k", "flag=True"], "run X-v0 -k flag=true"),
        (&["run", "X-v0", "-kgoal=(1, 'a')"], "run X-v0 '-kgoal=[1,\"a\"]'"),
        (&["run", "X-v0", "--kwargs", "{'a': None}"], "run X-v0 --kwargs '{\"a\":null}'"),
    ] {
        let stderr = refused(arguments, 2);
        let last = stderr.lines().last().unwrap_or_default();
        assert_eq!(last, format!("hint: rlmesh-sandbox {next}"), "{arguments:?}");
    }
    let shown = refused(&["run", "CartPole-v1", "--kwargs", r#"{"render_mode": "human"}"#], 2);
    assert!(shown.ends_with("hint: pass -k render_mode=rgb_array\n"), "{shown}");
}

#[test]
fn a_mistake_starts_nothing_and_ends_in_the_command_to_type() {
    for (arguments, next) in [
        (&["CartPole-v1"][..], "run CartPole-v1"),
        (&["kill", "abc"], "stop abc"),
        (&["run", "-it", "--rm", "-p", "8080:80", "CartPole-v1"], "run CartPole-v1"),
        (&["run", "CartPole-v1", "python", "x.py"], "run CartPole-v1 -- python x.py"),
        (&["run", "CartPole-v1", "--", "--format", "json"], "run CartPole-v1 --format json"),
        (&["run", "CartPole-v1", "--num_envs", "4"], "run CartPole-v1 --num-envs 4"),
    ] {
        let stderr = refused(arguments, 2);
        let last = stderr.lines().last().unwrap_or_default();
        assert_eq!(last, format!("hint: rlmesh-sandbox {next}"), "{arguments:?}");
        assert_eq!(stderr.lines().nth(1).map(|line| line.starts_with("hint: ")), Some(true), "{stderr}");
    }
}

#[test]
fn wrong_options_are_named() {
    for (option, value) in [
        ("--base-image", ""),
        ("--base-image", "a\nb"),
        ("--base-image", "a b"),
        ("--base-image", "-x"),
        ("--rlmesh-package", " "),
        ("--package", ""),
        ("--package", "a\nb"),
        ("--package", "--index-url=http://x"),
        ("--import", ""),
        ("--import", "os; x"),
        ("--kwarg", "x"),
        ("--kwarg", "=1"),
        ("--kwargs", "[1]"),
        ("--kwargs", "{"),
        ("--kwargs", "@missing.json"),
        ("--num-envs", "0"),
        ("--num-envs", "-1"),
        ("--num-envs", "many"),
        ("--vectorization-mode", "both"),
        ("--build-memory", "0"),
        ("--build-memory", "-1g"),
        ("--build-memory", "1 g"),
        ("--build-memory", "lots"),
        ("--ready-timeout", "soon"),
        ("--ready-timeout", "0"),
        ("--stop-timeout", "-1"),
    ] {
        let stderr = refused(&["run", "CartPole-v1", &format!("{option}={value}")], 2);
        assert!(stderr.contains(option), "{option} {value:?}: {stderr}");
    }
    assert!(refused(&["run", "CartPole-v1", "-d", "--owner-pid", "0"], 2).contains("--owner-pid"));
    assert!(refused(&["run", "CartPole-v1", "-d", "--owner-pid", "2147483646"], 2).contains("--owner-pid"));
}

#[test]
fn build_options_do_nothing_for_a_prebuilt_image() {
    for option in ["--package=x", "--import=x", "--trust-remote-code", "--allow-unpinned-hf"] {
        assert!(refused(&["run", "image://x", option], 2).contains("prebuilt"));
    }
    refused(&["build", "image://x"], 2);
}

#[test]
fn hub_sources_need_consent() {
    let commit = "hf://org/repo@0123456789abcdef0123456789abcdef01234567";
    assert!(refused(&["run", commit], 3).contains("--trust-remote-code"));
    assert!(refused(&["build", commit], 3).contains("--trust-remote-code"));
    assert!(refused(&["run", "hf://org/repo@main"], 3).contains("--trust-remote-code"));
}

#[test]
fn a_usage_error_as_json() {
    Run::line("run --format json --nope x")
        .status(2)
        .stderr(
            "{\"error\":{\"kind\":\"InvalidOption\",\"exit_code\":2,\"message\":\"`run` has no option --nope\",\
             \"hints\":[\"run `rlmesh-sandbox run --help` to list its options\"],\"log_file\":null}}\n",
        )
        .check();
}

#[test]
fn help_and_version_are_results() {
    for line in ["--help", "help"] {
        Run::line(line).stdout_with(["Exit codes:", "rlmesh-sandbox run CartPole-v1"]).check();
    }
    Run::line("help stop").stdout_with(["Stop sandboxes"]).check();
    let version = concat!("rlmesh-sandbox ", env!("CARGO_PKG_VERSION"), "\n");
    Run::line("-V").stdout(version).check();
    Run::line("--version")
        .stdout_with([version, "\ncommit    ", "\nprotocol  rlmesh-wire-v1\nrlmesh    "])
        .check();
    let page = Run::line("run --help").any_stdout().check().stdout;
    Run::line("help run").stdout(page).check();
}

#[test]
fn short_help_fits_a_terminal() {
    for verb in ["run", "build", "check", "hash"] {
        let help = Run::new([verb, "-h"]).env("COLUMNS", "80").any_stdout().check().stdout;
        assert!(help.lines().count() <= 40, "{verb}: {help}");
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{verb}: {help}");
        assert!(help.contains("--package") && !help.contains("--cache-from"), "{verb}: {help}");
    }
}

#[test]
fn colours_only_where_they_are_asked_for() {
    let error = |line: &str| Run::line(line).status(2).stderr_with(["error:"]).check().stderr;
    assert!(!error("hash foo://x").contains('\x1b'));
    assert!(error("hash foo://x --color always").starts_with("\x1b[1;31merror:\x1b[0m"));
    assert!(!error("hash foo://x --color never").contains('\x1b'));
}

#[test]
fn a_dry_run_never_becomes_a_command_that_acts() {
    Run::line("stop --all --dry-run")
        .status(2)
        .stderr(
            "error: `stop` has no option --dry-run\n\
             hint: run `rlmesh-sandbox stop --help` to list its options\n",
        )
        .check();
}
