//! A running environment as NAME=value lines: for `>> "$GITHUB_ENV"`, and for the user's own command.

use std::fmt::Write as _;

use crate::sandbox::start::Running;

/// The variables and their values. RLMESH_ADDRESS is not among them: rlmesh's servers bind to what it says.
pub(crate) fn variables(running: &Running) -> [(&'static str, &str); 3] {
    [
        ("RLMESH_SANDBOX_ADDRESS", &running.address),
        ("RLMESH_SANDBOX_CONTAINER_ID", &running.id),
        ("RLMESH_SANDBOX_IMAGE", &running.image.tag),
    ]
}

/// One line a variable.
pub(crate) fn lines(running: &Running) -> String {
    let mut text = String::new();
    for (name, value) in variables(running) {
        let _ = writeln!(text, "{name}={value}");
    }
    text.trim_end().to_owned()
}
