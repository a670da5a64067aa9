//! `reap --builders`: which builders are removed, which stay, and how much disk that gives back.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::{Reply, Run, StandIn};

const SOCKET: &str = "unix:///var/run/docker.sock";
const HERE: &str = "docker-container";

/// What buildx prints of a builder that was last used that many hours ago.
fn builder(name: &str, driver: &str, endpoint: &str, hours: Option<u64>) -> Reply {
    let activity = hours.map_or(String::new(), |hours| {
        let time = SystemTime::now() - Duration::from_secs(hours * 3600 + 60);
        let time = humantime::format_rfc3339_seconds(time).to_string();
        format!("Last Activity: {} +0000 UTC\n", time.replace('T', " ").trim_end_matches('Z'))
    });
    Reply::stdout(format!(
        "Name:          {name}\nDriver:        {driver}\n{activity}\nNodes:\nName:           {name}0\n\
         Endpoint:       {endpoint}\nDriver Options: memory=\"1g\" memory-swap=\"1g\"\nStatus:         inactive\n"
    ))
}

/// An engine with one builder of each kind, for what a test's own rules leave open.
fn engine(docker: StandIn) -> StandIn {
    let builders = [
        ("old", HERE, SOCKET, Some(30)),
        ("new", HERE, SOCKET, Some(3)),
        ("lab", HERE, "lab", Some(30)),
        ("remote", "remote", "tcp://x", Some(30)),
        ("unknown", HERE, SOCKET, None),
    ];
    let docker = builders.into_iter().fold(docker, |docker, (name, driver, endpoint, hours)| {
        let name = format!("rlmesh-build-1g-{name}");
        docker.on(&format!("buildx inspect {name}"), builder(&name, driver, endpoint, hours))
    });
    let table: String = builders
        .iter()
        .map(|(name, ..)| format!("rlmesh-build-1g-{name}*  docker-container\n \\_ rlmesh-build-1g-{name}0    \\_ {SOCKET}   inactive\n"))
        .collect();
    docker
        .on("buildx version", Reply::stdout("github.com/docker/buildx v0.29.1 abc\n"))
        .on("context inspect *", Reply::stdout(format!("default {SOCKET}\n")))
        .on("buildx ls", Reply::stdout(format!("NAME/NODE   DRIVER/ENDPOINT   STATUS\n{table}default*   docker\n")))
        .on("container inspect *", Reply::fails(1, "Error response from daemon: No such container: x\n"))
        .on(
            "system df *",
            Reply::stdout(r#"[{"Name":"buildx_buildkit_rlmesh-build-1g-old0_state","Size":"1.5GB"},{"Name":"x","Size":"9GB"}]"#),
        )
        .on("buildx rm *", Reply::default())
        .on("volume rm *", Reply::default())
}

fn reap(arguments: &str, docker: StandIn) -> Run {
    Run::line(&format!("{arguments} reap --builders")).docker(engine(docker))
}

/// The lock of a builder, as a build of ours makes it.
fn lock(run: &Run, name: &str) -> std::fs::File {
    let folder = run.home().join(".cache/rlmesh-sandbox/builders");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::File::create(folder.join(format!("rlmesh-build-{name}.lock"))).unwrap()
}

#[test]
fn a_dry_run_says_what_would_go_and_why_the_others_stay() {
    let run = Run::line("reap --builders --dry-run")
        .docker(engine(StandIn::new()))
        .stdout("rlmesh-build-1g-old\n")
        .stderr(
            "would remove rlmesh-build-1g-old (1.40 GiB): it has not been used for 1day\n\
             keep rlmesh-build-1g-new (0 B): a build is using it\n\
             keep rlmesh-build-1g-lab (unknown size): it does not belong to this engine (driver docker-container, on lab)\n\
             keep rlmesh-build-1g-remote (unknown size): it does not belong to this engine (driver remote, on tcp://x)\n\
             keep rlmesh-build-1g-unknown (0 B): its last use is not known: --older-than 0 removes it all the same\n\
             would give back 1.40 GiB\n",
        );
    let held = lock(&run, "1g-new");
    held.lock_shared().unwrap();
    let checked = run.check();
    assert!(!checked.calls.iter().any(|call| call.contains("rm ")), "{:?}", checked.calls);
}

#[test]
fn a_builder_that_is_not_used_is_removed_with_its_cache() {
    let checked = reap("", StandIn::new())
        .stdout("rlmesh-build-1g-old\n")
        .stderr(
            "removed rlmesh-build-1g-old (1.40 GiB): it has not been used for 1day\n\
             gave back 1.40 GiB\n",
        )
        .check();
    let removals: Vec<_> = checked.calls.iter().filter(|call| call.contains("rm ")).collect();
    assert_eq!(
        removals,
        [
            "buildx rm --keep-state rlmesh-build-1g-old",
            "volume rm --force buildx_buildkit_rlmesh-build-1g-old0_state"
        ]
    );
}

#[test]
fn a_build_keeps_its_builder() {
    let run = Run::line("-q reap --builders --older-than 0")
        .docker(engine(StandIn::new()))
        .stdout("rlmesh-build-1g-new\nrlmesh-build-1g-unknown\n");
    let held = lock(&run, "1g-old");
    held.lock_shared().unwrap();
    let left = crate::support::files(&run.check().run.home());
    assert_eq!(
        left.into_keys().collect::<Vec<_>>(),
        [".cache/rlmesh-sandbox/builders/rlmesh-build-1g-old.lock"]
    );
}

#[test]
fn another_clients_build_that_starts_in_the_meantime_keeps_its_builder() {
    let inspect = "container inspect * buildx_buildkit_rlmesh-build-1g-old0";
    let docker = StandIn::new()
        .on(inspect, Reply::stdout("1073741824 1073741824 null\n").once())
        .on(inspect, Reply::stdout("1073741824 1073741824 [\"0123\"]\n"));
    let checked = reap("-q", docker).check();
    assert!(!checked.calls.iter().any(|call| call.contains("rm ")), "{:?}", checked.calls);
}

#[test]
fn a_use_that_buildx_does_not_know_about_counts() {
    let run = reap("-q", StandIn::new());
    lock(&run, "1g-old");
    run.check();
}

#[test]
fn json_has_every_builder() {
    let run = Run::line("reap --builders --format json").docker(engine(StandIn::new()));
    let stdout = run.any_stdout().any_stderr().check().stdout;
    let objects: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 5);
    assert_eq!(
        objects[0],
        serde_json::json!({"builder": "rlmesh-build-1g-old", "action": "removed", "reason": "it has not been used for 1day", "bytes": 1_500_000_000_u64})
    );
    assert_eq!((&objects[2]["action"], &objects[2]["bytes"]), (&"kept".into(), &Value::Null));
}

#[test]
fn a_builder_that_cannot_be_removed() {
    let busy = "failed to remove x: device busy\nERROR: failed to remove one or more builders\n";
    let no_sizes = "Error response from daemon: a disk usage operation is already running\n";
    let docker =
        StandIn::new().on("buildx rm *", Reply::fails(1, busy)).on("system df *", Reply::fails(1, no_sizes));
    reap("-q", docker)
        .status(7)
        .stderr(
            "error: the builder rlmesh-build-1g-old could not be removed: failed to remove one or more builders\n\
             \u{20} failed to remove x: device busy\n\
             \u{20} ERROR: failed to remove one or more builders\n\
             hint: try `docker buildx rm rlmesh-build-1g-old`\n"
        )
        .check();
}

#[test]
fn without_an_engine_or_buildx() {
    let no_buildx = Reply::fails(1, "docker: unknown command: docker buildx\n");
    for (docker, said) in [
        (StandIn::dead(), "error: the docker engine does not answer"),
        (
            StandIn::new().on("buildx version", no_buildx),
            "hint: install buildx 0.13 or newer, from the package docker-buildx-plugin",
        ),
    ] {
        Run::line("reap --builders").docker(docker).status(7).stderr_with([said]).check();
    }
}
