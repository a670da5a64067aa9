//! The scripts that install packages in a build step; they are mounted, and never part of the image.

/// Their folder in the context. Nothing else is in it, so that layers depend on nothing else.
pub(crate) const FOLDER: &str = "install";

/// The name and content of each script.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("install.sh", include_str!("install/install.sh")),
    ("install.py", include_str!("install/install.py")),
    ("settings.py", include_str!("install/settings.py")),
    ("uv.py", include_str!("install/uv.py")),
    ("lock.py", include_str!("install/lock.py")),
    ("bytecode.py", include_str!("install/bytecode.py")),
    ("apt.sh", include_str!("install/apt.sh")),
];
