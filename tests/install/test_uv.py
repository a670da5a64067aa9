import base64
import contextlib
import hashlib
import http.server
import io
import json
import os
import threading
import unittest
import zipfile

import uv
from support import TestCase

LISTED = [
    "uv-0.7.22-py3-none-musllinux_1_1_x86_64.whl",
    "uv-0.13.9-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "uv-0.13.9-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl",
    "uv-0.13.9-py3-none-manylinux_2_28_aarch64.whl",
    "uv-0.13.9-py3-none-musllinux_1_1_x86_64.whl",
    "uv-0.13.9-py3-none-macosx_11_0_arm64.whl",
    "uv-0.13.9-py3-none-linux_armv6l.whl",
    "uv-0.13.9-py3-none-manylinux_2_17_s390x.manylinux2014_s390x.whl",
    "uv-0.99.0-py3-none-musllinux_1_1_x86_64.whl",
    "uv-1.0.0rc1-py3-none-musllinux_1_1_x86_64.whl",
    "uv-0.13.9.tar.gz",
    "uv_build-0.13.9-py3-none-musllinux_1_1_x86_64.whl",
]


class Choice(unittest.TestCase):
    def chosen(self, machine, names=LISTED):
        wheels = [(name, "https://host/" + name, "d") for name in names]
        version, url, digest = uv.choose(wheels, machine)
        self.assertEqual(digest, "d")
        return version, url.removeprefix("https://host/uv-" + version + "-py3-none-")

    def test_the_build_that_runs_with_any_libc_is_preferred(self):
        self.assertEqual(self.chosen("x86_64"), ("0.13.9", "musllinux_1_1_x86_64.whl"))
        self.assertIn("musllinux_1_1_aarch64", self.chosen("aarch64")[1])
        self.assertIn("manylinux2014_s390x", self.chosen("s390x")[1])

    def test_another_version_is_used_if_the_index_lacks_that_one(self):
        others = [name for name in LISTED if "-0.13.9-" not in name]
        self.assertEqual(self.chosen("x86_64", others)[0], "0.99.0")
        with self.assertRaisesRegex(uv.NotFetched, "no uv for x86_64"):
            self.chosen("x86_64", [name for name in others if "0.99" not in name])

    def test_a_processor_without_a_build_is_an_error(self):
        for machine in ("armv6l", "arm64", "64", "mips"):
            with self.assertRaisesRegex(uv.NotFetched, "no uv for " + machine):
                self.chosen(machine)


class Index(http.server.BaseHTTPRequestHandler):
    """Answers with `pages` (path to content and type) if the login is right."""

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        server = self.server
        server.asked.append((self.path, self.headers.get("Authorization")))
        login = base64.b64encode(server.login.encode()).decode()
        if server.login and self.headers.get("Authorization") != "Basic " + login:
            return self.send_error(401)
        content, kind = server.pages.get(self.path, (None, None))
        if kind == "redirect":
            self.send_response(302)
            self.send_header("Location", content)
            return self.end_headers()
        if content is None:
            return self.send_error(server.otherwise)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(content)


def wheel(script):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("uv-0.13.9.data/scripts/uvx", "other")
        archive.writestr("uv-0.13.9.data/scripts/uv", script)
    return content.getvalue()


class Fetch(TestCase):
    NAME = "uv-0.13.9-py3-none-musllinux_1_1_x86_64.whl"

    def setUp(self):
        super().setUp()
        for name in list(os.environ):
            if name.lower().endswith("_proxy"):
                del os.environ[name]
        self.cache = self.folder / "cache"
        self.cache.mkdir()
        self.wheel = wheel("#!/bin/sh\necho uv 0.13.9\n")

    def index(self, login=""):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        server.pages, server.asked, server.login, server.otherwise = {}, [], login, 404
        return server

    def address(self, server, login=""):
        return f"http://{login}127.0.0.1:{server.server_port}/simple/"

    def lists(self, server, url="/files/" + NAME, digest=None, kind="json", **more):
        """Makes the index list the wheel and serve it."""
        digest = digest or hashlib.sha256(self.wheel).hexdigest()
        if kind == "json":
            files = [{"filename": self.NAME, "url": url, "hashes": {"sha256": digest}, **more}]
            page = json.dumps({"files": files}).encode(), "application/vnd.pypi.simple.v1+json"
        else:
            target = f"..{url}?a=1&amp;b=2#sha256={digest}"
            link = f'<a data-requires-python="&gt;=3.8"\n href="{target}" >{self.NAME}</a>'
            page = f"<!DOCTYPE html><html>\n<a href='x.tar.gz'>x</a>\n{link}<br/>".encode(), "text/html"
            server.pages["/simple" + url + "?a=1&b=2"] = self.wheel, "application/octet-stream"
        server.pages["/simple/uv/"] = page
        server.pages["/files/" + self.NAME] = self.wheel, "application/octet-stream"

    def fetch(self, *indexes, **environment):
        environment.update(PIP_INDEX_URL=indexes[0], PIP_EXTRA_INDEX_URL=" ".join(indexes[1:]))
        with contextlib.redirect_stderr(io.StringIO()):
            path = uv.fetch(str(self.cache), "x86_64", environment)
        self.assertEqual([str(file) for file in self.cache.iterdir()], [path])
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o755)
        with open(path, encoding="utf-8") as file:
            self.assertIn("echo uv 0.13.9", file.read())
        return os.path.basename(path)

    def fails(self, kind, said, *indexes):
        with self.assertRaisesRegex(uv.NotFetched, said) as raised:
            self.fetch(*indexes)
        self.assertIs(type(raised.exception), kind)
        self.assertEqual(list(self.cache.iterdir()), [], "nothing unfinished stays")

    def test_both_forms_of_an_index_page_are_read(self):
        for kind in ("json", "html"):
            server = self.index()
            self.lists(server, kind=kind)
            self.assertEqual(self.fetch(self.address(server)), "uv-0.13.9-x86_64")

    def test_the_login_of_an_index_is_used_for_its_files(self):
        server = self.index("me:p@ss")
        self.lists(server)
        self.fetch(self.address(server, "me:p%40ss@"))
        (self.cache / "uv-0.13.9-x86_64").unlink()
        self.fails(uv.Unreachable, "refuses the user or password", self.address(server, "me:wrong@"))

    def test_no_other_host_gets_the_login(self):
        server, files = self.index("me:secret"), self.index()
        self.lists(server, url=f"http://127.0.0.1:{files.server_port}/files/{self.NAME}")
        self.lists(files)
        self.fetch(self.address(server, "me:secret@"))
        self.assertEqual(files.asked, [("/files/" + self.NAME, None)])
        # Nor does the target of a redirect.
        server.pages["/simple/uv/"] = self.address(files) + "uv/", "redirect"
        self.fetch(self.address(server, "me:secret@"))
        self.assertEqual({login for _, login in files.asked}, {None})

    def test_the_first_index_that_has_uv_is_used(self):
        empty, other = self.index(), self.index()
        self.lists(other)
        self.fetch(self.address(empty), self.address(other))
        (self.cache / "uv-0.13.9-x86_64").unlink()
        self.fails(uv.NotFetched, "HTTP status 404", self.address(empty))

    def test_another_file_than_the_listed_one_is_refused(self):
        server = self.index()
        self.lists(server, digest="0" * 64)
        self.fails(uv.Unreachable, "another SHA-256", self.address(server))

    def test_a_yanked_release_is_not_used(self):
        server = self.index()
        self.lists(server, yanked="broken")
        self.fails(uv.NotFetched, "has no uv", self.address(server))

    def test_a_uv_that_does_not_run_is_not_kept(self):
        for script in ("#!/bin/sh\nexit 1\n", "#!/no/such/program\n"):
            self.wheel = wheel(script)
            server = self.index()
            self.lists(server)
            self.fails(uv.NotFetched, "uv 0.13.9 does not run here", self.address(server))

    def test_a_server_error_is_retried(self):
        server = self.index()
        server.otherwise = 503
        self.fails(uv.NotFetched, "HTTP status 503", self.address(server))
        self.assertEqual(len(server.asked), 3)

    def test_an_index_that_does_not_answer_is_named_without_its_login(self):
        server = self.index()
        server.server_close()
        with self.assertRaisesRegex(uv.Unreachable, "cannot be reached from inside the build") as raised:
            self.fetch(self.address(server, "me:secret@"))
        self.assertNotIn("secret", str(raised.exception))
        self.assertIn(f"127.0.0.1:{server.server_port}", str(raised.exception))


if __name__ == "__main__":
    unittest.main()
