//! The Hugging Face Hub over HTTP: looks up commits, lists their files, and fetches and verifies them.
//!
//! No code of a repository runs here. Consent is checked before.

mod cache;
mod checkout;
mod client;
mod digest;
mod eviction;
mod failure;
mod fetch;
mod listing;
mod part;
mod records;
mod retry;
mod stamp;
mod tree;

use std::cell::OnceCell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::{Problem, SandboxError};
use crate::host::interrupt::Interrupt;
use crate::progress::{Event, Listener};
use crate::settings::hub::HubSettings;
use crate::source::HfSourceRef;
use cache::Cache;
use client::Client;
use failure::{Fault, Request};
use fetch::{Download, Failed, Fetched};

pub(crate) use checkout::Checkout;
pub(crate) use eviction::prune;
pub(crate) use records::repositories;
pub(crate) use retry::Retries;
pub(crate) use tree::{Tree, TreeFile};

/// The file that makes a repository an environment.
pub(crate) const ENV_FILE: &str = "env.py";

/// The file that lists what `env.py` needs.
pub(crate) const REQUIREMENTS_FILE: &str = "requirements.txt";

/// Percent-encodes everything except for unreserved characters.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A Hub. It connects on first use.
pub(crate) struct Hub {
    settings: HubSettings,
    interrupt: Interrupt,
    client: OnceCell<Client>,
}

impl Hub {
    pub(crate) fn new(settings: &HubSettings, interrupt: Interrupt) -> Self {
        Self { settings: settings.clone(), interrupt, client: OnceCell::new() }
    }

    /// Asks whether the Hub answers, and accepts the token if there is one.
    ///
    /// # Errors
    /// [`SandboxError::SourceResolution`]; [`SandboxError::Interrupted`].
    #[cfg(feature = "cli")]
    pub(crate) fn ping(&self) -> Result<(), SandboxError> {
        let address = self.settings.address("/api/whoami-v2");
        match (self.client()?.get(&address, 0, client::Reach::Hub), &self.settings.token) {
            // Without a token, it is an answer that the Hub knows no user.
            (Ok(_), _) | (Err(Fault::Refused(_)), None) => Ok(()),
            (Err(Fault::Refused(refusal)), Some(token)) if matches!(refusal.status, 401 | 403) => {
                Err(SandboxError::SourceResolution(Problem::new(
                    format!("the Hub refuses the token from {}", token.origin()),
                    "create a new token, or remove this one: public repositories do not need one",
                )))
            }
            (Err(fault), _) => Err(fault.on_the_way(self.settings.endpoint_text())),
        }
    }

    /// Looks up the current commit of a source's revision. A full commit id needs no lookup.
    ///
    /// # Errors
    /// [`SandboxError::InvalidSource`] for a revision that is not a valid name of a branch or tag;
    /// [`SandboxError::SourceResolution`]; [`SandboxError::Interrupted`].
    pub(crate) fn commit(
        &self,
        hf: &HfSourceRef,
        retries: Retries,
        on_event: &mut Listener<'_>,
    ) -> Result<String, SandboxError> {
        if let Some(commit) = hf.commit() {
            return Ok(commit.to_owned());
        }
        let revision = hf.revision.as_deref();
        revision.map_or(Ok(()), check_revision)?;
        let request = self.request(&hf.repo, revision);
        let cache = self.cache()?;
        let endpoint = self.settings.endpoint_text();
        if self.settings.is_offline {
            return cache.commit(endpoint, &hf.repo, revision).ok_or_else(|| {
                offline(&format!("{} was not looked up on this machine before", request.what()))
            });
        }
        let address = match revision {
            Some(revision) => {
                self.settings.address(&format!("/api/models/{}/revision/{}", hf.repo, encode(revision)))
            }
            None => self.settings.address(&format!("/api/models/{}", hf.repo)),
        };
        on_event(Event::LookingUp { what: request.what() });
        let commit = listing::commit(self.client()?, &address, retries, on_event)
            .map_err(|fault| request.error(fault))?;
        // Only later runs need it, so an error does not matter.
        let _ = cache.keep_commit(endpoint, &hf.repo, revision, &commit);
        Ok(commit)
    }

    /// Lists the files of a commit.
    ///
    /// # Errors
    /// [`SandboxError::SourceResolution`], also for a listing with a path that is not safe to write;
    /// [`SandboxError::Interrupted`].
    pub(crate) fn tree(
        &self,
        repo: &str,
        commit: &str,
        on_event: &mut Listener<'_>,
    ) -> Result<Tree, SandboxError> {
        self.tree_with(&self.cache()?, repo, &commit.to_ascii_lowercase(), on_event)
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
        let request = self.request(repo, Some(commit));
        if self.settings.is_offline {
            return Err(offline(&format!("{} was not fetched on this machine before", request.what())));
        }
        let address = self.settings.address(&format!("/api/models/{repo}/tree/{commit}"));
        on_event(Event::LookingUp { what: request.what() });
        let tree = listing::tree(self.client()?, &address, on_event).map_err(|fault| request.error(fault))?;
        let _ = cache.keep_tree(endpoint, repo, commit, &tree);
        Ok(tree)
    }

    /// Fetches and verifies the files of a commit, and places them in `folder`, which must not exist. Files
    /// in the cache are not fetched again.
    ///
    /// # Errors
    /// [`SandboxError::SourceResolution`], also if there is no `env.py` at the root, or the files exceed the
    /// limit; [`SandboxError::System`]; [`SandboxError::Interrupted`].
    pub(crate) fn check_out(
        &self,
        checkout: &Checkout<'_>,
        folder: &Path,
        on_event: &mut Listener<'_>,
    ) -> Result<(), SandboxError> {
        let start = Instant::now();
        let commit = checkout.commit.to_ascii_lowercase();
        let request = self.request(checkout.repo, Some(&commit));
        let cache = self.cache()?;
        let tree = self.tree_with(&cache, checkout.repo, &commit, on_event)?;
        checkout::check(&tree, checkout.limit, &request)?;
        checkout::make_folders(&tree, folder, &request)?;
        on_event(Event::Fetching { what: request.what(), files: tree.files().len(), size: tree.size() });
        let downloads = checkout::downloads(&tree, folder, &|path| self.address(&request, path));
        let fetched =
            self.fetch(&cache, &commit, downloads, on_event).map_err(|failed| match failed.fault {
                Fault::Occupied(path) => checkout::clash(&tree, folder, &path, &request),
                fault => Request { file: Some(&failed.file), ..request }.error(fault),
            })?;
        on_event(Event::Fetched {
            files: fetched.files,
            size: fetched.size,
            from_network: fetched.from_network,
            seconds: start.elapsed().as_secs_f64(),
        });
        eviction::trim(cache.root(), self.settings.cache_limit, &self.interrupt);
        Ok(())
    }

    /// Fetches and verifies one file of a commit, and opens it for reading.
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
        let cache = self.cache()?;
        let request = Request { file: Some(&file.path), ..self.request(repo, Some(&commit)) };
        if let Some(opened) = cache.open_content(file.content) {
            return Ok(opened);
        }
        let address = self.address(&request, &file.path);
        let download =
            Download { content: file.content, path: file.path.clone(), address, destinations: Vec::new() };
        self.fetch(&cache, &commit, vec![download], on_event)
            .map_err(|failed| request.error(failed.fault))?;
        cache.open_content(file.content).ok_or_else(|| {
            SandboxError::System(Problem::new(
                format!("another process removed {} from the cache", request.what()),
                "run it again",
            ))
        })
    }

    fn fetch(
        &self,
        cache: &Cache,
        commit: &str,
        downloads: Vec<Download>,
        on_event: &mut Listener<'_>,
    ) -> Result<Fetched, Failed> {
        let client = if self.settings.is_offline {
            None
        } else {
            Some(self.client().map_err(|error| Failed { file: String::new(), fault: error.into() })?)
        };
        fetch::fetch(client, cache, commit, downloads, on_event)
    }

    fn request<'a>(&'a self, repo: &'a str, revision: Option<&'a str>) -> Request<'a> {
        Request { settings: &self.settings, repo, revision, file: None }
    }

    /// The address of a file of the requested commit.
    fn address(&self, request: &Request<'_>, path: &str) -> url::Url {
        let commit = request.revision.unwrap_or_default();
        let path: Vec<String> = path.split('/').map(encode).collect();
        self.settings.address(&format!("/{}/resolve/{commit}/{}", request.repo, path.join("/")))
    }

    fn cache(&self) -> Result<Cache, SandboxError> {
        let folder: Option<&PathBuf> = self.settings.cache_folder.as_ref();
        Cache::open(folder.map(PathBuf::as_path), &self.settings.temporary_folder, &self.interrupt)
    }

    fn client(&self) -> Result<&Client, SandboxError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::new(self.settings.clone(), self.interrupt.clone())?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// Refuses characters that are not valid in the name of a branch or tag.
fn check_revision(revision: &str) -> Result<(), SandboxError> {
    match revision.chars().find(|c| "*?[]\\^~:".contains(*c)) {
        None => Ok(()),
        Some(c) => Err(SandboxError::InvalidSource(Problem::new(
            format!("the revision '{revision}' contains '{c}', which is not allowed in a branch or tag"),
            "use a branch, a tag or a full commit id",
        ))),
    }
}

fn encode(part: &str) -> String {
    utf8_percent_encode(part, UNRESERVED).to_string()
}

fn offline(what: &str) -> SandboxError {
    SandboxError::SourceResolution(Problem::new(
        format!("{what}, and HF_HUB_OFFLINE is set"),
        "unset HF_HUB_OFFLINE and run it again to fetch it",
    ))
}

/// Reports a pause of a second or longer.
fn report_pause(on_event: &mut Listener<'_>, pause: Duration, fault: &Fault) {
    if pause >= Duration::from_secs(1) {
        on_event(Event::Pausing { seconds: pause.as_secs_f64(), reason: fault.summary() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_must_be_a_valid_name() {
        for revision in ["main", "release/1.0", "v1.0-rc+1", "abc1234", "refs/pr/1"] {
            assert!(check_revision(revision).is_ok(), "{revision}");
        }
        for revision in ["a*", "a?b", "a[0]", "a\\b", "a^", "a~1", "a:b"] {
            assert_eq!(check_revision(revision).unwrap_err().kind(), "InvalidSource", "{revision}");
        }
    }

    #[test]
    fn names_are_percent_encoded() {
        assert_eq!(encode("release/1.0"), "release%2F1.0");
        assert_eq!(encode("a b#?%é~\\"), "a%20b%23%3F%25%C3%A9~%5C");
    }
}
