//! What a container is made of: its labels, variables, files, folders and program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::contract::{ENTRYPOINT, IMAGE_FOLDER, SOCKET_FOLDER, label, variable};
use crate::engine::docker::container::StartFailure;
use crate::engine::{Mount, NewContainer, Platform, Reach};
use crate::error::{Field, SandboxError, cannot_read, invalid_option};
use crate::host::process;
use crate::host::run_dir::{RunDir, write_private};
use crate::host::socket_dir::SocketDir;
use crate::image::build_context;
use crate::plan::bootstrap::bootstrap_json;
use crate::plan::{Plan, PlannedImage, Serving};
use crate::sandbox::lifetime;
use crate::sandbox::owner::Owner;
use crate::sandbox::start::{FailedStart, Start, no_image};
use crate::settings::isolation::Volume;

/// Makes Python print a stack when it crashes.
pub(crate) const FAULT_HANDLER: (&str, &str) = ("PYTHONFAULTHANDLER", "1");

/// The largest payload that is passed in an environment variable, in bytes: Linux's limit is 128 KiB.
pub(crate) const LARGEST_VARIABLE: usize = 100 * 1024;

/// The folder of a file with the parameters in a container whose root is read-only.
const PAYLOAD_FOLDER: &str = "/run/rlmesh-parameters";

impl Start<'_> {
    /// The variables that the environment's family needs, and the user's, which win.
    fn users_variables(&self) -> BTreeMap<&str, &str> {
        let needed = self.image.plan.serving.variables.iter();
        needed.chain(&self.options.env).map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// One `docker run`.
    pub(super) fn run(
        &self,
        owner: &Owner,
        folder: &RunDir,
        name: &str,
        socket: Option<&SocketDir>,
        id_file: &Path,
    ) -> Result<Result<String, StartFailure>, FailedStart> {
        let (docker, plan) = (self.image.docker, self.image.plan);
        let mut labels = vec![
            (label::MARK.0, label::MARK.1.to_owned()),
            (label::SOURCE, plan.resolved_source().to_string()),
            (label::ISOLATION, self.isolation.level.to_string()),
        ];
        // Every label is set, because those of the image would count otherwise.
        labels.push((label::BUILD_HASH, plan.build_hash().unwrap_or_default()));
        labels.extend(owner.labels());
        labels.push((label::RUN_DIR, folder.path().display().to_string()));
        labels.push((label::NAME, name.to_owned()));
        labels
            .push((label::TTL, self.options.ttl.map(|time| time.as_secs().to_string()).unwrap_or_default()));
        let (mut variables, payload) = payload(plan, folder.path())?;
        let users_variables = self.users_variables();
        let mut isolation = self.isolation.clone();
        let mut defaults = vec![(FAULT_HANDLER.0, FAULT_HANDLER.1.to_owned())];
        if isolation.read_only {
            // Programs look for a folder and a name that this user does not have.
            defaults.extend([("HOME", "/tmp".to_owned()), ("USER", "rlmesh".to_owned())]);
        }
        defaults.retain(|(name, _)| !users_variables.contains_key(name));
        variables.extend(defaults);
        let mut mounts: Vec<Mount> = self.options.container.volumes.iter().map(mount).collect();
        if let (Some(dir), Reach::Socket(path)) = (socket, &isolation.reach) {
            variables.push((variable::ADDRESS, format!("unix://{path}")));
            let source = Some(dir.shared().to_string_lossy().into_owned());
            mounts.push(Mount { source, target: SOCKET_FOLDER.to_owned(), writable: true, relabel: true });
        }
        let mut files = Vec::new();
        for (number, (file, target)) in self.options.container.files.iter().enumerate() {
            let copy = folder.path().join(format!("file-{number}"));
            files.push((readable_by_all(file, copy)?, target.clone()));
        }
        let mut arguments = Vec::new();
        if let Some(payload) = payload {
            let target = if isolation.read_only { PAYLOAD_FOLDER } else { IMAGE_FOLDER };
            let target = format!("{target}/bootstrap.json");
            arguments.push(target.clone());
            files.push((payload, target));
        }
        if isolation.read_only {
            // Docker copies no file to a read-only root, but to a volume.
            let folders: BTreeSet<&str> = files.iter().filter_map(|(_, target)| parent(target)).collect();
            let volume = |target: &str| Mount {
                source: None,
                target: target.to_owned(),
                writable: true,
                relabel: false,
            };
            mounts.extend(folders.into_iter().map(volume));
        }
        let mut entrypoint = None;
        if let Some(time) = self.options.ttl {
            let Some(program) = lifetime::program(docker, plan, &arguments)? else {
                return Err(no_image(&plan.image_name()));
            };
            arguments = lifetime::arguments(time, program);
            entrypoint = Some(lifetime::PROGRAM);
        }
        // Connecting takes the right to write to the socket, which only root has for the sockets of others.
        if let (Some(_), Some(user)) = (socket, process::ordinary_user()) {
            if plan.build().is_some() {
                let program = entrypoint.map_or(ENTRYPOINT.to_vec(), |program| vec![program]);
                let shell = ["-c", "umask 0; exec \"$@\"", "sh"].into_iter().chain(program);
                arguments = shell.map(str::to_owned).chain(arguments).collect();
                entrypoint = Some("sh");
            } else if self.options.container.user.is_none() {
                isolation.user = Some(user);
            }
        }
        let env_file = folder.path().join("variables");
        let has_env_file = write_env_file(&env_file, &users_variables)?;
        let new = NewContainer {
            image: &plan.image_name(),
            name,
            labels: &labels,
            variables: &variables,
            env_file: has_env_file.then_some(env_file.as_path()),
            shm_size: self.options.shm_size,
            mounts: &mounts,
            files: &files,
            entrypoint,
            arguments: &arguments,
            platform: match (&self.image.build.platform, &plan.image) {
                (Some(platform), _) => Platform::Named(platform),
                (None, PlannedImage::Built(_)) => Platform::Engines,
                (None, PlannedImage::Prebuilt(_)) => Platform::Any,
            },
            isolation: &isolation,
            has_init: self.has_init,
        };
        Ok(docker.run_container(&new, id_file))
    }
}

/// The folder of a path in a container; `None` for the root.
fn parent(target: &str) -> Option<&str> {
    target.rsplit_once('/').map(|(folder, _)| folder).filter(|folder| !folder.is_empty())
}

/// A file, or a copy of it if not everyone can read it: docker keeps its mode, and the container's user may be any.
fn readable_by_all(file: &Path, copy: PathBuf) -> Result<PathBuf, SandboxError> {
    use std::os::unix::fs::PermissionsExt as _;
    let hint = "check the path of --file, and that TMPDIR has free space";
    let failed = |error: std::io::Error| cannot_read(file, &error, hint);
    let mode = fs::metadata(file).map_err(failed)?.permissions().mode();
    if mode & 0o004 != 0 {
        return Ok(file.to_owned());
    }
    // An earlier attempt may have made it, and it may be read-only.
    if !copy.exists() {
        fs::copy(file, &copy).map_err(failed)?;
        fs::set_permissions(&copy, fs::Permissions::from_mode(mode | 0o444)).map_err(failed)?;
    }
    Ok(copy)
}

fn mount(volume: &Volume) -> Mount {
    Mount {
        source: Some(volume.source.clone()),
        target: volume.target.clone(),
        writable: volume.writable,
        relabel: false,
    }
}

/// Writes the user's variables to a file that only this user can read. Docker reads them from there rather than
/// from its own environment, because it takes settings of its own from that: `DOCKER_HOST`, `PATH`.
fn write_env_file(file: &Path, variables: &BTreeMap<&str, &str>) -> Result<bool, SandboxError> {
    if variables.is_empty() {
        return Ok(false);
    }
    // An earlier attempt may have written it.
    if !file.exists() {
        let lines: String = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        write_private(file, &lines)?;
    }
    Ok(true)
}

type ContainerVariables = Vec<(&'static str, String)>;

/// The parameters of the container: in environment variables, or in a file if they are too large.
fn payload(plan: &Plan, folder: &Path) -> Result<(ContainerVariables, Option<PathBuf>), SandboxError> {
    let serving = &plan.serving;
    if let Some(build) = plan.build() {
        let payload = bootstrap_json(&build.spec, serving);
        if payload.len() <= LARGEST_VARIABLE {
            return Ok((vec![(variable::BOOTSTRAP_JSON, payload)], None));
        }
        return Ok((Vec::new(), Some(build_context::write_bootstrap(folder, &payload)?)));
    }
    Ok((variables_of_prebuilt(serving)?, None))
}

/// The parameters of a prebuilt image's container.
///
/// # Errors
/// [`SandboxError::InvalidOption`] for kwargs that are too large.
pub(crate) fn variables_of_prebuilt(serving: &Serving) -> Result<ContainerVariables, SandboxError> {
    let mut variables = Vec::new();
    if !serving.kwargs.is_empty() {
        let kwargs = serde_json::to_string(&serving.kwargs).context("cannot write the kwargs as JSON")?;
        if kwargs.len() > LARGEST_VARIABLE {
            return Err(invalid_option(
                format!(
                    "{} are {} bytes long; for a prebuilt image, the limit is {LARGEST_VARIABLE}",
                    Field::KWARGS,
                    kwargs.len()
                ),
                "put the data into the image, or use a Gymnasium id or hf://org/repo@commit as the source",
            ));
        }
        variables.push((variable::MAKE_KWARGS, kwargs));
    }
    if serving.num_envs != 1 {
        variables.push((variable::NUM_ENVS, serving.num_envs.to_string()));
    }
    if let Some(mode) = serving.vectorization_mode {
        variables.push((variable::VECTORIZATION_MODE, mode.to_string()));
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_file_is_copied_once() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (file, copy) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&file, "x").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(readable_by_all(&file, copy.clone()).unwrap(), file);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(readable_by_all(&file, copy.clone()).unwrap(), copy);
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o444);
        // Only root could write to the copy again.
        fs::write(&file, "y").ok();
        assert_eq!(readable_by_all(&file, copy.clone()).unwrap(), copy);
        assert_eq!(fs::read_to_string(&copy).unwrap(), "x");
    }
}
