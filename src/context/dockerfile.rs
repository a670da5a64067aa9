//! The Dockerfile of a spec, as pure text; it knows nothing of folders on this machine.

use crate::context::bootstrap::SOURCE_SUBDIR;
use crate::context::lock;
use crate::context::{PACKAGES_FOLDER, REQUIREMENTS_FOLDER};
use crate::lock::Locking;
use crate::package::RlmeshPackage;
use crate::spec::{EffectiveSpec, ResolvedSource};

/// Where everything of rlmesh's stands in the image. The SDK relies on it.
pub(crate) const IMAGE_FOLDER: &str = "/opt/rlmesh";

/// The port that the server listens on inside the container. The SDK relies on it.
pub(crate) const CONTAINER_PORT: u16 = 50051;

/// The Dockerfile that builds `spec`.
///
/// It has no `# syntax=` line: a frontend image would need a registry at every build. What environments
/// have in common comes first, so that they share its layers.
pub(crate) fn dockerfile(spec: &EffectiveSpec) -> String {
    let (rlmesh, mount) = match &spec.rlmesh_package {
        RlmeshPackage::Pip { spec } => (spec.as_str(), String::new()),
        RlmeshPackage::Wheel { install_path, .. } => (
            install_path.as_str(),
            format!("--mount=type=bind,source={PACKAGES_FOLDER},target={IMAGE_FOLDER}/{PACKAGES_FOLDER} "),
        ),
    };
    let mut text = format!(
        "FROM {base}\n\
         WORKDIR {IMAGE_FOLDER}\n\
         ENV RLMESH_PORT={CONTAINER_PORT} PYTHONUNBUFFERED=1\n",
        base = spec.base_image
    );
    let is_hf = matches!(spec.source, ResolvedSource::Hf { .. });
    if let Locking::Install(_) = &spec.locking {
        text += &lock::install(spec);
    } else {
        text += &install(&mount, &[rlmesh, "gymnasium"]);
        if is_hf {
            text += &format!(
                "RUN --mount=type=bind,source={REQUIREMENTS_FOLDER},target={IMAGE_FOLDER}/{SOURCE_SUBDIR},rw \
                 --mount=type=cache,target=/root/.cache/pip \
                 cd {IMAGE_FOLDER}/{SOURCE_SUBDIR} && if [ -f requirements.txt ]; then \
                 python -m pip install --disable-pip-version-check --root-user-action=ignore -r requirements.txt; fi\n"
            );
        }
        if !spec.packages.is_empty() {
            text += &install("", &spec.packages.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
    if is_hf {
        text += &format!("COPY {SOURCE_SUBDIR}/ {IMAGE_FOLDER}/{SOURCE_SUBDIR}/\n");
    }
    text += &format!(
        "EXPOSE {CONTAINER_PORT}\n\
         ENTRYPOINT [\"python\",\"-m\",\"rlmesh._bootstrap.sandbox_env\"]\n"
    );
    text
}

/// One layer of packages. The exec form keeps every requirement apart from any shell.
fn install(mount: &str, requirements: &[&str]) -> String {
    let mut command =
        vec!["python", "-m", "pip", "install", "--disable-pip-version-check", "--root-user-action=ignore"];
    command.extend(requirements);
    let command = serde_json::to_string(&command)
        .unwrap_or_else(|error| unreachable!("texts always serialize: {error}"));
    format!("RUN {mount}--mount=type=cache,target=/root/.cache/pip {command}\n")
}
