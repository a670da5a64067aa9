//! The Python package that performs what rlmesh's bootstrap does not: wrappers, and imports that call a function.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::plan::{EffectiveSpec, ResolvedSource};

/// The package's folder, both in the build context and below the image's folder.
pub(crate) const FOLDER: &str = "rlmesh_sandbox";

/// The module that rlmesh imports instead of the user's modules.
pub(crate) const MODULE: &str = "rlmesh_sandbox.startup";

/// The folder below the image's folder whose env.py rlmesh loads instead of that of a wrapped source.
pub(crate) const WRAPPED_SOURCE: &str = "rlmesh_sandbox/source";

/// Every file's path in [`FOLDER`] and its content.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("__init__.py", include_str!("startup/rlmesh_sandbox/__init__.py")),
    ("functional.py", include_str!("startup/rlmesh_sandbox/functional.py")),
    ("loading.py", include_str!("startup/rlmesh_sandbox/loading.py")),
    ("openai_gym.py", include_str!("startup/rlmesh_sandbox/openai_gym.py")),
    ("registration.py", include_str!("startup/rlmesh_sandbox/registration.py")),
    ("source/env.py", include_str!("startup/rlmesh_sandbox/source/env.py")),
    ("startup.py", include_str!("startup/rlmesh_sandbox/startup.py")),
    ("wrappers.py", include_str!("startup/rlmesh_sandbox/wrappers.py")),
    ("wrapping.py", include_str!("startup/rlmesh_sandbox/wrapping.py")),
];

/// What the package does at the start of a container. rlmesh ignores this part of the payload.
#[derive(Serialize)]
pub(crate) struct Startup<'a> {
    /// `MODULE` to import, or `MODULE:FUNCTION` to call, in this order.
    pub(crate) imports: &'a [String],
    /// `MODULE:CLASS`; the first one is the innermost.
    pub(crate) wrap: &'a [String],
    /// The folder of the source's own env.py.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_subdir: Option<&'a str>,
}

/// Whether the image of a spec needs the package. The imports of a folder may be modules in it, which rlmesh alone
/// does not find.
pub(crate) fn is_needed(spec: &EffectiveSpec) -> bool {
    let is_folder = matches!(spec.source, ResolvedSource::Folder(_));
    !spec.wrap.is_empty() || spec.imports.iter().any(|import| is_folder || import.contains(':'))
}

/// The SHA-256 of all files, in lower-case hex. It is part of the build hash, so that an image never has the files
/// of another version of this tool.
pub(crate) fn digest() -> String {
    let mut digest = Sha256::new();
    for (name, content) in FILES {
        digest.update(format!("{name} {}\n", content.len()));
        digest.update(content);
    }
    hex::encode(digest.finalize())
}
