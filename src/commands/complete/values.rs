//! The values of arguments that can be known: environments, sandboxes, images, files, names.

use std::path::{Path, PathBuf};

use clap::{Arg, ValueHint};

use super::paths::{self, Wanted};
use super::{Candidate, Line, first_line, prefixed};
use crate::api::Client;
use crate::engine::docker::Docker;
use crate::engine::docker::inspection::short;
use crate::hub;
use crate::settings::Settings;
use crate::settings::hub::cache_folder;
use crate::settings::project_file;
use crate::settings::variables::Variables;
use crate::source::{families, is_path, known_ids};

/// The candidates for an argument's value. They need not all continue the word.
///
/// An argument that is not listed has the values of its definition, or the files that its hint asks for, or none.
pub(super) fn of(argument: &Arg, word: &str, line: &Line<'_>, variables: &Variables) -> Vec<Candidate> {
    let Ok(settings) = Settings::local(variables) else { return Vec::new() };
    let known = Known { line, settings, variables };
    match argument.get_id().as_str() {
        "source" if line.command.get_name() == "ls" => known.hub(word, true),
        "source" => known.sources(word),
        "sandboxes" | "sandbox" => known.sandboxes(word, argument),
        "base_image" => known.images(),
        "rlmesh_package" => {
            let mut candidates = known.files(word, Wanted::Wheel);
            candidates
                .push(Candidate::new("local", "the newest wheel of the rlmesh checkout around this folder"));
            candidates
        }
        "packages" if is_path(word) => known.files(word, Wanted::Package),
        "packages" => paths::here(Wanted::Package),
        "imports" => imports(),
        "kwargs" => known.kwargs(word),
        "ca_cert" => {
            let mut candidates = known.files(word, Wanted::File);
            candidates.push(Candidate::new("auto", "the file that SSL_CERT_FILE names"));
            candidates
        }
        "env" if !word.contains('=') => variables.names().map(|name| Candidate::new(name, "")).collect(),
        "platform" => ["linux/amd64", "linux/arm64"].map(|platform| Candidate::new(platform, "")).into(),
        "filter" => [
            ("source=", "a part of what it serves"),
            ("name=", "a part of its name"),
            ("image=", "a part of its image"),
            ("state=running", ""),
            ("state=exited", ""),
            ("owner=none", "started with -d"),
            ("owner=alive", ""),
            ("owner=gone", "`reap` removes it"),
        ]
        .map(|(value, description)| Candidate::new(value, description))
        .into(),
        "build_memory" => {
            vec![Candidate::new("auto", "the engine's memory minus 8 GiB"), Candidate::new("off", "no limit")]
        }
        _ => known.defined(word, argument),
    }
}

struct Known<'a> {
    line: &'a Line<'a>,
    settings: Settings,
    variables: &'a Variables,
}

impl Known<'_> {
    /// The values that the definition names, or files.
    fn defined(&self, word: &str, argument: &Arg) -> Vec<Candidate> {
        let possible = argument.get_possible_values();
        if !possible.is_empty() {
            let visible = possible.iter().filter(|value| !value.is_hide_set());
            return visible
                .map(|value| Candidate::new(value.get_name(), first_line(value.get_help())))
                .collect();
        }
        match argument.get_value_hint() {
            ValueHint::FilePath | ValueHint::AnyPath => self.files(word, Wanted::File),
            ValueHint::DirPath => self.files(word, Wanted::Folder),
            ValueHint::ExecutablePath => self.files(word, Wanted::Program),
            _ => Vec::new(),
        }
    }

    fn files(&self, word: &str, wanted: Wanted) -> Vec<Candidate> {
        paths::paths(word, wanted, self.settings.home_folder.as_deref())
    }

    fn kwargs(&self, word: &str) -> Vec<Candidate> {
        let Some(file) = word.strip_prefix('@') else {
            return vec![Candidate::new("@", "read them from a file")];
        };
        prefixed("@", self.files(file, Wanted::File))
    }

    fn sources(&self, word: &str) -> Vec<Candidate> {
        if is_path(word) || word.starts_with('.') {
            return self.files(word, Wanted::Environment);
        }
        if word.starts_with("hf:") {
            return self.hub(word, false);
        }
        if word.starts_with("image:") {
            let images = self.docker(|docker| docker.sandbox_image_names(self.settings.waits.completion));
            return images
                .into_iter()
                .map(|image| Candidate::new(format!("image://{}", image.name), image.note))
                .collect();
        }
        if let Some(id) = word.strip_prefix("gym://") {
            return prefixed("gym://", ids(id));
        }
        let mut candidates = self.named_environments();
        if word.is_empty() {
            candidates.extend(paths::here(Wanted::Environment));
        }
        candidates.extend(ids(word));
        candidates.extend([
            Candidate::new("hf://", "a repository of the Hugging Face Hub"),
            Candidate::new("image://", "an image that serves an environment"),
        ]);
        candidates
    }

    /// The environments of the project file.
    fn named_environments(&self) -> Vec<Candidate> {
        let file = match self.line.values_of("config").last() {
            Some(file) => project_file::read(Path::new(file)).ok(),
            None if self.line.values_of("no_config").next().is_some() => None,
            None => std::env::current_dir().ok().and_then(|here| project_file::find(&here).ok().flatten()),
        };
        let environments = file.map(|file| file.environments).unwrap_or_default();
        environments
            .into_iter()
            .map(|environment| {
                let source = environment.entries.iter().find(|entry| entry.key == "source");
                let source = source.and_then(|entry| entry.value.as_str()).unwrap_or_default();
                Candidate::new(environment.name, format!("{source}, in the project file"))
            })
            .collect()
    }

    /// The repositories in the cache. `run` needs a commit, `ls` does not.
    fn hub(&self, word: &str, names_only: bool) -> Vec<Candidate> {
        let folder = cache_folder(self.variables);
        let repositories = folder.map(|folder| hub::repositories(&folder)).unwrap_or_default();
        let mut candidates: Vec<Candidate> = repositories
            .into_iter()
            .map(|(repo, commit)| match names_only && !word.contains('@') {
                true => Candidate::new(format!("hf://{repo}"), "in the cache"),
                false => Candidate::new(format!("hf://{repo}@{commit}"), "in the cache"),
            })
            .collect();
        candidates.dedup();
        if candidates.is_empty() {
            candidates.push(Candidate::new("hf://", "a repository of the Hugging Face Hub"));
        }
        candidates
    }

    fn images(&self) -> Vec<Candidate> {
        let images = self.docker(|docker| docker.image_names(self.settings.waits.completion));
        images.into_iter().map(|image| Candidate::new(image.name, image.note)).collect()
    }

    /// The names of all sandboxes, and what else stands for one of them and continues the word.
    fn sandboxes(&self, word: &str, argument: &Arg) -> Vec<Candidate> {
        let sandboxes = self.docker(|docker| docker.sandbox_names(self.settings.waits.completion));
        let given: Vec<&str> = self.line.values_of(argument.get_id().as_str()).collect();
        let mut candidates = Vec::new();
        let sources: Vec<&str> =
            sandboxes.iter().map(|sandbox| sandbox.source.trim_start_matches("gym://")).collect();
        for (sandbox, source) in sandboxes.iter().zip(&sources) {
            let id = short(&sandbox.id);
            let address = sandbox.address.as_deref();
            let spellings = [sandbox.name.as_str(), id, address.unwrap_or_default(), source];
            if spellings.iter().any(|spelling| given.contains(spelling)) {
                continue;
            }
            let state = if sandbox.is_running { address.unwrap_or("running") } else { "ended" };
            let description = format!("{source}, {}, {state}", sandbox.age);
            candidates.push(Candidate::new(&sandbox.name, &description));
            let is_alone = sources.iter().filter(|other| *other == source).count() == 1;
            let others = [Some(id), address, is_alone.then_some(source)];
            let others =
                others.into_iter().flatten().filter(|other| !word.is_empty() && other.starts_with(word));
            candidates.extend(others.map(|other| Candidate::new(other, &description)));
        }
        candidates
    }

    /// What docker says, or nothing if it is missing. It may not wait for long.
    fn docker<T>(&self, ask: impl FnOnce(&Docker) -> Vec<T>) -> Vec<T> {
        let given = self.line.values_of("docker").last().map(PathBuf::from);
        let docker = given.or_else(|| self.settings.docker.clone());
        let client = Client::new(Settings { docker, ..self.settings.clone() });
        client.docker().map(ask).unwrap_or_default()
    }
}

/// Environment ids. Those with a namespace are one candidate, until the namespace is typed.
fn ids(word: &str) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for (id, family) in known_ids::starting_with(word) {
        // A namespace is typed up to its slash: `starting_with` has compared the rest.
        let namespace = id.split_once('/').filter(|(namespace, _)| word.len() <= namespace.len());
        // There are hundreds: before anything is typed, Gymnasium's own will do.
        if word.is_empty() && namespace.is_none() && !family.is_gymnasiums() {
            continue;
        }
        let value = namespace.map_or(id.to_owned(), |(namespace, _)| format!("{namespace}/"));
        if candidates.last().is_none_or(|last| last.value != value) {
            let packages = family.packages.join(", ");
            candidates.push(Candidate::new(value, if packages.is_empty() { "Gymnasium" } else { &packages }));
        }
    }
    candidates
}

/// The modules that known families register with.
fn imports() -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = families::all()
        .iter()
        .flat_map(|family| {
            family.imports.iter().map(|import| Candidate::new(import, family.packages.join(", ")))
        })
        .collect();
    candidates.sort_by(|a, b| a.value.cmp(&b.value));
    candidates.dedup_by(|a, b| a.value == b.value);
    candidates
}
