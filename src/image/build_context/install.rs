//! The scripts that a build step installs with, mounted into it and never part of the image; what they do stands in them.

/// The folder of the context that holds them. Nothing else is in it, so that no layer depends on more.
pub(crate) const FOLDER: &str = "install";

/// The script that installs system packages.
pub(crate) const APT_SCRIPT: &str = "apt.sh";

/// Every script's name and content.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("install.sh", include_str!("install/install.sh")),
    ("install.py", include_str!("install/install.py")),
    ("settings.py", include_str!("install/settings.py")),
    ("uv.py", include_str!("install/uv.py")),
    ("bytecode.py", include_str!("install/bytecode.py")),
    (APT_SCRIPT, include_str!("install/apt.sh")),
];
