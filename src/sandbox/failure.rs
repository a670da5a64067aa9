//! Why a container did not serve: from its end and its log to a cause and hints.

use crate::plan::rlmesh_package::RlmeshPackage;
use crate::plan::{Plan, ResolvedSource};
use crate::source::families;

/// What happened, and what to do about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    /// The cause in the failed program's own words, where there is one.
    pub(crate) cause: Option<String>,
    /// What the user can do, the likeliest first.
    pub(crate) hints: Vec<String>,
}

/// How a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContainerEnd {
    pub(crate) exit_code: i64,
    pub(crate) is_out_of_memory: bool,
}

/// Why a container that was started from `plan` did not serve.
///
/// `end` is `None` for one that still runs and never answered.
pub(crate) fn startup(plan: &Plan, end: Option<ContainerEnd>, log: &str) -> Diagnosis {
    let cause = python_error(log);
    let mut hints = Vec::new();
    if let Some(cause) = &cause {
        hints.extend(hint_for_exception(plan, cause, log));
    }
    if let Some(library) = missing_library(log) {
        hints.push(format!(
            "the image lacks the system library {library}: pass --apt {}, or use a --base-image that has it",
            debian_package(library)
        ));
    }
    if log.contains("No module named 'rlmesh'") || log.contains("No module named rlmesh") {
        hints.push("the image has no rlmesh: check --rlmesh-package, or the prebuilt image".to_owned());
    }
    match end {
        Some(ContainerEnd { is_out_of_memory: true, .. }) => {
            hints.push("it ran out of memory: give Docker more, or serve fewer copies (-n)".to_owned());
        }
        Some(ContainerEnd { exit_code: 137, .. }) if hints.is_empty() => {
            hints.push(
                "it was killed, most often for lack of memory: give Docker more, or serve fewer copies (-n)"
                    .to_owned(),
            );
        }
        // Signals, as a shell counts them: illegal instruction, abort, bus error, segmentation fault.
        Some(ContainerEnd { exit_code: 132 | 134 | 135 | 139, .. }) if hints.is_empty() => {
            hints.push(
                "compiled code in it crashed: name another version of the package that holds it with -p NAME==VERSION, or use another --base-image"
                    .to_owned(),
            );
        }
        Some(ContainerEnd { exit_code: 0, .. }) if hints.is_empty() => {
            hints.push("what the image runs ended by itself: is it an image that serves rlmesh?".to_owned());
        }
        None if hints.is_empty() => {
            hints.push("give it more time with --ready-timeout, or read its log below".to_owned());
        }
        _ => {}
    }
    if hints.is_empty() {
        hints.push("read the end of its log below".to_owned());
    }
    if let Some(build) = plan.build()
        && let RlmeshPackage::Pip { spec: requirement } = &build.spec.rlmesh_package
    {
        hints.push(format!(
            "the container has {requirement} as pip finds it; if your own rlmesh is another build the two may not match: \
             try --rlmesh-package local"
        ));
    }
    Diagnosis { cause, hints }
}

/// The exception that ended a Python program, as its last traceback names it. An exception that rlmesh
/// only wrapped around Gymnasium's tells less than Gymnasium's.
fn python_error(log: &str) -> Option<String> {
    let errors: Vec<&str> = log.lines().filter(|line| is_exception_line(line)).collect();
    let last = errors.last()?;
    let on_event = if last.contains("failed to create gym environment") {
        errors.iter().rev().find(|line| line.starts_with("gymnasium.error.")).unwrap_or(last)
    } else {
        last
    };
    Some(on_event.trim_end_matches('.').to_owned())
}

/// What stands between the first `start` and the next `end`.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}

/// `package.module.SomeError: text`, at the start of a line.
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
    if is_unknown && let Some(flags) = family_flags(plan) {
        hints.push(format!("this environment comes from another package: pass {flags}"));
    } else if let Some(meant) =
        between(cause, "Did you mean: `", "`").or_else(|| between(cause, "Please use `", "`"))
    {
        hints.push(format!("use the name {meant}"));
    } else if cause.contains("VersionNotFound") {
        hints.push("use one of the versions that it names".to_owned());
    } else if is_unknown {
        hints.push(
            "check the env id; if another package registers it, name the package with -p and its module with -i".to_owned(),
        );
    }
    if let Some(module) = between(log, "No module named '", "'")
        && hints.is_empty()
    {
        hints.push(match family_flags(plan) {
            Some(flags) => format!("pass {flags}"),
            None => format!("install the package that holds the module {module} with -p"),
        });
    }
    if cause.contains("unexpected keyword argument") {
        hints.push("check the names given with -k and --kwargs".to_owned());
    }
    if cause.contains("missing") && cause.contains("required") && cause.contains("argument") {
        hints.push("give the argument that it asks for with -k".to_owned());
    }
    if cause.contains("mujoco v2 and v3 based environments") {
        hints.push("name the -v5 of the same environment".to_owned());
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
                None => "name one of those that it lists".to_owned(),
            },
        );
    }
    hints
}

/// The flags that a known family's environment needs and the plan does not have.
fn family_flags(plan: &Plan) -> Option<String> {
    let spec = &plan.build()?.spec;
    let ResolvedSource::Gym { env_id } = &spec.source else { return None };
    let family = families::of(env_id)?;
    let quoted = |text: &str| shlex::try_quote(text).map(|text| text.into_owned()).unwrap_or_default();
    let packages =
        family.packages.iter().filter(|package| !spec.packages.iter().any(|given| given == *package));
    let imports = family.imports.iter().filter(|import| !spec.imports.iter().any(|given| given == *import));
    let flags: Vec<String> = packages
        .map(|package| format!("-p {}", quoted(package)))
        .chain(imports.map(|import| format!("-i {}", quoted(import))))
        .collect();
    (!flags.is_empty()).then(|| flags.join(" "))
}

/// The shared library that could not be loaded: `libGL.so.1`.
fn missing_library(log: &str) -> Option<&str> {
    let line =
        log.lines().find(|line| line.contains(".so") && line.contains("cannot open shared object file"))?;
    line.split([' ', ':', '\'', '"']).find(|word| word.starts_with("lib") && word.contains(".so"))
}

/// The Debian package that is known to hold a library; else where to look.
fn debian_package(library: &str) -> String {
    let stem = library.split(".so").next().unwrap_or(library);
    match stem {
        "libGL" => "libgl1".to_owned(),
        "libEGL" => "libegl1".to_owned(),
        "libglib-2.0" | "libgthread-2.0" => "libglib2.0-0".to_owned(),
        "libxcb" => "libxcb1".to_owned(),
        "libX11" => "libx11-6".to_owned(),
        "libOSMesa" => "libosmesa6".to_owned(),
        _ => format!("NAME (the Debian package that holds {library})"),
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
    fn what_rlmesh_and_gymnasium_say_becomes_something_to_do() {
        for (env_id, log, cause, hint) in [
            (
                "CartPol-v1",
                "gymnasium.error.NameNotFound: Environment `CartPol` doesn't exist. Did you mean: `CartPole`?\n\nRuntimeError: failed to create gym environment 'CartPol-v1' with gymnasium",
                "NameNotFound",
                "use the name CartPole",
            ),
            (
                "ALE/Pong-v5",
                "gymnasium.error.NamespaceNotFound: Namespace ALE not found. Have you installed the proper package for ALE?\nRuntimeError: failed to create gym environment 'ALE/Pong-v5' with gymnasium",
                "NamespaceNotFound",
                "-p ale-py -i ale_py",
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
                "use the name Taxi-v4",
            ),
            (
                "CartPole-v1",
                "TypeError: CartPoleEnv.__init__() got an unexpected keyword argument 'foo' was raised from the environment creator",
                "unexpected keyword argument 'foo'",
                "-k and --kwargs",
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
    fn without_a_word_from_the_container_there_is_still_something_to_do() {
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
    fn ordinary_log_lines_are_no_exceptions() {
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
