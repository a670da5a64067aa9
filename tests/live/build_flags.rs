//! How an image comes to be: names, labels, caches, locks and logs on a real engine.

use super::engine::{Images, Live, docker, entries, exists, tag, together};

/// A label of an image.
fn label(image: &str, name: &str) -> String {
    docker(&["image", "inspect", "--format", &format!("{{{{index .Config.Labels {name:?}}}}}"), image])
}

#[test]
fn names_and_labels_are_on_the_image_and_reap_is_not_misled() {
    let line = "MountainCar-v0";
    let (_guard, live) = (together(), Live::new());
    let _images =
        Images::tags(vec![tag(line), "rlmesh-flags-mine:1".to_owned(), "rlmesh-flags-mine:2".to_owned()]);
    live.run(&["build", line, "--rebuild", "--label", "team=blue", "--tag", "rlmesh-flags-mine:1"]).ended(0);
    let image = tag(line);
    let id = |image: &str| docker(&["image", "inspect", "--format", "{{.Id}}", image]);
    assert_eq!(id(&image), id("rlmesh-flags-mine:1"));
    assert_eq!(label(&image, "team"), "blue");
    assert_eq!(label(&image, "rlmesh.image.source"), "", "other environments may share the image");
    assert_eq!(label(&image, "rlmesh.image.rlmesh-package"), "rlmesh==0.1.0");
    assert_eq!(label(&image, "rlmesh.sandbox"), "", "a container would be taken for a sandbox");

    // There already: only the further name is given.
    let done = live.run(&["build", line, "--tag", "rlmesh-flags-mine:2", "--label", "team=red"]).ended(0);
    assert!(done.stderr.contains("--label and --cache-to only take effect in a build"), "{}", done.stderr);
    assert_eq!(id(&image), id("rlmesh-flags-mine:2"));

    // Another container of that image inherits its labels, and is not a sandbox.
    let name = format!("rlmesh-flags-{}", std::process::id());
    docker(&["create", "--name", &name, &image]);
    let reaped = live.run(&["reap", "--format", "json"]).ended(0);
    let still = exists(&name);
    docker(&["rm", "--force", &name]);
    assert!(still && !reaped.stdout.contains(&name), "{}", reaped.stdout);
}

#[test]
fn an_image_for_another_platform_makes_way() {
    // Nothing of the other platform can run here: an image of that name is made from nothing.
    let line = "Blackjack-v1";
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&[line]));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("Dockerfile"),
        "FROM scratch\nCOPY Dockerfile /\nENTRYPOINT [\"/x\"]\n",
    )
    .unwrap();
    let other = match docker(&["version", "--format", "{{.Server.Arch}}"]).as_str() {
        "arm64" => "linux/amd64",
        _ => "linux/arm64",
    };
    let image = tag(line);
    let foreign = docker(&[
        "buildx",
        "build",
        "--quiet",
        "--load",
        "--platform",
        other,
        "--tag",
        &image,
        folder.path().to_str().unwrap(),
    ]);
    let done = live.run(&["run", "-d", "--format", "env", line]).ended(0);
    live.run(&["stop", &done.variable("RLMESH_SANDBOX_CONTAINER_ID")]).ended(0);
    assert!(
        done.stderr
            .contains(&format!("warning: the image {image} is for {other}; replacing it with one for")),
        "{}",
        done.stderr
    );
    live.assert_clean();
    docker(&["image", "rm", &foreign]);
}

#[test]
fn a_cache_that_this_builder_cannot_export_is_an_error_with_a_way_out() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["CliffWalking-v1"]));
    let cache = tempfile::tempdir().unwrap();
    let spec = format!("type=local,dest={}", cache.path().display());
    let done = live.run(&["build", "CliffWalking-v1", "--rebuild", "--cache-to", &spec]);
    if done.status == Some(0) {
        // The containerd image store can: the cache is there, and can be used.
        assert!(entries(cache.path()).contains(&"index.json".to_owned()));
        let from = format!("type=local,src={}", cache.path().display());
        live.run(&["build", "CliffWalking-v1", "--rebuild", "--cache-from", &from]).ended(0);
    } else {
        let done = done.ended(5);
        assert!(
            done.stderr.contains("hint: the engine's default builder can only export type=inline"),
            "{}",
            done.stderr
        );
    }
    live.run(&["build", "CliffWalking-v1", "--rebuild", "--cache-to", "type=inline"]).ended(0);
    live.assert_clean();
}

#[test]
fn a_lock_installs_the_same_again() {
    let line = "FrozenLake-v1 -p six";
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&[line]));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lock.txt");
    let lock = file.to_str().unwrap();
    let arguments = ["build", "FrozenLake-v1", "-p", "six", "--lock", lock];
    let first = live.run(&arguments).ended(0);
    assert_eq!(first.stdout.trim(), tag(line));
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(
        written.contains("\nrlmesh==0.1.0 \\\n    --hash=sha256:") && written.contains("\nsix=="),
        "{written}"
    );
    let locked_tag = tag(&format!("{line} --lock {lock}"));
    assert_ne!(locked_tag, first.stdout.trim());
    let _locked = Images::tags(vec![locked_tag.clone()]);
    live.run(&arguments).ended(0);
    let installed = |image: &str| {
        docker(&["run", "--rm", "--entrypoint", "python", image, "-m", "pip", "list", "--format", "freeze"])
    };
    assert_eq!(installed(&locked_tag), installed(first.stdout.trim()));

    // A file that the index does not have is not installed.
    let digest = written.split("rlmesh==0.1.0").nth(1).unwrap().lines().nth(1).unwrap().trim().to_owned();
    let other = format!("--hash=sha256:{}", "0".repeat(64));
    let rlmesh = written.find("\nrlmesh==").unwrap();
    let end = written[rlmesh + 1..].find("\nsix==").map_or(written.len(), |at| rlmesh + 1 + at);
    let forged = format!("{}\nrlmesh==0.1.0 {other}{}", &written[..rlmesh], &written[end..]);
    assert!(!forged.contains(&digest));
    std::fs::write(&file, forged).unwrap();
    let done = live.run(&arguments).ended(5);
    assert!(done.stderr.contains("a different file than the lockfile lists"), "{}", done.stderr);
    live.assert_clean();
}

#[test]
fn a_failed_build_leaves_its_whole_log_and_a_dry_run_nothing() {
    let (_guard, live, _images) = (together(), Live::new(), Images::of(&["CartPole-v1"]));
    live.run(&["build", "CartPole-v1", "-p", "six==99", "--dry-run"]).ended(0);
    assert_eq!(entries(live.state.path()), Vec::<String>::new());
    let done = live.run(&["build", "CartPole-v1", "-p", "six==99"]).ended(5);
    let path = done.stderr.lines().find_map(|line| line.strip_prefix("the whole log: ")).unwrap().to_owned();
    let log = std::fs::read_to_string(path).unwrap();
    assert!(log.contains("there is no version of six==99") && log.contains("FROM"), "{log}");
    live.run(&["build", "CartPole-v1", "--rebuild"]).ended(0);
    assert_eq!(
        entries(&live.state.path().join("rlmesh-sandbox/logs")).len(),
        1,
        "a build that went well leaves none"
    );
    live.assert_clean();
}
