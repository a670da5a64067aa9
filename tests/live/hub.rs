//! The tests' own Hub and this program, compared with the published `huggingface_hub` client: it must accept that
//! Hub's answers, and download the files that a build gets.

use std::collections::BTreeMap;

use crate::live::engine::{Live, docker};
use crate::live::python::HUB_CLIENT;
use crate::support::files;
use crate::support::hub::{Access, Hub, MEMBER, Repository, STRANGER};

/// Prints what the client returns, or the name of its exception.
const ASK: &str = "
import sys
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError
endpoint, repo, revision, folder, token = sys.argv[1:6]
token = token or False
try:
    info = HfApi(endpoint=endpoint).model_info(repo, revision=revision or None, token=token)
    entries = list(HfApi(endpoint=endpoint).list_repo_tree(repo, revision=info.sha, recursive=True, token=token))
    snapshot_download(repo, revision=revision or None, endpoint=endpoint, local_dir=folder, token=token)
    print(info.sha, len(entries))
except HfHubHTTPError as error:
    print(type(error).__name__)
";

/// Downloads with the published client; returns what it printed, and the files.
fn theirs(hub: &Hub, repo: &str, revision: &str, token: &str) -> (String, BTreeMap<String, Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    let home = tempfile::tempdir().unwrap();
    let (endpoint, target) = (hub.endpoint(), folder.path().join("files"));
    let printed =
        HUB_CLIENT.script(ASK, &[&endpoint, repo, revision, target.to_str().unwrap(), token], |command| {
            command
                .env("HF_HOME", home.path())
                .env("HF_HUB_DISABLE_XET", "1")
                .env("HF_HUB_DISABLE_TELEMETRY", "1")
                .env("HF_HUB_DISABLE_PROGRESS_BARS", "1");
        });
    let mut files = files(&target);
    files.retain(|path, _| !path.starts_with(".cache/"));
    (printed.trim().to_owned(), files)
}

fn repository() -> Repository {
    Repository::new("acme/walker")
        .file("env.py", "def make_env(): ...\n")
        .file("assets/näme with spaces & more#1%.txt", "x")
        .file("deep/er/and/deeper.txt", vec![3; 100_000])
        .file("odd/aux.py", "reserved on Windows")
        .file("odd/name:b|?*.json", "not allowed on Windows")
        .file("odd/ends with a dot./and a space ", "dropped on Windows")
        .file("odd/back\\slash", "a separator on Windows")
        .file("odd/AUX.py", "one name with the first on a Mac")
        .file("empty/__init__.py", "")
        .lfs("model.bin", vec![7; 300_000])
        // No two parts of it are the same.
        .lfs("weights/large.bin", (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>())
}

#[test]
fn the_published_client_downloads_the_tree_that_a_build_gets() {
    let live = Live::new();
    for is_roundabout in [false, true] {
        let hub = Hub::start();
        let old = hub.put(repository().file("old.txt", "1").named(&["v1.0", "release/1.0"]));
        let new = hub.put(repository());
        if is_roundabout {
            hub.page_size(3);
            hub.redirect_plain_files();
        }
        for (revision, commit) in
            [("", &new), ("main", &new), ("v1.0", &old), ("release/1.0", &old), (old.as_str(), &old)]
        {
            let (printed, theirs) = theirs(&hub, "acme/walker", revision, "");
            assert_eq!(printed.split(' ').next(), Some(commit.as_str()), "{revision}: {printed}");
            let source = match revision {
                "" => "hf://acme/walker".to_owned(),
                revision => format!("hf://acme/walker@{revision}"),
            };
            assert_eq!(ours(&live, &hub, &source), theirs, "{revision}");
        }
    }
}

/// The files that a real build of the source puts into its image.
fn ours(live: &Live, hub: &Hub, source: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let build = live
        .command(&["build", source, "--trust-remote-code", "--allow-unpinned-hf"])
        .env("HF_ENDPOINT", hub.endpoint())
        .env("XDG_CACHE_HOME", folder.path().join("cache"))
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    let tag = String::from_utf8(build.stdout).unwrap().trim().to_owned();
    let container = docker(&["create", &tag]);
    let target = folder.path().join("files");
    docker(&["cp", &format!("{container}:/opt/rlmesh/source"), target.to_str().unwrap()]);
    docker(&["rm", &container]);
    docker(&["image", "rm", "--force", &tag]);
    files(&target)
}

#[test]
fn the_published_client_understands_each_refusal() {
    let hub = Hub::start();
    for (name, access) in [
        ("acme/private", Access::Private),
        ("acme/gated", Access::Gated),
        ("acme/disabled", Access::Disabled),
    ] {
        hub.put(Repository { name: name.into(), ..repository() }.access(access));
    }
    hub.put(repository());
    hub.put(Repository { name: "acme/old".into(), ..repository() }.moved_to("acme/walker"));
    for (repo, revision, token, expected) in [
        ("acme/none", "", "", "RepositoryNotFoundError"),
        ("acme/none", "", MEMBER, "RepositoryNotFoundError"),
        ("acme/private", "", "", "RepositoryNotFoundError"),
        ("acme/private", "", STRANGER, "RepositoryNotFoundError"),
        ("acme/gated", "", "", "GatedRepoError"),
        ("acme/gated", "", STRANGER, "GatedRepoError"),
        ("acme/disabled", "", "", "DisabledRepoError"),
        ("acme/walker", "no-such", "", "RevisionNotFoundError"),
        ("acme/walker", "", "hf_wrong", "HfHubHTTPError"),
    ] {
        let (printed, _) = theirs(&hub, repo, revision, token);
        assert_eq!(printed, expected, "{repo}@{revision} {token}");
    }
    let (_, public) = theirs(&hub, "acme/walker", "", "");
    assert_eq!(public.len(), 11);
    for (repo, token) in [("acme/private", MEMBER), ("acme/gated", MEMBER), ("acme/old", "")] {
        let (printed, files) = theirs(&hub, repo, "", token);
        assert_eq!(files, public, "{repo}: {printed}");
    }
}
