//! Explains failures to find or construct an environment: ids, extras and arguments.

use crate::error::Change;
use crate::plan::ResolvedSource;
use crate::plan::folder::LocalFolder;
use crate::sandbox::failure::{Advice, Case, distance, is_env_id, near};
use crate::source::families;

/// How many registered ids a hint lists.
const LISTED: usize = 6;

/// The first exception with one of these names or texts.
fn exception<'a>(case: &'a Case<'_>, signs: &[&str]) -> Option<&'a str> {
    case.log.exceptions().find(|text| signs.iter().any(|sign| text.contains(sign)))
}

const UNKNOWN: [&str; 4] = ["NameNotFound:", "NamespaceNotFound:", "UnregisteredEnv:", "VersionNotFound:"];

/// Whether Gymnasium does not know the id although the user named packages or modules, so that a look into the image
/// helps.
pub(super) fn is_unknown(case: &Case<'_>) -> bool {
    let is_given = !case.packages().is_empty() || case.imports().next().is_some();
    is_given && exception(case, &UNKNOWN).is_some_and(|text| !text.contains("VersionNotFound:"))
}

/// Explains an unknown id, and packages that Gymnasium asks for.
pub(super) fn advice(case: &Case<'_>) -> Option<Advice> {
    if let Some(text) = exception(case, &["DeprecatedEnv:"])
        && let Some(id) = between(text, "Please use `", "`").filter(|id| is_env_id(id))
    {
        return Some(Advice::with(
            format!("this version was removed: use {id}"),
            Some(Change::Source(id.to_owned())),
        ));
    }
    if let Some(advice) = of_the_folder(case) {
        return Some(advice);
    }
    if let Some(text) = exception(case, &UNKNOWN) {
        return Some(unknown(case, text));
    }
    if exception(case, &["mujoco v2 and v3 based environments"]).is_some() {
        let new = case.env_id().and_then(families::new_id).filter(|id| is_env_id(id));
        return Some(Advice::with("use version -v5 of this environment", new.map(Change::Source)));
    }
    let text = exception(case, &["pip install "])?;
    let requirement = between(text, "pip install \"", "\"")
        .or_else(|| text.rsplit_once("pip install ")?.1.split(['`', '"', '\'', ' ']).next())?;
    let change = case.add("-p", requirement)?;
    Some(Advice::with(format!("the environment needs {requirement}"), Some(change)))
}

/// The package of a folder registers several environments. `package_env.py` lists them in this sentence, and its
/// argument `id` chooses one.
fn of_the_folder(case: &Case<'_>) -> Option<Advice> {
    let ResolvedSource::Folder(LocalFolder { added_env: Some(_), .. }) = &case.plan.build()?.spec.source
    else {
        return None;
    };
    let text = exception(case, &["RuntimeError: the package "])?;
    if text.contains(" registers no Gymnasium environment ") {
        return Some(Advice::hint("if a function registers it, pass the function with -i MODULE:FUNCTION"));
    }
    let (_, ids) = text.split_once(" registers these environments: ")?;
    let given = case.plan.serving.kwargs.get("id").and_then(serde_json::Value::as_str);
    // The sentence may have been cut off in the last one.
    let ids: Vec<&str> = ids.split(", ").filter(|id| is_env_id(id)).collect();
    let id = ids.iter().min_by_key(|id| {
        given.map_or(0, |given| distance(&name(id).to_lowercase(), &name(given).to_lowercase()))
    })?;
    let change = match given {
        Some(given) => Change::Replace { option: "-k", old: format!("id={given}"), new: format!("id={id}") },
        None => Change::Add("-k", format!("id={id}")),
    };
    Some(Advice::with("choose one of these environments", Some(change)))
}

fn unknown(case: &Case<'_>, text: &str) -> Advice {
    let env_id = case.env_id().unwrap_or_default();
    if let Some(reason) = families::unserved(env_id).map(|entry| &entry.reason) {
        return Advice::hint(format!("this environment cannot be served: {reason}"));
    }
    if let Some(new) = families::new_id(env_id).filter(|id| is_env_id(id)) {
        return Advice::with(format!("this id was replaced by {new}"), Some(Change::Source(new)));
    }
    if let Some(advice) = family(case, env_id) {
        return advice;
    }
    if let Some(id) = latest(text, env_id).filter(|id| is_env_id(id)) {
        return Advice::with(format!("its newest version is {id}"), Some(Change::Source(id)));
    }
    if !case.facts.registered.is_empty() {
        return registered(case, env_id);
    }
    if let Some(advice) = elsewhere(case) {
        return advice;
    }
    if let Some(id) = meant(text, env_id).filter(|id| is_env_id(id)) {
        return Advice::with(format!("did you mean {id}?"), Some(Change::Source(id)));
    }
    let given = case.facts.modules.values().flatten().map(String::as_str).collect::<Vec<_>>();
    if !given.is_empty() {
        return Advice::hint(format!(
            "the packages given with -p register no environment when their modules are imported ({}): look into their documentation for the module or function that does, and pass it with -i MODULE or -i MODULE:FUNCTION",
            given.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ")
        ));
    }
    if case.imports().next().is_some() {
        return Advice::hint(
            "the modules given with -i do not register this id: check it, or pass the function that registers it with -i MODULE:FUNCTION",
        );
    }
    Advice::hint(
        "check the environment id; if another package registers it, pass the package with -p and its module with -i",
    )
}

/// What a known family needs and the user did not give, with --no-auto or after a change of the table.
fn family(case: &Case<'_>, env_id: &str) -> Option<Advice> {
    let family = families::of(env_id)?;
    let options = [("-p", &family.packages), ("-i", &family.imports), ("--apt", &family.apt)];
    let changes: Vec<Change> = options
        .iter()
        .flat_map(|(option, values)| values.iter().filter_map(|value| case.add(option, value)))
        .collect();
    (!changes.is_empty())
        .then(|| Advice { hints: vec!["this environment is part of another package".to_owned()], changes })
}

/// The ids that the user's imports register, with the nearest.
fn registered(case: &Case<'_>, env_id: &str) -> Advice {
    let ids = &case.facts.registered;
    let list = ids.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if ids.len() > LISTED { ", …" } else { "" };
    let is_clear = |id: &&String| near(name(id), name(env_id)) || ids.len() == 1;
    Advice::with(
        format!("the packages register {list}{more}"),
        ids.first().filter(is_clear).cloned().map(Change::Source),
    )
}

/// Other modules or functions of the user's packages that register environments.
fn elsewhere(case: &Case<'_>) -> Option<Advice> {
    if let Some((module, ids)) = case.facts.others.iter().find(|(_, ids)| !ids.is_empty()) {
        let list = ids.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
        return Some(Advice::with(format!("the module {module} registers {list}"), case.add("-i", module)));
    }
    let function = case.facts.callables.first()?;
    let change = case.add("-i", function)?;
    Some(Advice::with("the imports register no environment, but a function may", Some(change)))
}

/// An id without its namespace and version.
fn name(id: &str) -> &str {
    let id = id.rsplit(['/', ':']).next().unwrap_or(id);
    version(id).map_or(id, |(name, _)| name)
}

/// An id's name and the number of its version.
fn version(id: &str) -> Option<(&str, u32)> {
    let (name, version) = id.rsplit_once("-v")?;
    Some((name, version.parse().ok()?))
}

/// The newest version that Gymnasium lists: `… versioned environments: [ `v0`, `v1` ]`.
fn latest(text: &str, env_id: &str) -> Option<String> {
    let (_, list) = text.split_once("versioned environments: [")?;
    let numbers = list.split('`').filter_map(|word| word.strip_prefix('v')?.parse::<u32>().ok());
    let (name, _) = version(env_id)?;
    Some(format!("{name}-v{}", numbers.max()?))
}

/// The id that Gymnasium suggests, if it is a likely misspelling: it also suggests environments of other packages.
fn meant(text: &str, env_id: &str) -> Option<String> {
    let suggested = between(text, "Did you mean: `", "`")?;
    let (suggested, _) = version(suggested).unwrap_or((suggested, 0));
    let (own, number) = version(env_id)?;
    let namespace = own.rsplit_once('/').map_or(String::new(), |(namespace, _)| format!("{namespace}/"));
    near(name(suggested), name(env_id)).then(|| format!("{namespace}{}-v{number}", name(suggested)))
}

/// A function or class that a module does not have, in the words of the startup package: `--import a:b failed: the
/// module a has no b; similar names are c, d`.
fn not_in_the_module(case: &Case<'_>) -> Option<Advice> {
    let text = exception(case, &[" failed: the module "])?;
    let (option, rest) = [("-i", "--import "), ("--wrap", "--wrap ")]
        .iter()
        .find_map(|(option, start)| Some((*option, text.split_once(start)?.1)))?;
    let (given, rest) = rest.split_once(" failed: ")?;
    let spec = &case.plan.build()?.spec;
    spec.imports.iter().chain(&spec.wrap).find(|name| *name == given)?;
    let similar = rest.rsplit_once("; similar names are ").and_then(|(_, names)| names.split(", ").next());
    let new = similar.and_then(|name| Some(format!("{}:{name}", given.split_once(':')?.0)));
    let change = new.filter(|new| case.add(option, new).is_some()).map(|new| Change::Replace {
        option,
        old: given.to_owned(),
        new,
    });
    let hint = match change {
        Some(_) => "the module has a similar name".to_owned(),
        None => format!("check the name after the colon of {option}"),
    };
    Some(Advice::with(hint, change))
}

/// Explains arguments that do not fit, and choices within a repository.
pub(super) fn arguments(case: &Case<'_>) -> Option<Advice> {
    if let Some(advice) = not_in_the_module(case) {
        return Some(advice);
    }
    if let Some(text) = exception(case, &["unexpected keyword argument"]) {
        let argument = between(text, "unexpected keyword argument '", "'").unwrap_or_default();
        return Some(Advice::hint(if case.plan.serving.kwargs.contains_key(argument) {
            format!("the environment has no argument {argument}: check the names given with -k and --kwargs")
        } else {
            "check the names given with -k and --kwargs".to_owned()
        }));
    }
    let is_missing = |text: &&str| ["missing", "required", "argument"].iter().all(|word| text.contains(word));
    if let Some(text) = case.log.exceptions().find(is_missing) {
        return Some(Advice::hint(if text.contains("--wrap ") {
            "--wrap only passes the environment: use a function or subclass in a module of your own that passes the other arguments"
        } else {
            "pass the missing argument with -k NAME=VALUE"
        }));
    }
    let text = exception(case, &["; available ", "specify one in the source URI"])?;
    let offered =
        text.rsplit_once("; available ").or_else(|| text.split_once("specify one in the source URI"))?.1;
    let offered = offered.trim_matches(['"', '\'', ':', ' ']);
    Some(Advice::hint(format!("the repository offers {offered}")))
}

/// The text between the first `start` and the next `end`.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}
