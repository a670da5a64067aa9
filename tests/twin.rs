//! An image that differs from one that is there in its labels alone: made of it without a build, or else built.

use serde_json::{Value, json};

use crate::support::{Reply, Run, StandIn, fixture, signal};

const TAG: &str = "rlmesh-sandbox-cartpole-v1:7e4a80df0452";
const OTHER: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const MADE: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";
const BUILT: &str = "sha256:33a109d74efd7043c486c097b1e0647ffdb11c6955fe6281e354832ab0ee44ee";

/// The base image, the image by the same recipe, and the container that was made of it.
fn facts() -> [Value; 3] {
    let env = ["PATH=/usr/bin", "RLMESH_PORT=50051", "PYTHONUNBUFFERED=1"];
    let labels =
        json!({"rlmesh.image.source": "gym://MountainCar-v0", "rlmesh.image.recipe": "x", "maker": "them"});
    [
        json!({"Id": "sha256:0", "RootFS": {"Layers": ["a"]}, "Config": {"Env": ["PATH=/usr/bin"], "Labels": {"maker": "them"}}}),
        json!({"Id": OTHER, "RootFS": {"Layers": ["a", "b"]}, "Config": {"Env": env, "Labels": labels}}),
        json!({"Id": "c", "Config": {"Env": env, "Labels": labels}}),
    ]
}

/// An engine with an image by the same recipe, and with what it takes to build.
fn engine(facts: &[Value]) -> StandIn {
    let no_image = Reply::fails(1, &format!("Error response from daemon: No such image: {TAG}\n"));
    having(facts, StandIn::new().on("image inspect *", no_image.once()))
}

fn having(facts: &[Value], docker: StandIn) -> StandIn {
    docker
        .on("image inspect *", Reply::stdout(format!("{BUILT}\n")))
        .on("image ls *", Reply::stdout(format!("{OTHER}\n")))
        .on("create *", Reply::stdout("c\n"))
        .on("inspect -- *", Reply::stdout(serde_json::to_vec(facts).unwrap()))
        .on("commit *", Reply::stdout(format!("{MADE}\n")))
        .on("rm *", Reply::default())
        .on("buildx version", Reply::stdout("github.com/docker/buildx v0.29.1 abc\n"))
        .on("buildx build *", Reply::default().stderr(fixture("buildx/built-0.29.1.txt")))
}

fn verbs(calls: &[String]) -> Vec<&str> {
    calls.iter().map(|call| call.split(' ').next().unwrap()).collect()
}

#[test]
fn only_the_labels_are_made() {
    let checked = Run::line("build CartPole-v1 --label team=x")
        .docker(engine(&facts()))
        .stdout(format!("{TAG}\n"))
        .stderr(format!("building {TAG}\nbuilt in N s\n"))
        .check();
    assert_eq!(verbs(&checked.calls), ["image", "image", "create", "inspect", "commit", "rm"]);
    let listed = &checked.calls[1];
    let rest =
        listed.strip_prefix("image ls --quiet --no-trunc --filter label=rlmesh.image.recipe=").unwrap();
    let (recipe, rest) = rest.split_once(' ').unwrap();
    assert_eq!((recipe.len(), rest), (64, "--filter reference=rlmesh-sandbox-*"), "{listed}");
    let container = "rlmesh-sandbox-idle-<uuid>";
    assert_eq!(
        checked.calls[2..4],
        [
            format!("create --name {container} --pull never --network none {OTHER}"),
            format!("inspect -- python:3.11-slim {OTHER} {container}")
        ]
    );
    let commit = &checked.calls[4];
    for label in [
        "\"rlmesh.image.source\"=\"gym://CartPole-v1\"",
        "\"org.opencontainers.image.title\"=\"gym://CartPole-v1\"",
        "\"rlmesh.image.build-hash\"=\"7e4a80df0452f330b9b11d017203bd9442e0a50bdcab31d6b2bc8d1da740b67d\"",
        "\"team\"=\"x\"",
    ] {
        assert!(commit.contains(label), "{commit}");
    }
    assert!(commit.ends_with(&format!(" {container} {TAG}")), "{commit}");
}

#[test]
fn the_id_is_the_new_images() {
    let checked =
        Run::line("-q build CartPole-v1 --format json").docker(engine(&facts())).any_stdout().check();
    let result: Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!((&result["image_id"], &result["built"]), (&json!(MADE), &json!(true)));
}

#[test]
fn whatever_stands_in_the_way_is_built_and_nothing_is_left() {
    let changed = |change: fn(&mut [Value; 3])| {
        let mut facts = facts();
        change(&mut facts);
        engine(&facts)
    };
    let refusing = |pattern: &str| {
        StandIn::new()
            .on(pattern, Reply::fails(1, "Error response from daemon: no\n"))
            .on("image inspect *", Reply::fails(1, "Error: No such image: x\n").once())
            .on("image inspect *", Reply::stdout(format!("{BUILT}\n")))
            .on("image ls *", Reply::stdout(format!("{OTHER}\n")))
            .on("create *", Reply::stdout("c\n"))
            .on("inspect -- *", Reply::stdout(serde_json::to_vec(&facts()).unwrap()))
            .on("rm *", Reply::default())
            .on("buildx build *", Reply::default().stderr(fixture("buildx/built-0.29.1.txt")))
    };
    let after_the_container = ["image", "image", "create", "inspect", "rm", "buildx", "image"];
    for (docker, expected) in [
        // A proxy with its password, from the client's configuration.
        (
            changed(|facts| facts[2]["Config"]["Env"][2] = json!("HTTP_PROXY=http://me:pw@p")),
            &after_the_container[..],
        ),
        (changed(|facts| facts[0]["RootFS"]["Layers"] = json!(["newer"])), &after_the_container),
        (changed(|facts| facts[1]["Config"]["Labels"]["team"] = json!("another's")), &after_the_container),
        (changed(|facts| facts[0]["Config"]["Env"] = json!(["PATH=/bin"])), &after_the_container),
        (refusing("inspect -- *"), &after_the_container),
        (refusing("commit *"), &["image", "image", "create", "inspect", "commit", "rm", "buildx", "image"]),
        (refusing("create *"), &["image", "image", "create", "rm", "buildx", "image"]),
        (refusing("image ls *"), &["image", "image", "buildx", "image"]),
    ] {
        let checked = Run::line("-q build CartPole-v1").docker(docker).stdout(format!("{TAG}\n")).check();
        assert_eq!(verbs(&checked.calls), expected, "{:?}", checked.calls);
    }
}

#[test]
fn a_build_that_is_asked_for_is_a_build() {
    // The image is there in any case: whether it is looked for first differs.
    for line in ["--rebuild", "--pull"] {
        let docker = having(&facts(), StandIn::new());
        let checked = Run::line(&format!("-q build CartPole-v1 {line}"))
            .docker(docker)
            .stdout(format!("{TAG}\n"))
            .check();
        assert_eq!(verbs(&checked.calls), ["buildx", "image"], "{line}");
    }
    for line in [
        "--cache-from type=local,src=/x",
        "--cache-to type=local,dest=/x",
        "--platform linux/amd64",
        "--label a=$HOME",
    ] {
        let checked = Run::line(&format!("-q build CartPole-v1 {line}"))
            .docker(engine(&facts()))
            .stdout(format!("{TAG}\n"))
            .check();
        assert_eq!(verbs(&checked.calls), ["image", "buildx", "image"], "{line}");
    }
}

#[test]
fn a_container_that_cannot_be_removed_is_named() {
    let docker = StandIn::new()
        .on("rm *", Reply::fails(1, "Error response from daemon: device or resource busy\n"))
        .on("image inspect *", Reply::fails(1, "Error: No such image: x\n").once())
        .on("image ls *", Reply::stdout(format!("{OTHER}\n")))
        .on("create *", Reply::stdout("c\n"))
        .on("inspect -- *", Reply::stdout(serde_json::to_vec(&facts()).unwrap()))
        .on("commit *", Reply::stdout(format!("{MADE}\n")));
    let checked = Run::line("build CartPole-v1")
        .docker(docker)
        .stdout(format!("{TAG}\n"))
        .stderr_with([
            "warning: the container rlmesh-sandbox-idle-<uuid> could not be removed (",
            "run `rlmesh-sandbox reap`\n",
        ])
        .leaves(1)
        .check();
    let left = std::fs::read_dir(checked.run.tmp()).unwrap().next().unwrap().unwrap().path();
    let name = std::fs::read_to_string(left.join("container")).unwrap();
    assert!(name.starts_with("rlmesh-sandbox-idle-"), "{name}");
}

#[test]
fn an_interrupt_leaves_no_container() {
    let docker = StandIn::new()
        .on("image inspect *", Reply::fails(1, "Error: No such image: x\n"))
        .on("image ls *", Reply::stdout(format!("{OTHER}\n")))
        .on("create *", Reply::stdout("c\n").marks("creating").hangs_until("interrupted"))
        .on("inspect -- *", Reply::stdout(serde_json::to_vec(&facts()).unwrap()))
        .on("rm *", Reply::default());
    let checked = Run::line("-q build CartPole-v1").docker(docker).status(130).check_while(|run, child| {
        run.stand_in().wait_for("creating");
        signal(child, rustix::process::Signal::INT);
        run.stand_in().release("interrupted");
    });
    assert_eq!(verbs(&checked.calls).last(), Some(&"rm"), "{:?}", checked.calls);
    assert!(!checked.calls.iter().any(|call| call.starts_with("commit")));
}
