//! Builds with a memory limit: how they fail, how their builder is created and recreated, and where it finds a base image.

use std::path::Path;

use rustix::process::{Pid, Signal, test_kill_process};

use crate::support::{Checked, Reply, Run, StandIn, eventually, fixture, signal};

const TAG: &str = "rlmesh-sandbox-cartpole-v1:7e4a80df0452";
const ID: &str = "sha256:33a109d74efd7043c486c097b1e0647ffdb11c6955fe6281e354832ab0ee44ee";
const BASE: &str = "sha256:abababababababababababababababababababababababababababababababab";
const NAME: &str = "rlmesh-build-1g-default";
const CONTAINER: &str = "buildx_buildkit_rlmesh-build-1g-default0";
const SOCKET: &str = "unix:///var/run/docker.sock";
const LINE: &str = "build CartPole-v1 --build-memory 1g --progress none";
const CREATE: &str = "buildx create --name rlmesh-build-1g-default --driver docker-container --driver-opt memory=1g --driver-opt memory-swap=1g";
const REMOVE: &str = "buildx rm --keep-state rlmesh-build-1g-default";

trait Engine {
    /// Adds what an engine answers on which everything goes well: the rules of the test come first.
    fn and_the_rest(self) -> Self;
}

impl Engine for StandIn {
    fn and_the_rest(self) -> Self {
        self.on("buildx version", Reply::stdout("github.com/docker/buildx v0.29.1 abc\n"))
            .on("info *", info("true true 26.1.5"))
            .on("context inspect *", Reply::stdout(format!("default {SOCKET}\n")))
            .on("image inspect * python:3.11-slim", Reply::missing_image())
            .on("image inspect *", Reply::missing_image().once())
            .on("image inspect *", Reply::stdout(format!("{ID}\n")))
            .on("buildx inspect *", builder("memory-swap=\"1g\" memory=\"1073741824\""))
            .on("buildx create *", Reply::default())
            .on("buildx rm *", Reply::default())
            .on("container inspect *", Reply::missing_container())
            .on("buildx build *", Reply::default().stderr(fixture("buildx/built-0.29.1.txt")))
            .on("events *--until *", Reply::default())
            // The watch has no end, and lasts until the program ends it.
            .on("events *", Reply::default().marks("watch").hangs())
    }
}

/// What the engine has: whether it limits memory, whether swap, and its version.
fn info(has: &str) -> Reply {
    Reply::stdout(format!("25276510208 {has} 2026-11-23T08:21:59.820197103Z\n"))
}

fn builder(options: &str) -> Reply {
    builder_on("docker-container", SOCKET, options)
}

fn builder_on(driver: &str, endpoint: &str, options: &str) -> Reply {
    Reply::stdout(format!(
        "Name:          {NAME}\nDriver:        {driver}\nLast Activity: 2026-11-23 08:17:20 +0000 UTC\n\n\
         Nodes:\nName:                  {NAME}0\nEndpoint:              {endpoint}\n\
         Driver Options:        {options}\nStatus:                inactive\n\
         BuildKit daemon flags: --allow-insecure-entitlement=network.host\n"
    ))
}

fn with_2g() -> Reply {
    builder("memory=\"2g\" memory-swap=\"2g\"")
}

fn no_builder() -> Reply {
    Reply::fails(1, &format!("ERROR: no builder \"{NAME}\" found\n"))
}

/// A build that must end well.
#[track_caller]
fn built(docker: StandIn) -> Checked {
    Run::line(LINE).docker(docker.and_the_rest()).stdout(format!("{TAG}\n")).check()
}

/// The changes to builders and containers by a build that must end well.
#[track_caller]
fn changes(docker: StandIn) -> Vec<String> {
    let is_change =
        |call: &&String| ["buildx create", "buildx rm", "rm "].iter().any(|start| call.starts_with(start));
    built(docker).calls.iter().filter(is_change).cloned().collect()
}

/// The stderr of a build that must fail, and leave nothing in the temporary folder.
#[track_caller]
fn failed(docker: StandIn, status: i32) -> String {
    Run::line(LINE).docker(docker.and_the_rest()).status(status).stderr_with(["error: "]).check().stderr
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// What buildx prints of a step that fails.
const STEP_FAILED: &str = r#"{"vertexes":[{"digest":"sha256:a","name":"[3/3] RUN compile","started":"2026-11-23T08:22:00Z"}]}
{"logs":[{"vertex":"sha256:a","stream":1,"data":"Y2MxcGx1czogd29ya2luZwo="}]}
{"vertexes":[{"digest":"sha256:a","name":"[3/3] RUN compile","started":"2026-11-23T08:22:00Z","completed":"2026-11-23T08:22:10Z","error":"process \"compile\" did not complete successfully: exit code: 137"}]}
ERROR: failed to build: failed to solve: process "compile" did not complete successfully
"#;

const BUILDKIT_KILLED: &str =
    "ERROR: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF\n";

/// A build that fails with that output.
fn failing(output: &str) -> StandIn {
    StandIn::new().on("buildx build *", Reply { status: 1, ..Reply::default().stderr(output) })
}

#[test]
fn a_build_that_runs_out_of_memory_says_so_with_the_step_and_what_to_try() {
    let asked = format!(
        "events --format {{{{.Actor.Attributes.name}}}} --filter container={CONTAINER} --filter event=oom --since 2026-11-23T08:21:59.820197103Z --until *"
    );
    let oom = || Reply::stdout(format!("{CONTAINER}\n"));
    Run::line(LINE)
        .docker(failing(STEP_FAILED).on(&asked, oom()).and_the_rest())
        .status(8)
        .stderr(
            "error: the image was not built: the build reached its memory limit of 1g\n\
             \u{20} failing step: [3/3] RUN compile (exit code: 137)\n\
             \u{20} cc1plus: working\n\
             \u{20} ERROR: failed to build: failed to solve: process \"compile\" did not complete successfully\n\
             the whole log: <world>/home/.local/state/rlmesh-sandbox/logs/<log>\n\
             hint: raise the limit with --build-memory SIZE, or build without one: --build-memory off\n\
             hint: compile less at a time: use packages or versions with wheels for this Python, or a base image that sets MAX_JOBS=1 and CMAKE_BUILD_PARALLEL_LEVEL=1\n\
             hint: builds with the same limit that run at the same time share it: run them one after the other\n",
        )
        .check();
    let stderr = failed(failing(BUILDKIT_KILLED).on(&asked, oom()), 8);
    assert!(stderr.contains("the build reached its memory limit of 1g"), "{stderr}");
}

#[test]
fn an_event_that_the_engine_has_forgotten_was_seen_as_it_came() {
    // No pipe holds what follows: all of it is written only once the program has read the event.
    let events = format!("{CONTAINER}\n") + &"another\n".repeat(100_000);
    let build = Reply { status: 1, ..Reply::default().stderr(STEP_FAILED) };
    let docker = StandIn::new()
        .on("events *--until *", Reply::default())
        .on("events *", Reply::stdout(events).marks("read").hangs())
        .on("buildx build *", build.hangs_until("read"));
    failed(docker, 8);
}

#[test]
fn without_an_event_the_limit_is_not_the_cause() {
    for (events, hint) in [
        (Reply::default(), "hint: the memory limit of 1g is not the cause: "),
        // The engine's filter lets longer names through.
        (Reply::stdout(format!("{CONTAINER}1\n")), "hint: the memory limit of 1g is not the cause: "),
        (
            Reply::fails(1, "Error response from daemon: too busy\n"),
            "hint: it is not known whether the memory limit of 1g is the cause: ",
        ),
    ] {
        let stderr = failed(failing(STEP_FAILED).on("events *--until *", events), 5);
        assert!(stderr.contains(hint) && !stderr.contains("reached its memory limit"), "{stderr}");
    }
}

#[test]
fn a_build_that_ends_well_uses_the_builder_and_leaves_no_watch() {
    let checked = built(StandIn::new());
    let calls = &checked.calls;
    let build = calls.iter().find(|call| call.starts_with("buildx build")).unwrap();
    assert!(
        build.contains(&format!(
            "--builder {NAME} --output=type=docker,compression=uncompressed --tag {TAG} "
        )),
        "{build}"
    );
    assert!(
        !calls.iter().any(|call| call.starts_with("buildx create") || call.contains("--until")),
        "{calls:?}"
    );
    // It may have been ended before it could leave its number.
    if let Ok(pid) = std::fs::read_to_string(checked.run.stand_in().folder().join("watch")) {
        let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
        eventually("the end of the watch", || test_kill_process(pid).is_err().then_some(()));
    }
}

#[test]
fn auto_is_the_engines_memory_less_8_gib() {
    let docker = StandIn::new()
        .on("buildx inspect *", no_builder().once())
        .on("buildx inspect *", builder("memory=\"16686575616\" memory-swap=\"16686575616\""))
        .and_the_rest();
    let checked = Run::line("-q build CartPole-v1 --build-memory auto")
        .docker(docker)
        .stdout(format!("{TAG}\n"))
        .check();
    let create = checked.calls.iter().find(|call| call.starts_with("buildx create")).unwrap();
    assert_eq!(
        create,
        "buildx create --name rlmesh-build-16295484k-default --driver docker-container \
         --driver-opt memory=16295484k --driver-opt memory-swap=16295484k"
    );
}

#[test]
fn off_is_the_engines_own_builder() {
    let checked = Run::line("-q build CartPole-v1 --build-memory off")
        .env("RLMESH_SANDBOX_BUILD_MEMORY", "1g")
        .docker(StandIn::new().and_the_rest())
        .stdout(format!("{TAG}\n"))
        .check();
    assert!(!checked.calls.iter().any(|call| call.contains("--builder")), "{:?}", checked.calls);
}

#[test]
fn a_missing_builder_is_created() {
    let missing = || StandIn::new().on("buildx inspect *", no_builder().once());
    assert_eq!(changes(missing()), [CREATE]);
    // Another process may create it first.
    let taken = format!(
        "ERROR: existing instance for \"{NAME}\" but no append mode, specify the node name to make changes for existing instances\n"
    );
    assert_eq!(changes(missing().on("buildx create *", Reply::fails(1, &taken))), [CREATE]);
}

#[test]
fn a_wrong_builder_is_recreated_with_its_cache() {
    for wrong in [
        with_2g(),
        builder("memory=\"1g\""),
        builder("memory=\"1g\" memory-swap=\"-1\""),
        builder("image=\"x\""),
        builder_on("docker-container", "tcp://10.0.0.1:2376", "memory=\"1g\" memory-swap=\"1g\""),
        builder_on("kubernetes", "x", ""),
        builder_on("remote", "tcp://x", ""),
    ] {
        let docker = StandIn::new()
            // Checked twice: before, and once no other process can change it.
            .on("buildx inspect *", Reply { stdout: wrong.stdout.clone(), ..Reply::default() }.once())
            .on("buildx inspect *", wrong.once())
            .on("buildx inspect *", no_builder().once());
        assert_eq!(changes(docker), [REMOVE, CREATE]);
    }
    // An engine that is gone cannot remove its container, but buildx has forgotten the builder.
    let docker = StandIn::new()
        .on("buildx inspect *", with_2g().once())
        .on("buildx inspect *", with_2g().once())
        .on("buildx inspect *", no_builder().once())
        .on("buildx inspect *", no_builder().once())
        .on("buildx rm *", Reply::fails(1, "ERROR: failed to remove one or more builders\n"));
    assert_eq!(changes(docker), [REMOVE, CREATE]);
}

#[test]
fn the_containers_own_limit_counts() {
    for limits in ["2147483648 2147483648", "0 0", "1073741824 -1", "1073741824 2147483648"] {
        let wrong = || Reply::stdout(format!("{limits} null\n")).once();
        let docker = StandIn::new()
            .on("container inspect *", wrong())
            .on("container inspect *", wrong())
            .on("container inspect *", wrong());
        assert_eq!(changes(docker), [REMOVE], "{limits}");
    }
    let used = Reply::stdout("1073741824 1073741824 [\"0123\"]\n");
    assert_eq!(changes(StandIn::new().on("container inspect *", used)), Vec::<String>::new());
}

#[test]
fn an_engine_that_cannot_limit_swap_gets_a_warning() {
    let docker = StandIn::new()
        .on("info *", info("true false 26.1.5"))
        .on("container inspect *", Reply::stdout("1073741824 -1 null\n"))
        .and_the_rest();
    let checked = Run::line(LINE)
        .docker(docker)
        .stdout(format!("{TAG}\n"))
        .stderr("warning: the engine cannot limit swap: where it has some, a build can use more than 1g\n")
        .check();
    assert!(!checked.calls.iter().any(|call| call.contains(" rm ")), "{:?}", checked.calls);
}

#[test]
fn a_limit_that_the_engine_cannot_reach_gets_a_warning() {
    let smaller = Reply::stdout("1073741824 true true 26.1.5 2026-11-23T08:21:59.8Z\n");
    Run::line(LINE)
        .docker(StandIn::new().on("info *", smaller).and_the_rest())
        .stdout(format!("{TAG}\n"))
        .stderr("warning: a memory limit of 1g protects nothing: the engine itself does not have more\n")
        .check();
}

#[test]
fn an_engine_that_cannot_limit_memory_is_refused() {
    let stderr = failed(StandIn::new().on("info *", info("false false 26.1.5")), 7);
    assert_eq!(
        stderr,
        "error: the engine cannot limit memory, so a build cannot be kept within 1g\n\
         hint: give it the memory controller (rootless Docker needs cgroup v2 with delegation), or build without a memory limit: --build-memory off\n"
    );
}

#[test]
fn a_wrong_builder_in_use_is_left_alone() {
    let docker = StandIn::new()
        .on("buildx inspect *", with_2g())
        .on("container inspect *", Reply::stdout("2147483648 2147483648 [\"0123\"]\n"))
        .on("buildx rm *", Reply::fails(1, "ERROR: must not be removed\n"));
    assert_eq!(
        failed(docker, 7),
        format!(
            "error: the builder {NAME} cannot be used (its memory is 2g, not 1g), and a build is using it\n\
             hint: wait until that build is over, or use another --build-memory\n"
        )
    );
}

#[test]
fn a_client_that_only_asks_a_wrong_builder_for_its_state_is_waited_for() {
    let docker = StandIn::new()
        .on("buildx inspect *", with_2g().once())
        .on("buildx inspect *", with_2g().once())
        .on("buildx inspect *", no_builder().once())
        .on("container inspect *", Reply::stdout("2147483648 2147483648 [\"0123\"]\n").once());
    assert_eq!(changes(docker), [REMOVE, CREATE]);
}

#[test]
fn a_wrong_builder_that_stays_ends_the_build() {
    let busy = "failed to remove x: device or resource busy\nERROR: failed to remove one or more builders\n";
    let wrong = || StandIn::new().on("buildx inspect *", with_2g());
    for (docker, expected) in [
        (wrong().on("buildx rm *", Reply::fails(1, busy)), " (its memory is 2g, not 1g), nor removed: "),
        (wrong(), ": its memory is 2g, not 1g\nhint: "),
        (
            StandIn::new().on("buildx inspect *", no_builder()),
            ": it was removed each time that it was created\nhint: ",
        ),
    ] {
        let stderr = failed(docker, 7);
        assert!(
            stderr.starts_with(&format!("error: the builder {NAME} cannot be used{expected}")),
            "{stderr}"
        );
    }
}

#[test]
fn another_engine_has_another_builder() {
    let host = "tcp://10.0.0.1:2376";
    let docker = StandIn::new()
        .on("context inspect *", Reply::stdout(format!("default {host}\n")))
        .on("buildx inspect *", no_builder().once())
        .on("buildx inspect *", builder_on("docker-container", host, "memory=\"1g\" memory-swap=\"1g\""));
    let changes = changes(docker);
    let create = changes[0].strip_prefix("buildx create --name rlmesh-build-1g-at-").unwrap();
    let digest = create.split_whitespace().next().unwrap();
    assert!(digest.len() == 8 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{create}");
}

#[test]
fn a_builder_that_does_not_start_says_what_to_do() {
    let docker = failing(&String::from_utf8(fixture("buildx/not-booted-0.29.1.txt")).unwrap()).and_the_rest();
    Run::line(LINE)
        .docker(docker)
        .status(5)
        .stderr(format!(
            "error: the image was not built: the builder {NAME} did not start: Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host\n\
             \u{20} failing step: [internal] booting buildkit\n\
             the whole log: <world>/home/.local/state/rlmesh-sandbox/logs/<log>\n\
             hint: it runs the image moby/buildkit:buildx-stable-1: let the engine pull it, or copy it there with `docker save` and `docker load`\n\
             hint: from a mirror: docker buildx rm {NAME}; docker buildx create --name {NAME} --driver docker-container --driver-opt memory=1g,memory-swap=1g,image=MIRROR/moby/buildkit:buildx-stable-1\n\
             hint: or build without a memory limit: --build-memory off\n"
        ))
        .check();
}

/// Interrupts a build once there is this mark, and expects that nothing is left of it.
#[track_caller]
fn interrupted_at(mark: &str, docker: StandIn) {
    let run = Run::line(LINE).docker(docker.and_the_rest()).status(130).stderr("interrupted\n");
    run.check_while(|run, child| {
        run.stand_in().wait_for(mark);
        signal(child, Signal::INT);
    });
}

#[test]
fn an_interrupted_build_is_not_a_failed_one() {
    interrupted_at(
        "building",
        StandIn::new().on("buildx build *", Reply::default().marks("building").hangs()),
    );
}

/// What `docker save` prints, with or without what makes it a layout.
fn saved(has_index: bool) -> Vec<u8> {
    let digest = |number: u8| hex::encode([number; 32]);
    let index = format!(r#"{{"manifests":[{{"digest":"sha256:{}"}}]}}"#, digest(3));
    let mut parts = vec![
        (format!("blobs/sha256/{}", digest(2)), "layer".repeat(1000)),
        (format!("blobs/sha256/{}", digest(3)), "{}".to_owned()),
        ("manifest.json".to_owned(), "[]".to_owned()),
    ];
    if has_index {
        parts.push(("index.json".to_owned(), index));
    }
    let mut tar = tar::Builder::new(Vec::new());
    for (name, text) in parts {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

/// An engine whose base images have these repository digests, and that exports them like that.
fn exporting(digests: &str, save: Reply) -> StandIn {
    StandIn::new()
        .on("image inspect * python:3.11-slim", Reply::stdout(format!("{BASE} linux/amd64 {digests}\n")))
        .on(&format!("save {BASE}"), save)
}

#[test]
fn a_base_image_that_only_the_engine_has_is_exported_for_this_build() {
    let copy = r#"for word; do case $word in *=oci-layout://*) folder=${word#*//}; cp -r "${folder%@*}" "$STAND_IN/layout";; esac; done"#;
    // The second one is what the containerd image store lists for an image that was never pushed.
    for digests in ["[]".to_owned(), format!("[\"python@{BASE}\"]")] {
        let build = Reply::default().stderr(fixture("buildx/built-0.29.1.txt")).hook(copy);
        let docker = exporting(&digests, Reply::stdout(saved(true))).on("buildx build *", build);
        let run = Run::line(LINE).docker(docker.and_the_rest()).stdout(format!("{TAG}\n"));
        let checked = run.check();
        assert_eq!(names(&checked.run.home().join(".cache/rlmesh-sandbox")), ["builders", "images"]);
        let build = checked.calls.iter().find(|call| call.starts_with("buildx build")).unwrap();
        let context = format!(
            "--build-context python:3.11-slim=oci-layout://<world>/tmp/rlmesh-sandbox-run-<random>/base-image@sha256:{} ",
            "03".repeat(32)
        );
        assert!(build.contains(&context), "{build}\n{context}");
        let mut exported = names(&checked.run.stand_in().folder().join("layout"));
        exported.sort();
        assert_eq!(exported, ["blobs", "index.json"]);
    }
}

#[test]
fn a_base_image_from_a_registry_is_the_builders_to_pull() {
    // Also from engines that cannot export one.
    for engine in ["true true 26.1.5", "true true 24.0.7"] {
        let docker = exporting("[\"python@sha256:1\"]", Reply::fails(1, "must not be saved\n"));
        let calls = built(docker.on("info *", info(engine))).calls;
        let build = calls.iter().find(|call| call.starts_with("buildx build")).unwrap();
        let context = "--build-context python:3.11-slim=docker-image://python@sha256:1 ";
        assert!(build.contains(context), "{build}");
    }
}

#[test]
fn one_export_serves_the_build_and_its_lockfile() {
    let write = r#"for word; do case $word in *dest=*) folder=${word#*dest=}; folder=${folder%\"}; mkdir "$folder"; cp "$STAND_IN/found" "$folder/lock.txt";; esac; done"#;
    let build = Reply::default().stderr(fixture("buildx/built-0.29.1.txt")).hook(write);
    let docker = exporting("[]", Reply::stdout(saved(true)))
        .on("buildx build *", build)
        .on("image inspect *", Reply::stdout(format!("{ID}\n")));
    let hash = "01".repeat(32);
    let found = ["gymnasium==1.0.0", "rlmesh==0.1.0"].map(|name| format!("{name} --hash=sha256:{hash}\n"));
    std::fs::write(docker.folder().join("found"), found.concat()).unwrap();
    let run = Run::line(&format!("-q {LINE} --lock lock.txt")).docker(docker.and_the_rest());
    let calls = run.stdout(format!("{TAG}\n")).check().calls;
    let count = |part: &str| calls.iter().filter(|call| call.contains(part)).count();
    assert_eq!((count("=oci-layout://"), count("save sha256:")), (2, 1), "{calls:?}");
}

#[test]
fn an_export_that_fails_says_why_and_leaves_nothing() {
    let no_room = Reply {
        status: 1,
        stderr: b"Error response from daemon: no space left on device\n".to_vec(),
        ..Reply::stdout(&saved(true)[..900])
    };
    for (save, expected) in [
        (Reply::stdout(saved(false)), "cannot use it: index.json: No such file"),
        (no_room, "the engine could not export its image python:3.11-slim: no space left"),
        (Reply::stdout("not a tar archive".repeat(200)), "cannot use it: "),
    ] {
        let stderr = failed(exporting("[]", save), 5);
        assert!(stderr.contains(expected), "{stderr}");
    }
    let old = exporting("[]", Reply::default()).on("info *", info("true true 24.0.7"));
    assert_eq!(
        failed(old, 5),
        "error: the base image python:3.11-slim is only in the engine, and a build with --build-memory cannot use it: the engine is older than version 25\n\
         hint: update Docker Engine to version 25 or newer, or push the image to a registry\n\
         hint: or build without a memory limit: --build-memory off\n"
    );
}

#[test]
fn a_folder_that_buildx_would_misread_is_refused() {
    let run = Run::line(LINE).docker(exporting("[]", Reply::fails(1, "must not be saved\n")).and_the_rest());
    let folder = run.here().join("me@lab");
    std::fs::create_dir(&folder).unwrap();
    run.env("TMPDIR", folder)
        .status(1)
        .stderr(
            "error: docker buildx cannot read a base image from <world>/here/me@lab/rlmesh-sandbox-run-<random>/base-image: the path has a colon or an at sign\n\
             hint: set TMPDIR to another folder\n",
        )
        .check();
}

#[test]
fn an_interrupted_export_leaves_nothing() {
    let part = Reply::stdout(&saved(true)[..3000]).marks("saving").hangs();
    interrupted_at("saving", exporting("[]", part));
}

#[test]
fn a_builder_that_another_build_is_starting_is_tried_again() {
    let starting = "ERROR: failed to build: listing workers for Build: failed to list workers: Unavailable: connection error: desc = \"error reading server preface: EOF\"\n";
    let docker = StandIn::new().on("buildx build *", Reply::fails(1, starting).once()).and_the_rest();
    let checked = Run::line(LINE).docker(docker).stdout(format!("{TAG}\n")).any_stderr().check();
    assert_eq!(checked.calls.iter().filter(|call| call.starts_with("buildx build")).count(), 2);
}
