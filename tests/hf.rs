//! `hf://` sources: what is refused before anything is fetched, what is fetched, and what a failing network or a
//! hostile repository can do. The Hub is the tests' own; docker is a stand-in.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::support::hub::{Access, Fault, Hub, MEMBER, Repository, STRANGER};
use crate::support::{Reply, Run, StandIn, eventually, files, signal};

const ID: &str = "sha256:33a109d74efd7043c486c097b1e0647ffdb11c6955fe6281e354832ab0ee44ee";

/// A Hub, and a user's cache that outlives a run.
struct World {
    hub: Hub,
    cache: tempfile::TempDir,
}

/// What a run has done.
#[derive(Debug)]
struct Ended {
    status: Option<i32>,
    stdout: String,
    stderr: String,
    context: BTreeMap<String, Vec<u8>>,
}

impl World {
    fn new() -> Self {
        Self { hub: Hub::start(), cache: tempfile::tempdir().unwrap() }
    }

    /// A run against an engine that has no image, and whose build goes well.
    fn command(&self, line: &str) -> Run {
        let docker = StandIn::new()
            .on("buildx version", Reply::stdout("github.com/docker/buildx v0.29.1 abc\n"))
            .on("image inspect *", Reply::missing_image().once())
            .on("buildx build *", Reply::default().keeps_context())
            .on("image inspect *", Reply::stdout(format!("{ID}\n")));
        Run::line(line)
            .docker(docker)
            .env("HF_ENDPOINT", self.hub.endpoint())
            .env("XDG_CACHE_HOME", self.cache.path())
    }

    fn run(&self, line: &str) -> Ended {
        ended(self.command(line))
    }

    /// Builds a repository at a commit, with the user's consent.
    fn build(&self, repo: &str, commit: &str, options: &str) -> Ended {
        self.run(&format!("build hf://{repo}@{commit} --trust-remote-code {options}"))
    }

    /// The targets that were asked for since the last time, with the host's role.
    fn asked(&self) -> Vec<String> {
        self.hub.requests().into_iter().map(|request| request.target).collect()
    }
}

fn ended(run: Run) -> Ended {
    let checked = run.any_status().any_stdout().any_stderr().check();
    let context = files(&checked.run.stand_in().folder().join("context"));
    Ended { status: checked.status, stdout: checked.stdout, stderr: checked.stderr, context }
}

impl Ended {
    #[track_caller]
    fn with(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{}{}", self.stdout, self.stderr);
        self
    }

    /// The file that the build got under `source/`.
    #[track_caller]
    fn source(&self, path: &str) -> &[u8] {
        self.context.get(&format!("source/{path}")).unwrap_or_else(|| panic!("no {path}: {}", self.stderr))
    }
}

/// Cases that mostly wait: each in a thread of its own.
fn all_at_once<T: Send, const N: usize>(cases: [T; N], check: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}

fn walker() -> Repository {
    Repository::new("acme/walker")
        .file("env.py", "def make_env(): ...\n")
        .file("requirements.txt", "six\n")
        .file("assets/näme & more#1%.txt", "x")
        .file("empty/__init__.py", "")
        .file("again/__init__.py", "")
        .lfs("model.bin", vec![7; 300_000])
}

#[test]
fn nothing_is_asked_before_consent_and_one_thing_after() {
    let world = World::new();
    let commit = world.hub.put(walker());
    for source in [
        format!("hf://acme/walker@{commit}"),
        "hf://acme/walker".to_owned(),
        "hf://acme/walker@main".to_owned(),
    ] {
        let ended = world.run(&format!("build {source}")).with(3);
        assert!(ended.stderr.contains("--trust-remote-code"), "{}", ended.stderr);
    }
    assert_eq!(world.asked(), Vec::<String>::new());
    let ended = world.run("build hf://acme/walker:suite/0 --trust-remote-code").with(3);
    assert!(
        ended
            .stderr
            .contains(&format!("hint: pin it to the current commit: hf://acme/walker@{commit}:suite/0\n"))
    );
    assert!(ended.stderr.contains("--allow-unpinned-hf"));
    assert_eq!(world.asked(), ["/api/models/acme/walker"]);
    // A Hub that fails does not matter here: there is one request, and the refusal stays.
    world.hub.fail("/api/", 9, Fault::Status(503, vec![]));
    let ended = world.run("build hf://acme/walker@v9 --trust-remote-code").with(3);
    assert!(ended.stderr.contains("<40 hex digits>"), "{}", ended.stderr);
    assert_eq!(world.asked(), ["/api/models/acme/walker/revision/v9"]);
    let offline = world.command("build hf://acme/walker@v9 --trust-remote-code").env("HF_HUB_OFFLINE", "1");
    ended_with(offline, 3, "<40 hex digits>");
    assert_eq!(world.asked(), Vec::<String>::new());
}

#[track_caller]
fn ended_with(run: Run, status: i32, part: &str) {
    let ended = ended(run).with(status);
    assert!(ended.stderr.contains(part), "{}", ended.stderr);
}

#[test]
fn a_name_is_looked_up_and_a_full_id_is_not() {
    let world = World::new();
    let old = world.hub.put(walker().file("old", "1").named(&["v1.0", "release/1.0"]));
    let new = world.hub.put(walker().named(&["main", "v1.0"]));
    let stands_for = |revision: &str| {
        let ended =
            world.run(&format!("hash hf://acme/walker{revision} --allow-unpinned-hf --format json")).with(0);
        let source = serde_json::from_str::<serde_json::Value>(&ended.stdout).unwrap()["source"].clone();
        source.as_str().unwrap().strip_prefix("hf://acme/walker@").unwrap().to_owned()
    };
    assert_eq!(stands_for(""), new);
    assert_eq!(stands_for("@main"), new);
    assert_eq!(stands_for("@release/1.0"), old);
    assert!(world.asked().contains(&"/api/models/acme/walker/revision/release%2F1.0".to_owned()));
    // A tag and a branch of one name: the Hub decides which it means.
    assert_eq!(stands_for("@v1.0"), new);
    world.asked();
    // The SDK hashes an id in the case in which it is written.
    let upper = old.to_ascii_uppercase();
    assert_eq!(stands_for(&format!("@{upper}")), upper);
    assert_eq!(world.asked(), Vec::<String>::new());
    // A short id is a name like any other, and this Hub has none of that name.
    let ended = world.run(&format!("hash hf://acme/walker@{} --allow-unpinned-hf", &old[..7])).with(4);
    assert!(ended.stderr.contains("use all 40 digits of a commit id"), "{}", ended.stderr);
    for revision in ["a~1", "a^", "a*", "a?", "a[0]", "a\\b"] {
        world.asked();
        world.run(&format!("hash hf://acme/walker@{revision} --allow-unpinned-hf")).with(2);
        assert_eq!(world.asked(), Vec::<String>::new(), "{revision}");
    }
}

#[test]
fn the_tree_reaches_the_build_whole_and_the_second_time_without_a_request() {
    for is_roundabout in [false, true] {
        let world = World::new();
        let commit = world.hub.put(walker());
        if is_roundabout {
            world.hub.page_size(2);
            world.hub.links_name("https://huggingface.co");
            world.hub.redirect_plain_files();
        }
        let first = world.build("acme/walker", &commit, "").with(0);
        assert!(first.stderr.contains("fetched 6 files, 292.99 KiB"), "{}", first.stderr);
        assert_eq!(first.source("env.py"), b"def make_env(): ...\n");
        assert_eq!(first.source("assets/näme & more#1%.txt"), b"x");
        assert_eq!(first.source("again/__init__.py"), b"");
        assert_eq!(first.source("model.bin"), [7; 300_000]);
        let names: Vec<&String> = first
            .context
            .keys()
            .filter(|name| !name.starts_with("source/") && !name.starts_with("install/"))
            .collect();
        assert_eq!(names, ["Dockerfile", "bootstrap.json", "requirements/requirements.txt"]);
        let asked = world.asked();
        assert!(asked.iter().all(|target| !target.contains("__init__")), "empty files need no request");
        // Another spelling of the same commit, and no network.
        let again =
            world.command(&format!("build hf://acme/walker@{} --trust-remote-code", commit.to_uppercase()));
        let again = ended(again.env("HF_HUB_OFFLINE", "yes")).with(0);
        assert_eq!(again.context.get("source/model.bin"), first.context.get("source/model.bin"));
        assert!(again.stderr.contains("from the cache"), "{}", again.stderr);
        world.build("acme/walker", &commit, "").with(0);
        assert_eq!(world.asked(), Vec::<String>::new());
    }
}

#[test]
fn commits_share_what_they_have_in_common() {
    let world = World::new();
    let one = world.hub.put(walker());
    let other = world.hub.put(walker().file("env.py", "changed\n"));
    world.build("acme/walker", &one, "").with(0);
    world.asked();
    assert_eq!(world.build("acme/walker", &other, "").with(0).source("env.py"), b"changed\n");
    let fetched: Vec<String> =
        world.asked().into_iter().filter(|target| target.contains("/resolve/")).collect();
    assert_eq!(fetched, [format!("/acme/walker/resolve/{other}/env.py")]);
}

#[test]
fn what_is_damaged_in_the_cache_is_fetched_again() {
    let world = World::new();
    let commit = world.hub.put(walker());
    world.build("acme/walker", &commit, "").with(0);
    for (path, bytes) in files(world.cache.path()) {
        if path.contains("/files/") && bytes.starts_with(b"def") {
            std::fs::write(world.cache.path().join(path), b"def make_env(): !!!\n").unwrap();
        }
    }
    world.asked();
    assert_eq!(world.build("acme/walker", &commit, "").with(0).source("env.py"), b"def make_env(): ...\n");
    assert_eq!(world.asked(), [format!("/acme/walker/resolve/{commit}/env.py")]);
}

#[test]
fn without_a_cache_that_can_be_written_it_still_works() {
    let world = World::new();
    let commit = world.hub.put(walker());
    let file = world.cache.path().join("file");
    std::fs::write(&file, "").unwrap();
    let run = world.command(&format!("build hf://acme/walker@{commit} --trust-remote-code"));
    ended(run.env("XDG_CACHE_HOME", &file)).with(0).source("env.py");
}

#[test]
fn offline_without_the_files_fails_at_once() {
    let world = World::new();
    let commit = world.hub.put(walker());
    for line in [
        format!("build hf://acme/walker@{commit} --trust-remote-code"),
        "hash hf://acme/walker --allow-unpinned-hf".to_owned(),
        "ls hf://acme/walker".to_owned(),
    ] {
        ended_with(world.command(&line).env("HF_HUB_OFFLINE", "1"), 4, "HF_HUB_OFFLINE");
    }
    world.run("hash hf://acme/walker --allow-unpinned-hf").with(0);
    world.asked();
    let known =
        ended(world.command("hash hf://acme/walker --allow-unpinned-hf").env("HF_HUB_OFFLINE", "1")).with(0);
    assert_eq!(known.stdout.trim().len(), 64);
    assert_eq!(world.asked(), Vec::<String>::new());
}

#[test]
fn a_network_that_fails_and_recovers_is_not_noticed_in_the_result() {
    let retry_after = |value: &str| vec![("retry-after", value.to_owned())];
    all_at_once(
        [
            ("/revision/", 2, Fault::Status(503, vec![])),
            ("/revision/", 1, Fault::CutAfter(20)),
            ("/tree/", 2, Fault::Status(429, retry_after("0"))),
            ("/tree/", 1, Fault::Status(429, vec![("ratelimit", "\"api\";r=0;t=1".to_owned())])),
            ("/tree/", 3, Fault::CutAfter(200)),
            ("/tree/", 1, Fault::Status(500, vec![])),
            ("/env.py", 2, Fault::Status(502, retry_after("0"))),
            ("/env.py", 2, Fault::CutAfter(5)),
            ("/env.py", 1, Fault::WrongByteAt(3)),
            ("/env.py", 1, Fault::Length(3)),
            ("/env.py", 1, Fault::Length(3000)),
            ("/env.py", 1, Fault::StallAfter(4)),
            ("/env.py", 1, Fault::Slow(Duration::from_millis(5))),
            ("signature=", 2, Fault::Status(403, vec![])),
            ("signature=", 12, Fault::CutAfter(20_000)),
            ("signature=", 1, Fault::WrongByteAt(299_999)),
            ("signature=", 1, Fault::StallAfter(70_000)),
            ("signature=", 2, Fault::Length(299_999)),
        ],
        |(part, times, fault)| {
            let world = World::new();
            world.hub.put(walker());
            world.hub.page_size(3);
            world.hub.fail(part, times, fault.clone());
            let run = world.command("build hf://acme/walker@main --trust-remote-code --allow-unpinned-hf");
            let ended = ended(run.env("HF_HUB_DOWNLOAD_TIMEOUT", "0.4"));
            assert_eq!(ended.status, Some(0), "{part} {fault:?}: {}", ended.stderr);
            assert_eq!(ended.source("env.py"), b"def make_env(): ...\n");
            assert_eq!(ended.source("model.bin"), [7; 300_000], "{fault:?}");
            let asked = world.asked();
            assert!(
                asked.iter().filter(|target| target.contains(part)).count() > 1
                    || matches!(fault, Fault::Slow(_)),
                "{fault:?}: {asked:?}"
            );
        },
    );
}

#[test]
fn a_large_file_goes_on_where_the_connection_broke() {
    let world = World::new();
    let commit = world.hub.put(walker());
    world.hub.fail("signature=", 1, Fault::CutAfter(100_000));
    world.build("acme/walker", &commit, "").with(0);
    let ranges: Vec<_> = world
        .hub
        .requests()
        .into_iter()
        .filter(|request| request.is_to_store)
        .map(|request| request.range)
        .collect();
    assert_eq!(ranges[0], None);
    let start: u64 =
        ranges[1].as_deref().unwrap().trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
    assert!((1..=100_000).contains(&start), "{start}");
}

#[test]
fn what_stays_wrong_is_refused_and_nothing_of_it_is_kept() {
    all_at_once(
        [
            (
                "/env.py",
                Fault::WrongByteAt(0),
                "env.py of hf://acme/walker is not the file that the commit records: its digest is wrong",
            ),
            (
                "signature=",
                Fault::WrongByteAt(0),
                "model.bin of hf://acme/walker is not the file that the commit records",
            ),
            ("/env.py", Fault::Length(3), "it has 3 bytes, not 20"),
            ("/env.py", Fault::Length(1 << 40), "bytes, not 20"),
            ("/env.py", Fault::Status(503, vec![]), "the Hub has a problem and answered with status 503"),
            ("/tree/", Fault::Body("<html>log in</html>".to_owned()), "did not answer like a Hub"),
            ("/tree/", Fault::Body("{\"error\":\"x\"}".to_owned()), "did not answer like a Hub"),
            ("/tree/", Fault::CutAfter(10), "keeps breaking"),
            (
                "/tree/",
                Fault::Status(429, vec![("retry-after", "3600".to_owned())]),
                "run it again in 3600 s",
            ),
            (
                "/revision/",
                Fault::Body("{\"sha\":\"../../etc\"}".to_owned()),
                "does not name a full commit id",
            ),
            ("/revision/", Fault::Body("{}".to_owned()), "does not name a full commit id"),
            ("/revision/", Fault::Redirect("http://127.0.0.1:1/x".to_owned()), "redirects to another host"),
            ("/tree/", Fault::Redirect("http://127.0.0.1:1/x".to_owned()), "redirects to another host"),
            ("/env.py", Fault::Redirect("file:///etc/passwd".to_owned()), "neither http nor https"),
            (
                "/env.py",
                Fault::Redirect("/acme/walker/resolve/main/env.py".to_owned()),
                "redirects too many times",
            ),
        ],
        |(part, fault, expected)| {
            let world = World::new();
            world.hub.put(walker());
            world.hub.fail(part, 1000, fault.clone());
            let ended = world.run("build hf://acme/walker@main --trust-remote-code --allow-unpinned-hf");
            assert_eq!(ended.status, Some(4), "{fault:?}: {}", ended.stderr);
            assert!(
                ended.stderr.contains(expected) && ended.stderr.contains("hint: "),
                "{fault:?}: {}",
                ended.stderr
            );
            assert!(ended.context.is_empty(), "nothing was built");
            let kept = files(world.cache.path());
            assert!(
                !kept.values().any(|bytes| bytes.starts_with(b"eef make_env")),
                "a wrong content was kept"
            );
        },
    );
}

/// A Hub, or what is between it and here, that answers a pinned commit with the files of another one.
#[test]
fn an_answer_for_another_commit_than_the_pinned_one_is_refused_and_not_asked_for_again() {
    let other = "0123456789abcdef0123456789abcdef01234567";
    for (part, redirects) in
        [("/resolve/", false), ("/model.bin", false), ("/env.py", false), ("/resolve-cache/", true)]
    {
        let world = World::new();
        let commit = world.hub.put(walker());
        if redirects {
            world.hub.redirect_plain_files();
        }
        world.hub.fail(part, 1000, Fault::Commit(other.to_owned()));
        let ended = world.build("acme/walker", &commit, "").with(4);
        let said =
            format!("the Hub answered with the commit {other} instead of {commit}\nhint: run it again");
        assert!(ended.stderr.replace('\'', "").contains(&said), "{part}: {}", ended.stderr);
        assert!(ended.context.is_empty(), "nothing was built");
        let asked = world.asked();
        let unique: std::collections::BTreeSet<&String> = asked.iter().collect();
        assert_eq!(asked.len(), unique.len(), "{asked:?}");

        // The same commit in another spelling, and a mirror that does not name any.
        for name in [commit.to_uppercase(), String::new()] {
            world.hub.recover();
            world.hub.fail(part, 1000, Fault::Commit(name));
            std::fs::remove_dir_all(world.cache.path().join("rlmesh-sandbox")).unwrap();
            world.build("acme/walker", &commit, "").with(0);
        }
    }
}

#[test]
fn an_unsafe_listing_is_refused_before_any_file_is_requested() {
    let file =
        |path: &str, size: u64| json!({ "type": "file", "path": path, "oid": "0".repeat(40), "size": size });
    let with = |entry: serde_json::Value| walker().raw(entry);
    for (repository, expected) in [
        (walker().claim("../evil"), "leaves its folder"),
        (walker().claim("a/../../evil"), "leaves its folder"),
        (walker().claim("/etc/cron.d/x"), "is absolute"),
        (walker().claim("a\u{1b}]0;x\u{7}"), "control characters"),
        (walker().claim(".git/hooks/pre-commit"), "belongs to git"),
        (walker().claim("env.py/x"), "is both a file and a folder"),
        (walker().claim("env.py"), "is listed twice"),
        (with(json!({ "type": "symlink", "path": "x", "oid": "0".repeat(40), "size": 1 })), "is a link"),
        (with(json!({ "type": "file", "path": "x" })), "has no git id"),
        (with(json!({ "path": "x" })), "did not answer like a Hub"),
        (
            with(json!({ "type": "file", "path": "x", "oid": "0".repeat(40), "size": -1 })),
            "did not answer like a Hub",
        ),
        (walker().made_entries(1_000_000), "more than 100000"),
        (with(file("x", u64::MAX)), "more than the limit"),
        (Repository::new("acme/walker").file("src/env.py", "x"), "no env.py at its root"),
        (walker().lfs("big", vec![1; 2_000_000]), "more than the limit of 1.00 MiB"),
    ] {
        let world = World::new();
        let commit = world.hub.put(repository);
        let ended = world.build("acme/walker", &commit, "--max-source-size 1m");
        assert_eq!(ended.status, Some(4), "{expected}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(expected) && ended.stderr.contains("hint: "),
            "{expected}: {}",
            ended.stderr
        );
        assert!(!ended.stderr.contains('\u{1b}'), "{:?}", ended.stderr);
        let asked = world.asked();
        assert!(asked.iter().all(|target| target.contains("/tree/")), "{expected}: {asked:?}");
        assert!(asked.len() <= 101, "{expected}: {} pages", asked.len());
    }
}

#[test]
fn an_answer_that_is_too_large_is_not_asked_for_again() {
    for (part, size, expected) in [
        ("/revision/", 17 << 20, "its answer is larger than 16.00 MiB"),
        ("/tree/", 33 << 20, "its answer is larger than 32.00 MiB"),
    ] {
        let world = World::new();
        world.hub.put(walker());
        world.hub.fail(part, 1000, Fault::Body(" ".repeat(size)));
        let ended = world.run("build hf://acme/walker@main --trust-remote-code --allow-unpinned-hf").with(4);
        assert!(ended.stderr.contains(expected) && ended.stderr.contains("hint: "), "{}", ended.stderr);
        assert_eq!(world.asked().iter().filter(|target| target.contains(part)).count(), 1);
    }
}

#[test]
fn names_that_other_systems_do_not_have_reach_the_build() {
    let names = ["aux.py", "a:b.json", "dot.", "a space ", "ENV.py", "Assets/x", "back\\slash", "<a>|*?\"/b"];
    let world = World::new();
    let repository = names.iter().fold(walker(), |repository, name| repository.file(name, name));
    let commit = world.hub.put(repository);
    let ended = world.build("acme/walker", &commit, "").with(0);
    for name in names {
        assert_eq!(ended.source(name), name.as_bytes());
    }
    assert_eq!(ended.source("env.py"), b"def make_env(): ...\n");
}

#[test]
fn a_page_that_leads_elsewhere_does_not_take_the_token_along() {
    let (world, elsewhere) = (World::new(), Hub::start());
    let commit = world.hub.put(walker());
    world.hub.page_size(2);
    world.hub.links_name(&elsewhere.endpoint());
    let run = world
        .command(&format!("build hf://acme/walker@{commit} --trust-remote-code"))
        .env("HF_TOKEN", MEMBER);
    ended(run).with(0);
    assert!(elsewhere.requests().is_empty());
    for request in world.hub.requests() {
        assert_eq!(request.authorization.is_none(), request.is_to_store, "{request:?}");
    }
}

#[test]
fn each_refusal_of_the_hub_has_its_sentence_and_no_output_has_the_token() {
    let world = World::new();
    let private =
        world.hub.put(Repository { name: "acme/private".into(), ..walker() }.access(Access::Private));
    let gated = world.hub.put(Repository { name: "acme/gated".into(), ..walker() }.access(Access::Gated));
    let disabled =
        world.hub.put(Repository { name: "acme/disabled".into(), ..walker() }.access(Access::Disabled));
    let moved = world.hub.put(walker());
    world.hub.put(Repository { name: "acme/old".into(), ..walker() }.moved_to("acme/walker"));
    for (repo, commit, token, status, expected) in [
        ("acme/none", &private, None, 4, "it does not exist, or it is private or gated"),
        ("acme/none", &private, Some(MEMBER), 4, "the token from HF_TOKEN has no access to it"),
        ("acme/private", &private, None, 4, "it does not exist, or it is private or gated"),
        ("acme/private", &private, Some(STRANGER), 4, "the token from HF_TOKEN has no access to it"),
        ("acme/private", &private, Some("hf_wrong"), 4, "refuses the token from HF_TOKEN"),
        ("acme/private", &private, Some(MEMBER), 0, "fetched"),
        ("acme/gated", &gated, None, 4, "its owner must grant you access"),
        ("acme/gated", &gated, Some(STRANGER), 4, "has no access to it"),
        ("acme/gated", &gated, Some(MEMBER), 0, "fetched"),
        ("acme/disabled", &disabled, None, 4, "has disabled"),
        ("acme/walker", &private, None, 4, "has no revision"),
        ("acme/old", &moved, Some(MEMBER), 0, "fetched"),
    ] {
        let mut run = world.command(&format!("-v build hf://{repo}@{commit} --trust-remote-code"));
        if let Some(token) = token {
            run = run.env("HF_TOKEN", token);
        }
        let ended = ended(run);
        assert_eq!(ended.status, Some(status), "{repo} {token:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{repo} {token:?}: {}", ended.stderr);
        assert!(status == 0 || ended.stderr.contains("hint: "), "{}", ended.stderr);
        for token in [MEMBER, STRANGER, "hf_wrong", "signature"] {
            assert!(!ended.stderr.contains(token) && !ended.stdout.contains(token), "{}", ended.stderr);
            assert!(
                !ended
                    .context
                    .values()
                    .any(|bytes| bytes.windows(token.len()).any(|part| part == token.as_bytes()))
            );
        }
    }
    // A token in a file, as `hf auth login` leaves it.
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("token"), format!("{MEMBER}\n")).unwrap();
    ended(world.command(&format!("ls hf://acme/private@{private}")).env("HF_HOME", home.path())).with(0);
}

#[test]
fn an_unreachable_hub_is_reported() {
    let world = World::new();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (name, value, expected) in [
        ("HF_ENDPOINT", format!("http://{gone}"), "no connection to 127.0.0.1"),
        (
            "HF_ENDPOINT",
            "http://no-such-host.invalid".to_owned(),
            "the name no-such-host.invalid could not be resolved",
        ),
        ("HTTP_PROXY", format!("http://user:secret@{gone}"), "through the proxy"),
    ] {
        let ended = ended(world.command("ls hf://acme/walker").env(name, value)).with(4);
        assert!(ended.stderr.contains(expected) && ended.stderr.contains("hint: "), "{}", ended.stderr);
        assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    }
    ended_with(world.command("ls hf://acme/walker").env("HF_ENDPOINT", "ftp://x"), 2, "HF_ENDPOINT");
    ended_with(world.command("ls hf://acme/walker").env("HF_TOKEN", "a b"), 2, "HF_TOKEN");
}

#[test]
fn an_untrusted_certificate_is_refused() {
    let world = World::new();
    let server = crate::support::tls::untrusted_server();
    let run = world.command("ls hf://acme/walker").env("HF_ENDPOINT", format!("https://{server}"));
    ended_with(run.env("HF_TOKEN", MEMBER), 4, "is not trusted");
}

#[test]
fn requirements_that_name_files_get_the_files() {
    let world = World::new();
    let commit = world
        .hub
        .put(walker().file("requirements.txt", "-r assets/more.txt\n").file("assets/more.txt", "six\n"));
    let ended = world.build("acme/walker", &commit, "").with(0);
    assert_eq!(ended.context.get("requirements/assets/more.txt").unwrap(), b"six\n");
    assert!(ended.context.contains_key("requirements/env.py"));
    let bare = world.hub.put(Repository::new("acme/bare").file("env.py", "x"));
    let ended = world.build("acme/bare", &bare, "").with(0);
    assert_eq!(ended.context.keys().filter(|name| name.starts_with("requirements")).count(), 0);
}

#[test]
fn ls_shows_what_there_is_to_trust() {
    let world = World::new();
    let commit = world.hub.put(walker());
    let list = world.command("ls hf://acme/walker:suite/0").stdout(format!(
        "hf://acme/walker@{commit}:suite/0\n\
         \x20        0 B  again/__init__.py\n\
         \x20        1 B  assets/näme & more#1%.txt\n\
         \x20        0 B  empty/__init__.py\n\
         \x20       20 B  env.py\n\
         \x20 292.97 KiB  model.bin  (LFS)\n\
         \x20        4 B  requirements.txt\n"
    ));
    list.stderr(format!(
        "looking up hf://acme/walker\nlooking up hf://acme/walker@{commit}\n\
         6 files, 292.99 KiB; env.py exists, requirements.txt exists\n\
         to read its code, run `rlmesh-sandbox ls hf://acme/walker@{commit}:suite/0 --show env.py`\n"
    ))
    .check();
    world
        .command(&format!("-q ls hf://acme/walker@{commit} --show env.py"))
        .stdout("def make_env(): ...\n")
        .check();
    let json = world.run(&format!("ls hf://acme/walker@{commit} --format json")).with(0);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(
        (&json["commit"], &json["has_env_py"], &json["size"]),
        (&json!(commit), &json!(true), &json!(300_025))
    );
    assert_eq!(json["files"][4]["is_lfs"], json!(true));
    assert!(json["files"][4]["digest"].as_str().unwrap().starts_with("sha256:"));
    ended_with(world.command("ls hf://acme/walker --show nothing"), 4, "has no file nothing");
    ended_with(world.command("ls CartPole-v1"), 2, "only a Hugging Face source");
}

#[test]
fn the_cache_is_emptied_when_asked() {
    let world = World::new();
    let commit = world.hub.put(walker());
    world.run("prune --cache --older-than 0").with(0);
    world.build("acme/walker", &commit, "").with(0);
    let would = world.run("prune --cache --older-than 0 --dry-run --format json").with(0);
    let would: serde_json::Value = serde_json::from_str(&would.stdout).unwrap();
    assert_eq!((&would[0]["action"], &would[0]["files"]), (&json!("would_remove"), &json!(6)));
    // It was used a moment ago.
    assert_eq!(world.run("prune --cache").with(0).stdout, "");
    let emptied = world.run("prune --cache --older-than 0").with(0);
    assert_eq!(emptied.stdout.trim(), world.cache.path().join("rlmesh-sandbox/hub").to_str().unwrap());
    assert_eq!(files(world.cache.path()).keys().collect::<Vec<_>>(), ["rlmesh-sandbox/hub/lock"]);
    // With hardly any room, what was used longest ago makes room for the rest.
    let run = world.command(&format!("build hf://acme/walker@{commit} --trust-remote-code"));
    ended(run.env("RLMESH_SANDBOX_CACHE_LIMIT", "1k")).with(0).source("model.bin");
    let kept = || files(world.cache.path()).values().map(Vec::len).sum::<usize>();
    assert!(kept() <= 1024, "{}", kept());
    // Also while another run uses the cache.
    let lock = std::fs::File::open(world.cache.path().join("rlmesh-sandbox/hub/lock")).unwrap();
    lock.lock_shared().unwrap();
    world.build("acme/walker", &commit, "").with(0);
    let in_use = world.run("prune --cache --older-than 0 -v").with(0);
    assert!(in_use.stderr.contains("a run is using it"), "{}", in_use.stderr);
    assert!(kept() > 300_000);
    let run = world.command(&format!("build hf://acme/walker@{commit} --trust-remote-code"));
    ended(run.env("RLMESH_SANDBOX_CACHE_LIMIT", "1k")).with(0).source("model.bin");
    assert!(kept() <= 1024, "{}", kept());
}

#[test]
fn an_interrupt_ends_a_fetch_that_hangs() {
    let world = World::new();
    let commit = world.hub.put(walker());
    world.hub.fail("signature=", 9, Fault::StallAfter(100_000));
    let run = world.command(&format!("build hf://acme/walker@{commit} --trust-remote-code"));
    run.env("HF_HUB_DOWNLOAD_TIMEOUT", "600").status(130).any_stderr().check_while(|_, child| {
        eventually("the download begins", || {
            world.hub.requests().iter().any(|request| request.is_to_store).then_some(())
        });
        signal(child, rustix::process::Signal::INT);
    });
    world.hub.recover();
    let again = world.build("acme/walker", &commit, "").with(0);
    assert_eq!(again.source("model.bin"), [7; 300_000]);
}
