//! A second environment with the same packages: another tag for the image that exists, or else a build.

use crate::support::{Reply, Run, StandIn, fixture};

const TAG: &str = "rlmesh-sandbox-cartpole-v1:7e4a80df0452";
const BASE: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
const OTHER: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const BUILT: &str = "sha256:33a109d74efd7043c486c097b1e0647ffdb11c6955fe6281e354832ab0ee44ee";

fn missing() -> Reply {
    Reply::fails(1, "Error response from daemon: No such image: x\n")
}

/// An engine with a base image and an image by the same recipe, and with what it takes to build.
fn engine() -> StandIn {
    with_the_rest(StandIn::new())
}

fn with_the_rest(docker: StandIn) -> StandIn {
    docker
        .on("image inspect * python:3.11-slim", Reply::stdout(format!("{BASE}\n")))
        .on(&format!("image inspect * {TAG}"), missing().once())
        .on("image inspect *", Reply::stdout(format!("{BUILT}\n")))
        .on("image ls *", Reply::stdout(format!("{OTHER}\n{BUILT}\n")))
        .on("tag *", Reply::default())
        .on("buildx version", Reply::stdout("github.com/docker/buildx v0.29.1 abc\n"))
        .on("buildx build *", Reply::default().stderr(fixture("buildx/built-0.29.1.txt")))
}

/// The commands' first words, in order.
fn verbs(calls: &[String]) -> Vec<&str> {
    calls.iter().map(|call| call.split(' ').next().unwrap()).collect()
}

/// The calls of a build that ends well.
fn build(docker: StandIn, flags: &str) -> Vec<String> {
    Run::line(&format!("-q build CartPole-v1 {flags}"))
        .docker(docker)
        .stdout(format!("{TAG}\n"))
        .check()
        .calls
}

/// The digest in `--label rlmesh.image.recipe=…` or a filter for it.
fn recipe(call: &str) -> Option<&str> {
    call.split("rlmesh.image.recipe=").nth(1)?.split(' ').next().filter(|recipe| !recipe.is_empty())
}

#[test]
fn the_newest_image_by_the_same_recipe_gets_the_tag() {
    let checked = Run::line("build CartPole-v1 --format json")
        .docker(engine())
        .stdout(format!(
            "{{\"source\":\"gym://CartPole-v1\",\"image\":\"{TAG}\",\"image_id\":\"{OTHER}\",\"build_hash\":\
             \"7e4a80df0452f330b9b11d017203bd9442e0a50bdcab31d6b2bc8d1da740b67d\",\"built\":true,\"seconds\":0}}\n"
        ))
        .check();
    assert_eq!(verbs(&checked.calls), ["image", "image", "image", "tag"]);
    let listed = &checked.calls[2];
    assert!(listed.ends_with(" --filter reference=rlmesh-sandbox-*"), "{listed}");
    assert_eq!(recipe(listed).unwrap().len(), 64);
    assert_eq!(checked.calls[3], format!("tag {OTHER} {TAG}"));
}

#[test]
fn an_image_is_built_with_the_label_by_which_the_next_one_finds_it() {
    let calls = build(with_the_rest(StandIn::new().on("image ls *", Reply::default())), "");
    assert_eq!(verbs(&calls), ["image", "image", "image", "buildx", "image"]);
    assert_eq!(recipe(&calls[2]), recipe(&calls[3]));
    assert!(!calls[3].contains("gym://"), "the image is other environments' too: {}", calls[3]);
}

#[test]
fn another_base_image_under_the_same_name_is_another_recipe() {
    let other = BASE.replace('0', "9");
    let newer = Reply::stdout(format!("{other}\n"));
    let newer = with_the_rest(StandIn::new().on("image inspect * python:3.11-slim", newer));
    assert_ne!(recipe(&build(newer, "")[2]), recipe(&build(engine(), "")[2]));
}

#[test]
fn what_is_asked_of_the_build_itself_is_built() {
    for (flags, has_recipe) in [
        ("--rebuild", true),
        ("--pull", true),
        ("--cache-from ghcr.io/org/cache", true),
        ("--cache-to type=local,dest=x", true),
        ("--label team=x", false),
        ("--platform linux/amd64", false),
    ] {
        // A rebuild does not ask for the image before it builds.
        let existing =
            StandIn::new().on(&format!("image inspect * {TAG}"), Reply::stdout(format!("{BUILT}\n")));
        let is_rebuild = ["--rebuild", "--pull"].contains(&flags);
        let calls = build(if is_rebuild { with_the_rest(existing) } else { engine() }, flags);
        let built = calls.iter().find(|call| call.starts_with("buildx build"));
        assert_eq!(built.map(|call| recipe(call).is_some()), Some(has_recipe), "{flags}: {calls:?}");
        assert!(!calls.iter().any(|call| call.starts_with("tag ")), "{flags}: {calls:?}");
    }
}

#[test]
fn where_docker_refuses_a_build_shows_why() {
    let refused = || Reply::fails(1, "Error response from daemon: no\n");
    for (pattern, reply) in
        [("image ls *", refused()), ("tag *", refused()), ("image inspect * python:3.11-slim", missing())]
    {
        let calls = build(with_the_rest(StandIn::new().on(pattern, reply)), "");
        assert!(verbs(&calls).contains(&"buildx"), "{pattern}: {calls:?}");
    }
}
