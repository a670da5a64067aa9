import os
import shutil
import subprocess
import unittest

from support import SCRIPTS, TestCase

# Writes down its arguments, a proxy, and its configuration with the certificates.
APT = """
{
  echo "called $*"
  for word; do case $word in Dir::Etc::parts=*) parts=${word#*=}; ls "$parts" ;; esac; done
  echo "proxy=$https_proxy frontend=$DEBIAN_FRONTEND"
  sed -n 's/.*CaInfo "\\(.*\\)";/\\1/p' "$parts"/* | xargs -r cat
} >>ROOT/noted 2>&1
case $* in *missing*) exit 100 ;; esac
"""


class AptSh(TestCase):
    """The script, with every folder of the system replaced by one of the test's."""

    def setUp(self):
        super().setUp()
        text = (SCRIPTS / "apt.sh").read_text(encoding="utf-8")
        for folder in ("/run/rlmesh-sandbox", "/etc/apt", "/etc/ssl", "/var/lib", "/var/cache", "/var/log"):
            self.assertIn(folder, text)
            text = text.replace(folder, f"{self.folder}{folder}")
        self.script = self.write("apt.sh", text)
        self.apt = self.program("bin/apt-get", APT.replace("ROOT", str(self.folder)))
        self.program("bin/id", "echo 0\n")
        self.write("etc/apt/apt.conf.d/docker-clean", "")
        self.write("etc/apt/apt.conf.d/01proxy", "")
        self.write("etc/ssl/certs/ca-certificates.crt", "system\n")
        self.write("var/log/dpkg.log", "")

    def run_script(self, *names, **environment):
        environment["PATH"] = f"{self.folder}/bin:{os.environ['PATH']}"
        command = [shutil.which("sh"), str(self.script), *names]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        noted = self.folder / "noted"
        return done, noted.read_text(encoding="utf-8").splitlines() if noted.exists() else []

    def test_lists_are_updated_and_packages_installed(self):
        done, noted = self.run_script("libgl1", "tree")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        asked = [line for line in noted if line.startswith("called ")]
        self.assertTrue(asked[0].endswith(" update"), asked)
        self.assertTrue(asked[1].endswith(" install --no-install-recommends -- libgl1 tree"), asked)
        for line in asked:
            self.assertIn(" -y ", line)
            self.assertIn("-o APT::Keep-Downloaded-Packages=true", line)
        self.assertIn("proxy= frontend=noninteractive", noted)

    def test_downloads_are_kept_and_the_image_stays_as_it_is(self):
        _, noted = self.run_script("tree")
        self.assertIn("01proxy", noted)
        self.assertNotIn("docker-clean", noted)
        self.assertTrue((self.folder / "etc/apt/apt.conf.d/docker-clean").exists())
        self.assertFalse((self.folder / "var/log/dpkg.log").exists())

    def test_the_users_proxy_and_certificates_reach_apt(self):
        self.write("run/rlmesh-sandbox/settings", "HTTPS_PROXY=http://me:a=b c@proxy\n")
        self.write("run/rlmesh-sandbox/certificates", "company\n")
        _, noted = self.run_script("tree", HTTPS_PROXY="http://image")
        self.assertIn("proxy=http://me:a=b c@proxy frontend=noninteractive", noted)
        self.assertEqual(noted[-2:], ["system", "company"])

    def test_the_lower_case_name_of_a_proxy_takes_precedence(self):
        _, noted = self.run_script("tree", HTTPS_PROXY="http://upper", https_proxy="http://lower")
        self.assertIn("proxy=http://lower frontend=noninteractive", noted)

    def test_the_status_of_apt_is_the_status_of_the_step(self):
        done, noted = self.run_script("missing")
        self.assertEqual(done.returncode, 100)
        self.assertEqual(len([line for line in noted if line.startswith("called ")]), 2)

    def test_another_user_than_root_or_no_apt_is_an_error(self):
        self.program("bin/id", "echo 1000\n")
        done, noted = self.run_script("tree")
        said = "error: the base image's user is not root, and may not install system packages\n"
        self.assertEqual((done.returncode, done.stderr, noted), (1, said, []))
        self.apt.unlink()
        only_this = {"PATH": str(self.folder / "bin")}
        command = [shutil.which("sh"), str(self.script), "tree"]
        done = subprocess.run(command, env=only_this, capture_output=True, text=True)
        said = "error: the base image has no apt-get, which --apt needs\n"
        self.assertEqual((done.returncode, done.stderr), (1, said))


if __name__ == "__main__":
    unittest.main()
