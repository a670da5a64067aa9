//! Builds under a memory ceiling: how they die, how their builder is made, kept right and mended, and how a base image gets to it.

use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, test_kill_process};

use crate::support::{Reply, Run, StandIn, eventually, fixture, signal};

const TAG: &str = "rlmesh-sandbox-cartpole-v1:7e4a80df0452";
const ID: &str = "sha256:33a109d74efd7043c486c097b1e0647ffdb11c6955fe6281e354832ab0ee44ee";
const BASE: &str = "sha256:abababababababababababababababababababababababababababababababab";
const NAME: &str = "rlmesh-build-1g-default";
const CONTAINER: &str = "buildx_buildkit_rlmesh-build-1g-default0";
const LINE: &str = "build CartPole-v1 --build-memory 1g --progress none";

fn info() -> Reply {
    Reply::stdout("25276510208 true true 26.1.5 2026-11-23T08:21:59.820197103Z\n")
}

fn builder(options: &str) -> Reply {
    described("docker-container", "unix:///var/run/docker.sock", options)
}

fn described(driver: &str, endpoint: &str, options: &str) -> Reply {
    Reply::stdout(format!(
        "Name:          {NAME}\nDriver:        {driver}\nLast Activity: 2026-11-23 08:17:20 +0000 UTC\n\n\
         Nodes:\nName:                  {NAME}0\nEndpoint:              {endpoint}\n\
         Driver Options:        {options}\nStatus:                inactive\n\
         BuildKit daemon flags: --allow-insecure-entitlement=network.host\n"
    ))
}

fn right() -> Reply {
    builder("memory-swap=\"1g\" memory=\"1073741824\"")
}

fn no_builder() -> Reply {
    Reply::fails(1, &format!("ERROR: no builder \"{NAME}\" found\n"))
}

fn no_container() -> Reply {
    Reply::fails(1, &format!("Error response from daemon: No such container: {CONTAINER}\n"))
}

fn no_image() -> Reply {
    Reply { stdout: b"[]\n".to_vec(), ..Reply::fails(1, "Error response from daemon: No such image: x\n") }
}

/// Everything that stands in front of the rules of a test is asked first.
trait Engine: Sized {
    /// An engine with buildx that answers what every bounded build asks, and whose images are `base`.
    fn engine(self, base: Reply) -> Self;
    /// A builder that is as it should be, and has not built yet.
    fn with_builder(self) -> Self;
    /// An engine that saw nothing.
    fn quiet(self) -> Self;
    /// A build that ends well.
    fn building(self) -> Self;
}

impl Engine for StandIn {
    fn engine(self, base: Reply) -> Self {
        self.on("buildx version", Reply::stdout("github.com/docker/buildx v0.29.1 abc\n"))
            .on("info *", info())
            .on("context inspect *", Reply::stdout("default unix:///var/run/docker.sock\n"))
            .on("image inspect --format {{.Id}} {{.Size}} *", base)
            .on("image inspect --format {{.Id}} {{.Os}}*", no_image().once())
            .on("image inspect --format {{.Id}} {{.Os}}*", Reply::stdout(format!("{ID}\n")))
    }

    fn with_builder(self) -> Self {
        self.on("buildx inspect *", right()).on("container inspect *", no_container())
    }

    fn quiet(self) -> Self {
        // The watch's own question has no end, and lasts until the program ends it.
        self.on("events --since * --until *", Reply::default())
            .on("events *", Reply::default().marks("watch").hangs())
    }

    fn building(self) -> Self {
        self.on("buildx build *", Reply::default().stderr(fixture("buildx/built-0.29.1.txt")))
    }
}

fn oom(container: &str) -> String {
    format!(
        "2026-11-23T08:22:10.408790858Z container oom 7197fffee5a57ecaa4bb (image=moby/buildkit:buildx-stable-1, name={container})\n"
    )
}

fn run_step(error: Option<&str>) -> String {
    let step = |more: &str| {
        format!(
            r#"{{"vertexes":[{{"digest":"sha256:a","name":"[3/3] RUN compile","started":"2026-11-23T08:22:00Z"{more}}}]}}"#
        ) + "\n"
    };
    let output = r#"{"logs":[{"vertex":"sha256:a","stream":1,"data":"Y2MxcGx1czogd29ya2luZwo="}]}"#;
    let end = error.map(|error| {
        let error =
            format!(r#","completed":"2026-11-23T08:22:10Z","error":"process \"compile\" did not complete successfully: {error}""#);
        step(&error) + "ERROR: failed to build: failed to solve: process \"compile\" did not complete successfully\n"
    });
    step("") + output + "\n" + &end.unwrap_or_default()
}

const BUILDKIT_KILLED: &str =
    "ERROR: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF\n";

fn dying(death: &str) -> StandIn {
    StandIn::new()
        .engine(no_image())
        .with_builder()
        .on("buildx build *", Reply { status: 1, ..Reply::default().stderr(death) })
}

fn all_deaths() -> Vec<String> {
    vec![
        run_step(Some("exit code: 137")),
        run_step(Some("exit code: 247")),
        run_step(Some("exit code: 1")),
        run_step(Some("exit code: 2")),
        run_step(Some("cannot allocate memory")),
        run_step(None) + BUILDKIT_KILLED,
        BUILDKIT_KILLED.to_owned(),
    ]
}

#[test]
fn a_build_that_dies_of_memory_says_so_however_it_dies() {
    for death in all_deaths() {
        let docker = dying(&death)
            .on(
                &format!("events --since * --until * --filter container={CONTAINER} --filter event=oom"),
                Reply::stdout(oom(CONTAINER)),
            )
            .on("events *", Reply::default().hangs());
        let step = if death.contains("RUN compile") { "[3/3] RUN compile" } else { "" };
        Run::line(LINE)
            .docker(docker)
            .status(8)
            .stderr_with(["the build met its memory ceiling of 1g", step])
            .check();
    }
}

#[test]
fn the_ceiling_is_told_with_the_step_and_what_to_try() {
    let docker = dying(&run_step(Some("exit code: 137")))
        .on("events --since 2026-11-23T08:21:59.820197103Z --until *", Reply::stdout(oom(CONTAINER)))
        .quiet();
    Run::line(LINE)
        .docker(docker)
        .status(8)
        .stderr(
            "error: the image was not built: the build met its memory ceiling of 1g\n\
             hint: give it more with --build-memory SIZE, or leave it to the engine: --build-memory off\n\
             hint: have less compiled at a time: packages or versions with wheels for this Python, or a base image that sets MAX_JOBS=1 and CMAKE_BUILD_PARALLEL_LEVEL=1\n\
             hint: builds that run at the same time under the same ceiling share it: run them one after the other\n\
             \n\
             failing step: [3/3] RUN compile (exit code: 137)\n\
             cc1plus: working\n\
             ERROR: failed to build: failed to solve: process \"compile\" did not complete successfully\n\
             whole log: <world>/home/.local/state/rlmesh-sandbox/logs/<log>\n",
        )
        .check();
}

#[test]
fn an_event_that_the_engine_has_forgotten_was_seen_as_it_came() {
    // No pipe holds what follows: it is all written only once the program has read the event.
    let events = oom(CONTAINER) + &"another event\n".repeat(100_000);
    let docker = StandIn::new()
        .engine(no_image())
        .with_builder()
        .on("events --since * --until *", Reply::default())
        .on("events *", Reply::stdout(events).marks("read").hangs())
        .on(
            "buildx build *",
            Reply { status: 1, ..Reply::default().stderr(run_step(Some("exit code: 1"))) }
                .hangs_until("read"),
        );
    Run::line(LINE)
        .docker(docker)
        .status(8)
        .stderr_with(["the build met its memory ceiling of 1g", "[3/3] RUN compile"])
        .check();
}

#[test]
fn a_build_that_fails_otherwise_has_not_met_its_ceiling() {
    for (death, events) in [
        (run_step(Some("exit code: 137")), String::new()),
        (run_step(Some("exit code: 1")), String::new()),
        (run_step(None) + BUILDKIT_KILLED, String::new()),
        // The engine's filter takes the start of a name for the whole.
        (run_step(Some("exit code: 137")), oom(&format!("{CONTAINER}1"))),
    ] {
        let docker = dying(&death).on("events --since * --until *", Reply::stdout(events)).quiet();
        let stderr = Run::line(LINE)
            .docker(docker)
            .status(5)
            .stderr_with(["error: the image was not built: "])
            .check()
            .stderr;
        assert!(!stderr.contains("met its memory ceiling"), "{stderr}");
        assert_eq!(death.contains("137"), stderr.contains("it did not meet its ceiling of 1g"), "{stderr}");
    }
}

#[test]
fn where_the_engine_forgets_to_answer_that_is_said() {
    let docker = dying(&run_step(Some("exit code: 137")))
        .on("events *", Reply::fails(1, "Error response from daemon: too busy\n"));
    Run::line(LINE)
        .docker(docker)
        .status(5)
        .stderr_with(["hint: whether it met its ceiling of 1g is not known"])
        .check();
}

#[test]
fn a_build_that_ends_well_goes_through_the_builder_and_leaves_no_watch() {
    let docker = StandIn::new().engine(no_image()).with_builder().quiet().building();
    let checked = Run::line(LINE).docker(docker).stdout(format!("{TAG}\n")).check();
    let calls = &checked.calls;
    let place = |start: &str| calls.iter().position(|call| call.starts_with(start)).unwrap();
    assert!(place("buildx version") < place("buildx inspect"), "{calls:?}");
    assert!(calls.contains(&format!("buildx inspect {NAME}")), "{calls:?}");
    let build = calls.iter().find(|call| call.starts_with("buildx build")).unwrap();
    assert!(build.contains(&format!("--builder {NAME} --load --tag {TAG} ")), "{build}");
    assert!(
        !calls.iter().any(|call| call.starts_with("buildx create") || call.contains("--until")),
        "{calls:?}"
    );
    // It may have been ended before it got to leave its number.
    if let Ok(pid) = std::fs::read_to_string(checked.run.stand_in().folder().join("watch")) {
        let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
        eventually("the end of the watch", || test_kill_process(pid).is_err().then_some(()));
    }
}

#[test]
fn auto_is_the_engines_memory_less_8_gib() {
    let docker = StandIn::new()
        .engine(no_image())
        .on("buildx inspect *", no_builder().once())
        .on("buildx create *", Reply::default())
        .on("buildx inspect *", builder("memory=\"16686575616\" memory-swap=\"16686575616\""))
        .on("container inspect *", no_container())
        .quiet()
        .building();
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
    let docker = StandIn::new()
        .on("buildx version", Reply::stdout("github.com/docker/buildx v0.29.1 abc\n"))
        .on("image inspect *", no_image().once())
        .on("image inspect *", Reply::stdout(format!("{ID}\n")))
        .building();
    let checked = Run::line("-q build CartPole-v1 --build-memory off")
        .env("RLMESH_SANDBOX_BUILD_MEMORY", "1g")
        .docker(docker)
        .stdout(format!("{TAG}\n"))
        .check();
    assert!(!checked.calls.iter().any(|call| call.contains("--builder")), "{:?}", checked.calls);
}

/// Runs a build that must end well, and gives what was done to builders and containers.
#[track_caller]
fn changes(docker: StandIn) -> Vec<String> {
    let checked = Run::line(LINE).docker(docker.quiet().building()).stdout(format!("{TAG}\n")).check();
    let is_change =
        |call: &&String| ["buildx create", "buildx rm", "rm "].iter().any(|start| call.starts_with(start));
    checked.calls.iter().filter(is_change).cloned().collect()
}

const CREATE: &str = "buildx create --name rlmesh-build-1g-default --driver docker-container --driver-opt memory=1g --driver-opt memory-swap=1g";

#[test]
fn a_builder_that_another_process_makes_first_is_as_good() {
    let docker = StandIn::new()
        .engine(no_image())
        .on("buildx inspect *", no_builder().once())
        .on("buildx create *", Reply::fails(1, &format!("ERROR: existing instance for \"{NAME}\" but no append mode, specify the node name to make changes for existing instances\n")))
        .with_builder();
    assert_eq!(changes(docker), [CREATE]);
}

#[test]
fn a_wrong_builder_is_mended() {
    let rm = format!("buildx rm {NAME}");
    let keep = format!("buildx rm --keep-state {NAME}");
    for (wrong, removal) in [
        (builder("memory=\"2g\" memory-swap=\"2g\""), &keep),
        (builder("memory=\"1g\""), &keep),
        (builder("memory=\"1g\" memory-swap=\"-1\""), &keep),
        (builder("image=\"x\""), &keep),
        (described("docker-container", "tcp://10.0.0.1:2376", "memory=\"1g\" memory-swap=\"1g\""), &rm),
        (described("kubernetes", "x", ""), &rm),
        (described("remote", "tcp://x", ""), &rm),
    ] {
        let docker = StandIn::new()
            .engine(no_image())
            // Looked at twice: before, and once nobody else can change it.
            .on("buildx inspect *", Reply { stdout: wrong.stdout.clone(), ..Reply::default() }.once())
            .on("buildx inspect *", wrong.once())
            .on("buildx inspect *", no_builder().once())
            .on("buildx rm *", Reply::default())
            .on("buildx create *", Reply::default())
            .with_builder();
        assert_eq!(changes(docker), [removal.as_str(), CREATE]);
    }
}

#[test]
fn a_container_with_another_limit_goes_and_its_cache_stays() {
    for limits in ["2147483648 2147483648", "0 0", "1073741824 -1", "1073741824 2147483648"] {
        let wrong = || Reply::stdout(format!("{limits} null\n")).once();
        let docker = StandIn::new()
            .engine(no_image())
            .on("container inspect *", wrong())
            .on("container inspect *", wrong())
            .on("container inspect *", wrong())
            .on("rm --force *", Reply::default())
            .with_builder();
        assert_eq!(changes(docker), [format!("rm --force --volumes {CONTAINER}")], "{limits}");
    }
    let right = StandIn::new()
        .engine(no_image())
        .on("container inspect *", Reply::stdout("1073741824 1073741824 [\"0123\"]\n"))
        .with_builder();
    assert_eq!(changes(right), Vec::<String>::new());
}

#[test]
fn an_engine_that_cannot_limit_swap_is_no_reason_to_mend_for_ever() {
    let docker = StandIn::new()
        .on("info *", Reply::stdout("25276510208 true false 26.1.5 2026-11-23T08:21:59.8Z\n"))
        .engine(no_image())
        .on("container inspect *", Reply::stdout("1073741824 -1 null\n"))
        .with_builder()
        .quiet()
        .building();
    Run::line(LINE)
        .docker(docker)
        .stdout(format!("{TAG}\n"))
        .stderr("warning: the engine cannot limit swap: where it has some, a build can use more than 1g\n")
        .check();
}

#[test]
fn an_engine_that_cannot_limit_memory_keeps_no_ceiling() {
    let docker = StandIn::new()
        .on("info *", Reply::stdout("25276510208 false false 26.1.5 2026-11-23T08:21:59.8Z\n"))
        .engine(no_image());
    Run::line(LINE)
        .docker(docker)
        .status(7)
        .stderr(
            "error: the engine cannot limit memory, so a build cannot be kept within 1g\n\
             hint: give it the memory controller (rootless Docker needs cgroup v2 with delegation), or build without a ceiling: --build-memory off\n",
        )
        .check();
}

#[test]
fn a_wrong_builder_that_somebody_uses_is_left_alone() {
    let docker = StandIn::new()
        .engine(no_image())
        .on("buildx inspect *", builder("memory=\"2g\" memory-swap=\"2g\""))
        .on("container inspect *", Reply::stdout("2147483648 2147483648 [\"0123\"]\n"));
    let checked = Run::line(LINE)
        .docker(docker)
        .status(7)
        .stderr(format!(
            "error: the builder {NAME} is wrong (its memory is 2g), and a build is using it\n\
             hint: wait until that build is over, or use another --build-memory\n"
        ))
        .check();
    assert!(!checked.calls.iter().any(|call| call.contains("rm ")), "{:?}", checked.calls);
}

#[test]
fn a_client_that_only_glanced_at_a_wrong_builder_does_not_hold_it() {
    let wrong = || builder("memory=\"2g\" memory-swap=\"2g\"").once();
    let docker = StandIn::new()
        .engine(no_image())
        .on("buildx inspect *", wrong())
        .on("buildx inspect *", wrong())
        .on("buildx inspect *", no_builder().once())
        .on("container inspect *", Reply::stdout("2147483648 2147483648 [\"0123\"]\n").once())
        .on("container inspect *", Reply::stdout("2147483648 2147483648 null\n").once())
        .on("buildx rm *", Reply::default())
        .on("buildx create *", Reply::default())
        .with_builder();
    assert_eq!(changes(docker), [format!("buildx rm --keep-state {NAME}"), CREATE.to_owned()]);
}

#[test]
fn a_builder_that_cannot_be_mended_ends_the_build() {
    let wrong = || builder("memory=\"2g\" memory-swap=\"2g\"");
    let stays = StandIn::new()
        .engine(no_image())
        .on("buildx inspect *", wrong())
        .on("container inspect *", no_container())
        .on(
            "buildx rm *",
            Reply::fails(
                1,
                "failed to remove x: device or resource busy\nERROR: failed to remove one or more builders\n",
            ),
        );
    Run::line(LINE)
        .docker(stays)
        .status(7)
        .stderr_with([format!(
            "error: the builder {NAME} is wrong (its memory is 2g) and could not be removed: "
        )])
        .check();

    let comes_back = StandIn::new()
        .engine(no_image())
        .on("buildx inspect *", wrong())
        .on("container inspect *", no_container())
        .on("buildx rm *", Reply::default());
    Run::line(LINE)
        .docker(comes_back)
        .status(7)
        .stderr_with([format!("error: the builder {NAME} cannot be had: its memory is 2g\nhint: ")])
        .check();
}

#[test]
fn a_buildx_that_knows_no_memory_limit_is_too_old() {
    let docker = StandIn::new().engine(no_image()).on("buildx inspect *", no_builder()).on(
        "buildx create *",
        Reply::fails(1, "ERROR: invalid driver option memory for docker-container driver\n"),
    );
    Run::line(LINE)
        .docker(docker)
        .status(7)
        .stderr_with(["too old", "hint: install a newer docker-buildx-plugin"])
        .check();
}

#[test]
fn without_buildx_there_is_no_fall_back() {
    let docker = StandIn::new()
        .on("buildx version", Reply::fails(1, "docker: unknown command: docker buildx\n"))
        .engine(no_image());
    Run::line(LINE)
        .docker(docker)
        .status(7)
        .stderr_with(["hint: install the package docker-buildx-plugin"])
        .check();
}

#[test]
fn another_engine_has_another_builder() {
    let docker = StandIn::new()
        .on("context inspect *", Reply::stdout("default tcp://10.0.0.1:2376\n"))
        .engine(no_image())
        .on("buildx inspect *", no_builder())
        .on("buildx create *", Reply::fails(1, "ERROR: failed to initialize builder x (x0): Cannot connect to the Docker daemon at tcp://10.0.0.1:2376. Is the docker daemon running?\n"));
    let checked = Run::line(LINE)
        .env("DOCKER_HOST", "tcp://10.0.0.1:2376")
        .docker(docker)
        .status(7)
        .stderr_with(["error: the docker engine does not answer"])
        .check();
    let calls = checked.calls;
    let create =
        calls.iter().find(|call| call.starts_with("buildx create --name rlmesh-build-1g-default-")).unwrap();
    let digest = create.split_whitespace().nth(3).unwrap().rsplit('-').next().unwrap();
    assert!(digest.len() == 8 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{create}");
}

#[test]
fn a_builder_that_does_not_start_says_what_to_do() {
    let docker = dying(&String::from_utf8(fixture("buildx/not-booted-0.29.1.txt")).unwrap()).quiet();
    Run::line(LINE)
        .docker(docker)
        .status(5)
        .stderr(format!(
            "error: the image was not built: the builder {NAME} did not start: Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host\n\
             hint: it runs the image moby/buildkit:buildx-stable-1: have the engine pull it, or bring it there with `docker save` and `docker load`\n\
             hint: from a mirror: docker buildx rm {NAME}; docker buildx create --name {NAME} --driver docker-container --driver-opt memory=1g,memory-swap=1g,image=MIRROR/moby/buildkit:buildx-stable-1\n\
             hint: or build without a ceiling: --build-memory off\n\
             \n\
             failing step: [internal] booting buildkit\n\
             whole log: <world>/home/.local/state/rlmesh-sandbox/logs/<log>\n"
        ))
        .check();
}

#[test]
fn an_interrupted_build_is_no_failed_one() {
    let docker = StandIn::new()
        .engine(no_image())
        .with_builder()
        .quiet()
        .on("buildx build *", Reply::default().marks("building").hangs());
    Run::line(LINE).docker(docker).status(130).stderr("interrupted\n").check_while(|run, child| {
        run.stand_in().wait_for("building");
        signal(child, Signal::INT);
    });
}

/// What `docker save` streams, with or without what makes it a layout.
fn saved(has_index: bool) -> Vec<u8> {
    let digest = |number: u8| hex::encode([number; 32]);
    let manifest = format!(
        r#"{{"config":{{"digest":"sha256:{}","size":2}},"layers":[{{"digest":"sha256:{}","size":5}}]}}"#,
        digest(1),
        digest(2)
    );
    let index = format!(
        r#"{{"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:{}","size":{}}}]}}"#,
        digest(3),
        manifest.len()
    );
    let mut parts = vec![
        (format!("blobs/sha256/{}", digest(1)), "{}".to_owned()),
        (format!("blobs/sha256/{}", digest(2)), "layer".to_owned()),
        (format!("blobs/sha256/{}", digest(3)), manifest),
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

fn local(digests: &str) -> Reply {
    Reply::stdout(format!("{BASE} 5 {digests}\n"))
}

fn copies(run: &Run) -> PathBuf {
    run.here().parent().unwrap().join("home/.cache/rlmesh-sandbox/oci")
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn giving(base: Reply, save: Reply) -> StandIn {
    StandIn::new().engine(base).with_builder().quiet().on(&format!("save {BASE}"), save).building()
}

/// The same, where the image is asked for only once it is built.
fn rebuilding(base: Reply) -> StandIn {
    let built = StandIn::new()
        .on("image inspect --format {{.Id}} {{.Os}}*", Reply::stdout(format!("{ID}\n")))
        .on(&format!("save {BASE}"), Reply::stdout(saved(true)));
    built.engine(base).with_builder().quiet().building()
}

#[test]
fn a_base_image_that_only_the_engine_has_is_handed_over_once() {
    let run = Run::line(&format!("{LINE} --rebuild --base-image local/sim:1"))
        .docker(rebuilding(local("[]")))
        .stdout_with(["rlmesh-sandbox-cartpole-v1:"]);
    let checked = run.check().run.check();
    let (calls, run) = (checked.run.stand_in().calls(), checked.run);
    let hex = BASE.trim_start_matches("sha256:");
    let folder = copies(&run).join(hex);
    let context =
        format!("--build-context local/sim:1=oci-layout://{}@sha256:{}", folder.display(), "03".repeat(32));
    let builds: Vec<_> = calls.iter().filter(|call| call.starts_with("buildx build")).collect();
    assert_eq!(builds.len(), 2);
    assert!(builds.iter().all(|build| build.contains(&context)), "{builds:?}\n{context}");
    assert_eq!(calls.iter().filter(|call| call.starts_with("save")).count(), 1, "{calls:?}");
    assert_eq!(names(&folder), ["blobs", "index.json"]);
    assert_eq!(names(&copies(&run)), [hex.to_owned(), format!("{hex}.lock")]);
}

#[test]
fn a_copy_that_lacks_a_layer_is_made_again() {
    let run = Run::line(&format!("{LINE} --rebuild"))
        .docker(rebuilding(local("[\"x@sha256:1\"]")))
        .stdout(format!("{TAG}\n"))
        .check()
        .run;
    let folder = copies(&run).join(BASE.trim_start_matches("sha256:"));
    let layer = folder.join("blobs/sha256").join("02".repeat(32));
    std::fs::remove_file(&layer).unwrap();
    let _second = run.check();
    assert!(layer.exists());
}

#[test]
fn a_path_that_buildx_would_misread_goes_by_another_name() {
    let run = Run::line(LINE).docker(giving(local("[]"), Reply::stdout(saved(true))));
    let cache = run.here().join("me@lab:x");
    let run = run.env("XDG_CACHE_HOME", &cache).stdout(format!("{TAG}\n"));
    let checked = run.check();
    let build = checked.calls.iter().find(|call| call.starts_with("buildx build")).unwrap();
    assert!(build.contains("=oci-layout://<world>/tmp/rlmesh-sandbox-run-<random>/base@sha256:"), "{build}");
}

#[test]
fn an_older_engine_hands_nothing_over() {
    let old = || Reply::stdout("25276510208 true true 24.0.7 2026-11-23T08:21:59.8Z\n");
    // One that a registry has is the builder's to fetch.
    let docker = StandIn::new()
        .on("info *", old())
        .engine(local("[\"x@sha256:1\"]"))
        .with_builder()
        .quiet()
        .building();
    let checked = Run::line(LINE).docker(docker).stdout(format!("{TAG}\n")).check();
    assert!(!checked.calls.iter().any(|call| call.contains("--build-context")), "{:?}", checked.calls);
    let docker = StandIn::new().on("info *", old()).engine(local("[]")).with_builder();
    Run::line(LINE)
        .docker(docker)
        .status(5)
        .stderr(
            "error: the base image python:3.11-slim is only in the engine, and a bounded build cannot have it from there: it is older than 25\n\
             hint: update Docker Engine to 25 or later, or push the image to a registry\n\
             hint: or build without a ceiling: --build-memory off\n",
        )
        .check();
}

#[test]
fn a_save_that_fails_leaves_nothing() {
    for (save, said) in [
        (Reply::stdout(saved(false)), "cannot have it from there: index.json: "),
        (
            Reply {
                status: 1,
                stderr: b"Error response from daemon: no space left on device\n".to_vec(),
                ..Reply::stdout(&saved(true)[..900])
            },
            "no space left",
        ),
        (Reply::stdout("not a tar archive".repeat(200)), "cannot have it from there: "),
    ] {
        let run = Run::line(LINE).docker(giving(local("[]"), save)).status(5).stderr_with([said]).check().run;
        let kept = names(&copies(&run));
        assert!(kept.iter().all(|name| name.ends_with(".lock")), "{kept:?}");
    }
}

#[test]
fn an_interrupted_save_leaves_nothing() {
    let docker = giving(local("[]"), Reply::stdout(&saved(true)[..600]).hangs());
    let run = Run::line(LINE).docker(docker).status(130).stderr("interrupted\n");
    let checked = run.check_while(|run, child| {
        let draft = copies(run).join(format!("{}.new", BASE.trim_start_matches("sha256:")));
        eventually("a part of the copy", || draft.join("blobs").exists().then_some(()));
        signal(child, Signal::INT);
    });
    let kept = names(&copies(&checked.run));
    assert!(kept.iter().all(|name| name.ends_with(".lock")), "{kept:?}");
}
