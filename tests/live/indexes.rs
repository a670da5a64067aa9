//! Package indexes as companies have them: with a password, or behind certificates of their own; what an image keeps of that is nothing.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::live::engine::{Images, Live, containers, docker, fresh_package, together};
use crate::support::Owned;
use crate::support::tls::Authority;

/// An index on the loopback interface that knows nothing but GET: passes on the public one's pages and files.
const INDEX: &str = r#"
import base64, http.server, ssl, sys, urllib.request
PASSWORD, CHAIN = sys.argv[1:]
EXPECTED = "Basic " + base64.b64encode(b"me:" + PASSWORD.encode()).decode() if PASSWORD else None
class Index(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass
    def do_GET(self):
        if self.headers.get("Authorization") != EXPECTED:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        files = self.path.startswith("/files/")
        address = "https://files.pythonhosted.org" + self.path[6:] if files else "https://pypi.org" + self.path
        request = urllib.request.Request(address, headers={"Accept": self.headers.get("Accept", "*/*")})
        with urllib.request.urlopen(request) as answer:
            body, kind = answer.read(), answer.headers["Content-Type"]
        if not files:
            # The files are here too, without the metadata beside them that saves asking for parts of them.
            body = body.replace(b"https://files.pythonhosted.org/", b"/files/")
            for name in [b"core-metadata", b"data-dist-info-metadata"]:
                body = body.replace(name, b"x-" + name)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
if CHAIN:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CHAIN)
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// Such an index, until the value goes.
struct Index {
    _process: Owned,
    port: String,
}

impl Index {
    /// One that asks for the user `me` and this password, unless it is empty.
    fn with_password(password: &str) -> Self {
        Self::start(password, "")
    }

    /// One that speaks TLS with the key and the certificate in that file.
    fn with_certificate(file: &Path) -> Self {
        Self::start("", file.to_str().unwrap())
    }

    fn start(password: &str, chain: &str) -> Self {
        let mut process = Command::new("python3")
            .args(["-c", INDEX, password, chain])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map(Owned)
            .unwrap();
        let mut port = String::new();
        BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { _process: process, port: port.trim().to_owned() }
    }
}

/// BuildKit makes a step that two builds have in common once, with the secrets of one of them: builds with
/// different indexes take turns.
static TURN: Mutex<()> = Mutex::new(());

/// A small package, in a spelling that is new: no existing layer has it.
fn fresh(package: &str) -> String {
    format!("{package}!=0.{}", uuid::Uuid::new_v4().as_fields().0)
}

/// Searches an image, its history, its configuration and every layer, packed or not.
#[track_caller]
fn assert_nowhere_in(tag: &str, secret: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (saved, parts) = (folder.path().join("image.tar"), folder.path().join("parts"));
    docker(&["save", "--output", saved.to_str().unwrap(), tag]);
    std::fs::create_dir(&parts).unwrap();
    assert!(Command::new("tar").arg("-xf").arg(&saved).arg("-C").arg(&parts).status().unwrap().success());
    let has = |text: &str| {
        let search = ["-type", "f", "-exec", "zgrep", "-a", "-F", "-l", "-e", text, "{}", "+"];
        let found = Command::new("find").arg(&parts).args(search).output().unwrap();
        String::from_utf8(found.stdout).unwrap()
    };
    // In the configuration, and in a layer: what is there is found.
    assert!(!has("RLMESH_PORT=50051").is_empty() && !has("Name: rlmesh").is_empty());
    assert_eq!(has(secret), "", "in a layer or in the configuration");
    let history = docker(&["history", "--no-trunc", "--format", "{{.CreatedBy}} {{.Comment}}", tag]);
    assert!(!history.contains(secret) && !history.contains("127.0.0.1"), "{history}");
}

#[test]
fn an_index_with_a_password_is_used_and_the_password_is_nowhere() {
    const PASSWORD: &str = "correct-horse-7b1f";
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (_together, live) = (together(), Live::new());
    let index = Index::with_password(PASSWORD);
    let port = &index.port;
    for installer in ["uv", "pip"] {
        let package = fresh("colorama");
        let _images = Images::of(&[&format!("Acrobot-v1 -p {package}")]);
        let run = |password: &str, arguments: &[&str]| {
            live.command(arguments)
                .env("PIP_INDEX_URL", format!("http://me:{password}@127.0.0.1:{port}/simple"))
                .output()
                .unwrap()
        };
        let build = ["-v", "build", "Acrobot-v1", "-p", &package, "--rebuild", "--installer", installer];
        let output = run(PASSWORD, &build);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        assert!(!said.contains(PASSWORD), "{said}");
        let tag = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        assert_nowhere_in(&tag, PASSWORD);
    }
    // A wrong one: what is said has neither, nor has the log that is kept.
    let state = tempfile::tempdir().unwrap();
    let output = live
        .command(&["-v", "build", "Acrobot-v1", "-p", "iniconfig", "--rebuild"])
        .env("PIP_INDEX_URL", format!("http://me:wrong-{PASSWORD}@127.0.0.1:{port}/simple"))
        .env("XDG_STATE_HOME", state.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{said}");
    let log =
        std::fs::read_to_string(said.lines().find_map(|line| line.strip_prefix("the whole log: ")).unwrap())
            .unwrap();
    assert!(!said.contains(PASSWORD) && !log.contains(PASSWORD), "{said}\n{log}");
    live.assert_clean();
    assert_eq!(containers("rlmesh.sandbox.source=gym://Acrobot-v1"), Vec::<String>::new());
}

#[test]
fn a_companys_certificates_are_trusted_by_the_build_and_are_nowhere() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (_together, live) = (together(), Live::new());
    let folder = tempfile::tempdir().unwrap();
    let (authority, chain) = (folder.path().join("ca.pem"), folder.path().join("chain.pem"));
    let company = Authority::new("rlmesh-sandbox tests");
    let (certificate, key) = company.certificate("127.0.0.1");
    std::fs::write(&authority, &company.pem).unwrap();
    std::fs::write(&chain, key + &certificate).unwrap();
    let index = Index::with_certificate(&chain);
    let build = |package: &str, installer: &str, more: &[&str], variables: &[(&str, &Path)]| {
        let line = ["build", "Acrobot-v1", "-p", package, "--rebuild", "--installer", installer];
        live.command(&[&line[..], more].concat())
            .env("PIP_INDEX_URL", format!("https://127.0.0.1:{}/simple", index.port))
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    };
    let file = authority.to_str().unwrap();
    let by_name: (&[&str], &[(&str, &Path)]) = (&["--ca-cert", file], &[]);
    let by_environment: (&[&str], &[(&str, &Path)]) =
        (&["--ca-cert", "auto"], &[("SSL_CERT_FILE", &authority)]);
    for (installer, (more, variables)) in [("uv", by_name), ("pip", by_environment)] {
        let package = fresh("tabulate");
        let _images = Images::of(&[&format!("Acrobot-v1 -p {package}")]);
        let output = build(&package, installer, &[], &[]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(5), "{said}");
        assert!(
            said.contains("\nhint: the certificate of the package index is not trusted in the build"),
            "{said}"
        );
        assert!(said.contains("--ca-cert"), "{said}");

        let output = build(&package, installer, more, variables);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        let tag = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        assert_nowhere_in(&tag, company.pem.lines().nth(2).unwrap());
    }
    live.assert_clean();
}

/// An index of one package, which exists as source alone. It writes to a file what is asked for, and each run of the
/// package's `setup.py`, which reports here: a build with an index on this machine has this machine's network.
const COUNTING: &str = r#"
import http.server, io, sys, tarfile
NAME, SEEN = sys.argv[1], open(sys.argv[2], "w", buffering=1)
def archive(port):
    file = io.BytesIO()
    setup = f"""import setuptools, urllib.request
urllib.request.urlopen("http://127.0.0.1:{port}/run").read()
setuptools.setup(name="{NAME}", version="1.0", py_modules=["counted"])
"""
    metadata = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n"
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for path, text in [("setup.py", setup), ("counted.py", ""), ("PKG-INFO", metadata)]:
            member = tarfile.TarInfo(f"{NAME}-1.0/{path}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return file.getvalue()
class Index(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass
    def do_GET(self):
        kind, body = "text/html", None
        if self.path == f"/simple/{NAME}/":
            body = f'<a href="/files/{NAME}-1.0.tar.gz">{NAME}-1.0.tar.gz</a>'.encode()
        elif self.path == f"/files/{NAME}-1.0.tar.gz":
            kind, body = "application/gzip", ARCHIVE
            SEEN.write("file\n")
        elif self.path == "/run":
            body = b""
            SEEN.write("run\n")
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", kind)
        # As on the public index: a file never changes.
        self.send_header("Cache-Control", "max-age=365000000, immutable" if "/files/" in self.path else "max-age=0")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
ARCHIVE = archive(server.server_port)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// A build after one more Debian package installs the Python packages again, and neither downloads nor compiles them.
#[test]
fn a_package_is_downloaded_and_compiled_once() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (_together, live) = (together(), Live::new());
    let (name, folder) = (fresh_package(), tempfile::tempdir().unwrap());
    let seen = folder.path().join("seen");
    let mut process = Command::new("python3")
        .args(["-c", COUNTING, &name, seen.to_str().unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .map(Owned)
        .unwrap();
    let mut port = String::new();
    BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let index = format!("http://127.0.0.1:{}/simple", port.trim());
    // A package of this machine counts its runs too.
    let own = folder.path().join("own");
    let report = format!("urllib.request.urlopen(\"http://127.0.0.1:{}/run\").read()", port.trim());
    let setup = format!(
        "import setuptools, urllib.request\n{report}\nsetuptools.setup(name=\"{name}-own\", py_modules=[\"counted_own\"])\n"
    );
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("setup.py"), setup).unwrap();
    std::fs::write(own.join("counted_own.py"), "").unwrap();
    let line = format!("Acrobot-v1 -p {name} -p {}", own.display());
    let lines = [line.clone(), line + " --apt tree"];
    let _images = Images::of(&lines.each_ref().map(String::as_str));
    let mut seen_after = Vec::new();
    for line in &lines {
        let words: Vec<&str> = line.split(' ').collect();
        let output = live
            .command(&[&["build"], &words[..]].concat())
            .env("PIP_EXTRA_INDEX_URL", &index)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        let step = said.lines().find(|line| line.contains(&name) && line.contains(" RUN install ")).unwrap();
        assert!(!step.contains("(cached)"), "{said}");
        let tag = String::from_utf8(output.stdout).unwrap();
        docker(&["run", "--rm", "--entrypoint", "python", tag.trim(), "-c", "import counted, counted_own"]);
        seen_after.push(std::fs::read_to_string(&seen).unwrap());
    }
    assert!(
        seen_after[0].contains("file\n") && seen_after[0].matches("run\n").count() >= 2,
        "{seen_after:?}"
    );
    assert_eq!(seen_after[0], seen_after[1]);
    live.assert_clean();
}
