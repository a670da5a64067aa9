//! The Hugging Face Hub over HTTP: what a name stands for, what a commit holds, and its files, verified. It runs no code and asks for no consent.

mod cache;
mod client;
mod digest;
mod eviction;
mod failure;
mod fetch;
mod listing;
mod tree;

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::error::{Problem, SandboxError};
use crate::host::interrupt::Interrupt;
use crate::host::run_dir::cannot_write;
use crate::progress::{Event, Listener};
use crate::settings::hub::HubSettings;
use crate::settings::sandbox::parse_duration;
use crate::settings::variables::Variables;
use crate::source::HfSourceRef;
use cache::Cache;
use client::Client;
use digest::Content;
use failure::{Asked, Fault};
use fetch::{Failed, Job};

pub(crate) use client::Patience;
pub(crate) use eviction::{clear, survey};
pub(crate) use tree::{Tree, TreeFile};

/// The file that makes a repository an environment.
pub(crate) const ENV_FILE: &str = "env.py";

/// The file that says what `env.py` needs.
pub(crate) const REQUIREMENTS_FILE: &str = "requirements.txt";

/// How large a repository may be unless the user says otherwise, in bytes.
pub(crate) const USUAL_SOURCE_LIMIT: u64 = 10 << 30;

/// How long a silent server is listened to, as Hugging Face's own client does.
const USUAL_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// What stays as it is in a part of a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The Hub, as the environment says to reach it. Nothing is sent before something is asked.
pub(crate) struct Hub<'a> {
    variables: &'a Variables,
    interrupt: Interrupt,
    settings: HubSettings,
    client: OnceCell<Client>,
}

/// A commit of a repository, and how much of it is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// `org/repo`.
    pub(crate) repo: &'a str,
    /// A full commit id, in either case.
    pub(crate) commit: &'a str,
    /// The most that all files may have together, in bytes.
    pub(crate) limit: u64,
}

impl<'a> Hub<'a> {
    /// # Errors
    /// [`SandboxError::InvalidOption`] for a variable that cannot be used.
    pub(crate) fn new(variables: &'a Variables, interrupt: Interrupt) -> Result<Self, SandboxError> {
        let settings = HubSettings::from_environment(variables)?;
        Ok(Self { variables, interrupt, settings, client: OnceCell::new() })
    }

    /// The commit that a source's revision stands for now; a full id stands for itself, and nobody is asked.
    ///
    /// # Errors
    /// [`SandboxError::InvalidSource`] for a revision that git has no such name for;
    /// [`SandboxError::SourceResolution`]; [`SandboxError::Interrupted`].
    pub(crate) fn commit(
        &self,
        hf: &HfSourceRef,
        patience: Patience,
        on_event: &mut Listener<'_>,
    ) -> Result<String, SandboxError> {
        if let Some(commit) = hf.commit() {
            return Ok(commit.to_owned());
        }
        let revision = hf.revision.as_deref();
        revision.map_or(Ok(()), check_name)?;
        let asked = Asked { settings: &self.settings, repo: &hf.repo, revision, file: None };
        let cache = Cache::open(self.variables)?;
        let endpoint = self.settings.endpoint_text();
        if self.settings.is_offline {
            return cache
                .commit(endpoint, &hf.repo, revision)
                .ok_or_else(|| offline(&format!("{} was never looked up on this machine", asked.what())));
        }
        let address = match revision {
            Some(revision) => {
                self.settings.address(&format!("/api/models/{}/revision/{}", hf.repo, encoded(revision)))
            }
            None => self.settings.address(&format!("/api/models/{}", hf.repo)),
        };
        on_event(Event::LookingUp { what: asked.what() });
        let commit = listing::commit(self.client()?, &address, patience, on_event)
            .map_err(|fault| asked.failed(fault))?;
        // The answer is good even where it cannot be kept.
        let _ = cache.keep_commit(endpoint, &hf.repo, revision, &commit);
        Ok(commit)
    }

    /// The files of a commit.
    ///
    /// # Errors
    /// [`SandboxError::SourceResolution`], also for a listing with anything in it that must not be written
    /// to a disk; [`SandboxError::Interrupted`].
    pub(crate) fn tree(
        &self,
        repo: &str,
        commit: &str,
        on_event: &mut Listener<'_>,
    ) -> Result<Tree, SandboxError> {
        self.tree_with(&Cache::open(self.variables)?, repo, &commit.to_ascii_lowercase(), on_event)
    }

    fn tree_with(
        &self,
        cache: &Cache,
        repo: &str,
        commit: &str,
        on_event: &mut Listener<'_>,
    ) -> Result<Tree, SandboxError> {
        let endpoint = self.settings.endpoint_text();
        if let Some(tree) = cache.tree(endpoint, repo, commit) {
            return Ok(tree);
        }
        let asked = Asked { settings: &self.settings, repo, revision: Some(commit), file: None };
        if self.settings.is_offline {
            return Err(offline(&format!("{} is not on this machine", asked.what())));
        }
        let address = self.settings.address(&format!("/api/models/{repo}/tree/{commit}"));
        on_event(Event::LookingUp { what: asked.what() });
        let tree = listing::tree(self.client()?, &address, on_event).map_err(|failed| match failed {
            listing::Failed::Fault(fault) => asked.failed(fault),
            listing::Failed::Hostile(hostile) => SandboxError::SourceResolution(Problem::new(
                format!("{} is refused: {hostile}", asked.what()),
                "nothing of it was fetched; ask its owner to change it, and do not trust it before",
            )),
        })?;
        let _ = cache.keep_tree(endpoint, repo, commit, &tree);
        Ok(tree)
    }

    /// Puts the files of a commit into a new folder, each verified. A second time, no request is made.
    ///
    /// # Errors
    /// [`SandboxError::SourceResolution`], also where there is no `env.py` at the root, or more than the
    /// limit; [`SandboxError::System`]; [`SandboxError::Interrupted`].
    pub(crate) fn check_out(
        &self,
        wanted: &Wanted<'_>,
        folder: &Path,
        on_event: &mut Listener<'_>,
    ) -> Result<Tree, SandboxError> {
        let began = Instant::now();
        let commit = wanted.commit.to_ascii_lowercase();
        let asked =
            Asked { settings: &self.settings, repo: wanted.repo, revision: Some(&commit), file: None };
        let cache = Cache::open(self.variables)?;
        let tree = self.tree_with(&cache, wanted.repo, &commit, on_event)?;
        check_tree(&tree, wanted, &asked)?;
        make_folders(&tree, folder)?;
        let jobs = self.jobs(&tree, wanted, &commit, &|path| folder.join(path));
        on_event(Event::Fetching { what: asked.what(), files: tree.files().len(), size: tree.size() });
        let fetched = self.fetch(&cache, jobs, &asked, on_event)?;
        on_event(Event::Fetched {
            files: fetched.files,
            size: fetched.size,
            from_network: fetched.from_network,
            seconds: began.elapsed().as_secs_f64(),
        });
        drop(cache);
        eviction::trim(self.variables, eviction::limit(self.variables)?);
        Ok(tree)
    }

    /// One file of a commit, verified, for reading.
    ///
    /// # Errors
    /// [`SandboxError::SourceResolution`]; [`SandboxError::System`]; [`SandboxError::Interrupted`].
    pub(crate) fn file(
        &self,
        repo: &str,
        commit: &str,
        file: &TreeFile,
        on_event: &mut Listener<'_>,
    ) -> Result<File, SandboxError> {
        let commit = commit.to_ascii_lowercase();
        let cache = Cache::open(self.variables)?;
        let wanted = Wanted { repo, commit: &commit, limit: u64::MAX };
        let asked = Asked { settings: &self.settings, repo, revision: Some(&commit), file: None };
        let job = self.job(file, &wanted, &commit, Vec::new());
        self.fetch(&cache, vec![job], &asked, on_event)?;
        cache.open_file(file.content).map_err(|error| cannot_write(Path::new(&file.path), &error))
    }

    fn fetch(
        &self,
        cache: &Cache,
        jobs: Vec<Job>,
        asked: &Asked<'_>,
        on_event: &mut Listener<'_>,
    ) -> Result<fetch::Fetched, SandboxError> {
        let client = if self.settings.is_offline { None } else { Some(self.client()?) };
        fetch::fetch(client, cache, jobs, on_event).map_err(|failed| match failed {
            Failed::Fetch(fault, file) => Asked { file: Some(&file), ..*asked }.failed(fault),
            Failed::Offline(file) => offline(&format!("{file} of {} is not on this machine", asked.what())),
            Failed::System(error) => error,
        })
    }

    /// One job a content: a file that stands under many names is fetched once.
    fn jobs(
        &self,
        tree: &Tree,
        wanted: &Wanted<'_>,
        commit: &str,
        destination: &dyn Fn(&str) -> PathBuf,
    ) -> Vec<Job> {
        let mut at: HashMap<Content, usize> = HashMap::new();
        let mut jobs: Vec<Job> = Vec::new();
        for file in tree.files() {
            let place = destination(&file.path);
            match at.get(&file.content) {
                Some(&index) => jobs[index].destinations.push(place),
                None => {
                    at.insert(file.content, jobs.len());
                    jobs.push(self.job(file, wanted, commit, vec![place]));
                }
            }
        }
        // The largest first: begun last, it would be waited for alone.
        jobs.sort_by_key(|job| std::cmp::Reverse(job.content.size));
        jobs
    }

    fn job(&self, file: &TreeFile, wanted: &Wanted<'_>, commit: &str, destinations: Vec<PathBuf>) -> Job {
        let parts: Vec<String> = file.path.split('/').map(encoded).collect();
        let address: Url =
            self.settings.address(&format!("/{}/resolve/{commit}/{}", wanted.repo, parts.join("/")));
        Job { content: file.content, path: file.path.clone(), address, destinations }
    }

    fn client(&self) -> Result<&Client, SandboxError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        const TIMEOUT: &str = "HF_HUB_DOWNLOAD_TIMEOUT";
        let timeout = match self.variables.text(TIMEOUT)? {
            Some(text) => parse_duration(TIMEOUT, text)?.max(Duration::from_millis(100)),
            None => USUAL_READ_TIMEOUT,
        };
        let client = Client::new(self.settings.clone(), timeout, self.interrupt.clone())?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// Git's own rule for names, as far as it keeps a revision from being something else than a name.
fn check_name(revision: &str) -> Result<(), SandboxError> {
    match revision.chars().find(|c| "*?[]\\^~:".contains(*c)) {
        None => Ok(()),
        Some(c) => Err(SandboxError::InvalidSource(Problem::new(
            format!("the revision '{revision}' holds '{c}', which no branch or tag has"),
            "name a branch, a tag or a full commit id",
        ))),
    }
}

fn check_tree(tree: &Tree, wanted: &Wanted<'_>, asked: &Asked<'_>) -> Result<(), SandboxError> {
    if tree.file(ENV_FILE).is_none() {
        let elsewhere = tree.files().iter().find(|file| file.path.ends_with("/env.py"));
        let problem = Problem::new(
            format!("{} has no {ENV_FILE} at its root, and so is no environment", asked.what()),
            format!("see what it holds with: rlmesh-sandbox ls {}", asked.what()),
        );
        return Err(SandboxError::SourceResolution(match elsewhere {
            Some(file) => {
                problem.hint(format!("there is one at {}: it would have to stand at the root", file.path))
            }
            None => problem,
        }));
    }
    let size = tree.size();
    if size > wanted.limit {
        let shown = |bytes| indicatif::HumanBytes(bytes).to_string();
        let problem = Problem::new(
            format!("{} has {}, more than the limit of {}", asked.what(), shown(size), shown(wanted.limit)),
            format!("raise the limit with --max-source-size {}g", (size >> 30) + 1),
        );
        return Err(SandboxError::SourceResolution(problem));
    }
    Ok(())
}

/// Makes the folders that the files go into, readable by any user of the image.
fn make_folders(tree: &Tree, root: &Path) -> Result<(), SandboxError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut folders: Vec<&Path> =
        tree.files().iter().filter_map(|file| Path::new(&file.path).parent()).collect();
    folders.sort();
    folders.dedup();
    let make = |folder: &Path| -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        // Each on the way, whatever this user's umask is.
        for folder in folder.ancestors().take_while(|ancestor| ancestor.starts_with(root)) {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    };
    for folder in std::iter::once(root.to_owned()).chain(folders.into_iter().map(|folder| root.join(folder)))
    {
        make(&folder).map_err(|error| cannot_write(&folder, &error))?;
    }
    Ok(())
}

fn encoded(part: &str) -> String {
    utf8_percent_encode(part, PLAIN).to_string()
}

fn offline(what: &str) -> SandboxError {
    SandboxError::SourceResolution(Problem::new(
        format!("{what}, and HF_HUB_OFFLINE forbids to ask the Hub"),
        "unset HF_HUB_OFFLINE once, so that it can be fetched",
    ))
}

/// Tells a pause that is long enough to be wondered about.
fn tell_pause(on_event: &mut Listener<'_>, pause: Duration, fault: &Fault) {
    if pause >= Duration::from_secs(1) {
        on_event(Event::Pausing { seconds: pause.as_secs_f64(), reason: fault.in_short() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_that_is_looked_up_is_a_name() {
        for revision in ["main", "release/1.0", "v1.0-rc+1", "abc1234", "refs/pr/1"] {
            assert!(check_name(revision).is_ok(), "{revision}");
        }
        for revision in ["a*", "a?b", "a[0]", "a\\b", "a^", "a~1", "a:b"] {
            assert_eq!(check_name(revision).unwrap_err().kind(), "InvalidSource", "{revision}");
        }
    }

    #[test]
    fn names_stay_one_part_of_an_address() {
        assert_eq!(encoded("release/1.0"), "release%2F1.0");
        assert_eq!(encoded("a b#?%é~"), "a%20b%23%3F%25%C3%A9~");
    }
}
