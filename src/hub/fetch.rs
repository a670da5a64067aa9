//! Contents → cache: many at once, each verified before it counts as there, gone on with where a connection broke; it decides nothing about names.

use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use ureq::Body;
use ureq::http::{Response, StatusCode, header};
use url::Url;

use crate::error::SandboxError;
use crate::host::run_dir::cannot_write;
use crate::hub::cache::{Cache, Part};
use crate::hub::client::{Client, PARALLEL, Patience, Reach};
use crate::hub::digest::Content;
use crate::hub::failure::Fault;
use crate::progress::{Event, Listener};

/// Contents up to this size are held in memory on their way to the disk.
const SMALL: u64 = 256 * 1024;

/// How much is read at once.
const BUFFER: usize = 128 * 1024;

/// How often a content that is not what it should be is fetched again.
const MISMATCHES: u32 = 3;

/// How often progress is told.
const TICK: Duration = Duration::from_millis(100);

/// A content, where the Hub has it, and where it goes.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) content: Content,
    /// One of the paths under which the repository has it.
    pub(crate) path: String,
    pub(crate) address: Url,
    pub(crate) destinations: Vec<PathBuf>,
}

/// What came from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fetched {
    pub(crate) files: usize,
    /// In bytes.
    pub(crate) size: u64,
    /// How much of it the network brought.
    pub(crate) from_network: u64,
}

/// Why a job failed.
pub(crate) enum Failed {
    /// The network's fault, and the path of the file.
    Fetch(Fault, String),
    /// There is no network to use; the path of the file.
    Offline(String),
    System(SandboxError),
}

/// Makes sure that the cache has every content, and puts each where it goes.
///
/// # Errors
/// The first failure; every other job has ended by then.
pub(crate) fn fetch(
    client: Option<&Client>,
    cache: &Cache,
    jobs: Vec<Job>,
    on_event: &mut Listener<'_>,
) -> Result<Fetched, Failed> {
    let total = Fetched {
        files: jobs.iter().map(|job| job.destinations.len().max(1)).sum(),
        size: jobs.iter().map(|job| job.content.size).sum(),
        from_network: 0,
    };
    let crew = Crew {
        client,
        cache,
        next: AtomicUsize::new(0),
        done: AtomicU64::new(0),
        from_network: AtomicU64::new(0),
        failed: Mutex::new(None),
        jobs,
    };
    std::thread::scope(|scope| {
        let (tell, heard) = mpsc::channel();
        for _ in 0..PARALLEL.min(crew.jobs.len()) {
            let (tell, crew) = (tell.clone(), &crew);
            scope.spawn(move || crew.work(&tell));
        }
        drop(tell);
        // The listener belongs to this thread; it hears of everything here.
        loop {
            match heard.recv_timeout(TICK) {
                Ok((pause, reason)) => on_event(Event::Pausing { seconds: pause.as_secs_f64(), reason }),
                Err(RecvTimeoutError::Timeout) => {
                    on_event(Event::FetchProgress {
                        done: crew.done.load(Ordering::Relaxed),
                        total: total.size,
                    });
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    match crew.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(failed) => Err(failed),
        None => Ok(Fetched { from_network: crew.from_network.load(Ordering::Relaxed), ..total }),
    }
}

/// Those who fetch, and what they share.
struct Crew<'a> {
    client: Option<&'a Client>,
    cache: &'a Cache,
    jobs: Vec<Job>,
    next: AtomicUsize,
    done: AtomicU64,
    from_network: AtomicU64,
    failed: Mutex<Option<Failed>>,
}

type Pauses = mpsc::Sender<(Duration, String)>;

impl Crew<'_> {
    fn work(&self, tell: &Pauses) {
        loop {
            let Some(job) = self.jobs.get(self.next.fetch_add(1, Ordering::Relaxed)) else { return };
            if let Err(failed) = self.take(job, tell) {
                let mut first = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert(failed);
                // Nobody needs the rest any more.
                self.next.store(self.jobs.len(), Ordering::Relaxed);
                if let Some(client) = self.client {
                    client.stop();
                }
                return;
            }
        }
    }

    fn take(&self, job: &Job, tell: &Pauses) -> Result<(), Failed> {
        if self.cache.holds(job.content) {
            self.done.fetch_add(job.content.size, Ordering::Relaxed);
        } else if job.content.size == 0 {
            // Nothing to ask for, but still something to get wrong.
            if !job.content.is(b"") {
                let why = "it is said to be empty, and its digest is another's".to_owned();
                return Err(Failed::Fetch(Fault::Mismatch(why), job.path.clone()));
            }
            self.keep(job, b"")?;
        } else {
            self.download(job, tell)?;
        }
        job.destinations
            .iter()
            .try_for_each(|destination| self.cache.place(job.content, destination).map_err(Failed::System))
    }

    fn keep(&self, job: &Job, bytes: &[u8]) -> Result<(), Failed> {
        self.cache.keep(job.content, bytes).map_err(|error| disk(&PathBuf::from(&job.path), &error))
    }

    fn download(&self, job: &Job, tell: &Pauses) -> Result<(), Failed> {
        let Some(client) = self.client else { return Err(Failed::Offline(job.path.clone())) };
        let mut target = if job.content.size <= SMALL {
            Target::Memory(Vec::with_capacity(job.content.size as usize))
        } else {
            let part =
                self.cache.part(job.content).map_err(|error| disk(&PathBuf::from(&job.path), &error))?;
            self.done.fetch_add(part.done, Ordering::Relaxed);
            Target::Part(part)
        };
        let (mut failures, mut mismatches) = (0, 0);
        loop {
            let before = target.done();
            let fault = match self.receive(client, job, &mut target) {
                Ok(()) if target.is(job.content) => break,
                Ok(()) => Fault::Mismatch("its digest is another's".to_owned()),
                Err(Trouble::Fault(fault)) => fault,
                Err(Trouble::Disk(error)) => return Err(disk(&target.path(job), &error)),
            };
            if matches!(fault, Fault::Mismatch(_)) {
                mismatches += 1;
                self.restart(&mut target).map_err(|error| disk(&target.path(job), &error))?;
                if mismatches == MISMATCHES {
                    return Err(Failed::Fetch(fault, job.path.clone()));
                }
                failures = mismatches;
            } else {
                // A connection that breaks again and again, but each time later, gets there.
                failures = if target.done() > before { 1 } else { failures + 1 };
            }
            let Some(pause) = client.pause_after(&fault, failures, Patience::Usual) else {
                return Err(Failed::Fetch(fault, job.path.clone()));
            };
            if pause >= Duration::from_secs(1) {
                let _ = tell.send((pause, fault.in_short()));
            }
            client.sleep(pause).map_err(|fault| Failed::Fetch(fault, job.path.clone()))?;
        }
        match target {
            Target::Memory(bytes) => self.keep(job, &bytes),
            Target::Part(part) => {
                let path = part.path().to_owned();
                self.cache.adopt(part).map_err(|error| disk(&path, &error))
            }
        }
    }

    /// One request's worth of a content, added to what is there.
    fn receive(&self, client: &Client, job: &Job, target: &mut Target) -> Result<(), Trouble> {
        if target.done() == job.content.size {
            return Ok(());
        }
        let answer = match client.get(&job.address, target.done(), Reach::Anywhere) {
            // It has no such range: what is there can't be a part of it.
            Err(Fault::Refused(refusal)) if refusal.status == 416 => {
                self.restart(target)?;
                return Err(Fault::Broken { host: refusal.host, reason: "it answered 416".to_owned() }.into());
            }
            answer => answer?,
        };
        if target.done() > 0 && !goes_on_from(&answer, target.done()) {
            self.restart(target)?;
        }
        if let Some(length) = answer.body().content_length()
            && length != job.content.size - target.done()
        {
            let size = target.done() + length;
            return Err(mismatch(format!("it has {size} bytes, and the commit says {}", job.content.size)));
        }
        let mut body = answer.into_body().into_with_config().limit(u64::MAX).reader();
        let mut buffer = vec![0; BUFFER.min(job.content.size as usize + 1)];
        loop {
            client.check()?;
            let count = match body.read(&mut buffer) {
                Ok(0) if target.done() == job.content.size => return Ok(()),
                Ok(0) => {
                    let (done, size) = (target.done(), job.content.size);
                    return Err(mismatch(format!("it ends after {done} bytes, and the commit says {size}")));
                }
                Ok(count) => count,
                Err(error) => return Err(client.fault(error.into(), &job.address).into()),
            };
            if target.done() + count as u64 > job.content.size {
                return Err(mismatch(format!(
                    "it goes on after the {} bytes of the commit",
                    job.content.size
                )));
            }
            target.add(&buffer[..count])?;
            self.done.fetch_add(count as u64, Ordering::Relaxed);
            self.from_network.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    fn restart(&self, target: &mut Target) -> io::Result<()> {
        self.done.fetch_sub(target.done(), Ordering::Relaxed);
        target.restart()
    }
}

/// Whether an answer is the rest that was asked for, rather than all of it again.
fn goes_on_from(answer: &Response<Body>, done: u64) -> bool {
    let range = answer.headers().get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let start = range
        .and_then(|range| range.trim().strip_prefix("bytes ")?.split('-').next()?.trim().parse::<u64>().ok());
    answer.status() == StatusCode::PARTIAL_CONTENT && start == Some(done)
}

fn mismatch(why: String) -> Trouble {
    Trouble::Fault(Fault::Mismatch(why))
}

fn disk(path: &std::path::Path, error: &io::Error) -> Failed {
    Failed::System(cannot_write(path, error))
}

/// What ends one request's work.
enum Trouble {
    Fault(Fault),
    Disk(io::Error),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Trouble::Fault(fault)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Trouble::Disk(error)
    }
}

/// Where a content gathers.
enum Target {
    Memory(Vec<u8>),
    Part(Part),
}

impl Target {
    fn done(&self) -> u64 {
        match self {
            Target::Memory(bytes) => bytes.len() as u64,
            Target::Part(part) => part.done,
        }
    }

    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Target::Memory(held) => {
                held.extend_from_slice(bytes);
                Ok(())
            }
            Target::Part(part) => part.add(bytes),
        }
    }

    fn restart(&mut self) -> io::Result<()> {
        match self {
            Target::Memory(held) => {
                held.clear();
                Ok(())
            }
            Target::Part(part) => part.restart(),
        }
    }

    fn is(&self, content: Content) -> bool {
        match self {
            Target::Memory(bytes) => content.is(bytes),
            Target::Part(part) => part.done == content.size && part.digest() == content.digest,
        }
    }

    fn path(&self, job: &Job) -> PathBuf {
        match self {
            Target::Memory(_) => PathBuf::from(&job.path),
            Target::Part(part) => part.path().to_owned(),
        }
    }
}
