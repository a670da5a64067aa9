import os
import shutil
import subprocess
import unittest

from support import SCRIPTS, TestCase

# Prints its version, or what it was asked to run.
PYTHON = 'case $* in *sys.version_info*) printf {version} ;; *) echo "{name} $*" ;; esac\n'


class InstallSh(TestCase):
    def setUp(self):
        super().setUp()
        for tool in ("sh", "mkdir", "rm", "ln", "chmod"):
            found = shutil.which(tool)
            (self.folder / "tools").mkdir(exist_ok=True)
            (self.folder / "tools" / tool).symlink_to(found)
        self.script = self.folder / "scripts/install.sh"
        self.script.parent.mkdir()
        shutil.copy(SCRIPTS / "install.sh", self.script)

    def python(self, path, version):
        return self.program(path, PYTHON.format(version=version, name=path))

    def run_script(self, *folders):
        path = ":".join(str(self.folder / folder) for folder in (*folders, "tools"))
        command = [shutil.which("sh"), str(self.script), "six", "a b"]
        return subprocess.run(command, env={"PATH": path}, capture_output=True, text=True)

    def assert_runs(self, done, python):
        # The fakes print their own name, and the arguments.
        called = f"{python} -I -B {self.script.parent}/install.py six a b\n"
        self.assertEqual(done.stdout, called, done.stderr)

    def assert_fails(self, done, said):
        self.assertEqual((done.returncode, done.stdout, done.stderr), (1, "", f"error: {said}\n"))

    def test_python_is_preferred(self):
        self.python("bin/python", "3.11")
        self.python("bin/python3", "3.12")
        self.assert_runs(self.run_script("bin"), "bin/python")

    def test_python3_gets_the_name_python_too(self):
        self.python("bin/python3", "3.10")
        self.assert_runs(self.run_script("bin"), "bin/python3")
        self.assertEqual(os.readlink(self.folder / "bin/python"), "python3")

    def test_a_newer_python_replaces_an_older_one(self):
        self.python("bin/python", "2.7")
        self.python("bin/python3", "3.9")
        self.python("bin/python3.12", "3.12")
        self.python("bin/python3.11", "3.11")
        self.assert_runs(self.run_script("first", "bin"), "bin/python3.12")
        # The first folder on PATH has a `python` that starts the newer one.
        started = subprocess.run(
            [str(self.folder / "first/python"), "-m", "x"], capture_output=True, text=True, check=True
        )
        self.assertEqual(started.stdout, "bin/python3.12 -m x\n")

    def test_a_python_that_does_not_start_is_ignored(self):
        self.program("bin/python", "exit 1\n")
        self.python("other/python3", "3.13")
        self.assert_runs(self.run_script("bin", "other"), "other/python3")

    def test_a_python_that_is_too_old_is_named(self):
        self.python("bin/python3", "3.9")
        said = "the base image has Python 3.9, and rlmesh needs 3.10 or newer"
        self.assert_fails(self.run_script("bin"), said)

    def test_no_python_is_an_error(self):
        self.assert_fails(self.run_script("bin"), "the base image has no Python")

    def test_a_name_that_cannot_be_added_is_an_error(self):
        python3 = self.python("bin/python3", "3.11")
        # As for a user who may not write there.
        (self.folder / "tools/ln").unlink()
        self.program("tools/ln", "echo no >&2; exit 1\n")
        said = f"the base image has no `python` beside {python3}, and its user may not add one"
        self.assert_fails(self.run_script("bin"), said)


if __name__ == "__main__":
    unittest.main()
