//! The environment variables that describe a running environment, for `>> "$GITHUB_ENV"` and the user's
//! command.

use std::fmt::Write as _;

use crate::sandbox::start::Running;

/// The variables and their values. RLMESH_ADDRESS is not included, because rlmesh's servers bind to its
/// value.
pub(crate) fn variables(running: &Running) -> [(&'static str, &str); 3] {
    [
        ("RLMESH_SANDBOX_ADDRESS", &running.address),
        ("RLMESH_SANDBOX_CONTAINER_ID", &running.id),
        ("RLMESH_SANDBOX_IMAGE", &running.image.tag),
    ]
}

/// One NAME=value line for each variable.
pub(crate) fn lines(running: &Running) -> String {
    let mut text = String::new();
    for (name, value) in variables(running) {
        let _ = writeln!(text, "{name}={value}");
    }
    text.trim_end().to_owned()
}
