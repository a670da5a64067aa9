import os
import unittest

import requirements
from support import TestCase


class Requirements(TestCase):
    def setUp(self):
        super().setUp()
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.folder)

    def read(self, text, **environment):
        """What the file means: the options for uv, an option that needs pip, and whether it has an index."""
        self.write("requirements.txt", text)
        found = requirements.of_folder()
        self.assertEqual(found.arguments, ["-r", "requirements.txt"])
        return " ".join(found.for_uv(environment)), found.only_pip, found.replaces_indexes

    def test_ordinary_requirements_need_no_options(self):
        for text in (
            "",
            "six\nnumpy>=1; python_version > '3' # --pre\n\n# --extra-index-url https://a\n",
            "-e .\n./pkg\n-e git+https://host/r.git#egg=r\n--no-index\n--prefer-binary\n",
            "x @ https://host/--pre/x.whl\n",
            "--no-such-option\n--index-url\n-r 'unbalanced\n-r missing.txt\n-c https://host/c.txt\n",
        ):
            self.assertEqual(self.read(text), ("", None, False), text)

    def test_all_indexes_are_searched_if_the_file_names_one(self):
        best = "--index-strategy unsafe-best-match"
        for text in (
            "--extra-index-url https://a\nsix\n",
            "--extra-index-url=https://a # the CPU's\n",
            "--extra-index-url \\\n  https://a\n",
            "\ufeff--extra-index-url https://a\r\nsix\r\n",
            "-f wheels\n",
            "-fwheels\n",
            "--find-links=https://a/torch_stable.html\n",
        ):
            self.assertEqual(self.read(text), (best, None, False), text)
        self.assertEqual(self.read("-f wheels", UV_INDEX_STRATEGY="first-index")[0], "", "the user's choice")

    def test_an_index_replaces_the_users_unless_it_is_the_usual_one(self):
        for text in ("-i https://a", "-ihttps://a", "--index-url https://a", "--index-url=https://a\n"):
            self.assertEqual(self.read(text), ("--index-strategy unsafe-best-match", None, True), text)
        for text in ("--index-url https://pypi.org/simple/", "-i https://pypi.org/simple"):
            self.assertFalse(self.read(text)[2], text)

    def test_options_that_uv_ignores_in_files_are_given_to_it(self):
        self.assertEqual(self.read("--pre\nsix")[0], "--prerelease allow")
        self.assertEqual(
            self.read("--trusted-host a\n--trusted-host=b")[0],
            "--allow-insecure-host a --allow-insecure-host b",
        )

    def test_what_uv_does_not_read_as_pip_does_needs_pip(self):
        for text, option, options in (
            ("six==1.0 --hash=sha256:00", "--hash", "--require-hashes"),
            ("six==1.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n", "--hash", "--require-hashes"),
            ("--require-hashes\nsix==1.0", "--require-hashes", "--require-hashes"),
            ("six --config-settings a=b", "--config-settings", ""),
            ("six --global-option=--x", "--global-option", ""),
            ("--pypi-url https://a", "--pypi-url", ""),
        ):
            self.assertEqual(self.read(text), (options, option, False), text)
        self.assertEqual(self.read("-i https://a\n-i https://b")[1], "--index-url")

    def test_files_that_are_referred_to_count(self):
        self.write("sub/one.txt", "-c ../two.txt\n-r one.txt\n")
        self.write("two.txt", "--pre\n")
        for text in ("-r sub/one.txt", "--requirement=./sub/one.txt", "-c two.txt"):
            self.assertEqual(self.read(text)[0], "--prerelease allow", text)

    def test_files_in_utf_16_are_read(self):
        (self.folder / "requirements.txt").write_bytes("--pre\nsix\n".encode("utf-16"))
        self.assertTrue(requirements.of_folder().has_pre)

    def test_a_package_is_installed_itself_if_it_has_no_requirements(self):
        self.assertEqual(requirements.of_folder().arguments, [])
        for name, text, installed in (
            ("pyproject.toml", "[tool.ruff]\nline-length = 100\n", False),
            ("pyproject.toml", "# [project]\n[tool.project]\n", False),
            ("pyproject.toml", "[project]\nname = 'x'\n", True),
            ("pyproject.toml", "\n  [ build-system ] # x\nrequires = []\n", True),
            ("setup.py", "", True),
        ):
            file = self.write(name, text)
            self.assertEqual(requirements.of_folder().arguments, ["."] * installed, text)
            file.unlink()
        self.write("setup.py", "")
        self.assertEqual(self.read("six"), ("", None, False))


if __name__ == "__main__":
    unittest.main()
