//! Builders with a memory limit on a real engine: created, shared, recreated, removed; and a base image as the engine exports it.
//!
//! Where there is no BuildKit image, the builds end when the builder should start. These tests check what
//! became of the builder, which is the same either way.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sha2::{Digest as _, Sha256};

use super::engine::{Done, Images, Live, docker};

const SOURCE: &str = "MountainCarContinuous-v0";

/// Builders and a cache apart from the user's own.
struct Builders {
    live: Live,
    home: tempfile::TempDir,
    limit: String,
    _images: Images,
}

impl Builders {
    /// Each test needs a `limit` of its own: the builders' containers and volumes are the engine's.
    fn new(limit: &str) -> Self {
        let images = Images::of(&[SOURCE]);
        Self {
            live: Live::new(),
            home: tempfile::tempdir().unwrap(),
            limit: limit.to_owned(),
            _images: images,
        }
    }

    fn program(&self, arguments: &[&str]) -> Command {
        self.with_places(self.live.command(arguments))
    }

    fn with_places(&self, mut command: Command) -> Command {
        command
            .env("BUILDX_CONFIG", self.home.path().join("buildx"))
            .env("XDG_CACHE_HOME", self.home.path().join("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Done {
        Done::new(arguments, self.program(arguments).output().unwrap())
    }

    fn spawn_build(&self) -> Child {
        self.program(&["build", SOURCE, "--rebuild", "--build-memory", &self.limit]).spawn().unwrap()
    }

    /// A build that ends well, or, where there is no BuildKit, when the builder should start.
    #[track_caller]
    fn build(&self) -> String {
        self.checked(self.spawn_build())
    }

    #[track_caller]
    fn checked(&self, build: Child) -> String {
        let output = build.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        match output.status.code() {
            Some(0) => {}
            Some(5) => assert!(
                stderr.contains(&format!("the builder {} did not start: ", self.name()))
                    && stderr.contains("moby/buildkit"),
                "{stderr}"
            ),
            other => panic!("{other:?}: {stderr}"),
        }
        self.live.assert_clean();
        stderr
    }

    /// The name of the builder on the engine that DOCKER_HOST selects.
    fn name(&self) -> String {
        let at = match host().as_str() {
            "unix:///var/run/docker.sock" => "default".to_owned(),
            host => {
                let digest = Sha256::digest(format!("default\0{host}"));
                format!("at-{}", hex::encode(&digest[..4]))
            }
        };
        format!("rlmesh-build-{}-{at}", self.limit)
    }

    fn buildx(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new("docker");
        command.arg("buildx").args(arguments);
        let output = self.with_places(command).output().unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    }

    #[track_caller]
    fn create(&self, arguments: &[&str]) {
        let name = self.name();
        let (is_made, said) = self.buildx(&[&["create", "--name", &name], arguments].concat());
        assert!(is_made, "{said}");
    }

    #[track_caller]
    fn assert_right(&self) {
        let (is_there, said) = self.buildx(&["inspect", &self.name()]);
        assert!(is_there, "{said}");
        assert!(said.contains("Driver:        docker-container\n"), "{said}");
        assert!(said.contains(&format!("{}\n", host())), "{said}");
        for option in ["memory", "memory-swap"] {
            assert!(said.contains(&format!(" {option}=\"{}\"", self.limit)), "{said}");
        }
    }

    fn cache(&self) -> PathBuf {
        self.home.path().join("cache/rlmesh-sandbox")
    }
}

/// The engine's address, in the default context.
fn host() -> String {
    let endpoint = docker(&["context", "inspect", "--format", "{{.Name}} {{.Endpoints.docker.Host}}"]);
    endpoint.strip_prefix("default ").expect("these tests need docker's default context").to_owned()
}

impl Drop for Builders {
    fn drop(&mut self) {
        let name = self.name();
        let _ = self.buildx(&["rm", &name]);
        // Where a test has removed the container, buildx leaves the cache.
        let volume = format!("buildx_buildkit_{name}0_state");
        let _ = Command::new("docker").args(["volume", "rm", "--force", &volume]).output();
        // Each build takes the name of the image before it away.
        let label = format!("label=org.opencontainers.image.title=gym://{SOURCE}");
        let _ = Command::new("docker").args(["image", "prune", "--force", "--filter", &label]).output();
    }
}

#[test]
fn a_builder_is_created_once_and_removed_once_it_is_not_used() {
    let builders = Builders::new("1025m");
    builders.build();
    builders.assert_right();
    let (_, before) = builders.buildx(&["ls"]);
    builders.build();
    let (_, after) = builders.buildx(&["ls"]);
    let count = |table: &str| table.lines().filter(|line| line.starts_with("rlmesh-build-")).count();
    assert_eq!((count(&before), count(&after)), (1, 1), "{before}{after}");

    let name = builders.name();
    let kept = builders.run(&["prune", "--builders"]).ended(0);
    assert_eq!(kept.stdout, "", "{}", kept.stderr);
    let would = builders.run(&["prune", "--builders", "--older-than", "0", "--dry-run"]).ended(0);
    assert_eq!(would.stdout, format!("{name}\n"), "{}", would.stderr);
    builders.assert_right();
    // As `docker system prune` leaves it.
    let container = format!("buildx_buildkit_{name}0");
    let volume = format!("{container}_state");
    let _ = Command::new("docker").args(["rm", "--force", &container]).output();
    docker(&["volume", "create", &volume]);
    let gone = builders.run(&["prune", "--builders", "--older-than", "0"]).ended(0);
    let filter = format!("name={volume}");
    assert_eq!(docker(&["volume", "ls", "--quiet", "--filter", &filter]), "", "the cache goes too");
    assert_eq!(gone.stdout, format!("{name}\n"), "{}", gone.stderr);
    assert!(!builders.buildx(&["inspect", &name]).0);
    assert_eq!(super::engine::entries(&builders.cache()), ["builders", "images"]);
    assert_eq!(super::engine::entries(&builders.cache().join("builders")), Vec::<String>::new());
}

#[test]
fn a_wrong_builder_is_recreated() {
    let builders = Builders::new("1027m");
    for wrong in [
        &["--driver", "docker-container"][..],
        &["--driver", "docker-container", "--driver-opt", "memory=2g", "--driver-opt", "memory-swap=2g"],
        &["--driver", "docker-container", "--driver-opt", "memory=1027m"],
        &["--driver", "remote", "tcp://127.0.0.1:9"],
    ] {
        builders.create(wrong);
        builders.build();
        builders.assert_right();
        assert!(builders.buildx(&["rm", &builders.name()]).0);
    }
}

#[test]
fn four_builds_at_once_create_or_recreate_one_builder() {
    let builders = Builders::new("1028m");
    for is_wrong in [false, true] {
        if is_wrong {
            assert!(builders.buildx(&["rm", &builders.name()]).0);
            builders.create(&["--driver", "docker-container", "--driver-opt", "memory=2g"]);
        }
        let builds: Vec<Child> = (0..4).map(|_| builders.spawn_build()).collect();
        for output in builds.into_iter().map(|build| build.wait_with_output().unwrap()) {
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success() || stderr.contains("did not start: "), "{stderr}");
        }
        builders.live.assert_clean();
        builders.assert_right();
    }
}

#[test]
fn a_container_with_another_limit_is_replaced() {
    let builders = Builders::new("1029m");
    let container = format!("buildx_buildkit_{}0", builders.name());
    let _ = Command::new("docker").args(["rm", "--force", &container]).output();
    docker(&["create", "--name", &container, "--memory", "2g", "--memory-swap", "2g", "python:3.11-slim"]);
    builders.build();
    let limits = Command::new("docker")
        .args(["container", "inspect", "--format", "{{.HostConfig.Memory}}", &container])
        .output()
        .unwrap();
    // None, or, where there is a BuildKit image, another one.
    let memory = String::from_utf8(limits.stdout).unwrap();
    let _ = Command::new("docker").args(["rm", "--force", &container]).output();
    assert!(matches!(memory.trim(), "" | "1078984704"), "{memory}");
    builders.assert_right();
}

#[test]
fn the_users_own_builder_image_is_kept() {
    let builders = Builders::new("1030m");
    builders.create(&[
        "--driver",
        "docker-container",
        "--driver-opt",
        "memory=1030m,memory-swap=1030m,image=127.0.0.1:9/no/buildkit:1",
    ]);
    let output = builders.spawn_build().wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("did not start: ") && stderr.contains("--build-memory off"), "{stderr}");
    let (_, said) = builders.buildx(&["inspect", &builders.name()]);
    assert!(said.contains("image=\"127.0.0.1:9/no/buildkit:1\""), "{said}");
}

/// Runs a build with shell lines in place of `docker buildx build`; the rest is the engine's own.
#[track_caller]
fn build_with(builders: &Builders, lines: &str, status: i32) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let client = builders.home.path().join("docker");
    let script =
        format!("#!/bin/sh\nif [ \"$1 $2\" = 'buildx build' ]; then\n{lines}\nfi\nexec docker \"$@\"\n");
    std::fs::write(&client, script).unwrap();
    std::fs::set_permissions(&client, std::fs::Permissions::from_mode(0o755)).unwrap();
    let client = client.to_str().unwrap();
    let limit = &builders.limit;
    let arguments = ["build", SOURCE, "--rebuild", "--build-memory", limit, "--docker", client];
    let done = builders.run(&arguments).ended(status);
    builders.live.assert_clean();
    done.stderr
}

#[test]
fn a_base_image_is_exported_whole() {
    let builders = Builders::new("1031m");
    let copy = builders.home.path().join("layout");
    let lines = format!(
        "for word; do case $word in *=oci-layout://*) folder=${{word#*//}}; cp -r \"${{folder%@*}}\" {0}; echo \"${{word#*@}}\" >{0}/digest;; esac; done; exit 1",
        copy.display()
    );
    build_with(&builders, &lines, 5);
    let text = |file: &Path| std::fs::read_to_string(file).unwrap();
    let json = |file: &Path| serde_json::from_str::<serde_json::Value>(&text(file)).unwrap();
    let digest = text(&copy.join("digest"));
    let manifest = json(&copy.join("blobs").join(digest.trim().replace(':', "/")));
    for part in manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]) {
        let blob = copy.join("blobs").join(part["digest"].as_str().unwrap().replace(':', "/"));
        assert_eq!(std::fs::metadata(blob).unwrap().len(), part["size"].as_u64().unwrap());
    }
    assert_eq!(super::engine::entries(&builders.cache()), ["builders", "images"]);
}

#[test]
fn an_interrupt_at_any_moment_leaves_a_right_builder_or_none() {
    for milliseconds in [20, 120, 250, 400, 900, 1600] {
        let builders = Builders::new("1032m");
        let build = builders.spawn_build();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        crate::support::signal(&build, rustix::process::Signal::INT);
        let output = build.wait_with_output().unwrap();
        // Where it was quicker than the signal, it has ended by itself.
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(matches!(output.status.code(), Some(130 | 5 | 0)), "{stderr}");
        builders.live.assert_clean();
        if builders.buildx(&["inspect", &builders.name()]).0 {
            builders.assert_right();
        }
        if milliseconds == 900 {
            builders.build();
        }
    }
}

/// A build whose builder is a container that runs that command, with 64 MB of memory.
#[track_caller]
fn fails_with(limit: &str, command: &str, status: i32) -> String {
    let builders = Builders::new(limit);
    let container = format!("buildx_buildkit_{}0", builders.name());
    let lines = format!(
        "docker run --rm --name {container} --memory 64m --memory-swap 64m --pull never python:3.11-slim {command} >&2\n\
         echo \"ERROR: failed to solve: exit code: $?\" >&2; exit 1"
    );
    build_with(&builders, &lines, status)
}

#[test]
fn a_real_out_of_memory_event_is_that_of_the_limit() {
    let said = fails_with("1033m", "python -c 'x = bytearray(10**9)'", 8);
    assert!(said.contains("the build reached its memory limit of 1033m"), "{said}");
}

#[test]
fn a_real_137_without_one_is_an_ordinary_failure() {
    let said = fails_with("1034m", "sh -c 'exit 137'", 5);
    assert!(!said.contains("reached its memory limit"), "{said}");
}
