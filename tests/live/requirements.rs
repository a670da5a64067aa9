//! Requirements of a Hub repository, installed by uv and by pip: both install the same, also from the
//! repository's own index, which never gets a login of the user's.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::live::engine::{Images, Live, docker, together};
use crate::support::Owned;
use crate::support::hub::{Hub, Repository};

/// An index. With a password, it passes on the public one's pages. Without one, it has small wheels of its own,
/// and prints the path of each request with a login.
const INDEX: &str = r#"
import base64, http.server, io, sys, urllib.error, urllib.request, zipfile
PASSWORD = sys.argv[1]
LOGIN = "Basic " + base64.b64encode(b"me:" + PASSWORD.encode()).decode()
def wheel(name, version):
    content, info = io.BytesIO(), f"{name}-{version}.dist-info"
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"{name}.py", f"VERSION = '{version}'\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in [*archive.namelist(), f"{info}/RECORD"]))
    return f"{name}-{version}-py3-none-any.whl", content.getvalue()
OWN = ["six==1.9.0", "shelf_one==1.0", "shelf_two==1.0", "shelf_two==2.0b1"]
WHEELS = dict(wheel(*words.split("==")) for words in OWN)
class Index(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass
    def do_GET(self):
        login = self.headers.get("Authorization")
        if not PASSWORD:
            if login:
                print(self.path, flush=True)
            return self.shelf()
        if login != LOGIN:
            return self.answer(401, b"", "text/plain", [("WWW-Authenticate", "Basic")])
        request = urllib.request.Request("https://pypi.org" + self.path, headers={"Accept": self.headers["Accept"]})
        try:
            with urllib.request.urlopen(request) as page:
                self.answer(200, page.read(), page.headers["Content-Type"])
        except urllib.error.HTTPError as error:
            self.answer(error.code, b"", "text/plain")
    do_HEAD = do_GET
    def shelf(self):
        folder, _, name = self.path.strip("/").partition("/")
        if folder == "files":
            return self.answer(200, WHEELS[name], "application/octet-stream")
        names = [file for file in WHEELS if file.startswith(name.replace("-", "_"))]
        links = "".join(f'<a href="/files/{file}">{file}</a>' for file in names)
        self.answer(200 if names else 404, links.encode(), "text/html")
    def answer(self, status, body, kind, headers=()):
        self.send_response(status)
        for name, value in [("Content-Type", kind), ("Content-Length", str(len(body))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// The process of an index, and the lines that it prints, of which the first is its port.
fn index(password: &str) -> (Owned, impl Iterator<Item = String>) {
    let mut process = Command::new("python3")
        .args(["-c", INDEX, password])
        .stdout(Stdio::piped())
        .spawn()
        .map(Owned)
        .unwrap();
    let printed = BufReader::new(process.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    (process, printed)
}

const PASSWORD: &str = "correct-horse-93ae";

/// A package of the repository itself.
const PROJECT: &str = "[project]\nname = 'walker'\nversion = '3'\ndependencies = ['iniconfig<2.1']\n\
                       [build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n";

fn repository() -> Repository {
    Repository::fixture("acme/needs", "plain")
}

#[test]
fn uv_installs_what_pip_installs() {
    let (_together, live, hub) = (together(), Live::new(), Hub::start());
    let (_users, mut users_printed) = index(PASSWORD);
    let (shelf, mut printed) = index("");
    let users = format!("http://me:{PASSWORD}@127.0.0.1:{}/simple", users_printed.next().unwrap());
    let shelf_address = format!("http://127.0.0.1:{}", printed.next().unwrap());
    let requiring = |text: &str| repository().file("requirements.txt", text.replace("SHELF", &shelf_address));
    let cases = [
        // The repository's index has an older file of a package that is pinned, as PyTorch's have.
        (
            requiring(
                "--extra-index-url SHELF/simple\nsix==1.16.0\nshelf-one\n-r more/needs.txt\n-e ./package\n",
            )
            .file("more/needs.txt", "-c ../limits.txt\niniconfig\ntabulate; python_version < '3'\n")
            .file("limits.txt", "iniconfig<2\n")
            .file("package/pyproject.toml", PROJECT)
            .file("package/walker.py", ""),
            "iniconfig==1.1.1 shelf-one==1.0 six==1.16.0 walker==3",
        ),
        (requiring("--index-url SHELF/simple\nsix\nshelf-two\n"), "shelf-two==1.0 six==1.9.0"),
        (requiring("--pre\n-f SHELF/all\nshelf-two\nsix<1.17\n"), "shelf-two==2.0b1 six==1.16.0"),
        (
            requiring(concat!(
                "six==1.16.0 --hash=sha256:1e61c37477a1626458e36f7b1d82aa5c9b094fa4802892072e49de9c60c4c926 \\\n",
                "    --hash=sha256:8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254\n",
            )),
            "six==1.16.0",
        ),
        // Without requirements.txt.
        (
            repository().file("pyproject.toml", PROJECT).file("walker/__init__.py", ""),
            "iniconfig==2.0.0 walker==3",
        ),
    ];
    for (repository, expected) in cases {
        for installer in ["uv", "pip"] {
            // Another commit, so that each builds an image of its own.
            let commit = hub.put(repository.clone().file("installer.txt", installer));
            let source = format!("hf://acme/needs@{commit}");
            let _images = Images::of(&[&source]);
            let output = live
                .command(&["-v", "build", &source, "--trust-remote-code", "--installer", installer])
                .env("HF_ENDPOINT", hub.endpoint())
                .env("XDG_CACHE_HOME", live.state.path().join("cache"))
                .env("PIP_INDEX_URL", &users)
                .output()
                .unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{installer}, {expected}: {said}");
            // Only hashes need pip.
            let is_left_to_pip = said.contains("the requirements use --hash; installing with pip instead");
            assert_eq!(is_left_to_pip, installer == "uv" && expected == "six==1.16.0", "{said}");
            assert!(is_left_to_pip || !said.contains("installing with pip instead"), "{said}");
            assert!(!said.contains(PASSWORD), "{said}");
            let tag = String::from_utf8(output.stdout).unwrap().trim().to_owned();
            let list = docker(&["run", "--rm", "--entrypoint", "pip", &tag, "list", "--format", "freeze"]);
            let names = [
                "iniconfig",
                "shelf-one",
                "shelf-two",
                "shelf_one",
                "shelf_two",
                "six",
                "tabulate",
                "walker",
            ];
            let mut installed: Vec<String> = list
                .lines()
                .filter(|line| names.contains(&line.split("==").next().unwrap()))
                .map(|line| line.replace('_', "-"))
                .collect();
            installed.sort();
            assert_eq!(installed.join(" "), expected, "{installer}");
        }
    }
    drop(shelf);
    assert_eq!(printed.collect::<Vec<_>>(), Vec::<String>::new(), "requests to the shelf with a login");
    live.assert_clean();
}
