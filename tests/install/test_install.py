import contextlib
import io
import os
import subprocess
import sys
import sysconfig
import tarfile
import unittest
from unittest import mock

import bytecode
import install
import release
import uv as fetcher
from support import SCRIPTS, TestCase


class Platform(unittest.TestCase):
    def test_the_processor_is_that_of_the_python(self):
        for machine, largest, spelled in (
            ("x86_64", 2**63 - 1, "x86_64"),
            ("x86_64", 2**31 - 1, "i686"),
            ("aarch64", 2**31 - 1, "armv7l"),
            ("riscv64", 2**63 - 1, "riscv64"),
        ):
            with (
                mock.patch("os.uname", return_value=mock.Mock(machine=machine)),
                mock.patch("sys.maxsize", largest),
            ):
                self.assertEqual(install.processor(), spelled)

    def test_a_libc_without_a_name_is_musl(self):
        for answer, musl in (("glibc 2.36", False), (None, True), (ValueError, True), (OSError, True)):
            side = answer if isinstance(answer, type) else [answer]
            with mock.patch("os.confstr", side_effect=side):
                self.assertIs(install.is_musl(), musl)


class Place(TestCase):
    def place(self, writable):
        site, user = str(self.folder / "site"), str(self.folder / "user")
        paths = {"purelib": site, "platlib": site, "stdlib": str(self.folder / "library")}
        with (
            mock.patch.object(sysconfig, "get_paths", return_value=paths),
            mock.patch.object(sysconfig, "get_path", lambda *name: user),
            mock.patch("os.access", lambda path, mode: writable),
        ):
            return install.Place()

    def test_the_users_folder_is_used_if_pythons_is_not_writable(self):
        place = self.place(True)
        self.assertEqual((place.folders, place.is_user), ([str(self.folder / "site")], False))
        place = self.place(False)
        self.assertEqual((place.folders, place.is_user), ([str(self.folder / "user")], True))
        self.assertEqual(place.prefix, sysconfig.get_config_var("userbase"))

    def test_a_missing_folder_is_as_writable_as_its_parent(self):
        with mock.patch("os.access", lambda path, mode: path == str(self.folder)):
            self.assertTrue(install.is_writable(str(self.folder / "a/b")))
            self.assertFalse(install.is_writable("/"))

    def test_a_distribution_that_is_installed_again_has_another_time(self):
        place = self.place(True)
        self.assertEqual(place.distributions(), {})
        info = self.distribution("site", "a", "1")
        self.write("site/a.py", "")
        before = place.distributions()
        self.assertEqual(list(before), [info])
        os.utime(info)
        self.assertNotEqual(place.distributions(), before)


class Install(TestCase):
    """A whole installation, with a uv and a pip that only record how they are called."""

    def setUp(self):
        super().setUp()
        os.environ["PIP_CONFIG_FILE"] = "/dev/null"
        self.cache = self.folder / "cache"
        self.own = self.cache / str(os.getuid())
        self.own.mkdir(parents=True)
        self.has_pip = True
        self.calls = []
        site = str(self.folder / "site")
        paths = {"purelib": site, "platlib": site, "stdlib": str(self.folder / "library")}
        patches = [
            mock.patch.object(install, "CACHE", str(self.cache)),
            mock.patch.object(install, "SHARED", str(self.folder / "shared")),
            mock.patch.object(install, "processor", lambda: "x86_64"),
            mock.patch.object(sysconfig, "get_paths", return_value=paths),
            mock.patch("importlib.util.find_spec", lambda name: self.has_pip or None),
            mock.patch.object(subprocess, "Popen", self.popen),
            mock.patch.object(fetcher, "fetch", side_effect=AssertionError("downloaded")),
        ]
        for patch in patches:
            patch.start()
            self.addCleanup(patch.stop)
        self.uv = (0, "")
        self.pip = (0, "")
        self.tool("cache", "uv-0.13.9-x86_64")

    def tool(self, folder, name):
        return str(self.write(f"{folder}/{os.getuid()}/{name}", ""))

    def popen(self, command, env, **options):
        by_pip = command[:3] == [sys.executable, "-m", "pip"]
        self.calls.append((command, env))
        status, printed = self.pip if by_pip else self.uv
        self.distribution("site", "new", "1", {"new.py": "x = 1\n"})
        return mock.Mock(stderr=printed.encode().splitlines(True), wait=lambda: status)

    def main(self, *arguments):
        printed = io.TextIOWrapper(io.BytesIO(), write_through=True)
        with contextlib.redirect_stderr(printed):
            install.main(list(arguments))
        return printed.buffer.getvalue().decode()

    def fails(self, status, *arguments):
        printed = io.TextIOWrapper(io.BytesIO(), write_through=True)
        with self.assertRaises(SystemExit) as ended, contextlib.redirect_stderr(printed):
            install.main(list(arguments))
        self.assertEqual(ended.exception.code, status)
        return printed.buffer.getvalue().decode()

    def commands(self):
        return [" ".join(command) for command, _ in self.calls]

    def test_uv_installs_the_requirements_with_this_users_cache(self):
        self.main("six", "x; y")
        ((command, environment),) = self.calls
        uv = str(self.own / "uv-0.13.9-x86_64")
        self.assertEqual(command[:5], [uv, "pip", "install", "--python", sys.executable])
        self.assertEqual(command[-2:], ["six", "x; y"])
        self.assertNotIn("--prefix", command)
        self.assertEqual(environment["UV_CACHE_DIR"], str(self.own / "packages"))

    def test_packages_of_the_users_machine_are_installed_from_the_cache(self):
        self.write("local/12ab/my-pkg/setup.py", "1")
        self.write("local/34cd/x-1.0.whl", "2")
        local, lasting = self.folder / "local", self.own / "local"
        file = lasting / "12ab/my-pkg.tar.gz"
        times = []
        with mock.patch.object(install, "LOCAL", str(local)):
            for _ in range(2):
                self.main(f"{local}/12ab/my-pkg[dev]", f"x @ file://{local}/34cd/x-1.0.whl ; a == 'b'", "six")
                folder = f"{lasting}/12ab/my-pkg.tar.gz[dev]"
                wheel = f"x @ file://{lasting}/34cd/x-1.0.whl ; a == 'b'"
                self.assertEqual(self.calls[-1][0][-3:], [folder, wheel, "six"])
                times.append(file.stat().st_ctime_ns)
        self.assertEqual(times[0], times[1])
        self.assertEqual(len(list(lasting.glob("*/*"))), 2)
        with tarfile.open(file) as archive:
            self.assertIn("my-pkg/setup.py", archive.getnames())

    def test_what_is_new_is_compiled(self):
        self.distribution("site", "old", "1", {"old.py": ""})
        self.write("library/json.py", "")
        self.main("six")
        compiled = sorted(file.name.split(".")[0] for file in self.folder.rglob("*.pyc"))
        self.assertEqual(compiled, ["json", "new"])

    def test_a_failure_to_compile_ends_the_step(self):
        for error, status in ((bytecode.Killed("was killed"), 137), (OSError(28, "No space left"), 1)):
            with mock.patch.object(bytecode, "compile_all", side_effect=error):
                said = self.fails(status, "six")
            self.assertTrue(said.startswith("error: ") and str(error) in said, said)

    def test_uv_installs_for_the_user_if_pythons_folder_is_not_writable(self):
        with (
            mock.patch.object(install, "is_writable", lambda path: False),
            mock.patch.object(sysconfig, "get_config_var", {"userbase": "/home/me/.local"}.get),
            mock.patch.object(sysconfig, "get_path", lambda *name: str(self.folder / "site")),
        ):
            self.main("six")
        self.assertTrue(self.commands()[0].endswith(" --prefix /home/me/.local six"))

    def test_pip_installs_on_request(self):
        self.main("--installer", "pip", "six")
        ((command, environment),) = self.calls
        self.assertEqual(command[:4], [sys.executable, "-m", "pip", "install"])
        self.assertIn("--no-compile", command)
        self.assertEqual(command[-1], "six")
        self.assertEqual(environment["PIP_CACHE_DIR"], str(self.own / "pip"))

    def test_a_lock_is_installed_with_its_hashes_and_nothing_else(self):
        self.main("--lock", "/lock.txt")
        self.assertTrue(self.commands()[0].endswith(" --no-deps --require-hashes -r /lock.txt"))

    def test_requirements_are_installed_in_their_folder_if_there_are_any(self):
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        self.main("--requirements", str(self.folder))
        self.assertEqual(self.calls, [])
        self.write("requirements.txt", "six")
        self.main("--requirements", str(self.folder))
        self.assertTrue(self.commands()[0].endswith(" -r requirements.txt"))
        self.assertEqual(os.getcwd(), str(self.folder))

    def test_options_in_requirements_that_uv_does_not_have_are_left_to_pip(self):
        self.addCleanup(os.chdir, os.getcwd())
        self.write("requirements.txt", "six==1.0 --hash=sha256:00\n")
        said = self.main("--requirements", str(self.folder))
        self.assertEqual(said, "note: the requirements use --hash; installing with pip instead\n")
        self.assertIn("-m pip install", self.commands()[0])
        self.has_pip = False
        self.main("--requirements", str(self.folder))
        self.assertTrue(self.commands()[1].endswith(" --require-hashes -r requirements.txt"))

    def test_the_package_of_a_folder_without_requirements_is_installed(self):
        self.addCleanup(os.chdir, os.getcwd())
        self.write("pyproject.toml", "[project]\nname = 'x'\n")
        self.main("--requirements", str(self.folder))
        self.assertEqual(self.calls[0][0][-1], ".")

    def test_the_installers_have_the_indexes_as_arguments_only(self):
        self.addCleanup(os.chdir, os.getcwd())
        os.environ.update(
            PIP_INDEX_URL="http://me:secret@a", UV_INDEX="b=http://b http://c", UV_INDEX_B_PASSWORD="secret"
        )
        self.main("six")
        self.main("--installer", "pip", "six")
        uv, pip = self.commands()
        self.assertTrue(
            uv.endswith(" --default-index http://me:secret@a --index http://:secret@b --index http://c six")
        )
        self.assertTrue(
            pip.endswith(
                " --index-url http://me:secret@a"
                " --extra-index-url http://:secret@b --extra-index-url http://c six"
            )
        )
        for _, environment in self.calls:
            self.assertNotIn("secret", str(environment))
        # As in pip, an index in the file replaces them.
        self.write("requirements.txt", "-i http://d\n")
        self.main("--requirements", str(self.folder))
        self.assertNotIn("secret", self.commands()[2])
        self.assertTrue(
            self.commands()[2].endswith(" --index-strategy unsafe-best-match -r requirements.txt")
        )

    def test_the_shared_uv_for_this_processor_is_preferred(self):
        shared = self.tool("shared", "uv-0.9.0-x86_64")
        self.tool("shared", "uv-0.9.0-aarch64")
        self.main("six")
        self.assertEqual(self.calls[0][0][0], shared)

    def test_uv_is_downloaded_into_an_empty_cache(self):
        (self.own / "uv-0.13.9-x86_64").unlink()
        self.tool("cache", "uv-0.13.9-aarch64")
        with mock.patch.object(fetcher, "fetch", return_value="/new/uv") as fetch:
            self.main("six")
        self.assertEqual(fetch.call_args.args[:2], (str(self.own), "x86_64"))
        self.assertEqual(self.calls[0][0][0], "/new/uv")

    def test_pip_installs_if_uv_cannot_be_downloaded(self):
        (self.own / "uv-0.13.9-x86_64").unlink()
        for error, reason in (
            (fetcher.NotFetched("no uv here"), "no uv here"),
            (KeyError("files"), "uv cannot be downloaded: KeyError('files')"),
        ):
            self.calls.clear()
            with mock.patch.object(fetcher, "fetch", side_effect=error):
                said = self.main("six")
            self.assertEqual(said, f"note: {reason}; installing with pip instead\n")
            self.assertIn("-m pip install", self.commands()[0])

    def test_an_unreachable_index_ends_the_step(self):
        (self.own / "uv-0.13.9-x86_64").unlink()
        with mock.patch.object(fetcher, "fetch", side_effect=fetcher.Unreachable("it cannot be reached")):
            self.assertEqual(self.fails(1, "six"), "error: it cannot be reached\n")
        self.assertEqual(self.calls, [])

    def test_neither_pip_nor_uv_is_an_error(self):
        (self.own / "uv-0.13.9-x86_64").unlink()
        self.has_pip = False
        with mock.patch.object(fetcher, "fetch", side_effect=fetcher.NotFetched("no uv")):
            said = self.fails(1, "six")
        self.assertEqual(said, "error: the base image has no pip, and uv cannot be downloaded: no uv\n")
        said = self.fails(1, "--installer", "pip", "six")
        self.assertEqual(said, "error: the base image has no pip to install with\n")
        self.assertEqual(self.calls, [])

    def test_uv_needs_no_pip(self):
        self.has_pip = False
        self.main("six")
        self.assertEqual(len(self.calls), 1)

    def test_pip_installs_if_an_index_only_knows_get(self):
        refusal = "  cause: HTTP status server error (501 Unsupported method ('HEAD')) for url (http://x)\n"
        self.uv = (2, refusal)
        note = "note: the package index refuses what uv asks; installing with pip instead\n"
        self.assertEqual(self.main("six"), refusal + note)
        self.assertIn("-m pip install", self.commands()[1])
        self.has_pip = False
        self.fails(2, "six")
        self.has_pip, self.uv = True, (2, "  cause: HTTP status client error (404 Not Found)\n")
        self.calls.clear()
        self.fails(2, "six")
        self.assertEqual(len(self.calls), 1)

    def test_the_status_of_the_installer_is_the_status_of_the_step(self):
        self.uv = (3, "error: x\n")
        self.assertEqual(self.fails(3, "six"), "error: x\n")
        self.uv = (-9, "")
        self.fails(137, "six")

    def test_a_note_says_that_a_package_could_not_be_built_for_musl(self):
        for text in ("error: Failed to build `x`\n", "  × Failed to download and build `x`\n"):
            self.uv = (1, text)
            for musl in (True, False):
                with mock.patch.object(install, "is_musl", lambda musl=musl: musl):
                    self.assertEqual("this Python is linked against musl" in self.fails(1, "six"), musl)

    def test_a_note_says_that_an_old_release_could_not_be_built(self):
        self.uv = (1, "error: Failed to build `old-one==0.1`\n  cause: The build backend returned an error\n")
        files = [{"filename": "old_one-5.0.zip", "requires-python": ">=3.99"}]
        with mock.patch.object(release, "files", return_value=files):
            printed = self.fails(1, "old-one")
        self.assertTrue(printed.endswith("note: old-one 0.1 is an old release: 5.0 needs Python >=3.99\n"))

    def test_files_of_the_public_index_are_not_asked_for_again(self):
        self.addCleanup(os.chdir, os.getcwd())

        def uses(*arguments):
            self.calls.clear()
            self.main(*arguments)
            return "UV_CONFIG_FILE" in self.calls[0][1]

        self.assertTrue(uses("six"))
        self.assertNotIn("UV_NO_CONFIG", self.calls[0][1])
        self.write("requirements.txt", "--index-url https://a/simple\nsix\n")
        self.assertFalse(uses("--requirements", str(self.folder)))
        os.environ["PIP_INDEX_URL"] = "https://b/simple"
        self.assertFalse(uses("six"))

    def test_a_cache_that_cannot_be_written_to_is_not_used(self):
        with mock.patch("os.access", lambda path, mode: path != str(self.own)):
            self.assertIsNone(install.cache_folder())
        self.assertEqual(install.cache_folder(), str(self.own))

    def test_the_lock_is_written_by_the_cached_uv(self):
        with mock.patch("lock.write") as write:
            self.main("--write-lock", "/base", "/lock.txt")
        base, file, uv, environment = write.call_args.args
        self.assertEqual((base, file, uv), ("/base", "/lock.txt", str(self.own / "uv-0.13.9-x86_64")))
        self.assertEqual(environment["UV_CACHE_DIR"], str(self.own / "packages"))

    def test_a_lock_needs_uv(self):
        (self.own / "uv-0.13.9-x86_64").unlink()
        with mock.patch.object(fetcher, "fetch", side_effect=fetcher.NotFetched("no uv")):
            said = self.fails(1, "--write-lock", "/base", "/lock.txt")
        self.assertEqual(said, "error: no uv, so the lock was not written\n")


class Program(unittest.TestCase):
    def test_it_finds_its_modules_when_it_runs_isolated(self):
        done = subprocess.run(
            [sys.executable, "-I", "-B", str(SCRIPTS / "install.py"), "--requirements", "/nonexistent"],
            cwd="/",
            capture_output=True,
            text=True,
        )
        self.assertIn("FileNotFoundError", done.stderr)


if __name__ == "__main__":
    unittest.main()
