import contextlib
import os
import runpy
import struct
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

PROBE = runpy.run_path(str(Path(__file__).resolve().parents[2] / "src/sandbox/probe.py"), run_name="probe")


def elf(needed, runpath=""):
    """The bytes of a small shared object that needs other ones."""
    strings = b"\0"
    entries = []
    for tag, text in [(1, name) for name in needed] + ([(29, runpath)] if runpath else []):
        entries.append((tag, len(strings)))
        strings += text.encode() + b"\0"
    at = 64 + 2 * 56
    entries += [(5, at), (10, len(strings)), (0, 0)]
    table = b"".join(struct.pack("<qQ", *entry) for entry in entries)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 1 << 20, 1 << 20, 4096)
    dynamic = struct.pack("<IIQQQQQQ", 2, 6, at + len(strings), 0, 0, len(table), len(table), 8)
    head = (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    )
    return head + load + dynamic + strings + table


class Libraries(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.site = Path(folder.name).resolve() / "site-packages"

    def write(self, name, content):
        path = self.site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return str(path)

    def missing(self):
        with mock.patch.object(sys, "path", [str(self.site)]):
            return PROBE["libraries"]()["missing"]

    def test_what_an_extension_needs_is_missing_with_what_its_libraries_need(self):
        self.write("cv2/cv2.abi3.so", elf(["libown.so.1", "libc.so.6", "libxcb.so.1"], "$ORIGIN/../cv2.libs"))
        self.write("cv2.libs/libown.so.1", elf(["libgl-none.so.1"]))
        self.write("other/other.abi3.so", elf(["libgl-none.so.1"]))
        found = self.missing()
        found.pop("libc.so.6", None)
        self.assertEqual(found.pop("libgl-none.so.1"), ["cv2", "other"])
        self.assertLessEqual(set(found), {"libxcb.so.1"})

    def test_plugins_that_nothing_loads_are_not_looked_at(self):
        self.write("cv2/qt/plugins/libqxcb.so", elf(["libnone.so.1"]))
        self.write("cv2/data.txt", b"text")
        self.assertEqual(self.missing(), {})

    def test_a_broken_file_is_left_out(self):
        whole = elf(["libnone.so.1"])
        for length in range(len(whole)):
            path = self.write("a.abi3.so", whole[:length])
            with contextlib.suppress(struct.error):
                PROBE["dynamic"](path)
        self.write("a.abi3.so", whole[:100])
        self.write("b.abi3.so", b"\x7fELF" + os.urandom(500))
        self.write("c.abi3.so", b"not one")
        self.assertEqual(self.missing(), {})


class Environments(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        sys.path.insert(0, folder.name)
        self.addCleanup(sys.path.remove, folder.name)

    def write(self, name, text):
        (self.folder / f"{name}.py").write_text(text)

    def test_what_an_import_registers_is_listed_by_likeness(self):
        ids = ["probe/Walk-v0", "probe/Ok-v0", "probe/Other-v1"]
        lines = [f"gymnasium.register({name!r}, entry_point='probe_one:Env')" for name in ids]
        self.write("probe_one", "\n".join(["import gymnasium", *lines]))
        found = PROBE["environments"]("probe/Okk-v0", ["probe_one"], [])
        self.assertEqual(found["registered"][0], "probe/Ok-v0")
        self.assertEqual(sorted(found["registered"]), sorted(ids))
        # It is imported already, as gymnasium imports packages with an entry point.
        found = PROBE["environments"]("probe/Okk-v0", ["probe_one"], [])
        self.assertEqual(found["registered"][0], "probe/Ok-v0")

    def test_functions_that_may_register_are_named(self):
        self.write(
            "probe_two",
            "from gymnasium import register\ndef register_envs():\n    pass\nregister_number = 3\n",
        )
        self.write("probe_bad", "raise SystemExit(3)")
        found = PROBE["environments"]("X-v0", ["probe_bad", "probe_two"], ["no-such-package<2"])
        self.assertEqual(found["callables"], ["probe_two:register_envs"])
        self.assertEqual((found["registered"], found["modules"]), ([], {"no-such-package<2": []}))

    def test_the_modules_of_a_package_are_listed(self):
        self.assertEqual(PROBE["modules_of"]("gymnasium[box2d]>=1"), ["gymnasium"])
