import configparser
import os
import unittest
from unittest import mock

import settings
from support import TestCase


class Translation(TestCase):
    def translated(self, **environment):
        settings.translate(environment)
        return environment

    def test_pips_settings_are_added_under_uvs_names(self):
        found = self.translated(
            PIP_INDEX_URL="https://a/simple",
            PIP_EXTRA_INDEX_URL="https://b/simple https://c/simple",
            PIP_TRUSTED_HOST="a",
            PIP_CERT="/c.pem",
        )
        self.assertEqual(found["UV_DEFAULT_INDEX"], "https://a/simple")
        self.assertEqual(found["UV_INDEX"], "https://b/simple https://c/simple")
        self.assertEqual(found["UV_INSECURE_HOST"], "a")
        self.assertEqual(found["SSL_CERT_FILE"], "/c.pem")

    def test_uvs_settings_are_added_under_pips_names(self):
        for index, extra in (("UV_DEFAULT_INDEX", "UV_INDEX"), ("UV_INDEX_URL", "UV_EXTRA_INDEX_URL")):
            found = self.translated(**{index: "https://a", extra: "https://b"}, UV_INSECURE_HOST="h")
            self.assertEqual(found["PIP_INDEX_URL"], "https://a")
            self.assertEqual(found["PIP_EXTRA_INDEX_URL"], "https://b")
            self.assertEqual(found["PIP_TRUSTED_HOST"], "h")

    def test_settings_under_both_names_stay(self):
        found = self.translated(PIP_INDEX_URL="https://pip", UV_INDEX_URL="https://uv")
        self.assertEqual((found["PIP_INDEX_URL"], found["UV_INDEX_URL"]), ("https://pip", "https://uv"))
        self.assertNotIn("UV_DEFAULT_INDEX", found)

    def test_nothing_is_added_without_a_setting(self):
        self.assertEqual(self.translated(A="b"), {"A": "b"})

    def test_an_index_with_a_name_has_its_login_in_variables(self):
        found = self.translated(
            UV_INDEX="my-own.1=https://host/simple other=https://me:x@there/",
            UV_INDEX_MY_OWN_1_USERNAME="a@b",
            UV_INDEX_MY_OWN_1_PASSWORD="p/w",
            UV_INDEX_OTHER_PASSWORD="not this",
        )
        self.assertEqual(found["PIP_EXTRA_INDEX_URL"], "https://a%40b:p%2Fw@host/simple https://me:x@there/")
        self.assertTrue(found["UV_INDEX"].startswith("my-own.1=https://host"))


class Sources(TestCase):
    def setUp(self):
        super().setUp()
        os.environ.clear()
        os.environ["HOME"] = str(self.folder)
        read = configparser.RawConfigParser.read

        def read_no_file_of_this_machine(parser, path):
            return read(parser, path) if path.startswith(str(self.folder)) else []

        patches = [
            mock.patch.object(configparser.RawConfigParser, "read", read_no_file_of_this_machine),
            mock.patch.object(settings, "SETTINGS", str(self.folder / "SETTINGS")),
            mock.patch.object(settings, "CERTIFICATES", str(self.folder / "CERTIFICATES")),
        ]
        for patch in patches:
            patch.start()
            self.addCleanup(patch.stop)

    def read(self):
        (self.folder / "temporary").mkdir(exist_ok=True)
        return settings.read(str(self.folder / "temporary"))

    def test_the_users_settings_replace_the_images_under_any_name(self):
        os.environ.update(UV_INDEX_URL="https://image", UV_INDEX="https://image2", UV_INSECURE_HOST="image")
        self.write("SETTINGS", "PIP_INDEX_URL=https://me:a=b@user/simple\nHTTPS_PROXY=http://proxy\n")
        found = self.read()
        self.assertEqual(found["UV_DEFAULT_INDEX"], "https://me:a=b@user/simple")
        self.assertEqual(found["PIP_INDEX_URL"], "https://me:a=b@user/simple")
        self.assertNotIn("UV_INDEX_URL", found)
        self.assertEqual((found["UV_INDEX"], found["UV_INSECURE_HOST"]), ("https://image2", "image"))
        self.assertEqual(found["HTTPS_PROXY"], "http://proxy")

    def test_the_environment_replaces_pips_configuration(self):
        text = "[global]\nindex-url = https://file\n[install]\nextra-index-url =\n  https://b\n  https://c\n"
        os.environ["PIP_CONFIG_FILE"] = str(self.write("pip.conf", text))
        found = self.read()
        self.assertEqual(found["UV_DEFAULT_INDEX"], "https://file")
        self.assertEqual(found["UV_INDEX"], "https://b https://c")
        os.environ["PIP_INDEX_URL"] = "https://environment"
        self.assertEqual(self.read()["UV_DEFAULT_INDEX"], "https://environment")

    def test_a_broken_configuration_of_pip_is_ignored(self):
        os.environ["PIP_CONFIG_FILE"] = str(self.write("pip.conf", "no section\n"))
        self.read()

    def test_uv_reads_the_images_configuration_or_none(self):
        if not os.path.exists("/etc/uv/uv.toml"):
            self.assertEqual(self.read()["UV_NO_CONFIG"], "1")
        file = self.write(".config/uv/uv.toml", "")
        self.assertEqual(self.read()["UV_CONFIG_FILE"], str(file))
        os.environ["UV_CONFIG_FILE"] = "/mine.toml"
        self.assertEqual(self.read()["UV_CONFIG_FILE"], "/mine.toml")

    def test_the_installers_have_a_temporary_folder(self):
        self.assertEqual(self.read()["TMPDIR"], str(self.folder / "temporary"))

    def test_the_users_certificates_are_added_to_the_systems(self):
        os.environ["SSL_CERT_FILE"] = str(self.write("system.pem", "system"))
        self.write("CERTIFICATES", "user")
        found = self.read()
        bundle = found["SSL_CERT_FILE"]
        self.assertTrue(bundle.startswith(str(self.folder / "temporary")))
        with open(bundle) as file:
            self.assertEqual(file.read(), "system\nuser\n")
        for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"):
            self.assertEqual(found[name], bundle)

    def test_the_systems_certificates_alone_are_used_in_place(self):
        os.environ["SSL_CERT_FILE"] = str(self.write("system.pem", "system"))
        found = self.read()
        self.assertEqual(found["SSL_CERT_FILE"], str(self.folder / "system.pem"))
        self.assertNotIn("REQUESTS_CA_BUNDLE", found)

    def test_pips_certificates_are_used_if_the_system_has_none(self):
        self.write("CERTIFICATES", "user")
        pips = self.write("pip.pem", "pip")
        with (
            mock.patch.object(settings, "BUNDLES", ()),
            mock.patch("ssl.get_default_verify_paths", return_value=mock.Mock(cafile=None)),
            mock.patch.object(settings, "pips_certificates", return_value=str(pips)),
        ):
            bundle = self.read()["SSL_CERT_FILE"]
        with open(bundle) as file:
            self.assertEqual(file.read(), "pip\nuser\n")


if __name__ == "__main__":
    unittest.main()
