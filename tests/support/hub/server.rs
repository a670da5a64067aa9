//! The two servers: the Hub itself, and the file store that it redirects to.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, header};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;

use super::content::Content;
use super::repository::{Access, Repository, StoredFile};
use super::{Fault, MEMBER, Request, STRANGER, State};

/// Which of the two a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Hub,
    Store,
}

/// Serves until the process ends.
pub(super) fn serve(listener: std::net::TcpListener, state: Arc<Mutex<State>>, role: Role) {
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&state);
                let service = service_fn(move |request: http::Request<Incoming>| {
                    let answer =
                        answer(&mut state.lock().unwrap_or_else(PoisonError::into_inner), role, &request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                tokio::spawn(async move {
                    // A cut connection is an error here, and what was asked for.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
    });
}

type Answer = Response<Stream>;

fn answer(state: &mut State, role: Role, request: &http::Request<Incoming>) -> Answer {
    let text = |name: header::HeaderName| {
        request.headers().get(name).map(|value| value.to_str().unwrap_or_default().to_owned())
    };
    let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let asked = Request {
        method: request.method().to_string(),
        target: target.clone(),
        authorization: text(header::AUTHORIZATION),
        range: text(header::RANGE),
        is_to_store: role == Role::Store,
    };
    state.requests.push(asked.clone());
    let fault = state.fault(&target);
    match &fault {
        Some(Fault::Status(status, headers)) => return refusal(*status, headers, "it fails on demand"),
        Some(Fault::Redirect(address)) => return redirect(302, address),
        Some(Fault::Body(body)) => return json(body.clone().into_bytes(), &[]),
        _ => {}
    }
    let mut answer = match role {
        Role::Hub => of_hub(state, &asked),
        Role::Store => of_store(state, &asked),
    };
    if let Some(fault) = fault {
        answer.body_mut().go_wrong(&fault);
        match fault {
            Fault::Length(length) => _ = answer.headers_mut().insert(header::CONTENT_LENGTH, length.into()),
            Fault::Commit(name) => _ = answer.headers_mut().insert("x-repo-commit", name.parse().unwrap()),
            _ => {}
        }
    }
    answer
}

fn of_hub(state: &State, request: &Request) -> Answer {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let parts: Vec<String> = path
        .trim_matches('/')
        .split('/')
        .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
        .collect();
    let words: Vec<&str> = parts.iter().map(String::as_str).collect();
    match words[..] {
        ["api", "models", org, repo] => {
            find(state, request, org, repo, "main", &|repository| info(repository))
        }
        ["api", "models", org, repo, "revision", revision] => {
            find(state, request, org, repo, revision, &|repository| info(repository))
        }
        ["api", "models", org, repo, "tree", revision] => {
            find(state, request, org, repo, revision, &|repository| tree(state, repository, path, query))
        }
        [org, repo, "resolve", revision, ref file @ ..] => {
            let file = file.join("/");
            find(state, request, org, repo, revision, &|repository| {
                resolve(state, repository, &file, request)
            })
        }
        // Where a plain file's address may redirect to.
        ["api", "resolve-cache", "models", org, repo, revision, ref file @ ..] => {
            let file = file.join("/");
            find(state, request, org, repo, revision, &|repository| match stored(repository, &file) {
                Some(stored) => {
                    let mut answer = content(stored, request);
                    answer.headers_mut().insert("x-repo-commit", repository.commit_id().parse().unwrap());
                    answer
                }
                None => refusal(404, &[("x-error-code", "EntryNotFound".to_owned())], "no such file"),
            })
        }
        _ => refusal(404, &[], "not found"),
    }
}

/// The repository that is meant, once the caller may read it.
fn find(
    state: &State,
    request: &Request,
    org: &str,
    repo: &str,
    revision: &str,
    found: &dyn Fn(&Repository) -> Answer,
) -> Answer {
    const CODE: &str = "x-error-code";
    let token = request.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
    if token.is_some_and(|token| token != MEMBER && token != STRANGER) {
        let message = ("x-error-message", "Invalid credentials in Authorization header".to_owned());
        return refusal(401, &[message], "Invalid username or password.");
    }
    let name = format!("{org}/{repo}");
    let mut there = state.repositories.iter().filter(|repository| repository.name == name).peekable();
    let not_found = || {
        let status = if token.is_some() { 404 } else { 401 };
        refusal(status, &[(CODE, "RepoNotFound".to_owned())], "Repository not found")
    };
    let Some(any) = there.peek() else { return not_found() };
    if let Some(moved) = &any.moved_to {
        return redirect(307, &request.target.replacen(&name, moved, 1));
    }
    match any.access {
        Access::Private if token != Some(MEMBER) => return not_found(),
        Access::Gated if token != Some(MEMBER) => {
            let status = if token.is_some() { 403 } else { 401 };
            return refusal(status, &[(CODE, "GatedRepo".to_owned())], "Access to this model is restricted.");
        }
        Access::Disabled => {
            let message = "Access to this resource is disabled.";
            return refusal(403, &[("x-error-message", message.to_owned())], message);
        }
        _ => {}
    }
    match there.find(|repository| repository.is(revision)) {
        Some(repository) => found(repository),
        None => refusal(404, &[(CODE, "RevisionNotFound".to_owned())], "Invalid rev id"),
    }
}

fn info(repository: &Repository) -> Answer {
    let siblings: Vec<_> =
        repository.files.iter().map(|file| serde_json::json!({ "rfilename": file.path })).collect();
    let info = serde_json::json!({
        "_id": "0", "id": repository.name, "modelId": repository.name, "sha": repository.commit_id(),
        "private": repository.access == Access::Private,
        "gated": if repository.access == Access::Gated { "manual".into() } else { serde_json::Value::Bool(false) },
        "disabled": false, "siblings": siblings, "tags": [], "downloads": 0, "likes": 0,
    });
    json(info.to_string().into_bytes(), &[])
}

fn tree(state: &State, repository: &Repository, path: &str, query: &str) -> Answer {
    let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name));
    let start = parameter("cursor=").and_then(|text| text.parse().ok()).unwrap_or(0);
    let (entries, total) = repository.entries(start, state.page_size);
    let next = start + entries.len();
    let links = state.links.clone().unwrap_or_else(|| format!("http://{}", state.address));
    let link = format!("<{links}{path}?recursive=true&cursor={next}>; rel=\"next\"");
    let headers = if next < total { vec![("link", link)] } else { Vec::new() };
    json(serde_json::to_vec(&entries).unwrap(), &headers)
}

fn stored<'a>(repository: &'a Repository, path: &str) -> Option<&'a StoredFile> {
    repository.files.iter().find(|file| file.path == path)
}

fn resolve(state: &State, repository: &Repository, path: &str, request: &Request) -> Answer {
    let Some(file) = stored(repository, path) else {
        return refusal(404, &[("x-error-code", "EntryNotFound".to_owned())], "Entry not found");
    };
    let commit = repository.commit_id();
    let mut answer = if file.is_lfs {
        redirect(302, &format!("http://{}/{}?signature=secret", state.store, file.digest))
    } else if state.redirects_plain_files {
        let (_, file) = request.target.split_once("/resolve/").unwrap();
        let (_, file) = file.split_once('/').unwrap();
        redirect(307, &format!("/api/resolve-cache/models/{}/{commit}/{file}", repository.name))
    } else {
        content(file, request)
    };
    let headers = answer.headers_mut();
    headers.insert("x-repo-commit", commit.parse().unwrap());
    if file.is_lfs {
        headers.insert("x-linked-etag", format!("\"{}\"", file.digest).parse().unwrap());
        headers.insert("x-linked-size", file.content.len().into());
    }
    headers.insert(header::ETAG, format!("\"{}\"", file.digest).parse().unwrap());
    answer
}

/// The file store knows contents, and refuses requests with a token that isn't for it.
fn of_store(state: &State, request: &Request) -> Answer {
    if request.authorization.is_some() {
        return refusal(400, &[], "Only one auth mechanism allowed");
    }
    let digest = request.target.trim_start_matches('/').split('?').next().unwrap_or_default();
    let files = state.repositories.iter().flat_map(|repository| &repository.files);
    match files.filter(|file| file.is_lfs).find(|file| file.digest == digest) {
        Some(file) => content(file, request),
        None => refusal(403, &[], "AccessDenied"),
    }
}

fn content(file: &StoredFile, request: &Request) -> Answer {
    let length = file.content.len();
    let range = request.range.as_deref().and_then(|range| range.strip_prefix("bytes="));
    let ends = range.and_then(|range| range.split_once('-'));
    let start: u64 = ends.and_then(|(start, _)| start.parse().ok()).unwrap_or(0);
    if start > 0 && start >= length {
        return refusal(416, &[("content-range", format!("bytes */{length}"))], "no such range");
    }
    let end = ends.and_then(|(_, end)| end.parse::<u64>().ok()).map_or(length, |end| (end + 1).min(length));
    let is_head = request.method == "HEAD";
    let mut answer =
        Response::new(Stream::of(file.content.clone(), start, if is_head { start } else { end }));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_LENGTH, (end - start).into());
    headers.insert(header::ACCEPT_RANGES, "bytes".parse().unwrap());
    headers.insert(header::ETAG, format!("\"{}\"", file.digest).parse().unwrap());
    if range.is_some() {
        headers.insert(header::CONTENT_RANGE, format!("bytes {start}-{}/{length}", end - 1).parse().unwrap());
        *answer.status_mut() = http::StatusCode::PARTIAL_CONTENT;
    }
    answer
}

fn json(body: Vec<u8>, headers: &[(&'static str, String)]) -> Answer {
    let mut answer = whole(200, body, headers);
    answer.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    answer
}

fn refusal(status: u16, headers: &[(&'static str, String)], message: &str) -> Answer {
    whole(status, serde_json::json!({ "error": message }).to_string().into_bytes(), headers)
}

fn redirect(status: u16, address: &str) -> Answer {
    whole(status, b"elsewhere".to_vec(), &[("location", address.to_owned())])
}

fn whole(status: u16, body: Vec<u8>, headers: &[(&'static str, String)]) -> Answer {
    let length = body.len() as u64;
    let mut answer = Response::new(Stream::of(Content::new(body), 0, length));
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
    answer.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    for (name, value) in headers {
        answer.headers_mut().insert(*name, value.parse().unwrap());
    }
    answer
}

/// A body as it goes out, with what goes wrong on the way.
pub(super) struct Stream {
    content: Content,
    start: u64,
    at: u64,
    end: u64,
    fault: Option<Fault>,
    pause: Option<Pin<Box<tokio::time::Sleep>>>,
    is_flushed: bool,
}

impl Stream {
    fn of(content: Content, start: u64, end: u64) -> Self {
        Self { content, start, at: start, end, fault: None, pause: None, is_flushed: false }
    }

    fn go_wrong(&mut self, fault: &Fault) {
        if let Fault::Length(length) = fault {
            self.end = self.start + length;
        }
        self.fault = Some(fault.clone());
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(pause) = &mut self.pause {
            match pause.as_mut().poll(cx) {
                Poll::Ready(()) => self.pause = None,
                Poll::Pending => return Poll::Pending,
            }
        }
        let sent = self.at - self.start;
        let mut room = self.end - self.at;
        match self.fault {
            Some(Fault::CutAfter(bytes) | Fault::StallAfter(bytes)) if sent < bytes => {
                room = room.min(bytes - sent);
            }
            // What was sent has to be on its way first.
            Some(Fault::CutAfter(bytes)) if room > 0 && !self.is_flushed && bytes > 0 => {
                self.is_flushed = true;
                self.pause = Some(Box::pin(tokio::time::sleep(Duration::from_millis(30))));
                return self.poll_frame(cx);
            }
            Some(Fault::CutAfter(_)) if room > 0 => {
                return Poll::Ready(Some(Err(io::Error::other("cut on demand"))));
            }
            Some(Fault::StallAfter(_)) if room > 0 => {
                self.pause = Some(Box::pin(tokio::time::sleep(Duration::from_secs(3600))));
                return self.poll_frame(cx);
            }
            Some(Fault::Slow(pause)) if room > 0 => {
                self.pause = Some(Box::pin(tokio::time::sleep(pause)));
                // The next poll after the pause sends; registering it now wakes this body then.
                if let Some(pause) = &mut self.pause
                    && pause.as_mut().poll(cx).is_ready()
                {
                    self.pause = None;
                }
            }
            _ => {}
        }
        if room == 0 {
            return Poll::Ready(None);
        }
        let mut chunk = self.content.chunk(self.at);
        // Beyond the content's end there is what a lie about the length is filled with.
        if chunk.is_empty() {
            chunk = vec![0; 1024];
        }
        chunk.truncate(room.min(64 * 1024) as usize);
        if let Some(Fault::WrongByteAt(at)) = self.fault
            && (self.at..self.at + chunk.len() as u64).contains(&at)
        {
            let index = (at - self.at) as usize;
            chunk[index] ^= 1;
        }
        self.at += chunk.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(chunk.into()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::new()
    }
}
