//! `prune` on a real engine: which images it removes, and which it never does.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::engine::{Images, Live, docker, together};

/// The real client, for which no images exist but those of this test: `prune` must not remove what other tests and
/// users need.
const CLIENT: &str = "\
#!/bin/sh
for word; do
  shift
  [ \"$word\" = 'reference=rlmesh-sandbox-*' ] && word='reference=rlmesh-sandbox-prune-test-*'
  [ \"$word\" = 'label=rlmesh.image.created-by' ] && word='label=rlmesh-prune-test'
  set -- \"$@\" \"$word\"
done
exec docker \"$@\"
";

const ENTRYPOINT: &str = "ENTRYPOINT [\"python\", \"-m\", \"rlmesh._bootstrap.sandbox_env\"]";

fn build(folder: &std::path::Path, name: &str, lines: &str) -> String {
    let dockerfile = format!("FROM python:3.11-slim\nLABEL rlmesh-prune-test={name}\n{lines}\n");
    std::fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
    docker(&["buildx", "build", "--quiet", "--load", "--tag", name, folder.to_str().unwrap()])
}

fn is_there(image: &str) -> bool {
    Command::new("docker").args(["image", "inspect", image]).output().unwrap().status.success()
}

#[test]
fn only_images_of_ours_that_nothing_needs_are_removed() {
    let name = |kind: &str| format!("rlmesh-sandbox-prune-test-{kind}:0123456789ab");
    let [unused, used, named, derived, other, lost] =
        ["unused", "used", "named", "derived", "other", "lost"].map(name);
    let own = format!("rlmesh-prune-test-mine:{}", std::process::id());
    let all = [&unused, &used, &named, &derived, &other, &lost, &own].map(Clone::clone);
    let (_guard, live, _images) = (together(), Live::new(), Images::tags(all.to_vec()));
    let folder = tempfile::tempdir().unwrap();
    for image in [&unused, &used, &named] {
        build(folder.path(), image, ENTRYPOINT);
    }
    build(folder.path(), &derived, &format!("{ENTRYPOINT}\nLABEL more=1"));
    docker(&["tag", "python:3.11-slim", &other]);
    docker(&["tag", &named, &own]);
    let lost_id = build(folder.path(), &lost, ENTRYPOINT);
    build(folder.path(), &lost, &format!("LABEL again=1\n{ENTRYPOINT}"));
    let container = format!("rlmesh-prune-test-{}", std::process::id());
    docker(&["create", "--name", &container, &used]);

    let client = folder.path().join("docker");
    std::fs::write(&client, CLIENT).unwrap();
    std::fs::set_permissions(&client, std::fs::Permissions::from_mode(0o755)).unwrap();
    let client = client.to_str().unwrap();
    let young = live.run(&["--docker", client, "prune", "--images"]);
    let would = live.run(&["--docker", client, "prune", "--images", "--older-than", "0", "--dry-run"]);
    let done = live.run(&["--docker", client, "prune", "--images", "--older-than", "0"]);
    let left = [&used, &named, &derived, &other, &own].map(|image| (image, is_there(image)));
    let gone = [&unused, &lost, &lost_id].map(|image| (image, is_there(image)));
    docker(&["rm", "--force", &container]);

    assert_eq!(young.ended(0).stdout, "", "all of them are young");
    let would = would.ended(0);
    for image in [&unused, &lost, &lost_id] {
        assert!(would.stdout.contains(image.as_str()), "{image}: {}", would.stdout);
    }
    let done = done.ended(0);
    // Images of the same second come in any order.
    let sorted = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(sorted(&done.stdout), sorted(&would.stdout));
    assert!(left.iter().all(|(_, is_there)| *is_there), "{left:?}\n{}", done.stderr);
    assert!(gone.iter().all(|(_, is_there)| !*is_there), "{gone:?}\n{}", done.stderr);
}
