import importlib.util
import os
import signal
import unittest
from pathlib import Path
from unittest import mock

import bytecode
from support import TestCase

SOURCES = {
    "p/__init__.py": "x = 1\n",
    "p/old.py": "print 1\n",
    "p/deep.py": "x = " + "-" * 100_000 + "1\n",
    "p/nested.py": "x = " + "(" * 3000 + ")" * 3000 + "\n",
    "p/last.py": "y = 2\n",
    "p/tests/test_p.py": "z = 3\n",
    "p/test/test_p.py": "z = 3\n",
    "p/data.txt": "",
}


class ByteCode(TestCase):
    def setUp(self):
        super().setUp()
        self.library = str(self.folder / "library")

    def compiled(self, root="site"):
        found = (self.folder / root).rglob("*.pyc*")
        return sorted(file.name.split(".")[0] for file in found)

    def test_everything_that_compiles_is_compiled_but_tests(self):
        bytecode.compile_all([self.distribution("site", "p", "1", SOURCES)], self.library)
        self.assertEqual(self.compiled(), ["__init__", "last"])

    def test_python_uses_it(self):
        bytecode.compile_all([self.distribution("site", "p", "1", {"m.py": "x = 1\n"})], self.library)
        source = self.folder / "site/m.py"
        spec = importlib.util.spec_from_file_location("m", source)
        with mock.patch.object(spec.loader, "source_to_code", side_effect=AssertionError("compiled again")):
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        self.assertEqual((module.x, module.__cached__), (1, importlib.util.cache_from_source(str(source))))

    def test_only_the_files_of_the_distribution_are_compiled(self):
        self.write("site/other.py", "")
        self.write("outside.py", "")
        info = self.distribution("site", "p", "1", {"p.py": ""})
        with open(Path(info) / "RECORD", "a", encoding="utf-8") as file:
            file.write(f'../outside.py,,\n{self.folder}/outside.py,,\ngone.py,,\n"a,b.py",,\n')
        self.write("site/a,b.py", "")
        bytecode.compile_all([info], self.library)
        self.assertEqual(self.compiled(""), ["a,b", "p"])

    def test_a_distribution_without_a_record_has_nothing_to_compile(self):
        bytecode.compile_all([str(self.folder / "none.dist-info")], self.library)
        bytecode.compile_all([], self.library)

    def test_the_standard_library_is_compiled_where_it_has_no_byte_code(self):
        names = ["a", "json/b", "test/c", "idlelib/d", "site-packages/e", "old"]
        for name in names:
            self.write(f"library/{name}.py", "x = 1\n")
        old = self.write(Path(importlib.util.cache_from_source("library/old.py")), "")
        bytecode.compile_all([], self.library)
        self.assertEqual(self.compiled("library"), ["a", "b", "old"])
        self.assertEqual(old.read_text(), "")

    def test_a_standard_library_that_is_not_writable_stays_as_it_is(self):
        self.write("library/a.py", "x = 1\n")
        with mock.patch("os.access", lambda path, mode: False):
            bytecode.compile_all([], self.library)
        self.assertEqual(self.compiled("library"), [])

    def test_a_killed_worker_is_an_error(self):
        info = self.distribution("site", "p", "1", {f"m{number}.py": "" for number in range(20)})

        def killed(path, **options):
            if path.endswith("m7.py"):
                os.kill(os.getpid(), signal.SIGKILL)

        with mock.patch("py_compile.compile", killed), self.assertRaises(bytecode.Killed):
            bytecode.compile_all([info], self.library)

    def test_a_failed_write_is_an_error(self):
        info = self.distribution("site", "p", "1", {"m.py": ""})
        with (
            mock.patch("importlib._bootstrap_external._write_atomic", side_effect=OSError(28, "disk full")),
            self.assertRaises(OSError),
        ):
            bytecode.compile_all([info], self.library)
        self.assertEqual(self.compiled(), [])


if __name__ == "__main__":
    unittest.main()
