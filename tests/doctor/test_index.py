"""What `doctor` runs in a container to ask the package index."""

import importlib.util
import pathlib
import unittest

FILE = pathlib.Path(__file__).parents[2] / "src/commands/doctor/index.py"
spec = importlib.util.spec_from_file_location("index", FILE)
index = importlib.util.module_from_spec(spec)
spec.loader.exec_module(index)


class Environment(unittest.TestCase):
    def test_the_index_of_uv_wins(self):
        given = {"PIP_INDEX_URL": "http://pip", "UV_INDEX_URL": "http://old", "UV_DEFAULT_INDEX": "http://uv"}
        self.assertEqual(index.environment(given)["PIP_INDEX_URL"], "http://uv")
        self.assertEqual(index.environment({"PIP_INDEX_URL": "http://pip"})["PIP_INDEX_URL"], "http://pip")
        self.assertNotIn("PIP_INDEX_URL", index.environment({"HTTPS_PROXY": "http://proxy"}))

    def test_certificates_are_added_to_those_of_the_system(self):
        found = index.environment({index.CERTIFICATES: "-----BEGIN CERTIFICATE-----\nours\n"})
        text = pathlib.Path(found["PIP_CERT"]).read_text(encoding="utf-8")
        self.assertTrue(text.endswith("ours\n"))
        self.assertNotIn(index.CERTIFICATES, found)


if __name__ == "__main__":
    unittest.main()
