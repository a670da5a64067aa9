import json
import sys
import sysconfig
import unittest
from unittest import mock

import lock
from support import TestCase

ARCHIVE = {"url": "https://host/a-1.zip", "archive_info": {}}


class Lock(TestCase):
    def setUp(self):
        super().setUp()
        # The image's packages are in `image`, the base image's at the same path below `base`.
        self.image = self.folder / "image"
        self.base = f"base{self.image}"
        self.uv = self.program("uv", f'echo "$@" >{self.folder}/called; sed "s/$/ --hash=sha256:00/"')

    def installed(self, name, version, direct=None):
        more = {"direct_url": json.dumps(direct)} if direct else {}
        self.distribution("image", name, version, **more)

    def write_lock(self, user_folder="nowhere", **environment):
        target = self.folder / "lock.txt"
        paths = {("purelib", "posix_user"): str(self.folder / user_folder)}
        with (
            mock.patch.object(sys, "path", ["", str(self.image)]),
            mock.patch.object(sysconfig, "get_path", lambda *name: paths[name]),
        ):
            environment["PATH"] = "/usr/bin:/bin"
            lock.write(str(self.folder / "base"), str(target), str(self.uv), environment)
        return target.read_text().splitlines()

    def test_it_lists_what_the_base_image_does_not_have(self):
        for name, version in (("pip", "1"), ("Old_Name", "1"), ("newer", "1")):
            self.distribution(self.base, name, version)
            self.installed(name, "2" if name == "newer" else version)
        self.distribution(self.base, "removed", "1")
        self.installed("Typing.Extensions", "4.1")
        self.assertEqual(
            self.write_lock()[1:],
            [
                "# the base image has: old-name pip removed",
                "newer==2 --hash=sha256:00",
                "typing-extensions==4.1 --hash=sha256:00",
            ],
        )

    def test_it_begins_with_the_python(self):
        self.assertRegex(self.write_lock()[0], rf"^# python 3\.{sys.version_info[1]}, \w+$")

    def test_uv_adds_hashes_for_this_python_and_no_packages(self):
        self.write_lock()
        called = (self.folder / "called").read_text()
        for word in ("pip compile", "--generate-hashes", "--no-deps", f"--python {sys.executable}"):
            self.assertIn(word, called)

    def test_the_login_of_an_index_is_not_in_variables(self):
        # The addresses of packages may refer to variables.
        self.uv.write_text(f'#!/bin/sh\necho "$@" >{self.folder}/called; env >{self.folder}/variables; cat\n')
        self.write_lock(UV_DEFAULT_INDEX="http://me:secret@a", PIP_INDEX_URL="http://me:secret@a")
        self.assertIn("--default-index http://me:secret@a -", (self.folder / "called").read_text())
        self.assertNotIn("secret", (self.folder / "variables").read_text())

    def test_an_archive_is_locked_by_its_address(self):
        self.installed("a", "1", ARCHIVE)
        self.installed("b", "1", {**ARCHIVE, "subdirectory": "sub"})
        self.assertEqual(
            self.write_lock()[2:],
            [
                "a @ https://host/a-1.zip --hash=sha256:00",
                "b @ https://host/a-1.zip#subdirectory=sub --hash=sha256:00",
            ],
        )

    def test_a_wheel_file_of_rlmesh_is_not_in_it(self):
        wheel = {"url": "file:///opt/rlmesh.whl", "archive_info": {}}
        self.installed("rlmesh", "0.1.0", wheel)
        note = "# rlmesh 0.1.0 is installed from a wheel file, apart from this list"
        self.assertEqual(self.write_lock()[2:], [note])
        self.installed("other", "1", wheel)
        with self.assertRaisesRegex(lock.Failed, "other was installed from file:///.* no hash to lock"):
            self.write_lock()

    def test_a_package_without_a_hash_is_an_error(self):
        self.installed("a", "1", {"url": "https://host/repo", "vcs_info": {"vcs": "git"}})
        said = "a was installed from https://host/repo, of which there is no hash to lock"
        with self.assertRaisesRegex(lock.Failed, said):
            self.write_lock()

    def test_a_failure_of_uv_is_an_error_and_leaves_no_file(self):
        self.program("uv", "exit 2")
        with self.assertRaisesRegex(lock.Failed, "so the lock was not written"):
            self.write_lock()
        self.assertFalse((self.folder / "lock.txt").exists())

    def test_packages_in_the_users_folder_count(self):
        self.distribution("user", "mine", "3")
        self.assertIn("mine==3 --hash=sha256:00", self.write_lock("user"))


if __name__ == "__main__":
    unittest.main()
