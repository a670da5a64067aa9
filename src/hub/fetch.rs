//! Downloads files into the cache, in parallel, resumed and verified, and places them at their destinations.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ureq::Body;
use ureq::http::{Response, StatusCode, header};
use url::Url;

use crate::hub::cache::Cache;
use crate::hub::client::{Client, PARALLEL, Reach};
use crate::hub::digest::Content;
use crate::hub::failure::Fault;
use crate::hub::part::Part;
use crate::hub::retry::Retries;
use crate::progress::{Event, Listener};

/// The most that is read at once, in bytes.
const BUFFER: u64 = 128 * 1024;

/// How often a content is fetched before a wrong digest is an error.
const MISMATCHES: u32 = 3;

const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// A content, its address on the Hub, and its destinations.
#[derive(Debug, Clone)]
pub(crate) struct Download {
    pub(crate) content: Content,
    /// One of the paths that it has in the repository.
    pub(crate) path: String,
    pub(crate) address: Url,
    /// Paths to place the content at. They must not exist.
    pub(crate) destinations: Vec<PathBuf>,
}

/// What was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fetched {
    pub(crate) files: usize,
    /// In bytes.
    pub(crate) size: u64,
    /// How many bytes came over the network, rather than from the cache.
    pub(crate) from_network: u64,
}

/// Which download failed, and why.
#[derive(Debug)]
pub(crate) struct Failed {
    /// The file's path in the repository.
    pub(crate) file: String,
    pub(crate) fault: Fault,
}

/// Fetches the contents of a commit that the cache does not have, and places all contents at their
/// destinations. Without a client, the network is not used.
///
/// # Errors
/// The first failure, which stops all other downloads.
pub(crate) fn fetch(
    client: Option<&Client>,
    cache: &Cache,
    commit: &str,
    downloads: Vec<Download>,
    on_event: &mut Listener<'_>,
) -> Result<Fetched, Failed> {
    let total = Fetched {
        files: downloads.iter().map(|download| download.destinations.len().max(1)).sum(),
        size: downloads.iter().map(|download| download.content.size).sum(),
        from_network: 0,
    };
    let fetching = Fetching {
        client,
        cache,
        commit,
        next: AtomicUsize::new(0),
        done: AtomicU64::new(0),
        from_network: AtomicU64::new(0),
        failed: Mutex::new(None),
        downloads,
    };
    std::thread::scope(|scope| {
        let (pauses, received) = mpsc::channel();
        for _ in 0..PARALLEL.min(fetching.downloads.len()) {
            let (pauses, fetching) = (pauses.clone(), &fetching);
            scope.spawn(move || fetching.work(&pauses));
        }
        drop(pauses);
        // The listener cannot be called from other threads.
        loop {
            match received.recv_timeout(PROGRESS_INTERVAL) {
                Ok((pause, reason)) => on_event(Event::Pausing { seconds: pause.as_secs_f64(), reason }),
                Err(RecvTimeoutError::Timeout) => {
                    on_event(Event::FetchProgress {
                        done: fetching.done.load(Ordering::Relaxed),
                        total: total.size,
                    });
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    match fetching.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(failed) => Err(failed),
        None => Ok(Fetched { from_network: fetching.from_network.load(Ordering::Relaxed), ..total }),
    }
}

/// The state that the downloading threads share.
struct Fetching<'a> {
    client: Option<&'a Client>,
    cache: &'a Cache,
    commit: &'a str,
    downloads: Vec<Download>,
    /// The index of the next download to begin.
    next: AtomicUsize,
    /// In bytes, as is `from_network`.
    done: AtomicU64,
    from_network: AtomicU64,
    failed: Mutex<Option<Failed>>,
}

/// How long a thread pauses, and why.
type Pauses = mpsc::Sender<(Duration, String)>;

impl Fetching<'_> {
    fn work(&self, pauses: &Pauses) {
        while let Some(download) = self.downloads.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(fault) = self.fetch(download, pauses) {
                let mut first = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert(Failed { file: download.path.clone(), fault });
                self.next.store(self.downloads.len(), Ordering::Relaxed);
                if let Some(client) = self.client {
                    client.stop();
                }
                return;
            }
        }
    }

    fn fetch(&self, download: &Download, pauses: &Pauses) -> Result<(), Fault> {
        let Download { content, destinations, .. } = download;
        if self.cache.place(*content, destinations)? {
            self.done.fetch_add(content.size, Ordering::Relaxed);
            return Ok(());
        }
        let part = if content.size == 0 {
            // An empty file needs no request, but the listing may be wrong.
            if !content.is(b"") {
                return Err(Fault::Mismatch(
                    "its size is 0, but its digest is not that of an empty file".to_owned(),
                ));
            }
            self.cache.part(*content)?
        } else {
            self.download(download, pauses)?
        };
        self.cache.adopt(part, destinations)
    }

    /// Downloads a content, and returns the complete and verified part.
    fn download(&self, download: &Download, pauses: &Pauses) -> Result<Part, Fault> {
        let Some(client) = self.client else { return Err(Fault::Offline) };
        let mut part = self.cache.part(download.content)?;
        self.done.fetch_add(part.done(), Ordering::Relaxed);
        let (mut failures, mut mismatches) = (0, 0);
        loop {
            let before = part.done();
            let fault = match self.receive(client, download, &mut part) {
                Ok(()) if part.is_whole() => return Ok(part),
                Ok(()) => Fault::Mismatch("its digest is wrong".to_owned()),
                Err(fault) => fault,
            };
            if matches!(fault, Fault::Mismatch(_)) {
                mismatches += 1;
                self.restart(&mut part)?;
                if mismatches == MISMATCHES {
                    return Err(fault);
                }
                failures = mismatches;
            } else {
                // As long as each attempt makes progress, the number of attempts is not limited.
                failures = if part.done() > before { 1 } else { failures + 1 };
            }
            let Some(pause) = client.pause_before_retry(&fault, failures, Retries::Usual) else {
                return Err(fault);
            };
            if pause >= Duration::from_secs(1) {
                let _ = pauses.send((pause, fault.summary()));
            }
            client.pause(pause, &fault)?;
        }
    }

    /// Sends one request, and adds its answer to the part.
    fn receive(&self, client: &Client, download: &Download, part: &mut Part) -> Result<(), Fault> {
        let size = download.content.size;
        if part.done() == size {
            return Ok(());
        }
        let reach = Reach::Anywhere { commit: self.commit };
        let answer = match client.get(&download.address, part.done(), reach) {
            // The server's content is shorter than the part.
            Err(Fault::Refused(refusal)) if refusal.status == 416 => {
                self.restart(part)?;
                return Err(Fault::Broken {
                    host: refusal.host,
                    reason: "it answered with status 416".to_owned(),
                });
            }
            answer => answer?,
        };
        if part.done() > 0 && !continues(&answer, part.done()) {
            self.restart(part)?;
        }
        if let Some(length) = answer.body().content_length()
            && length != size - part.done()
        {
            let length = part.done().saturating_add(length);
            return Err(Fault::Mismatch(format!("it has {length} bytes, not {size}")));
        }
        let mut body = answer.into_body().into_with_config().limit(u64::MAX).reader();
        let mut buffer = vec![0; BUFFER.min(size + 1) as usize];
        loop {
            client.check()?;
            let count = match body.read(&mut buffer) {
                Ok(0) if part.done() == size => return Ok(()),
                Ok(0) => {
                    return Err(Fault::Mismatch(format!("it has {} bytes, not {size}", part.done())));
                }
                Ok(count) => count,
                Err(error) => return Err(client.fault(error.into(), &download.address)),
            };
            if part.done() + count as u64 > size {
                return Err(Fault::Mismatch(format!("it has more than {size} bytes")));
            }
            part.add(&buffer[..count])?;
            self.done.fetch_add(count as u64, Ordering::Relaxed);
            self.from_network.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    fn restart(&self, part: &mut Part) -> Result<(), Fault> {
        self.done.fetch_sub(part.done(), Ordering::Relaxed);
        Ok(part.restart()?)
    }
}

/// Whether an answer is the requested rest of a content, rather than the whole content.
fn continues(answer: &Response<Body>, done: u64) -> bool {
    let range = answer.headers().get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let start = range
        .and_then(|range| range.trim().strip_prefix("bytes ")?.split('-').next()?.trim().parse::<u64>().ok());
    answer.status() == StatusCode::PARTIAL_CONTENT && start == Some(done)
}
