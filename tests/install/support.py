"""What the tests of the install scripts share."""

import os
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "src/image/build_context/install"

sys.dont_write_bytecode = True
sys.path.insert(0, str(SCRIPTS))


class TestCase(unittest.TestCase):
    """Each test has an empty folder, and may change the environment variables."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        environment = dict(os.environ)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(environment)))

    def write(self, name, text, mode=0o644):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)
        return file

    def program(self, name, script):
        """A program: a shell script."""
        return self.write(name, "#!/bin/sh\n" + script, 0o755)

    def distribution(self, root, name, version, files=(), **more):
        """An installed package: its files (name to text), and further files of its .dist-info folder."""
        info = f"{name}-{version}.dist-info"
        contents = {f"{root}/{file}": text for file, text in dict(files).items()}
        contents[f"{root}/{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        contents[f"{root}/{info}/RECORD"] = "".join(f"{file},,\n" for file in files)
        for file, text in more.items():
            contents[f"{root}/{info}/{file}.json"] = text
        for file, text in contents.items():
            self.write(file, text)
        return str(self.folder / root / info)
