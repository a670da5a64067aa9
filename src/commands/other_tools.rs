//! Commands and options of docker and other tools, and what does the same here.

/// What to write instead of a command of another tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// Words of a command of this program. If there is no such command, the next row with the same name counts.
    Ours(&'static str),
    /// docker's own command with this name.
    Dockers(&'static str),
}

/// Command names, separated by spaces, and what to write instead.
pub(super) const VERBS: &[(&str, Verb)] = &[
    ("kill rm remove delete down terminate shutdown", Verb::Ours("stop")),
    ("start restart create up serve launch make spawn", Verb::Ours("run")),
    ("pull install bake prepare compile", Verb::Ours("build")),
    ("attach tail follow", Verb::Ours("logs --follow")),
    ("list status container containers sandboxes port who", Verb::Ours("ps")),
    ("show describe", Verb::Ours("inspect")),
    ("gc clean cleanup system", Verb::Ours("prune")),
    ("gc clean cleanup system prune", Verb::Ours("reap")),
    ("info diagnose", Verb::Ours("doctor")),
    ("new scaffold template", Verb::Ours("init")),
    ("test try validate verify eval", Verb::Ours("check")),
    ("version", Verb::Ours("--version")),
    ("files tree", Verb::Ours("ls")),
    ("exec cp top stats diff commit login wait pause unpause rename update", Verb::Dockers("")),
    ("images image", Verb::Dockers("image ls")),
    ("rmi", Verb::Dockers("image rm")),
    ("inspect", Verb::Dockers("inspect")),
];

/// What to write instead of an option of another tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instead {
    /// Nothing: it is not needed, or not possible.
    Nothing,
    /// Other words. The option's value follows them.
    Words(&'static str),
    /// `-k NAME=VALUE`.
    Kwarg(&'static str),
    /// The value alone.
    Value,
    /// The official image of this Python version.
    PythonImage,
}

/// An option of another tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Foreign {
    /// Its names, separated by spaces.
    pub(super) names: &'static str,
    pub(super) takes_value: bool,
    pub(super) instead: Instead,
    /// The reason. If it is empty, the hint only names what to use.
    pub(super) why: &'static str,
    /// The commands for which this counts, separated by spaces; all if it is empty.
    pub(super) verbs: &'static str,
}

const fn flag(names: &'static str, instead: Instead, why: &'static str) -> Foreign {
    Foreign { names, takes_value: false, instead, why, verbs: "" }
}

const fn option(names: &'static str, instead: Instead, why: &'static str) -> Foreign {
    Foreign { names, takes_value: true, instead, why, verbs: "" }
}

const fn only(verbs: &'static str, foreign: Foreign) -> Foreign {
    Foreign { verbs, ..foreign }
}

/// The options. The first row whose words this command has counts.
pub(super) const OPTIONS: &[Foreign] = &[
    option("-t", Instead::Words("--tag"), ""),
    flag("--rm --auto-remove", Instead::Nothing, "the container is always removed when it ends"),
    flag("-t --tty --interactive", Instead::Nothing, "a sandbox has no terminal"),
    option(
        "--publish --port --expose",
        Instead::Nothing,
        "docker chooses a free port, and the address is printed",
    ),
    flag("-P --publish-all", Instead::Nothing, "docker chooses a free port, and the address is printed"),
    option("--restart", Instead::Nothing, "a sandbox is not restarted: start another one"),
    flag("--no-cache --force --force-rm --build", Instead::Words("--rebuild"), ""),
    only("stop", flag("--force -f", Instead::Nothing, "a sandbox that does not stop in time is killed")),
    flag("--force -f -y --assume-yes", Instead::Words("--yes"), ""),
    option("--net", Instead::Words("--network"), ""),
    option("--mount", Instead::Words("--volume"), ""),
    option("-m --mem", Instead::Words("--memory"), ""),
    option("-u", Instead::Words("--user"), ""),
    flag("--gpu --cuda", Instead::Words("--gpus all"), ""),
    option(
        "--gpus --network --net --volume --mount --memory -m --cpus --device --user -u",
        Instead::Nothing,
        "sandboxes do not have it",
    ),
    flag("--privileged", Instead::Nothing, "a sandbox has no privileges"),
    option("--cap-add --security-opt", Instead::Nothing, "a sandbox has no privileges"),
    option(
        "--entrypoint -w --workdir -h --hostname --link --ip --dns",
        Instead::Nothing,
        "rlmesh-sandbox sets it itself",
    ),
    option("--render-mode", Instead::Kwarg("render_mode"), ""),
    option("--max-episode-steps", Instead::Kwarg("max_episode_steps"), ""),
    option("--seed", Instead::Nothing, "the client gives the seed: env.reset(seed=…)"),
    option(
        "--env-id --env-name --id --source --environment",
        Instead::Value,
        "the environment is given without an option",
    ),
    option("--n-envs --num-workers --workers --copies --replicas --scale", Instead::Words("-n"), ""),
    flag("--async", Instead::Words("--vectorization-mode async"), ""),
    flag("--sync", Instead::Words("--vectorization-mode sync"), ""),
    option("--pip --pip-install --with --install --dependency --requirement", Instead::Words("-p"), ""),
    option(
        "--requirements -r",
        Instead::Nothing,
        "pass each package with -p, or put requirements.txt into a folder with env.py and run that",
    ),
    option("--python --python-version", Instead::PythonImage, "the base image decides the version of Python"),
    option("--image --base --from", Instead::Words("--base-image"), ""),
    only(
        "run build check hash",
        option(
            "--dockerfile --file -f --build-arg --target",
            Instead::Nothing,
            "the Dockerfile is generated: give an image of your own with --base-image",
        ),
    ),
    flag("--background --daemon --daemonize -b -D", Instead::Words("-d"), ""),
    option("--start-timeout --wait-timeout --timeout -t", Instead::Words("--ready-timeout"), ""),
    option("--time --grace", Instead::Words("--timeout"), ""),
    option("--time --grace", Instead::Words("--stop-timeout"), ""),
    option("--expire --expires --lifetime --max-age", Instead::Words("--ttl"), ""),
    flag("--update --upgrade -U", Instead::Words("--pull"), ""),
    option("--output -o", Instead::Words("--format"), ""),
    flag("--json", Instead::Words("--format json"), ""),
    flag("--debug --trace", Instead::Words("-v"), ""),
    option("--log-level", Instead::Nothing, "-v prints more, -q prints less"),
    flag("--silent", Instead::Words("-q"), ""),
    flag("--no-color --no-colour", Instead::Words("--color never"), ""),
    flag("--no-progress", Instead::Words("--progress none"), ""),
    flag("--force -f --yes -y --assume-yes", Instead::Nothing, "this command asks nothing"),
    flag("--trust --trust-code", Instead::Words("--trust-remote-code"), ""),
    option("--cmd --command", Instead::Nothing, "the command comes last, after --"),
    option("--host -H", Instead::Nothing, "docker's own variable chooses the engine: DOCKER_HOST=…"),
    option("--context -c", Instead::Nothing, "docker's own variable chooses the engine: DOCKER_CONTEXT=…"),
    option(
        "--revision --commit",
        Instead::Nothing,
        "the revision is part of the source: hf://org/repo@COMMIT",
    ),
    flag("-a", Instead::Words("--all"), ""),
    flag("-a --all --no-trunc -l -A", Instead::Nothing, "this command always shows everything"),
    option("--lines", Instead::Words("--tail"), ""),
];

/// Whether a list of names, separated by spaces, contains this one.
pub(super) fn has(names: &str, name: &str) -> bool {
    names.split(' ').any(|known| known == name)
}
