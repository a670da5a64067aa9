//! The project file: defaults and named environments, and what a file must not do.

use std::path::Path;

use crate::run::{ID, KEEPS_VARIABLES, comes_up};
use crate::support::server::Server;
use crate::support::{Reply, Run, StandIn, fixture};

const FILE: &str = "rlmesh-sandbox.toml";

/// A run without docker in a folder with a project file.
fn with_file(text: &str, line: &str) -> Run {
    let run = Run::line(line).docker(StandIn::missing());
    std::fs::write(run.here().join(FILE), text).unwrap();
    run
}

/// What a run prints to stdout.
#[track_caller]
fn printed(run: Run) -> String {
    run.any_stdout().any_stderr().check().stdout
}

/// What a command line without a project file prints to stdout.
#[track_caller]
fn plain(line: &[&str]) -> String {
    printed(Run::new(line).docker(StandIn::missing()))
}

#[track_caller]
fn refused(run: Run) -> String {
    run.status(2).any_stderr().check().stderr
}

const PROJECT: &str = r#"
base-image = "python:3.12-slim"
package = ["numpy<3"]
env = { A = "1", B = "2" }

[environments.pong]
source = "ALE/Pong-v5"
package = ["ale-py"]
import = ["ale_py"]
no-auto = true
num-envs = 2
env = { B = "x" }
kwargs = { render_mode = "rgb_array", frameskip = [2, 5], full_action_space = false }
"#;

const PONG: [&str; 13] = [
    "ALE/Pong-v5",
    "--base-image",
    "python:3.12-slim",
    "-p",
    "numpy<3",
    "-p",
    "ale-py",
    "-i",
    "ale_py",
    "--no-auto",
    "-n2",
    "--kwargs",
    r#"{"frameskip":[2,5],"full_action_space":false,"render_mode":"rgb_array"}"#,
];

#[test]
fn a_named_environment_is_the_same_as_its_flags() {
    for verb in [&["hash"][..], &["hash", "--tag"], &["run", "--dry-run"], &["build", "--dry-run"]] {
        let flags = plain(&[verb, &PONG].concat());
        let line = verb.join(" ");
        assert_eq!(printed(with_file(PROJECT, &format!("{line} pong"))), flags, "{line}");
        // It is the only one.
        assert_eq!(printed(with_file(PROJECT, &line)), flags, "{line}");
        let with_options = plain(&[verb, &PONG, &["-p", "six"]].concat());
        assert_eq!(printed(with_file(PROJECT, &format!("{line} -p six pong"))), with_options, "{line}");
    }
    with_file(PROJECT, "hash").any_stdout().stderr("using pong of rlmesh-sandbox.toml\n").check();
    with_file(PROJECT, "hash -q").any_stdout().check();
}

#[test]
fn the_defaults_are_for_every_source() {
    let flags = plain(&["hash", "CartPole-v1", "--base-image", "python:3.12-slim", "-p", "numpy<3"]);
    let run = with_file(PROJECT, "hash CartPole-v1");
    run.stdout(flags).stderr("using the defaults of rlmesh-sandbox.toml\n").check();
    // They say nothing about an image that exists.
    let text = "lock = 'lock.txt'\napt = ['libgl1']\n";
    assert!(refused(with_file(text, "hash image://x")).contains("has no build hash"));
    let named = format!("{text}[environments.x]\nsource = 'image://x'\npackage = ['six']\n");
    let stderr = refused(with_file(&named, "run x --dry-run"));
    assert!(stderr.contains("packages (--package) has no effect on a prebuilt image"), "{stderr}");
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let hash = |image: &str| plain(&["hash", "X-v0", "--base-image", image]);
    let run = |line: &str| with_file("base-image = 'from:file'", line);
    assert_eq!(printed(run("hash X-v0")), hash("from:file"));
    let variable = |line: &str| run(line).env("RLMESH_SANDBOX_BASE_IMAGE", "from:variable");
    assert_eq!(printed(variable("hash X-v0")), hash("from:variable"));
    assert_eq!(printed(variable("hash X-v0 --base-image from:flag")), hash("from:flag"));
    assert_eq!(printed(run("hash X-v0 --base-image=from:flag")), hash("from:flag"));
    let text = "no-auto = true\nnum-envs = 3\n[environments.x]\nsource = 'X-v0'\nno-auto = false\n";
    let shown = printed(with_file(text, "run --dry-run x --num-envs 4"));
    assert!(shown.contains("\"num_envs\":4") || shown.contains("\"num_envs\": 4"), "{shown}");
    let of = |line: &str| printed(with_file("[environments.x]\nsource='X-v0'\nkwargs={a=1,b=2}", line));
    assert_eq!(of("run --dry-run x -k b=3"), plain(&["run", "--dry-run", "X-v0", "-k", "a=1", "-k", "b=3"]));
    assert_eq!(of("run --dry-run x --kwargs {\"c\":1}"), plain(&["run", "--dry-run", "X-v0", "-k", "c=1"]));
}

#[test]
fn variables_of_the_command_line_win_wherever_they_are() {
    let server = Server::answering(fixture("handshake-cartpole.bin"));
    let started = Reply::stdout(format!("{ID}\n")).hook(KEEPS_VARIABLES);
    let docker = comes_up(StandIn::new().on("run -d *", started), &server);
    let run = Run::line("run -d CartPole-v1 -e B=flag --env-file variables").docker(docker);
    std::fs::write(run.here().join(FILE), "env = { A = 'x', B = 'x', C = 'x' }").unwrap();
    std::fs::write(run.here().join("variables"), "A=file\n").unwrap();
    let checked = run.any_stdout().any_stderr().check();
    let variables = checked.left("file");
    for line in ["A=file", "B=flag", "C=x"] {
        assert!(variables.lines().any(|found| found == line), "{line}: {variables}");
    }
    assert!(!variables.lines().any(|line| line == "A=x"), "{variables}");
}

#[test]
fn which_file_is_used() {
    let base = |image: &str| plain(&["hash", "X-v0", "--base-image", image]);
    let none = plain(&["hash", "X-v0"]);
    let run = |line: &str| {
        let run = Run::line(line).docker(StandIn::missing());
        let above = run.here().parent().unwrap().to_owned();
        std::fs::write(above.join("pyproject.toml"), "[tool.rlmesh-sandbox]\nbase-image = 'a:above'\n")
            .unwrap();
        std::fs::write(above.join("other.toml"), "base-image = 'a:other'\n").unwrap();
        run
    };
    assert_eq!(printed(run("hash X-v0")), base("a:above"));
    assert_eq!(printed(run("hash X-v0 --no-config")), none);
    assert_eq!(printed(run("hash --config ../other.toml X-v0")), base("a:other"));
    let here = |line: &str, name: &str, text: &str| {
        let run = run(line);
        std::fs::write(run.here().join(name), text).unwrap();
        run
    };
    assert_eq!(printed(here("hash X-v0", FILE, "base-image = 'a:here'")), base("a:here"));
    // This one is not about this program.
    assert_eq!(printed(here("hash X-v0", "pyproject.toml", "[project]\nname = 'x'\n")), base("a:above"));
    let both = here("hash X-v0", FILE, "base-image = 'a:here'");
    std::fs::write(both.here().join("pyproject.toml"), "[tool.rlmesh-sandbox]\n").unwrap();
    both.stdout(base("a:here"))
        .stderr(
            "warning: [tool.rlmesh-sandbox] of pyproject.toml is not used, because of rlmesh-sandbox.toml\n\
             using the defaults of rlmesh-sandbox.toml\n",
        )
        .check();
    let stderr = run("hash --config nowhere.toml X-v0").status(1).any_stderr().check().stderr;
    assert!(stderr.contains("cannot read nowhere.toml") && stderr.contains("--config"), "{stderr}");
    assert!(refused(run("hash --config x --no-config X-v0")).contains("cannot be used with"));
    // Other commands do not read it.
    here("completions bash", FILE, "not valid").any_stdout().check();
}

#[test]
fn paths_start_at_the_file() {
    let text = "[environments.mine]\nsource = './env'\npackage = ['./lib[x]']\n\
                [environments.locked]\nsource = 'X-v0'\nlock = 'lock.txt'\n";
    let fill = |folder: &Path| {
        for (file, content) in [
            ("env/env.py", "def make_env():\n    pass\n"),
            ("lib/pyproject.toml", "[build-system]\nrequires = ['hatchling']\n[project]\nname = 'x'\n"),
            (
                "lock.txt",
                "rlmesh==0.1.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274\n\
                 gymnasium==1.2.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274\n",
            ),
        ] {
            std::fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
            std::fs::write(folder.join(file), content).unwrap();
        }
    };
    for (name, flags) in [("mine", "./env -p ./lib[x]"), ("locked", "X-v0 --lock lock.txt")] {
        let flags = Run::line(&format!("hash {flags}")).docker(StandIn::missing());
        fill(&flags.here());
        let flags = printed(flags);
        let here = with_file(text, &format!("hash {name}"));
        fill(&here.here());
        assert_eq!(printed(here), flags);
        for line in ["hash", "hash --config ../rlmesh-sandbox.toml"] {
            let below = Run::line(&format!("{line} {name}")).docker(StandIn::missing());
            let above = below.here().parent().unwrap().to_owned();
            fill(&above);
            std::fs::write(above.join(FILE), text).unwrap();
            assert_eq!(printed(below), flags, "{line} {name}");
        }
    }
}

#[test]
fn a_command_that_does_not_name_one_of_several() {
    let two = "[environments.b]\nsource = 'CartPole-v1'\n[environments.a]\nsource = 'Acrobot-v1'\n";
    with_file(two, "run -- true")
        .status(2)
        .stderr(
            "error: rlmesh-sandbox.toml has 2 environments: b, a\n\
             hint: name the one to use, such as `rlmesh-sandbox run b`\n",
        )
        .check();
    let one = with_file("[environments.a]\nsource = 'X-v0'\n", "hash -- CartPole-v1");
    assert_eq!(printed(one), plain(&["hash", "CartPole-v1"]));
    let checked = with_file(two, "run --format json").status(2).any_stderr().check();
    assert_eq!(checked.json_error()["kind"], "InvalidOption");
    assert!(refused(with_file("", "run")).contains("SOURCE"));
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (text, message, hint) in [
        ("\npackages = ['x']", "2: unknown key packages", "did you mean package?"),
        ("base_image = 'x'", "1: unknown key base_image", "did you mean base-image?"),
        ("frob = ['x']", "1: unknown key frob", "the keys are the long options"),
        ("help = true", "1: unknown key help", "the keys are"),
        (
            "[environments.a]\nsource = 'X-v0'\nimports = ['x']",
            "3: unknown key imports",
            "did you mean import?",
        ),
        ("source = 'x'", "1: source is not a default", "[environments.NAME]"),
        ("package = 'x'", "1: package: it has to be a list", "write package = [\"…\"]"),
        ("package = [1]", "1: package: it has to be a list of texts", "write package"),
        ("no-auto = 'yes'", "1: no-auto: it has to be true or false", "write no-auto = true"),
        ("env = ['A']", "1: env: it has to be a table", "write env = { NAME"),
        ("kwargs = '@/etc/passwd'", "1: kwargs: it has to be a table", "write kwargs"),
        ("#\napt = ['LibGL']", "2: ", "use NAME or NAME=VERSION"),
        ("num-envs = 0", "1: ", "use a whole number"),
        ("installer = 'conda'", "1: ", "run --help` describes --installer"),
        ("[environments.a]\n", "1: the environment a has no source", "add a line"),
        (
            "[environments.Pong-v5]\nsource = './x'",
            "1: the name \"Pong-v5\" is written like the id",
            "use a name",
        ),
        ("[environments.\"a/b\"]\nsource = 'x'", "1: the name \"a/b\" has other characters", "use a name"),
        ("[environments.a]\nsource = 'hf:x/y'", "2: source: 'hf:x/y'", "use hf://x/y"),
        ("a = ", "1: ", "the file is TOML"),
    ] {
        let stderr = refused(with_file(text, "hash X-v0"));
        let (error, rest) = stderr.split_once('\n').unwrap();
        assert!(error.starts_with(&format!("error: rlmesh-sandbox.toml:{message}")), "{text}: {stderr}");
        assert!(rest.starts_with("hint: ") && rest.contains(hint) && rest.lines().count() == 1, "{stderr}");
    }
}

#[test]
fn a_file_gives_no_consent_and_leaves_its_folder_alone() {
    for key in ["trust-remote-code", "allow-unpinned-hf", "pull", "detach"] {
        let stderr = refused(with_file(&format!("{key} = true"), "hash X-v0"));
        assert!(stderr.contains(&format!("{key} cannot be set in a project file")), "{stderr}");
    }
    for key in
        ["docker", "env-file", "ca-cert", "cache-from", "cache-to", "tag", "push", "config", "progress"]
    {
        let stderr = refused(with_file(&format!("{key} = 'x'"), "hash X-v0"));
        assert!(stderr.contains(&format!("{key} cannot be set in a project file")), "{stderr}");
    }
    let hub = "[environments.x]\nsource = 'hf://org/repo@0123456789abcdef0123456789abcdef01234567'\n";
    with_file(hub, "run x -d")
        .status(3)
        .stderr_with(["runs code from its repository", "pass --trust-remote-code"])
        .check();
    for line in [
        "package = ['../x']",
        "package = ['/etc']",
        "package = ['x @ file:///etc']",
        "package = ['link/x.whl']",
        "rlmesh-package = '../rlmesh-1-py3-none-any.whl'",
        "lock = '~/lock.txt'",
        "lock = 'a/../../lock.txt'",
        "lock = 'link/lock.txt'",
        "lock = 'link'",
        "[environments.x]\nsource = '/etc'",
        "[environments.x]\nsource = './link'",
        "[environments.x]\nsource = '~'",
        "[environments.x]\nsource = '..'",
    ] {
        let run = with_file(line, "hash X-v0");
        std::os::unix::fs::symlink("/etc", run.here().join("link")).unwrap();
        let stderr = refused(run);
        assert!(stderr.contains("is not below the folder of the project file"), "{line}: {stderr}");
    }
}

#[test]
fn the_next_command_is_the_one_to_type() {
    let next = |text: &str, line: &str| {
        let stderr = with_file(text, line).any_status().any_stderr().check().stderr;
        stderr.lines().last().unwrap_or_default().to_owned()
    };
    let cart = "shm-size = '1g'\nenv = { TOKEN = 'x' }\n[environments.cart]\nsource = 'CartPole-v1'\n";
    assert_eq!(
        next(cart, "run cart -k render_mode=human"),
        "hint: rlmesh-sandbox run cart -k render_mode=rgb_array"
    );
    // The source of the file is replaced, and its options stay. Values of variables are not repeated.
    let old = cart.replace("CartPole-v1", "CartPole-v7");
    let expected = "run --no-config --shm-size=1g '--env=TOKEN=…'";
    assert_eq!(
        next(&old, "run cart --dry-run"),
        format!("hint: rlmesh-sandbox {expected} CartPole-v1 --dry-run")
    );
    assert_eq!(
        next(&old, &format!("--color=never run --config {FILE} -k a=1")),
        format!("hint: rlmesh-sandbox --color=never {expected} CartPole-v1 -k a=1")
    );
    assert_eq!(next(cart, "run crat -d"), "hint: rlmesh-sandbox run cart -d");
    // A source of the command line is replaced there.
    assert_eq!(next(&old, "run CartPole-v7"), "hint: rlmesh-sandbox run CartPole-v1");
}
