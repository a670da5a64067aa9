//! Texts that identify known failures, and a hint for each.

use crate::contract::DEFAULT_BASE_IMAGE;
use crate::engine::docker::{DISK_FULL, NO_SPACE};
use crate::error::Change;

/// Texts that identify a failure, in lower case; a hint; and whether the default base image helps.
type Known = (&'static [&'static str], &'static str, bool);

const UNREACHABLE: &str =
    "the package index cannot be reached from inside the build: check the engine's network and proxy";

/// Failures that their text proves. The first match wins.
pub(super) const CERTAIN: &[Known] = &[
    (
        &["the base image has no python", "the base image has python ", "the base image has no `python`"],
        "use a base image with Python 3.10 or newer",
        true,
    ),
    (
        &["the base image has no pip to install with"],
        "run it without --installer pip, because uv does not need pip, or use a base image that has pip",
        false,
    ),
    (
        &["the base image has no pip, and uv cannot be downloaded"],
        "use a base image that has pip, or a package index that has uv",
        false,
    ),
    (
        &["the base image has no apt-get"],
        "use a base image with apt-get, such as Debian or Ubuntu, or one that already has the packages that you need",
        false,
    ),
    (
        &["the base image's user is not root"],
        "use a base image whose user is root, or one that already has the packages that you need",
        false,
    ),
    (
        &["does not have a release file", "is no longer valid", "release file for"],
        "the Debian or Ubuntu release of the base image is no longer on its servers: use a newer base image",
        false,
    ),
    (
        &["unable to locate package", "has no installation candidate"],
        "check the name that you pass to --apt: it must be a package of the base image's Debian or Ubuntu release",
        false,
    ),
    (&["exec: \"/bin/sh\"", "/bin/sh: no such file"], "use a base image that has a shell and Python", true),
    (
        &["refuses the user or password", "401 unauthorized", "401 client error"],
        "check the user name and password in PIP_INDEX_URL or UV_DEFAULT_INDEX",
        false,
    ),
    (
        &["403 forbidden", "403 client error"],
        "a package index or a file server refuses the request: check PIP_INDEX_URL or UV_DEFAULT_INDEX, and the login in it",
        false,
    ),
    (
        &["cache export is not supported"],
        "the engine's default builder can only export type=inline: enable Docker's containerd image store, or create another builder with `docker buildx create --use`",
        false,
    ),
    (
        &["do not match the hashes", "hash mismatch for"],
        "the package index has a different file than the lockfile lists: find out why, or remove the lockfile; the next build writes a new one",
        false,
    ),
    (
        &["in --require-hashes mode, all requirements must have"],
        "the lockfile lacks a package that another package needs: remove the lockfile; the next build writes a new one",
        false,
    ),
    (
        &["exec format error"],
        "the engine cannot run programs for this platform: install QEMU's binfmt handlers on its machine, or build on a machine of this platform",
        false,
    ),
    (
        &["so the lock was not written"],
        "a lockfile needs the hashes of a package index: check PIP_INDEX_URL and the engine's network, or run it without --lock",
        false,
    ),
    (
        &["of which there is no hash to lock"],
        "a lockfile can only list packages from a package index or an archive URL: install a released version, or run it without --lock",
        false,
    ),
    (
        &["failed to create endpoint", "failed to set up container networking"],
        "the engine cannot set up a container's network: restart Docker, and check that `docker run --rm IMAGE` works",
        false,
    ),
    (&[NO_SPACE], DISK_FULL, false),
    (
        &["certificate_verify_failed", "certificate verify failed", "invalid peer certificate"],
        "the certificate of the package index is not trusted in the build: pass your company's certificates with --ca-cert FILE",
        false,
    ),
    (
        &["is not a trusted or secure host and is being ignored"],
        "pip ignores a package index without TLS: add its host to PIP_TRUSTED_HOST, or use its https:// address",
        false,
    ),
    // pip ignores an index that it cannot reach, and then finds no versions.
    (&["retry(total=0"], UNREACHABLE, false),
    // A note of the install script after any failure on musl.
    (
        &["this python is linked against musl"],
        "a package has no wheel for musl (Alpine) and cannot be built there: use a Debian base image",
        true,
    ),
];

/// Failures that their text makes likely, if nothing else explains them. The first match wins.
pub(super) const LIKELY: &[Known] = &[
    (
        &["incompatible with the current platform", "is not a supported wheel on this platform"],
        "a wheel is for another Python, architecture or libc than the base image's: use another wheel, or another base image (--base-image)",
        false,
    ),
    (
        &["because it was yanked", "was yanked"],
        "the version was withdrawn from the package index: use another one",
        false,
    ),
    (
        &["http status client error (404"],
        "the address does not exist: check the URL of the requirement, or PIP_INDEX_URL or UV_DEFAULT_INDEX",
        false,
    ),
    (
        &[
            "no matching distribution found",
            "could not find a version that satisfies",
            "was not found in the package registry",
            "there is no version of",
            "there are no versions of",
            "only the following versions of",
        ],
        "the package or version does not exist for this Python: check the requirement, and the Python of the base image",
        false,
    ),
    (
        &["invalid requirement", "failed to parse: `"],
        "use a pip requirement: NAME, NAME==1.2, 'NAME[extra]', a URL or git+https://…",
        false,
    ),
    (
        &[
            "resolutionimpossible",
            "conflicting dependencies",
            "which are incompatible",
            "no solution found when resolving",
        ],
        "the packages conflict: relax a version requirement, or use a version that is compatible",
        false,
    ),
    (
        &[
            "temporary failure in name resolution",
            "newconnectionerror",
            "failed to establish a new connection",
            "dns error",
            "proxyerror",
            "tunnel error",
            "read timed out",
            "operation timed out",
            "connection refused",
            "network is unreachable",
        ],
        UNREACHABLE,
        false,
    ),
    (
        &["exec: \"python\"", "python: not found", "no module named pip"],
        "use a base image that has Python and pip",
        true,
    ),
    (
        &["requires-python", "requires a different python", "requires python"],
        "the base image's Python is too old or too new for a package: use another base image (--base-image)",
        false,
    ),
    (
        &[
            "exit code: 137",
            "exit status: 137",
            "signal: 9 (sigkill)",
            "killed signal terminated program",
            "cannot allocate memory",
        ],
        "a process was killed or got no memory, most likely because the engine has too little: give Docker more memory",
        false,
    ),
    (
        &[" setup command: '"],
        "this release is too old for today's setuptools: use a newer release of the package",
        false,
    ),
    (
        &[
            "failed to build `",
            "the build backend returned an error",
            "subprocess-exited-with-error",
            "legacy-install-failure",
            "failed-wheel-build-for-install",
            "failed building wheel for",
        ],
        "a package has no wheel for this Python, and its build fails: use another version of the package, or a base image with another Python",
        false,
    ),
    (
        &["permission denied"],
        "the base image's user cannot install packages: use a base image whose user is root",
        false,
    ),
];

/// Failures to get the base image. They are not looked for in the output of a step's process.
pub(super) const OF_BASE_IMAGES: &[Known] = &[
    (
        &["no match for platform", "does not provide the specified platform"],
        "the base image does not support this platform: check --platform and --base-image",
        false,
    ),
    (
        &["pull access denied", "repository does not exist", "manifest unknown", ": not found"],
        "the base image does not exist or is private: check --base-image; for a private image, run `docker login REGISTRY`",
        false,
    ),
    (
        &["failed to do request", "failed to resolve source metadata", "registry-1.docker.io"],
        "the registry cannot be reached: check the engine's network and proxy, or use a base image that the engine has (see `docker image ls`)",
        false,
    ),
];

/// The hint for a known failure, and the change that helps.
pub(super) fn find(known: &[Known], evidence: &str) -> Option<(&'static str, Option<Change>)> {
    let evidence = evidence.to_lowercase();
    let is_known = |texts: &[&str]| texts.iter().any(|text| evidence.contains(text));
    known.iter().find(|(texts, ..)| is_known(texts)).map(|(_, hint, with_default)| {
        (*hint, with_default.then(|| Change::Add("--base-image", DEFAULT_BASE_IMAGE.to_owned())))
    })
}
