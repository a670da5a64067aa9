//! Servers on the loopback interface: one that answers the handshake with recorded bytes, one that answers nothing.

use std::net::SocketAddr;
use std::path::PathBuf;

use bytes::Bytes;
use h2::server::SendResponse;

/// A server that answers until the test ends.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Answers every call with `message`, whose framing is added here.
    pub(crate) fn answering(message: Vec<u8>) -> Self {
        Self::start(Answer::Message(message.into()))
    }

    /// Knows no call.
    pub(crate) fn of_something_else() -> Self {
        Self::start(Answer::Unimplemented)
    }

    /// Does not run: connections to its port are refused.
    pub(crate) fn not_running() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Self { address: listener.local_addr().unwrap() }
    }

    fn start(answer: Answer) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    answer.serve(stream).await;
                }
            });
        });
        Self { address }
    }

    /// Answers every call with `message`, on a Unix socket whose path `file` will name.
    pub(crate) fn answering_on_a_socket(file: PathBuf, message: Vec<u8>) {
        std::thread::spawn(move || {
            let path = super::eventually("a socket", || std::fs::read_to_string(&file).ok());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::UnixListener::bind(path).unwrap();
                let answer = Answer::Message(message.into());
                while let Ok((stream, _)) = listener.accept().await {
                    answer.serve(stream).await;
                }
            });
        });
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

#[derive(Clone)]
enum Answer {
    Message(Bytes),
    Unimplemented,
}

impl Answer {
    async fn serve(&self, stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
        // One call after the other is all that a readiness probe makes.
        let Ok(mut connection) = h2::server::handshake(stream).await else { return };
        while let Some(Ok((_, respond))) = connection.accept().await {
            self.send(respond);
        }
    }

    fn send(&self, mut respond: SendResponse<Bytes>) {
        let head = http::Response::builder().header("content-type", "application/grpc");
        match self {
            Answer::Unimplemented => {
                let head = head
                    .header("grpc-status", "12")
                    .header("grpc-message", "unknown service")
                    .body(())
                    .unwrap();
                respond.send_response(head, true).unwrap();
            }
            Answer::Message(message) => {
                let mut stream = respond.send_response(head.body(()).unwrap(), false).unwrap();
                let mut frame = vec![0];
                frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
                frame.extend(message);
                stream.send_data(frame.into(), false).unwrap();
                let mut trailers = http::HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                stream.send_trailers(trailers).unwrap();
            }
        }
    }
}

/// A package index that takes every connection and answers none: a build that asks it hangs until it is ended.
#[cfg(feature = "live")]
pub(crate) struct SilentIndex {
    listener: std::net::TcpListener,
}

#[cfg(feature = "live")]
impl SilentIndex {
    pub(crate) fn start() -> Self {
        Self { listener: std::net::TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    /// What PIP_INDEX_URL is set to.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/simple", self.listener.local_addr().unwrap())
    }

    /// Waits for a client. Its connection stays open as long as the value that this gives.
    #[track_caller]
    pub(crate) fn wait_for_a_client(&self) -> std::net::TcpStream {
        self.listener.set_nonblocking(true).unwrap();
        super::eventually("a client of the index", || self.listener.accept().ok()).0
    }
}
