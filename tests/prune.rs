//! `prune`: which images, builders and logs are removed, which stay, and how much disk that gives back.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

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
pub(crate) fn engine(docker: StandIn) -> StandIn {
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
        .on("container inspect *", Reply::missing_container())
        .on(
            "system df *",
            Reply::stdout(r#"[{"Name":"buildx_buildkit_rlmesh-build-1g-old0_state","Size":"1.5GB"},{"Name":"x","Size":"9GB"}]"#),
        )
        .on("buildx rm *", Reply::default())
        .on("volume rm *", Reply::default())
}

fn prune(arguments: &str, docker: StandIn) -> Run {
    Run::line(&format!("{arguments} prune --builders")).docker(engine(docker))
}

/// The lock of a builder, as a build of ours makes it.
fn lock(run: &Run, name: &str) -> std::fs::File {
    let folder = run.home().join(".cache/rlmesh-sandbox/builders");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::File::create(folder.join(format!("rlmesh-build-{name}.lock"))).unwrap()
}

#[test]
fn a_dry_run_says_what_would_go_and_why_the_others_stay() {
    let run = Run::line("prune --builders --dry-run")
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
    let checked = prune("", StandIn::new())
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
    let run = Run::line("-q prune --builders --older-than 0")
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
    let checked = prune("-q", docker).check();
    assert!(!checked.calls.iter().any(|call| call.contains("rm ")), "{:?}", checked.calls);
}

#[test]
fn a_use_that_buildx_does_not_know_about_counts() {
    let run = prune("-q", StandIn::new());
    lock(&run, "1g-old");
    run.check();
}

#[test]
fn json_has_every_builder() {
    let run = Run::line("prune --builders --format json").docker(engine(StandIn::new()));
    let objects: Vec<Value> = run.any_stdout().any_stderr().check().json();
    assert_eq!(objects.len(), 5);
    assert_eq!(
        objects[0],
        serde_json::json!({"kind": "builder", "name": "rlmesh-build-1g-old", "action": "removed", "reason": "it has not been used for 1day", "bytes": 1_500_000_000_u64})
    );
    assert_eq!((&objects[2]["action"], &objects[2]["bytes"]), (&"kept".into(), &Value::Null));
}

#[test]
fn a_builder_that_cannot_be_removed() {
    let busy = "failed to remove x: device busy\nERROR: failed to remove one or more builders\n";
    let no_sizes = "Error response from daemon: a disk usage operation is already running\n";
    let docker =
        StandIn::new().on("buildx rm *", Reply::fails(1, busy)).on("system df *", Reply::fails(1, no_sizes));
    prune("-q", docker)
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
        Run::line("prune --builders").docker(docker).status(7).stderr_with([said]).check();
    }
}

const TAG: &str = "rlmesh-sandbox-cartpole-v1:7e4a80df0452";

/// An image as docker inspects it.
fn image(id: &str, tags: &[&str], change: &[(&str, Value)]) -> Value {
    let mut image = json!({
        "Id": format!("sha256:{id}"), "RepoTags": tags, "Created": "2020-01-01T00:00:00Z", "Size": 300_000_000,
        "Config": {"Labels": null, "Entrypoint": ["python", "-m", "rlmesh._bootstrap.sandbox_env"]},
        "Metadata": {"LastTagTime": "0001-01-01T00:00:00Z"}
    });
    for (key, value) in change {
        image[*key] = value.clone();
    }
    image
}

/// An engine with an image of each kind.
pub(crate) fn images() -> StandIn {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let other = json!({"Labels": {"rlmesh.image.recipe": "x"}, "Entrypoint": ["sh"]});
    let images = [
        image("a1", &[TAG, "rlmesh-sandbox-acrobot-v1:0e4a80df0452"], &[]),
        image("a2", &["rlmesh-sandbox-used-v1:1e4a80df0452"], &[]),
        image("a3", &["rlmesh-sandbox-named-v1:2e4a80df0452", "me/mine:1"], &[]),
        image("a4", &["rlmesh-sandbox-mine:latest"], &[]),
        image("a5", &["rlmesh-sandbox-other:3e4a80df0452"], &[("Config", other)]),
        image("a6", &["rlmesh-sandbox-new-v1:4e4a80df0452"], &[("Created", json!(now))]),
        image("a7", &["rlmesh-sandbox-tagged-v1:5e4a80df0452"], &[("Metadata", json!({"LastTagTime": now}))]),
    ];
    // One that lost its tag, and one that was built on top of an image of ours.
    let untagged = [image("d1", &[], &[]), image("d2", &[], &[])];
    let ids: Vec<&str> = images.iter().map(|image| image["Id"].as_str().unwrap()).collect();
    StandIn::new()
        .on(
            "image ls --quiet --no-trunc --filter reference=rlmesh-sandbox-*",
            Reply::stdout(format!("{}\n{}\n", ids[0], ids.join("\n"))),
        )
        .on(
            "image ls --quiet --no-trunc --filter dangling=true --filter label=rlmesh.image.created-by",
            Reply::stdout("sha256:d1\nsha256:d2\n"),
        )
        .on("image inspect sha256:d1 sha256:d2", Reply::stdout(serde_json::to_vec(&untagged).unwrap()))
        .on(
            "image history --no-trunc --format {{.CreatedBy}} sha256:d2",
            Reply::stdout(
                "RUN pip install mine\nENTRYPOINT [\"python\" \"-m\" \"rlmesh._bootstrap.sandbox_env\"]\n",
            ),
        )
        .on(
            "image history *",
            Reply::stdout("ENTRYPOINT [\"python\" \"-m\" \"rlmesh._bootstrap.sandbox_env\"]\nEXPOSE x\n"),
        )
        .on(&format!("image inspect {}", ids.join(" ")), Reply::stdout(serde_json::to_vec(&images).unwrap()))
        .on("ps --all --no-trunc --quiet", Reply::stdout("c1\nc2\n"))
        .on(
            "container inspect --format {{.Image}} -- c1 c2",
            Reply {
                stdout: b"sha256:a2\n".to_vec(),
                ..Reply::fails(1, "Error response from daemon: No such container: c2\n")
            },
        )
        .on(
            "system df *",
            Reply::stdout(
                r#"[{"ID":"sha256:a1","UniqueSize":"91.42MB"},{"ID":"sha256:a2","UniqueSize":"1GB"}]"#,
            ),
        )
}

#[test]
fn only_images_of_ours_that_nothing_needs_are_removed() {
    let both = "rlmesh-sandbox-cartpole-v1:7e4a80df0452\nrlmesh-sandbox-acrobot-v1:0e4a80df0452\nsha256:d1\n";
    let checked = Run::line("prune --images --dry-run")
        .docker(images())
        .stdout(both)
        .stderr(
            "would remove rlmesh-sandbox-cartpole-v1:7e4a80df0452 and 1 more name (87.18 MiB): no container uses it\n\
             keep rlmesh-sandbox-used-v1:1e4a80df0452 (953.67 MiB): 1 container uses it\n\
             keep rlmesh-sandbox-named-v1:2e4a80df0452 (unknown size): it also has the name me/mine:1\n\
             keep rlmesh-sandbox-new-v1:4e4a80df0452 (unknown size): it was built or tagged a short time ago\n\
             keep rlmesh-sandbox-tagged-v1:5e4a80df0452 (unknown size): it was built or tagged a short time ago\n\
             would remove sha256:d1 (unknown size): no container uses it\n\
             keep sha256:d2 (unknown size): it was built on top of an image of this tool\n\
             would give back 87.18 MiB\n\
             layers that the build cache holds stay until `docker builder prune`\n",
        )
        .check();
    assert!(!checked.calls.iter().any(|call| call.contains(" rm ")), "{:?}", checked.calls);
    let docker = images().on("image rm *", Reply::default());
    let checked = Run::line("prune --images").docker(docker).stdout(both).any_stderr().check();
    let removals: Vec<_> = checked.calls.iter().filter(|call| call.contains(" rm ")).collect();
    assert_eq!(
        removals,
        [&format!("image rm {TAG} rlmesh-sandbox-acrobot-v1:0e4a80df0452"), "image rm sha256:d1"]
    );
}

#[test]
fn on_a_terminal_it_asks_first() {
    let run = Run::line("prune --images").docker(images().on("image rm *", Reply::default()));
    let removals = |run: &Run| run.stand_in().calls().iter().filter(|call| call.contains(" rm ")).count();
    let (status, shown) = run.on_a_terminal("n");
    assert_eq!((status, removals(&run)), (Some(1), 0), "{shown}");
    assert!(
        shown.contains("would remove rlmesh-sandbox-cartpole-v1:7e4a80df0452 and 1 more name"),
        "{shown}"
    );
    assert!(shown.contains("would give back 87.18 MiB") && shown.contains("nothing was removed"), "{shown}");
    let (status, shown) = run.on_a_terminal("yes");
    assert_eq!((status, removals(&run)), (Some(0), 2), "{shown}");
    let run = Run::line("prune --images -y").docker(images().on("image rm *", Reply::default()));
    let (status, shown) = run.on_a_terminal("");
    assert_eq!((status, removals(&run)), (Some(0), 2), "{shown}");
    assert!(!shown.contains("[y/N]"), "{shown}");
}

#[test]
fn an_image_that_comes_into_use_stays() {
    let busy = "Error response from daemon: conflict: unable to remove repository reference (must force) - container c3 is using its referenced image a1\n";
    let checked = Run::line("prune --images --json")
        .docker(images().on("image rm *", Reply::fails(1, busy)))
        .any_stdout()
        .stderr_with(["{\"warning\":{\"message\":\"the image"])
        .check();
    let pruned: Vec<Value> = checked.json();
    assert!(pruned.iter().all(|object| object["action"] == "kept"), "{pruned:?}");
    assert!(pruned[0]["reason"].as_str().unwrap().contains("container c3"));
}

#[test]
fn old_logs_are_removed() {
    let run = Run::line("prune --logs --older-than 1h").docker(StandIn::missing());
    let folder = run.home().join(".local/state/rlmesh-sandbox/logs");
    std::fs::create_dir_all(&folder).unwrap();
    let old = SystemTime::now() - Duration::from_secs(7200);
    for (name, is_old) in
        [("build-20200101000000-x-1.log", true), ("start-20200101000001-x-1.log", false), ("notes", true)]
    {
        let file = std::fs::File::create(folder.join(name)).unwrap();
        if is_old {
            file.set_modified(old).unwrap();
        }
    }
    let run = run
        .stdout("<world>/home/.local/state/rlmesh-sandbox/logs\n")
        .stderr("removed <world>/home/.local/state/rlmesh-sandbox/logs (1 file, 0 B): logs of failed builds and starts\n");
    let left = crate::support::files(&run.check().run.home());
    let names: Vec<&str> = left.keys().map(|path| path.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["notes", "start-20200101000001-x-1.log"]);
}

#[test]
fn everything_without_a_choice() {
    // No builders without buildx: the rest is pruned all the same.
    let docker = images().on("buildx version", Reply::fails(1, "docker: unknown command: docker buildx\n"));
    let run = Run::line("prune --dry-run --format jsonl").docker(docker).any_stdout();
    let folder = run.home().join(".local/state/rlmesh-sandbox/logs");
    std::fs::create_dir_all(&folder).unwrap();
    let file = std::fs::File::create(folder.join("build-20200101000000-x-1.log")).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(48 * 3600)).unwrap();
    let checked = run.check();
    let kinds: Vec<Value> = checked
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].clone())
        .collect();
    assert_eq!(kinds, ["image", "image", "image", "image", "image", "image", "image", "logs"]);
    Run::line("prune --images").docker(StandIn::dead()).status(7).any_stderr().check();
    Run::line("prune --images")
        .docker(StandIn::new().on("image ls *", Reply::default()))
        .stderr("there is nothing to remove\n")
        .check();
}

#[test]
fn images_are_listed_by_tag() {
    let checked = Run::line("images").docker(images()).any_stdout().check();
    let rows: Vec<Vec<&str>> = checked.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["IMAGE", "ID", "SIZE", "AGE", "USED", "BASE", "IMAGE"]);
    assert_eq!((rows.len(), rows[1][0], rows[3][0]), (7, TAG, "rlmesh-sandbox-used-v1:1e4a80df0452"));
    assert_eq!(rows[3][5], "1");
    let tags = Run::line("images -q").docker(images()).any_stdout().check().stdout;
    assert_eq!((tags.lines().count(), tags.lines().next()), (6, Some(TAG)));
    let checked = Run::line("images --json").docker(images()).any_stdout().check();
    let listed: Vec<Value> = checked.json();
    assert_eq!(
        (&listed[0]["image"], &listed[0]["image_id"], &listed[2]["containers"]),
        (&json!(TAG), &json!("sha256:a1"), &json!(1))
    );
    Run::line("images --json")
        .docker(StandIn::new().on("image ls *", Reply::default()))
        .stdout("[]\n")
        .check();
}
