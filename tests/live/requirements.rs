//! Requirements of a Hub repository, installed by uv and by pip: both install the same, also from the
//! repository's own index, which never gets a login of the user's.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::live::engine::{Images, Live, docker, together};
use crate::live::indexes::Index;
use crate::support::Owned;
use crate::support::hub::{Hub, Repository};

/// An index with small wheels of its own. It prints its port, and the path of each request with a login.
const SHELF: &str = r#"
import http.server, io, zipfile
def wheel(name, version):
    content, info = io.BytesIO(), f"{name}-{version}.dist-info"
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"{name}.py", f"VERSION = '{version}'\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in [*archive.namelist(), f"{info}/RECORD"]))
    return f"{name}-{version}-py3-none-any.whl", content.getvalue()
WHEELS = dict(wheel(*words.split("==")) for words in ["six==1.9.0", "shelf_one==1.0", "shelf_two==1.0", "shelf_two==2.0b1"])
class Shelf(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass
    def do_GET(self):
        if self.headers.get("Authorization"):
            print(self.path, flush=True)
        folder, _, name = self.path.strip("/").partition("/")
        body = WHEELS.get(name)
        if folder in ("simple", "all"):
            wanted = name.replace("-", "_")
            body = "".join(f'<a href="/files/{file}">{file}</a>' for file in WHEELS if file.startswith(wanted)).encode()
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "application/octet-stream" if folder == "files" else "text/html")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shelf)
print(server.server_port, flush=True)
server.serve_forever()
"#;

const PASSWORD: &str = "correct-horse-93ae";

/// A package of the repository itself.
const PROJECT: &str = "[project]\nname = 'walker'\nversion = '3'\ndependencies = ['iniconfig']\n\
                       [build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n";

fn repository() -> Repository {
    Repository::fixture("acme/needs", "plain")
}

#[test]
fn uv_installs_what_pip_installs() {
    let (_together, live, hub) = (together(), Live::new(), Hub::start());
    let index = Index::with_password(PASSWORD);
    let mut shelf =
        Command::new("python3").args(["-c", SHELF]).stdout(Stdio::piped()).spawn().map(Owned).unwrap();
    let mut printed = BufReader::new(shelf.0.stdout.take().unwrap()).lines().map(Result::unwrap);
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
            "iniconfig==2.3.0 walker==3",
        ),
    ];
    for (repository, expected) in cases {
        for installer in ["uv", "pip"] {
            // Another commit, so that each builds an image of its own.
            let commit = hub.put(repository.clone().file("installer.txt", installer));
            let source = format!("hf://acme/needs@{commit}");
            let _images = Images::of(&[&source]);
            let output = live
                .command(&["build", &source, "--trust-remote-code", "--installer", installer])
                .env("HF_ENDPOINT", hub.endpoint())
                .env("XDG_CACHE_HOME", live.state.path().join("cache"))
                .env("PIP_INDEX_URL", format!("http://me:{PASSWORD}@127.0.0.1:{}/simple", index.port))
                .output()
                .unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{installer}, {expected}: {said}");
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
