//! A Hub for tests: answers as the Hugging Face Hub does, and fails on demand as networks and hostile people do.
//!
//! `tests/live/hub.rs` holds it against the published `huggingface_hub` client.

mod content;
mod repository;
mod server;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(crate) use repository::{Access, Repository};

/// The token of somebody who may read private repositories, and gated ones.
pub(crate) const MEMBER: &str = "hf_member";

/// The token of somebody who has access to nothing special.
pub(crate) const STRANGER: &str = "hf_stranger";

/// A Hub on one port, and its file store on another, until the test ends.
pub(crate) struct Hub {
    state: Arc<Mutex<State>>,
    address: SocketAddr,
}

/// What the servers look at.
pub(crate) struct State {
    repositories: Vec<Repository>,
    faults: Vec<Planned>,
    requests: Vec<Request>,
    page_size: usize,
    /// What links to the next page start with; the Hub's own address unless a mirror passes on another.
    links: Option<String>,
    /// Whether a plain file's address redirects to another path of the same host first.
    redirects_plain_files: bool,
    store: SocketAddr,
    address: SocketAddr,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) authorization: Option<String>,
    pub(crate) range: Option<String>,
    /// Whether it went to the file store.
    pub(crate) is_to_store: bool,
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Another status, with headers.
    Status(u16, Vec<(&'static str, String)>),
    /// The connection ends after so many bytes of the body.
    CutAfter(u64),
    /// Nothing comes after so many bytes of the body.
    StallAfter(u64),
    /// One byte is another.
    WrongByteAt(u64),
    /// The content has another length, and says so.
    Length(u64),
    Redirect(String),
    /// The header X-Repo-Commit names another commit.
    Commit(String),
    /// Another body, with status 200.
    Body(String),
    /// Every 64 KiB take that long.
    Slow(Duration),
}

struct Planned {
    part: String,
    times: usize,
    fault: Fault,
}

impl Hub {
    pub(crate) fn start() -> Self {
        let bind = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (hub, store) = (bind(), bind());
        let (address, store_address) = (hub.local_addr().unwrap(), store.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            repositories: Vec::new(),
            faults: Vec::new(),
            requests: Vec::new(),
            page_size: 1000,
            links: None,
            redirects_plain_files: false,
            store: store_address,
            address,
        }));
        server::serve(hub, Arc::clone(&state), server::Role::Hub);
        server::serve(store, Arc::clone(&state), server::Role::Store);
        Self { state, address }
    }

    /// What HF_ENDPOINT is set to.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a repository, or a further commit with the names that now stand for it. Gives the commit's id.
    pub(crate) fn put(&self, repository: Repository) -> String {
        let commit = repository.commit_id();
        let mut state = self.state();
        state.repositories.retain(|there| !(there.name == repository.name && there.commit_id() == commit));
        // The newest comes first, and so decides what a name stands for.
        state.repositories.insert(0, repository);
        commit
    }

    /// The first `times` requests whose path and query hold `part` go wrong.
    pub(crate) fn fail(&self, part: &str, times: usize, fault: Fault) {
        self.state().faults.push(Planned { part: part.to_owned(), times, fault });
    }

    /// Nothing goes wrong any more.
    pub(crate) fn recover(&self) {
        self.state().faults.clear();
    }

    pub(crate) fn page_size(&self, entries: usize) {
        self.state().page_size = entries;
    }

    /// Links to next pages name this address, as a mirror's do that passes on the original's.
    pub(crate) fn links_name(&self, address: &str) {
        self.state().links = Some(address.to_owned());
    }

    pub(crate) fn redirect_plain_files(&self) {
        self.state().redirects_plain_files = true;
    }

    /// What was asked since the last time.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state().requests)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The fault that is planned for a request, if there is one left.
    fn fault(&mut self, target: &str) -> Option<Fault> {
        let planned =
            self.faults.iter_mut().find(|planned| planned.times > 0 && target.contains(&planned.part))?;
        planned.times -= 1;
        Some(planned.fault.clone())
    }
}
