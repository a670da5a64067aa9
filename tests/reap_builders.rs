//! `reap --builders`: who goes, who stays, and what that gives back.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::{Reply, Run, StandIn};

fn builder(name: &str, driver: &str, endpoint: &str, activity: &str) -> Reply {
    Reply::stdout(format!(
        "Name:          {name}\nDriver:        {driver}\n{activity}\nNodes:\nName:           {name}0\n\
         Endpoint:       {endpoint}\nDriver Options: memory=\"1g\" memory-swap=\"1g\"\nStatus:         inactive\n"
    ))
}

fn activity(hours_ago: u64) -> String {
    let time = SystemTime::now() - Duration::from_secs(hours_ago * 3600 + 60);
    let time = humantime::format_rfc3339_seconds(time).to_string();
    format!("Last Activity: {} +0000 UTC\n", time.replace('T', " ").trim_end_matches('Z'))
}

const SOCKET: &str = "unix:///var/run/docker.sock";
const HERE: &str = "docker-container";

/// One builder of each kind.
fn zoo() -> StandIn {
    let names = ["old", "new", "busy", "lab", "remote", "unknown"];
    let table: String = names
        .iter()
        .map(|name| format!("rlmesh-build-1g-{name}   docker-container\n \\_ rlmesh-build-1g-{name}0    \\_ {SOCKET}   inactive\n"))
        .collect();
    let one = |name: &str, driver: &str, endpoint: &str, activity: &str| {
        let full = format!("rlmesh-build-1g-{name}");
        (format!("buildx inspect {full}"), builder(&full, driver, endpoint, activity))
    };
    let rules = [
        one("old", HERE, SOCKET, &activity(30)),
        one("new", HERE, SOCKET, &activity(3)),
        one("busy", HERE, SOCKET, &activity(30)),
        one("lab", HERE, "lab", &activity(30)),
        one("remote", "remote", "tcp://x", &activity(30)),
        one("unknown", HERE, SOCKET, ""),
    ];
    let docker = StandIn::new()
        .on("buildx version", Reply::stdout("github.com/docker/buildx v0.29.1 abc\n"))
        .on("context inspect *", Reply::stdout(format!("default {SOCKET}\n")))
        .on(
            "buildx ls",
            Reply::stdout(format!("NAME/NODE   DRIVER/ENDPOINT   STATUS\n{table}default*   docker\n")),
        );
    rules
        .into_iter()
        .fold(docker, |docker, (pattern, reply)| docker.on(&pattern, reply))
        .on("container inspect * buildx_buildkit_rlmesh-build-1g-busy0", Reply::stdout("1073741824 1073741824 [\"0123\"]\n"))
        .on("container inspect *", Reply::fails(1, "Error response from daemon: No such container: x\n"))
        .on(
            "system df *",
            Reply::stdout(r#"[{"Name":"buildx_buildkit_rlmesh-build-1g-old0_state","Size":"1.5GB"},{"Name":"x","Size":"9GB"}]"#),
        )
        .on("buildx rm *", Reply::default())
        .on("volume rm *", Reply::default())
}

/// A copy of a base image that was last used so long ago.
fn copy(run: &Run, number: u8, hours_ago: u64) -> PathBuf {
    let folder = cache(run).join("oci");
    let hex = hex::encode([number; 32]);
    std::fs::create_dir_all(folder.join(&hex).join("blobs")).unwrap();
    std::fs::write(folder.join(&hex).join("blobs/x"), [0; 2048]).unwrap();
    let lock = std::fs::File::create(folder.join(format!("{hex}.lock"))).unwrap();
    lock.set_modified(SystemTime::now() - Duration::from_secs(hours_ago * 3600 + 60)).unwrap();
    folder.join(hex)
}

fn cache(run: &Run) -> PathBuf {
    run.here().parent().unwrap().join("home/.cache/rlmesh-sandbox")
}

#[test]
fn a_dry_run_says_what_would_go_and_why_the_others_stay() {
    let run = Run::line("reap --builders --dry-run").docker(zoo()).stdout("rlmesh-build-1g-old\n").stderr(
        "would remove rlmesh-build-1g-old (1.40 GiB): it has not been used for 1day\n\
         keep rlmesh-build-1g-new (0 B): it was used 3h ago\n\
         keep rlmesh-build-1g-busy (0 B): a build is using it\n\
         keep rlmesh-build-1g-lab (unknown size): it is not a bounded builder of this engine (driver docker-container, on lab)\n\
         keep rlmesh-build-1g-remote (unknown size): it is not a bounded builder of this engine (driver remote, on tcp://x)\n\
         keep rlmesh-build-1g-unknown (0 B): when it was last used is not known: --older-than 0 removes it all the same\n\
         keep the copy of the base image 010101010101 (2.00 KiB): it was used 2h ago\n\
         would remove the copy of the base image 020202020202 (2.00 KiB): it has not been used for 2days\n\
         would give back 1.40 GiB\n",
    );
    let (new, old) = (copy(&run, 1, 2), copy(&run, 2, 50));
    let checked = run.check();
    assert!(new.exists() && old.exists());
    assert!(!checked.calls.iter().any(|call| call.contains("rm ")), "{:?}", checked.calls);
}

#[test]
fn what_is_not_used_goes() {
    let run = Run::line("reap --builders").docker(zoo()).stdout("rlmesh-build-1g-old\n").stderr(
        "removed rlmesh-build-1g-old (1.40 GiB): it has not been used for 1day\n\
         removed the copy of the base image 020202020202 (2.00 KiB): it has not been used for 2days\n\
         gave back 1.40 GiB\n",
    );
    let (new, old) = (copy(&run, 1, 2), copy(&run, 2, 50));
    let checked = run.check();
    assert!(new.exists() && new.with_extension("lock").exists());
    assert!(!old.exists() && !old.with_extension("lock").exists());
    let removals: Vec<_> = checked.calls.iter().filter(|call| call.contains("rm ")).collect();
    assert_eq!(
        removals,
        ["buildx rm rlmesh-build-1g-old", "volume rm --force buildx_buildkit_rlmesh-build-1g-old0_state"]
    );
}

#[test]
fn a_build_that_goes_on_keeps_its_builder_and_its_base_image() {
    let run = Run::line("-q reap --builders --older-than 0")
        .docker(zoo())
        .stdout("rlmesh-build-1g-new\nrlmesh-build-1g-unknown\n");
    let base = copy(&run, 1, 99);
    let folder = cache(&run).join("builders");
    std::fs::create_dir_all(&folder).unwrap();
    // As a build of ours holds them, whatever the engine says.
    let held = [folder.join("rlmesh-build-1g-old.lock"), base.with_extension("lock")].map(|path| {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.lock_shared().unwrap();
        file
    });
    std::fs::write(folder.join("rlmesh-build-9g-gone.lock"), "").unwrap();
    let _checked = run.check();
    assert!(base.exists());
    assert!(!folder.join("rlmesh-build-9g-gone.lock").exists(), "its builder is gone");
    drop(held);
}

#[test]
fn a_use_that_buildx_knows_nothing_of_counts() {
    let run = Run::line("-q reap --builders").docker(zoo());
    let folder = cache(&run).join("builders");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("rlmesh-build-1g-old.lock"), "").unwrap();
    run.check();
}

#[test]
fn as_json_every_builder_and_copy_is_reported() {
    let run = Run::line("reap --builders --format json").docker(zoo()).any_stdout().any_stderr();
    copy(&run, 2, 50);
    let checked = run.check();
    let reported: Vec<Value> =
        checked.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(reported.len(), 7);
    assert_eq!(
        reported[0],
        serde_json::json!({"builder": "rlmesh-build-1g-old", "action": "removed", "reason": "it has not been used for 1day", "bytes": 1_500_000_000_u64})
    );
    assert_eq!(reported[3]["bytes"], Value::Null);
    assert_eq!(reported[6]["base_image"], format!("sha256:{}", "02".repeat(32)));
    assert_eq!(reported[6]["bytes"], 2048);
}

#[test]
fn a_builder_that_cannot_be_removed() {
    let docker = StandIn::new().on(
        "buildx rm *",
        Reply::fails(1, "failed to remove x: device busy\nERROR: failed to remove one or more builders\n"),
    );
    let docker = docker
        .on("buildx version", Reply::stdout("github.com/docker/buildx v0.29.1 abc\n"))
        .on("context inspect *", Reply::stdout(format!("default {SOCKET}\n")))
        .on("buildx ls", Reply::stdout("NAME\nrlmesh-build-1g-old*  docker-container\n"))
        .on("buildx inspect *", builder("rlmesh-build-1g-old", HERE, SOCKET, &activity(30)))
        .on("container inspect *", Reply::fails(1, "Error response from daemon: No such container: x\n"))
        .on(
            "system df *",
            Reply::fails(1, "Error response from daemon: a disk usage operation is already running\n"),
        );
    Run::line("-q reap --builders")
        .docker(docker)
        .status(7)
        .stderr_with(["error: the builder rlmesh-build-1g-old could not be removed: "])
        .check();
}

#[test]
fn without_an_engine_or_buildx() {
    Run::line("reap --builders")
        .docker(StandIn::dead())
        .status(7)
        .stderr_with(["error: the docker engine does not answer"])
        .check();
    let docker =
        StandIn::new().on("buildx version", Reply::fails(1, "docker: unknown command: docker buildx\n"));
    Run::line("reap --builders")
        .docker(docker)
        .status(7)
        .stderr_with(["hint: install the package docker-buildx-plugin"])
        .check();
}
