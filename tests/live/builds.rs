//! What ends up in an image, and what does not: any base with a Python, shared layers, Debian packages.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::live::engine::{Images, Live, docker, layers, tag, together};
use crate::live::python::{EPISODE, interpreter};

/// A base image that goes with this value.
struct Base(String);

impl Base {
    /// The tests' base image, changed.
    fn of(name: &str, instructions: &str) -> Self {
        Self::from(name, &format!("FROM python:3.11-slim\n{instructions}\n"))
    }

    fn from(name: &str, dockerfile: &str) -> Self {
        let tag = format!("rlmesh-sandbox-tests-{name}:1");
        let mut build = Command::new("docker")
            .args(["buildx", "build", "--quiet", "--load", "--tag", &tag, "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        build.stdin.take().unwrap().write_all(dockerfile.as_bytes()).unwrap();
        assert!(build.wait().unwrap().success(), "{dockerfile}");
        Self(tag)
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["image", "rm", "--force", &self.0]).output();
    }
}

/// Python in the tests' base image, wherever it is: the folder of its programs.
const MOVE_AWAY: &str = "RUN p=$(readlink -f $(command -v python3)) && d=$(dirname $p)";

/// Python without its pip.
const NO_PIP: &str = "RUN rm -rf /usr/lib/python3/dist-packages/pip* /usr/local/lib/python3*/site-packages/pip* \
    /usr/bin/pip* /usr/local/bin/pip*";

/// Steps an episode in an image built on that base.
fn serves(base: &Base, options: &[&str]) -> String {
    let live = Live::new();
    let _images = Images::of(&[&format!("CartPole-v1 --base-image {}", base.0)]);
    let mut arguments = vec!["run", "CartPole-v1", "--base-image", &base.0];
    arguments.extend(options);
    let python = interpreter().to_str().unwrap();
    arguments.extend(["--", python, "-W", "ignore", "-c", EPISODE, "{address}"]);
    let done = live.run(&arguments).ended(0);
    live.assert_clean();
    done.stderr
}

#[test]
fn any_base_image_with_a_python_will_do() {
    let _together = together();
    for (name, instructions) in [
        ("no-python-name", "RUN rm -f $(command -v python) /usr/local/bin/python /usr/bin/python".to_owned()),
        (
            "managed",
            "RUN touch $(python3 -c 'import sysconfig; print(sysconfig.get_path(\"stdlib\"))')/EXTERNALLY-MANAGED"
                .to_owned(),
        ),
        ("no-pip", NO_PIP.to_owned()),
        ("other-prefix", "RUN python3 -m venv /opt/conda\nENV PATH=/opt/conda/bin:/usr/bin:/bin".to_owned()),
        ("another-user", "RUN useradd --create-home somebody\nUSER somebody".to_owned()),
    ] {
        serves(&Base::of(name, &instructions), &[]);
    }
    serves(&Base::of("with-pip", ""), &["--installer", "pip"]);
}

#[test]
fn a_lock_lists_what_another_user_than_root_installs() {
    let (_together, live) = (together(), Live::new());
    let base = Base::of("locking-user", "RUN useradd --create-home someone\nUSER someone");
    let _images = Images::of(&[&format!("Acrobot-v1 --base-image {}", base.0)]);
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("lock.txt");
    live.run(&["build", "Acrobot-v1", "--base-image", &base.0, "--lock", lock.to_str().unwrap()]).ended(0);
    let text = std::fs::read_to_string(lock).unwrap();
    assert!(text.contains("\nrlmesh==0.1.0 \\\n    --hash=sha256:"), "{text}");
    live.assert_clean();
}

#[test]
fn a_base_image_without_a_fitting_python_says_so() {
    let _together = together();
    let live = Live::new();
    let old = "#!/bin/sh\\nprintf 3.9\\n";
    for (name, instructions, said) in [
        (
            "none",
            format!("{MOVE_AWAY} && rm -f $d/python* /usr/bin/python* /usr/local/bin/python*"),
            "the base image has no Python",
        ),
        (
            "old",
            format!(
                "{MOVE_AWAY} && rm -f $d/python* /usr/bin/python* /usr/local/bin/python* \
                 && printf '{old}' > /usr/bin/python3 && chmod 755 /usr/bin/python3"
            ),
            "the base image has Python 3.9, and rlmesh needs 3.10 or newer",
        ),
    ] {
        let base = Base::of(name, &instructions);
        let done = live.run(&["build", "CartPole-v1", "--base-image", &base.0]).ended(5);
        assert!(done.stderr.contains(said) && done.stderr.contains("\nhint: "), "{}", done.stderr);
        assert!(!done.stderr.contains("Traceback") && done.stderr.lines().count() < 30, "{}", done.stderr);
    }
    let base = Base::of("only-uv", NO_PIP);
    let line = ["build", "CartPole-v1", "--base-image", &base.0, "--installer", "pip"];
    let done = live.run(&line).ended(5);
    assert!(
        done.stderr.contains("error: the image was not built: the base image has no pip to install with\n")
            && done.stderr.contains("\nhint: run it without --installer pip"),
        "{}",
        done.stderr
    );
}

fn build(live: &Live, arguments: &[&str]) -> String {
    // Whatever else has been built on this engine under that name.
    let mut line = vec!["-q", "build", "--rebuild"];
    line.extend(arguments);
    live.run(&line).ended(0).stdout.trim().to_owned()
}

#[test]
fn environments_share_what_they_have_in_common() {
    let (_together, live) = (together(), Live::new());
    let lines = ["Acrobot-v1", "MountainCar-v0", "Acrobot-v1 -p six", "Acrobot-v1 -p tabulate"];
    let _images = Images::of(&lines);
    let [one, other, six, tabulate] =
        lines.map(|line| layers(&build(&live, &line.split_whitespace().collect::<Vec<_>>())));
    assert_eq!(one, other, "another environment is made of the same layers");
    assert_eq!(one[..], six[..one.len()], "another package only adds to them");
    assert_eq!(one[..], tabulate[..one.len()]);
    assert_ne!(six, tabulate);
}

/// What containers of an image do, apart from its labels.
fn configuration(tag: &str) -> (Vec<String>, Vec<String>) {
    let format = "{{range .Config.Env}}{{.}}\n{{end}}{{.Config.Entrypoint}}\n{{.Config.Cmd}}\n{{.Config.User}}\n{{.Config.WorkingDir}}\n{{.Config.ExposedPorts}}\n{{.Config.Volumes}}";
    let printed = docker(&["image", "inspect", "--format", format, tag]);
    (printed.lines().map(str::to_owned).collect(), layers(tag))
}

/// Whether a build of that image ran.
fn is_built(done: &crate::live::engine::Done) -> bool {
    assert_ne!(done.stderr.contains("docker buildx build"), done.stderr.contains("docker tag"), "{done:?}");
    done.stderr.contains("docker buildx build")
}

#[test]
fn a_second_environment_is_made_of_the_first_without_a_build() {
    let (_together, live) = (together(), Live::new());
    // A package that no other test asks for: their images must not do.
    let lines = ["Acrobot-v1 -p attrs>=20", "CartPole-v1 -p attrs>=20", "Pendulum-v1 -p attrs>=20"];
    let _images = Images::of(&lines);
    let [first, second, third] = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    let first = build(&live, &first);
    let done = live.run(&[&["-v", "build"], &second[..]].concat()).ended(0);
    assert!(!is_built(&done), "{}", done.stderr);
    let other = done.stdout.trim();
    assert_eq!(configuration(&first), configuration(other));
    let id = |tag: &str| docker(&["image", "inspect", "--format", "{{.Id}}", tag]);
    assert_eq!(id(&first), id(other), "one image has both tags");
    let python = interpreter().to_str().unwrap();
    let command = ["--", python, "-W", "ignore", "-c", EPISODE, "{address}"];
    live.run(&[&["run"], &second[..], &command].concat()).ended(0);

    // An image is not reused under a name that is not of this tool: every image can have such labels.
    docker(&["tag", &first, "stranger/rlmesh-sandbox-x:1"]);
    docker(&["image", "rm", &first, other]);
    let done = live.run(&[&["-v", "build"], &second[..]].concat()).ended(0);
    assert!(is_built(&done), "{}", done.stderr);
    docker(&["image", "rm", "stranger/rlmesh-sandbox-x:1"]);

    // What the client's configuration adds to every container is in no image.
    let config = tempfile::tempdir().unwrap();
    let proxies = r#"{"proxies":{"default":{"httpProxy":"http://me:battery-staple@127.0.0.1:9"}}}"#;
    std::fs::write(config.path().join("config.json"), proxies).unwrap();
    let third = [&["-v", "build", "--rebuild"], &third[..]].concat();
    let output = live.command(&third).env("DOCKER_CONFIG", config.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("docker buildx build"), "{said}");
    let tag = String::from_utf8(output.stdout).unwrap();
    assert_eq!(configuration(tag.trim()), configuration(other));
    live.assert_clean();
}

#[test]
fn an_image_on_another_base_of_that_name_does_not_do() {
    let (_together, live) = (together(), Live::new());
    let name = "changing-base";
    let base = Base::of(name, "ENV COLOUR=red");
    let lines = [
        format!("Acrobot-v1 --base-image {}", base.0),
        format!("MountainCar-v0 --base-image {}", base.0),
        format!("Pendulum-v1 --base-image {}", base.0),
    ];
    let _images = Images::of(&lines.each_ref().map(String::as_str));
    let [first, second, third] = lines.each_ref().map(|line| line.split_whitespace().collect::<Vec<_>>());
    build(&live, &first);
    assert!(!is_built(&live.run(&[&["-v", "build"], &second[..]].concat()).ended(0)));
    let _newer = Base::of(name, "ENV COLOUR=blue");
    let done = live.run(&[&["-v", "build", "--rebuild"], &third[..]].concat()).ended(0);
    assert!(is_built(&done), "{}", done.stderr);
    let (lines, _) = configuration(done.stdout.trim());
    assert!(lines.contains(&"COLOUR=blue".to_owned()), "{lines:?}");
}

#[test]
fn neither_uv_nor_what_it_downloads_stays() {
    let (_together, live) = (together(), Live::new());
    let _images = Images::of(&["Acrobot-v1"]);
    let tag = build(&live, &["Acrobot-v1"]);
    let files = docker(&[
        "run",
        "--rm",
        "--entrypoint",
        "sh",
        &tag,
        "-c",
        "find / -xdev -name 'uv' -o -xdev -path '/run/rlmesh*' -o -xdev -path '/root/.cache/*' -o -xdev -path '/tmp/*'; python -c 'import gymnasium; print(gymnasium.__cached__)'; ls /opt/rlmesh",
    ]);
    assert!(files.ends_with(".pyc"), "{files}");
    assert_eq!(files.lines().count(), 1, "{files}");
    let compiled = docker(&[
        "run",
        "--rm",
        "--entrypoint",
        "sh",
        &tag,
        "-c",
        "ls $(python -c 'import gymnasium; print(gymnasium.__cached__)')",
    ]);
    assert!(compiled.contains("__pycache__"), "it exists before the first import: {compiled}");
}

#[test]
fn debian_packages_are_installed() {
    let (_together, live) = (together(), Live::new());
    let _images = Images::of(&["Acrobot-v1 --apt tree"]);
    let tag = build(&live, &["Acrobot-v1", "--apt", "tree"]);
    assert!(docker(&["run", "--rm", "--entrypoint", "tree", &tag, "--version"]).starts_with("tree v"));
    let left = docker(&[
        "run",
        "--rm",
        "--entrypoint",
        "sh",
        &tag,
        "-c",
        "ls /var/lib/apt/lists /var/cache/apt/archives | grep -c deb || true",
    ]);
    assert_eq!(left, "0", "lists and downloads stay in the cache");
    let done = live.run(&["build", "Acrobot-v1", "--apt", "no-such-package-anywhere"]).ended(5);
    assert!(
        done.stderr.contains("no-such-package-anywhere") && done.stderr.contains("\nhint: "),
        "{}",
        done.stderr
    );
}

#[test]
fn ten_starts_of_one_new_source_build_it_once() {
    let (_guard, live) = (together(), Live::new());
    let line = "CartPole-v1 -p toolz==0.12.1";
    let _images = Images::of(&[line]);
    let arguments: Vec<&str> = ["run"].into_iter().chain(line.split(' ')).chain(["--", "true"]).collect();
    let runs: Vec<_> = (0..10)
        .map(|_| {
            let mut command = live.command(&arguments);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut builds = 0;
    for run in runs {
        let output = run.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{stderr}");
        builds += stderr.lines().filter(|line| line.starts_with("built in ")).count();
    }
    assert_eq!(builds, 1);
    let recipe =
        ["image", "inspect", "--format", "{{index .Config.Labels \"rlmesh.image.recipe\"}}", &tag(line)];
    let label = format!("label=rlmesh.image.recipe={}", docker(&recipe));
    let images = |more: &[&str]| docker(&[&["image", "ls", "--quiet", "--filter", &label], more].concat());
    assert_eq!(images(&[]).lines().count(), 1, "the image itself");
    assert_eq!(images(&["--filter", "dangling=true"]), "", "images that lost their tag");
    live.assert_clean();
}
