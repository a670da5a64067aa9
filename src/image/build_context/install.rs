//! The scripts that install packages in a build step. They are mounted, and are not part of the image.

/// Their folder in the build context. It contains nothing else, so that layers only depend on the scripts.
pub(crate) const FOLDER: &str = "install";

/// The script that installs system packages.
pub(crate) const APT_SCRIPT: &str = "apt.sh";

/// Every script's name and content.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("install.sh", include_str!("install/install.sh")),
    ("install.py", include_str!("install/install.py")),
    ("requirements.py", include_str!("install/requirements.py")),
    ("settings.py", include_str!("install/settings.py")),
    ("uv.py", include_str!("install/uv.py")),
    ("release.py", include_str!("install/release.py")),
    ("lock.py", include_str!("install/lock.py")),
    ("bytecode.py", include_str!("install/bytecode.py")),
    (APT_SCRIPT, include_str!("install/apt.sh")),
];
