"""Tests of release.py."""

import json
import sys
from unittest import mock

import release
from support import TestCase


def listed(*files):
    return [{"filename": name, "requires-python": python} for name, python in files]


class Releases(TestCase):
    def note(self, version, files, kind="application/vnd.pypi.simple.v1+json"):
        page = json.dumps({"files": files}).encode(), kind, "https://x/"
        with mock.patch.object(release.uv, "get", return_value=page) as get:
            note = release.note("Old_One", version, {"PIP_INDEX_URL": "https://x/simple"})
        self.assertEqual(get.call_args[0][0], "https://x/simple/old-one/")
        return note

    def test_an_old_release_is_named_with_what_the_newest_needs(self):
        files = listed(
            ("old_one-0.1.tar.gz", None),
            ("old_one-5.0-py3-none-any.whl", ">= 3.99"),
            ("old_one-6.0rc1-py3-none-any.whl", None),
        )
        self.assertEqual(self.note("0.1", files), "Old_One 0.1 is an old release: 5.0 needs Python >=3.99")
        self.assertIsNone(self.note("5.0.0", files), "it is the newest")

    def test_a_newest_release_for_this_python_is_not_the_reason(self):
        fitting = f">={sys.version_info[0]}.{sys.version_info[1]}"
        self.assertIsNone(self.note("0.1", listed(("old_one-5.0.zip", fitting))))
        self.assertIsNone(self.note("0.1", listed(("old_one-5.0.zip", "$(x)"))))
        self.assertIsNone(self.note("0.1", []))
        self.assertIsNone(self.note("0.1", {"no": "list"}), "an index can answer anything")
        self.assertIsNone(self.note("0.1", listed(("old_one-5.0.zip", ">=3.99")), "text/html"))

    def test_specifiers(self):
        for specifier, fits in [
            (">=3.11", True),
            (">=3.12", False),
            ("<3.11,>=3", False),
            ("", True),
            ("<4", True),
        ]:
            self.assertEqual(release.fits(specifier, (3, 11, 2)), fits, specifier)
