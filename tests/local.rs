//! Your own code: `init`, folders as sources, and packages of this machine: what gets into the build and the hash,
//! and what is refused.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::support::{Checked, Reply, Run, StandIn, files};

const ID: &str = "sha256:33a109d74efd7043c486c097b1e0647ffdb11c6955fe6281e354832ab0ee44ee";

const ENV: &str = "def make_env(): ...\n";

/// An engine without images, whose builds go well.
fn building() -> StandIn {
    StandIn::new()
        .on("buildx version", Reply::stdout("github.com/docker/buildx v0.29.1 abc\n"))
        .on("image inspect *", Reply::missing_image().once())
        .on("buildx build *", Reply::default().keeps_context())
        .on("image inspect *", Reply::stdout(format!("{ID}\n")))
}

/// Writes files below the folder in which a program runs.
fn with(run: Run, files: &[(&str, &str)]) -> Run {
    write(&run.here(), files);
    run
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let file = folder.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }
}

/// The files of the build context below a folder, without the digests in the paths of packages.
fn context(checked: &Checked, folder: &str) -> BTreeMap<String, String> {
    let below = checked.run.stand_in().folder().join("context").join(folder);
    let found = files(&below).into_iter().map(|(path, content)| (path, String::from_utf8(content).unwrap()));
    match folder {
        "local" => {
            found.map(|(path, content)| (path.split_once('/').unwrap().1.to_owned(), content)).collect()
        }
        _ => found.collect(),
    }
}

fn names(files: &BTreeMap<String, String>) -> Vec<&str> {
    files.keys().map(String::as_str).collect()
}

#[test]
fn a_build_gets_the_files_of_a_folder_that_are_not_ignored() {
    let run = with(
        Run::line("-q build ./my_env").docker(building()).stdout_with(["rlmesh-sandbox-my-env:"]),
        &[
            ("my_env/env.py", ENV),
            ("my_env/requirements.txt", "six\n"),
            ("my_env/parts/one.py", "1"),
            ("my_env/.gitignore", "*.log\n/data\n"),
            ("my_env/.dockerignore", "docs\n!data/kept.bin\n"),
            ("my_env/x.log", ""),
            ("my_env/docs/a.md", ""),
            ("my_env/data/kept.bin", "2"),
            ("my_env/data/other.bin", ""),
            ("my_env/.git/config", ""),
            ("my_env/__pycache__/env.cpython-311.pyc", ""),
            ("other/secret", ""),
        ],
    );
    let checked = run.check();
    let source = context(&checked, "source");
    assert_eq!(
        names(&source),
        [".dockerignore", ".gitignore", "data/kept.bin", "env.py", "parts/one.py", "requirements.txt"]
    );
    assert_eq!((source["env.py"].as_str(), source["data/kept.bin"].as_str()), (ENV, "2"));
    assert_eq!(names(&context(&checked, "requirements")), ["requirements.txt"]);
    assert_eq!(names(&context(&checked, "local")), Vec::<&str>::new());
    assert!(checked.left("context/Dockerfile").contains("\nCOPY source/ /opt/rlmesh/source/\n"));
}

#[test]
fn a_build_gets_the_packages_of_this_machine() {
    let project = "[project]\nname = \"my-pkg\"\nversion = \"1\"\n";
    let line = "-q build CartPole-v1 -p ./my_pkg[x] -p dist/a-1.0-py3-none-any.whl -p six";
    let mut words: Vec<&str> = line.split(' ').collect();
    words.extend(["-p", "b @ file:b-2.0.tar.gz"]);
    let run = with(
        Run::new(words).docker(building()).stdout_with(["rlmesh-sandbox-cartpole-v1:"]),
        &[
            ("my_pkg/pyproject.toml", project),
            ("my_pkg/src/my_pkg/__init__.py", "3"),
            ("my_pkg/.gitignore", "build\n"),
            ("my_pkg/build/x.o", ""),
            ("dist/a-1.0-py3-none-any.whl", "a wheel"),
            ("b-2.0.tar.gz", "an archive"),
        ],
    );
    let checked = run.check();
    let local = context(&checked, "local");
    assert_eq!(
        names(&local),
        [
            "a-1.0-py3-none-any.whl",
            "b-2.0.tar.gz",
            "my-pkg/.gitignore",
            "my-pkg/pyproject.toml",
            "my-pkg/src/my_pkg/__init__.py"
        ]
    );
    assert_eq!(local["a-1.0-py3-none-any.whl"], "a wheel");
    let dockerfile = checked.left("context/Dockerfile");
    let step = dockerfile.lines().find(|line| line.contains("my-pkg")).unwrap();
    for part in
        ["/my-pkg[x]\",\"/run/rlmesh-sandbox/local/", "\"six\",\"b @ file:///run/rlmesh-sandbox/local/"]
    {
        assert!(step.contains(part), "{step}");
    }
    let here = checked.run.here();
    assert!(!dockerfile.contains(here.to_str().unwrap()), "{dockerfile}");
}

#[test]
fn a_package_without_an_env_py_is_installed_and_gets_one() {
    let run = with(
        Run::line("-q build ./my_pkg").docker(building()).stdout_with(["rlmesh-sandbox-my-pkg:"]),
        &[("my_pkg/pyproject.toml", "[project]\nname = \"my-pkg\"\n"), ("my_pkg/my_pkg.py", "1")],
    );
    let checked = run.check();
    assert_eq!(names(&context(&checked, "source")), ["env.py"]);
    assert_eq!(names(&context(&checked, "requirements")), ["my_pkg.py", "pyproject.toml"]);
    let dockerfile = checked.left("context/Dockerfile");
    assert!(dockerfile.contains("/install.sh\",\"/opt/rlmesh/source\"]\n"), "{dockerfile}");
    assert!(!dockerfile.contains("--requirements"), "{dockerfile}");
}

#[test]
fn files_that_change_during_the_build_are_an_error() {
    for (line, file) in [
        ("build ./my_env --progress none", "my_env/env.py"),
        ("build CartPole-v1 -p ./my_pkg --progress none", "my_pkg/my_pkg.py"),
        ("build CartPole-v1 -p a-1.0-py3-none-any.whl --progress none", "a-1.0-py3-none-any.whl"),
    ] {
        // Between the plan and the build.
        let missing = Reply::missing_image().hook(&format!("echo more >>{file}"));
        let docker = StandIn::new()
            .on("buildx version", Reply::stdout("github.com/docker/buildx v0.29.1 abc\n"))
            .on("image inspect *", missing);
        let run = with(
            Run::line(line)
                .docker(docker)
                .status(4)
                .stderr_with([" changed while it was read\nhint: run it again once nothing writes to it\n"]),
            &[
                ("my_env/env.py", ENV),
                ("my_pkg/setup.py", ""),
                ("my_pkg/my_pkg.py", ""),
                ("a-1.0-py3-none-any.whl", ""),
            ],
        );
        let checked = run.check();
        assert!(!checked.calls.iter().any(|call| call.starts_with("buildx build")), "{:?}", checked.calls);
    }
}

/// The hash of a source in a folder with these files.
fn hash(line: &[&str], files: &[(&str, &str)]) -> String {
    let words: Vec<&str> = std::iter::once("hash").chain(line.iter().copied()).collect();
    let checked = with(Run::new(words).stdout_with([""]), files).check();
    assert_eq!(checked.calls, Vec::<String>::new());
    checked.stdout
}

#[test]
fn the_hash_follows_the_content_of_all_files_that_count() {
    let of = |change: &[(&str, &str)]| {
        let files = [("a/env.py", ENV), ("a/data", "1"), ("a/.gitignore", "*.log\n"), ("a/x.log", "1")];
        hash(&["./a"], &[&files[..], change].concat())
    };
    let before = of(&[]);
    assert_eq!(before, of(&[("a/x.log", "2"), ("a/y.log", ""), ("b", "")]), "ignored files");
    assert_eq!(before, hash(&["."], &[("env.py", ENV), ("data", "1"), (".gitignore", "*.log\n")]), "a copy");
    for change in [("a/data", "2"), ("a/env.py", ""), ("a/new", ""), ("a/.gitignore", "")] {
        assert_ne!(before, of(&[change]), "{change:?}");
    }

    let project = [("p/pyproject.toml", "[project]"), ("p/.dockerignore", "notes"), ("p/notes", "1")];
    let of = |package: &str, change: &[(&str, &str)]| {
        hash(&["CartPole-v1", "-p", package], &[&project[..], &[("d/a-1.whl", "1")], change].concat())
    };
    let (folder, wheel) = (of("./p", &[]), of("d/a-1.whl", &[]));
    assert_eq!(folder, of("./p", &[("p/notes", "2")]));
    assert_eq!(folder, of("p/", &[]));
    assert_ne!(folder, of("./p", &[("p/x.py", "")]));
    assert_ne!(folder, of("./p[extra]", &[]));
    assert_ne!(wheel, of("d/a-1.whl", &[("d/a-1.whl", "2")]));
    assert_ne!(wheel, of("a @ file:d/a-1.whl", &[]));
}

#[test]
fn a_path_that_is_not_a_package_is_refused_before_anything_is_done() {
    let files = [
        ("env/env.py", ENV),
        ("empty/x", ""),
        ("notes.md", ""),
        ("ignored/pyproject.toml", ""),
        ("ignored/.gitignore", "*.toml\n"),
    ];
    for (package, message, hint) in [
        ("./gone", "./gone cannot be read: No such file or directory (os error 2)", "check the path"),
        ("dist/gone.whl", "dist/gone.whl cannot be read: No such", "check the path"),
        ("x @ file:gone.tar.gz", "gone.tar.gz cannot be read: No such", "check the path"),
        (
            "./empty",
            "./empty is not a package: it has neither pyproject.toml nor setup.py",
            "use the folder of",
        ),
        ("./ignored", "./ignored is not a package: it has neither", "use the folder of"),
        (
            "./env",
            "./env is not a package",
            "it has env.py: use it as the source, as in `rlmesh-sandbox run ./env`",
        ),
        ("./notes.md", "./notes.md is not a package", "use the folder of a package, a wheel (.whl)"),
    ] {
        for verb in ["build", "run", "check", "hash"] {
            let run = Run::new([verb, "CartPole-v1", "-p", package]).status(2);
            let run = run
                .stderr_with([format!("error: packages (--package): {message}"), format!("\nhint: {hint}")]);
            let checked = with(run, &files).check();
            assert_eq!(checked.calls, Vec::<String>::new());
        }
        let checked = with(
            Run::new(["build", "CartPole-v1", "--format", "json", "-p", package]).status(2).any_stderr(),
            &files,
        )
        .check();
        let error = checked.json_error();
        assert_eq!((&error["kind"], &error["exit_code"]), (&"InvalidOption".into(), &2.into()));
        assert!(error["message"].as_str().unwrap().contains(message), "{error}");
        assert!(error["hints"][0].as_str().unwrap().starts_with(hint), "{error}");
    }
}

#[test]
fn a_folder_that_is_not_an_environment_is_refused_with_what_helps() {
    for (source, files, message, hint) in [
        (
            "./gone",
            &[][..],
            "the folder ./gone does not exist\n",
            "check the path; to create an environment there, run `rlmesh-sandbox init ./gone`\n",
        ),
        (
            "./code",
            &[("code/x.py", "")],
            "the folder ./code is not an environment: it has neither env.py nor a Python package\n",
            "add env.py with a function make_env, or run `rlmesh-sandbox init ./code`\n",
        ),
        (
            "./code",
            &[("code/envs/a/env.py", "")],
            "the folder ./code is not an environment",
            "rlmesh-sandbox build ./code/envs/a\n",
        ),
        ("./a/env.py", &[("a/env.py", "")], "'./a/env.py' is a file\n", "rlmesh-sandbox build ./a\n"),
    ] {
        let run = Run::new(["build", source]).any_status();
        let run = run.stderr_with([format!("error: {message}"), format!("\nhint: {hint}")]);
        let checked = with(run, files).check();
        assert!(matches!(checked.status, Some(2 | 4)), "{source}: {:?}", checked.status);
        assert_eq!(checked.calls, Vec::<String>::new());
    }
}

#[test]
fn init_writes_an_environment_that_can_be_built() {
    let checked = Run::line("init my_env")
        .stdout("rlmesh-sandbox run ./my_env\n")
        .stderr("wrote env.py, requirements.txt, README.md\nto start the environment, run:\n")
        .check();
    let written = files(&checked.run.here().join("my_env"));
    assert_eq!(written.keys().collect::<Vec<_>>(), ["README.md", "env.py", "requirements.txt"]);

    let text = |name: &str| String::from_utf8(written[name].clone()).unwrap();
    let all: Vec<(String, String)> =
        written.keys().map(|name| (format!("my_env/{name}"), text(name))).collect();
    let all: Vec<(&str, &str)> = all.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let run = Run::line("-q build ./my_env").docker(building()).stdout_with(["rlmesh-sandbox-my-env:"]);
    let built = with(run, &all).check();
    assert_eq!(context(&built, "source")["env.py"], text("env.py"));
}

#[test]
fn init_replaces_nothing() {
    let run = with(
        Run::line("init .").status(1).stderr(
            "error: . already has env.py, README.md\n\
             hint: use another folder, or move these files away; nothing was written\n",
        ),
        &[("env.py", "mine"), ("README.md", "mine")],
    );
    let checked = run.check();
    let left = files(&checked.run.here());
    assert_eq!(left.keys().collect::<Vec<_>>(), ["README.md", "env.py"]);
    assert_eq!(left["env.py"], b"mine");

    // Files beside them do not matter.
    let run = with(Run::line("init .").stdout_with(["run .\n"]).any_stderr(), &[("notes", "mine")]);
    assert_eq!(files(&run.check().run.here()).len(), 4);
    let run = with(
        Run::line("init x")
            .status(1)
            .stderr_with(["error: cannot write ./x: ", "\nhint: use a folder that does"]),
        &[("x", "a file")],
    );
    run.check();
}

#[test]
fn init_in_json_and_with_a_tilde() {
    let checked = Run::line("init a/b --format json").any_stdout().check();
    let created: Value = checked.json();
    assert_eq!(
        created,
        serde_json::json!({ "folder": "./a/b", "files": ["env.py", "requirements.txt", "README.md"] })
    );
    // A shell leaves it as it is if it is quoted.
    let checked = Run::line("init ~/x").stdout("rlmesh-sandbox run '~/x'\n").any_stderr().check();
    assert_eq!(files(&checked.run.home().join("x")).len(), 3);
    assert!(files(&checked.run.here()).is_empty());
    Run::line("init ~me/x")
        .status(2)
        .stderr_with(["error: the folder '~me/x' starts with the name of a user\n", "\nhint: use ~/FOLDER"])
        .check();
}
