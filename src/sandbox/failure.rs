//! Explains why a container did not serve: from its exit code and log to a cause and hints.

use crate::plan::rlmesh_package::RlmeshPackage;
use crate::plan::{Plan, ResolvedSource};
use crate::source::families;

/// What happened, and what to do about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    /// The failed program's own error message, if there is one.
    pub(crate) cause: Option<String>,
    /// What the user can do. The most likely remedy comes first.
    pub(crate) hints: Vec<String>,
}

/// How a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContainerEnd {
    pub(crate) exit_code: i64,
    pub(crate) is_out_of_memory: bool,
}

/// Explains why a container that was started from `plan` did not serve.
///
/// `end` is `None` if the container still runs but did not answer.
pub(crate) fn startup(plan: &Plan, end: Option<ContainerEnd>, log: &str) -> Diagnosis {
    let cause = python_error(log);
    let mut hints = Vec::new();
    if let Some(cause) = &cause {
        hints.extend(hint_for_exception(plan, cause, log));
    }
    if let Some(library) = missing_library(log) {
        hints.push(format!(
            "the image lacks the system library {library}: pass --apt {}, or use a base image that has it (--base-image)",
            debian_package(library)
        ));
    }
    if log.contains("No module named 'rlmesh'") || log.contains("No module named rlmesh") {
        hints.push(
            "the image has no rlmesh package: check --rlmesh-package, or use a prebuilt image that has it"
                .to_owned(),
        );
    }
    match end {
        Some(ContainerEnd { is_out_of_memory: true, .. }) => {
            hints.push(
                "the container ran out of memory: give Docker more memory, or serve fewer copies (-n)"
                    .to_owned(),
            );
        }
        Some(ContainerEnd { exit_code: 137, .. }) if hints.is_empty() => {
            hints.push(
                "the container was killed, most likely because it ran out of memory: give Docker more memory, or serve fewer copies (-n)"
                    .to_owned(),
            );
        }
        // Signals, as a shell counts them: illegal instruction, abort, bus error, segmentation fault.
        Some(ContainerEnd { exit_code: 132 | 134 | 135 | 139, .. }) if hints.is_empty() => {
            hints.push(
                "compiled code crashed in the container: install another version of its package with -p NAME==VERSION, or use another base image (--base-image)"
                    .to_owned(),
            );
        }
        Some(ContainerEnd { exit_code: 0, .. }) if hints.is_empty() => {
            hints.push(
                "the image's program ended without an error: check that the image serves rlmesh".to_owned(),
            );
        }
        None if hints.is_empty() => {
            hints.push("allow more time with --ready-timeout, or read the container's log below".to_owned());
        }
        _ => {}
    }
    if hints.is_empty() {
        hints.push("read the end of the container's log below".to_owned());
    }
    if let Some(build) = plan.build()
        && let RlmeshPackage::Pip { spec: requirement } = &build.spec.rlmesh_package
    {
        hints.push(format!(
            "the image has {requirement} from the package index; if you use your own build of rlmesh, pass \
             --rlmesh-package local to install that build"
        ));
    }
    Diagnosis { cause, hints }
}

/// The exception in the last traceback of a log. If rlmesh wraps an exception of Gymnasium, this is
/// Gymnasium's, which says more.
fn python_error(log: &str) -> Option<String> {
    let errors: Vec<&str> = log.lines().filter(|line| is_exception_line(line)).collect();
    let last = errors.last()?;
    let error = if last.contains("failed to create gym environment") {
        errors.iter().rev().find(|line| line.starts_with("gymnasium.error.")).unwrap_or(last)
    } else {
        last
    };
    Some(error.trim_end_matches('.').to_owned())
}

/// The text between the first `start` and the next `end`.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}

/// Whether a line starts like `package.module.SomeError: text`.
fn is_exception_line(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default();
    let is_path = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    let class = name.rsplit('.').next().unwrap_or_default();
    let is_class = class.starts_with(|c: char| c.is_ascii_uppercase());
    let is_error = class.ends_with("Error")
        || class.ends_with("Exception")
        || class.ends_with("NotFound")
        || class.ends_with("NotInstalled")
        || matches!(class, "DeprecatedEnv" | "UnregisteredEnv" | "KeyboardInterrupt" | "SystemExit");
    is_path && is_class && is_error
}

fn hint_for_exception(plan: &Plan, cause: &str, log: &str) -> Vec<String> {
    let mut hints = Vec::new();
    if let Some(extra) = between(cause, "pip install \"", "\"") {
        hints.push(format!("pass -p '{extra}'"));
    }
    let is_unknown =
        ["NameNotFound", "NamespaceNotFound", "UnregisteredEnv"].iter().any(|name| cause.contains(name));
    let env_id = plan.build().and_then(|build| match &build.spec.source {
        ResolvedSource::Gym { env_id } => Some(env_id),
        ResolvedSource::Hf { .. } | ResolvedSource::Folder(_) => None,
    });
    if is_unknown && let Some(reason) = env_id.and_then(|env_id| families::unserved_because(env_id)) {
        hints.push(format!("this environment cannot be served: {reason}"));
    } else if is_unknown && let Some(new) = env_id.and_then(|env_id| families::new_id(env_id)) {
        hints.push(format!("use the environment id {new}"));
    } else if is_unknown && let Some(flags) = family_flags(plan) {
        hints.push(format!("this environment is part of another package: pass {flags}"));
    } else if let Some(meant) =
        between(cause, "Did you mean: `", "`").or_else(|| between(cause, "Please use `", "`"))
    {
        hints.push(format!("use the environment id {meant}"));
    } else if cause.contains("VersionNotFound") {
        hints.push("use one of the versions that the message lists".to_owned());
    } else if is_unknown {
        hints.push(
            "check the environment id; if another package registers it, pass the package with -p and its module with -i".to_owned(),
        );
    }
    if let Some(module) = between(log, "No module named '", "'")
        && hints.is_empty()
    {
        hints.push(match family_flags(plan) {
            Some(flags) => format!("pass {flags}"),
            None => format!("pass the package that contains the module {module} with -p"),
        });
    }
    if cause.contains("unexpected keyword argument") {
        hints.push("check the names given with -k and --kwargs".to_owned());
    }
    if cause.contains("missing") && cause.contains("required") && cause.contains("argument") {
        hints.push(if cause.contains("--wrap ") {
            "--wrap only passes the environment: use a function or subclass in a module of your own that passes the other arguments".to_owned()
        } else {
            "pass the missing argument with -k".to_owned()
        });
    }
    if cause.contains("mujoco v2 and v3 based environments") {
        hints.push("use version -v5 of this environment".to_owned());
    }
    let is_wrong_choice = cause.contains(" was not found") && cause.contains("; available ");
    if is_wrong_choice || cause.contains("specify one in the source URI") {
        hints.push(
            match cause
                .rsplit_once("; available ")
                .or_else(|| cause.split_once("specify one in the source URI"))
            {
                Some((_, offered)) => {
                    format!("the repository offers {}", offered.trim_matches(['"', '\'', ':', ' ']))
                }
                None => "use one of those that the message lists".to_owned(),
            },
        );
    }
    hints
}

/// The missing flags for an environment of a known family.
fn family_flags(plan: &Plan) -> Option<String> {
    let spec = &plan.build()?.spec;
    let ResolvedSource::Gym { env_id } = &spec.source else { return None };
    let family = families::of(env_id)?;
    let quoted = |text: &str| shlex::try_quote(text).map(|text| text.into_owned()).unwrap_or_default();
    let packages =
        family.packages.iter().filter(|package| !spec.packages.iter().any(|given| given == *package));
    let imports = family.imports.iter().filter(|import| !spec.imports.iter().any(|given| given == *import));
    let libraries = family.apt.iter().filter(|name| !spec.apt.iter().any(|given| given == *name));
    let kwargs = family.kwargs.iter().filter(|(name, _)| !plan.serving.kwargs.contains_key(*name));
    let flags: Vec<String> = packages
        .map(|package| format!("-p {}", quoted(package)))
        .chain(imports.map(|import| format!("-i {}", quoted(import))))
        .chain(libraries.map(|name| format!("--apt {name}")))
        .chain(kwargs.map(|(name, value)| format!("-k {}", quoted(&format!("{name}={value}")))))
        .collect();
    (!flags.is_empty()).then(|| flags.join(" "))
}

/// The shared library that could not be loaded: `libGL.so.1`.
fn missing_library(log: &str) -> Option<&str> {
    let line =
        log.lines().find(|line| line.contains(".so") && line.contains("cannot open shared object file"))?;
    line.split([' ', ':', '\'', '"']).find(|word| word.starts_with("lib") && word.contains(".so"))
}

/// The Debian package of a library, or a placeholder if it is unknown.
fn debian_package(library: &str) -> String {
    let stem = library.split(".so").next().unwrap_or(library);
    match stem {
        "libGL" => "libgl1".to_owned(),
        "libEGL" => "libegl1".to_owned(),
        "libglib-2.0" | "libgthread-2.0" => "libglib2.0-0".to_owned(),
        "libxcb" => "libxcb1".to_owned(),
        "libX11" => "libx11-6".to_owned(),
        "libOSMesa" => "libosmesa6".to_owned(),
        _ => format!("NAME (the Debian package that contains {library})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::samples;

    fn plan(env_id: &str) -> Plan {
        samples::plan(samples::gym(env_id))
    }

    const DEAD: Option<ContainerEnd> = Some(ContainerEnd { exit_code: 1, is_out_of_memory: false });

    /// The lines are rlmesh 0.1.0's with gymnasium 1.4.0.
    #[test]
    fn errors_of_rlmesh_and_gymnasium_have_hints() {
        for (env_id, log, cause, hint) in [
            (
                "CartPol-v1",
                "gymnasium.error.NameNotFound: Environment `CartPol` doesn't exist. Did you mean: `CartPole`?\n\nRuntimeError: failed to create gym environment 'CartPol-v1' with gymnasium",
                "NameNotFound",
                "use the environment id CartPole",
            ),
            (
                "ALE/Pong-v5",
                "gymnasium.error.NamespaceNotFound: Namespace ALE not found. Have you installed the proper package for ALE?\nRuntimeError: failed to create gym environment 'ALE/Pong-v5' with gymnasium",
                "NamespaceNotFound",
                "-p ale-py -i ale_py",
            ),
            (
                "gym_pusht/PushT-v0",
                "gymnasium.error.NamespaceNotFound: Namespace gym_pusht not found.",
                "NamespaceNotFound",
                "pass -p gym-pusht -i gym_pusht --apt libxcb1 --apt libgl1 --apt libglib2.0-0",
            ),
            (
                "PandaReach-v2",
                "gymnasium.error.NameNotFound: Environment `PandaReach` doesn't exist.",
                "NameNotFound",
                "use the environment id PandaReach-v3",
            ),
            (
                "procgen-coinrun-v0",
                "gymnasium.error.NameNotFound: Environment `procgen-coinrun` doesn't exist.",
                "NameNotFound",
                "this environment cannot be served: procgen",
            ),
            (
                "CartPole-v9",
                "gymnasium.error.VersionNotFound: Variables version `v9` for environment `CartPole` doesn't exist. It provides versioned environments: [ `v0`, `v1` ].",
                "VersionNotFound",
                "one of the versions",
            ),
            (
                "CartPole-v1",
                "ModuleNotFoundError: No module named 'ale_py'\nImportError: Unable to import package 'ale_py': No module named 'ale_py'.",
                "Unable to import package 'ale_py'",
                "the module ale_py with -p",
            ),
            (
                "LunarLander-v3",
                "ModuleNotFoundError: No module named 'Box2D'\ngymnasium.error.DependencyNotInstalled: Box2D is not installed, you can install it by run `pip install swig` followed by `pip install \"gymnasium[box2d]\"`",
                "Box2D is not installed",
                "-p 'gymnasium[box2d]'",
            ),
            (
                "Ant-v3",
                "ImportError: The mujoco v2 and v3 based environments have been moved to the gymnasium-robotics project (https://x).",
                "have been moved",
                "-v5",
            ),
            (
                "Taxi-v3",
                "gymnasium.error.DeprecatedEnv: Environment version v3 for `Taxi` is deprecated. Please use `Taxi-v4` instead.",
                "DeprecatedEnv",
                "use the environment id Taxi-v4",
            ),
            (
                "CartPole-v1",
                "TypeError: CartPoleEnv.__init__() got an unexpected keyword argument 'foo' was raised from the environment creator",
                "unexpected keyword argument 'foo'",
                "-k and --kwargs",
            ),
            (
                "CartPole-v1",
                "RuntimeError: --wrap gymnasium.wrappers:TimeLimit failed: TypeError: TimeLimit.__init__() missing 1 required positional argument: 'max_episode_steps'",
                "--wrap gymnasium.wrappers:TimeLimit failed",
                "--wrap only passes the environment",
            ),
            (
                "X-v0",
                "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
                "libGL.so.1",
                "--apt libgl1",
            ),
        ] {
            let diagnosis = startup(&plan(env_id), DEAD, log);
            assert!(diagnosis.cause.as_ref().is_some_and(|error| error.contains(cause)), "{diagnosis:?}");
            assert!(diagnosis.hints[0].contains(hint), "{diagnosis:?}");
            assert!(diagnosis.hints.last().unwrap().contains("--rlmesh-package local"), "{diagnosis:?}");
        }
    }

    #[test]
    fn an_empty_log_has_a_hint() {
        assert!(startup(&plan("X-v0"), None, "").hints[0].contains("--ready-timeout"));
        assert!(startup(&plan("X-v0"), DEAD, "").hints[0].contains("log"));
        let killed = Some(ContainerEnd { exit_code: 137, is_out_of_memory: false });
        assert!(startup(&plan("X-v0"), killed, "").hints[0].contains("memory"));
        let crashed = Some(ContainerEnd { exit_code: 139, is_out_of_memory: false });
        assert!(startup(&plan("X-v0"), crashed, "").hints[0].contains("compiled code"));
    }

    #[test]
    fn a_prebuilt_image_has_no_rlmesh_package_to_change() {
        assert!(
            !startup(&samples::prebuilt("x"), DEAD, "")
                .hints
                .iter()
                .any(|hint| hint.contains("--rlmesh-package"))
        );
    }

    #[test]
    fn ordinary_log_lines_are_not_exceptions() {
        for line in [
            "RLMesh sandbox serving tcp://0.0.0.0:50051",
            "  File \"x.py\", line 1",
            "http://Error: x",
            "note: Error",
        ] {
            assert!(!is_exception_line(line), "{line}");
        }
    }
}
