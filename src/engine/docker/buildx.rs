//! Builders as buildx and the engine have them: looked up, created, removed. Which ones there should be is decided elsewhere.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::engine::docker::Docker;
use crate::engine::docker::builder::{BuilderInfo, DRIVER, PREFIX, container_of, volume_of};
use crate::engine::docker::child::Cause;
use crate::engine::docker::info::not_docker;
use crate::engine::docker::invocation::Failure;
use crate::error::SandboxError;
use crate::host::interrupt::Signals;
use crate::settings::size::MemoryLimit;

/// How long creating or removing a builder may take: its container ends and its volume is deleted.
const CHANGE_LIMIT: Duration = Duration::from_secs(300);

/// How long a list of builders may take: buildx waits 20 seconds for those that do not answer.
const LIST_LIMIT: Duration = Duration::from_secs(25);

/// The container of a builder, as the engine has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BuilderContainer {
    /// Bytes; 0 if unlimited.
    pub(crate) memory: i64,
    /// Bytes, memory and swap together; -1 if unlimited, also on engines that cannot limit swap.
    pub(crate) memory_swap: i64,
    /// Whether a client is connected to it: each has a process of its own inside.
    pub(crate) is_in_use: bool,
}

impl Docker {
    /// What buildx knows about a builder; `None` where there is none of that name. No engine is needed.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn builder(&self, name: &str) -> Result<Option<BuilderInfo>, SandboxError> {
        match self.command(["buildx", "inspect", name]).run() {
            Ok(printed) => Ok(Some(BuilderInfo::parse(&printed.stdout))),
            Err(failure) if is_no_builder(&failure) => Ok(None),
            Err(failure) => Err(failure.into_error(
                &format!("docker buildx could not inspect the builder {name}"),
                "check `docker buildx ls`",
                SandboxError::Docker,
            )),
        }
    }

    /// The names of all builders with a memory limit that buildx knows, on any engine.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn builder_names(&self) -> Result<Vec<String>, SandboxError> {
        let printed = self.command(["buildx", "ls"]).limit(LIST_LIMIT).run().map_err(|failure| {
            failure.into_error(
                "docker buildx could not list the builders",
                "check `docker buildx ls`",
                SandboxError::Docker,
            )
        })?;
        Ok(parse_list(&printed.stdout))
    }

    /// Creates a builder with that limit. One that another process has created in the meantime is not an
    /// error: the caller checks it like any other.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn create_builder(&self, name: &str, limit: MemoryLimit) -> Result<(), SandboxError> {
        let memory = format!("memory={limit}");
        // Without it, swap would double the limit.
        let swap = format!("memory-swap={limit}");
        let create = ["buildx", "create", "--name", name, "--driver", DRIVER];
        let options = ["--driver-opt", &memory, "--driver-opt", &swap];
        // Only the second signal ends it: it is quick, and half a builder is of no use.
        let create = self.command(create.into_iter().chain(options)).limit(CHANGE_LIMIT);
        match create.ends_at(Signals::Second).run() {
            Ok(_) => Ok(()),
            Err(failure) if failure.stderr.contains("existing instance for") => Ok(()),
            Err(failure) => Err(failure.into_error(
                &format!("the builder {name} was not created"),
                "check `docker buildx ls`, or build without a memory limit: --build-memory off",
                SandboxError::Docker,
            )),
        }
    }

    /// Removes a builder with its container, but not its cache. One that does not exist is not an error.
    ///
    /// # Errors
    /// Docker's own.
    pub(crate) fn remove_builder(&self, name: &str) -> Result<(), Failure> {
        match self.clean_up(["buildx", "rm", "--keep-state", name]).limit(CHANGE_LIMIT).run() {
            Err(failure) if !is_no_builder(&failure) => Err(failure),
            _ => Ok(()),
        }
    }

    /// Removes the cache of a builder that has been removed. One that does not exist is not an error.
    ///
    /// # Errors
    /// Docker's own.
    pub(crate) fn remove_builder_cache(&self, builder: &str) -> Result<(), Failure> {
        let volume = volume_of(builder);
        self.clean_up(["volume", "rm", "--force", &volume]).limit(CHANGE_LIMIT).run().map(|_| ())
    }

    /// The container of a builder; `None` where it has none yet.
    ///
    /// # Errors
    /// [`SandboxError::Docker`].
    pub(crate) fn builder_container(&self, builder: &str) -> Result<Option<BuilderContainer>, SandboxError> {
        let format = "{{json .HostConfig.Memory}} {{json .HostConfig.MemorySwap}} {{json .ExecIDs}}";
        let name = container_of(builder);
        let printed = match self.command(["container", "inspect", "--format", format, &name]).run() {
            Ok(printed) => printed.stdout,
            Err(failure) if failure.stderr.to_lowercase().contains("no such container") => return Ok(None),
            Err(failure) => {
                return Err(failure.into_error(
                    &format!("docker could not inspect the container of the builder {builder}"),
                    "check `docker ps`",
                    SandboxError::Docker,
                ));
            }
        };
        let container = parse_container(&printed);
        container.map(Some).ok_or_else(|| not_docker("docker container inspect", &printed))
    }

    /// Whether any client builds on a builder just now, ours or another.
    ///
    /// # Errors
    /// [`SandboxError::Docker`], Interrupted.
    pub(crate) fn is_builder_in_use(&self, builder: &str) -> Result<bool, SandboxError> {
        // `docker buildx inspect` and `ls` connect too, and the engine notices their end only a moment later.
        let mut deadline = None;
        while self.builder_container(builder)?.is_some_and(|container| container.is_in_use) {
            let now = Instant::now();
            if now >= *deadline.get_or_insert(now + self.waits.builder_inspection) {
                return Ok(true);
            }
            self.interrupt.check()?;
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(false)
    }

    /// How many bytes each volume holds. The engine measures them for this, which takes a while.
    ///
    /// # Errors
    /// Docker's own.
    pub(crate) fn volume_sizes(&self) -> Result<BTreeMap<String, u64>, Failure> {
        let usage = self.command(["system", "df", "-v", "--format", "{{json .Volumes}}"]);
        Ok(parse_volumes(&usage.limit(CHANGE_LIMIT).run()?.stdout))
    }
}

fn is_no_builder(failure: &Failure) -> bool {
    matches!(failure.cause, Cause::Status(_)) && failure.stderr.contains("no builder")
}

/// The builders in the table of `docker buildx ls`: a builder's line is not indented, those of its nodes are.
/// Its option `--format` is newer than buildx 0.13.
fn parse_list(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| line.starts_with(PREFIX))
        .filter_map(|line| line.split_whitespace().next())
        // A mark for the one that `docker buildx use` has chosen.
        .map(|name| name.trim_end_matches('*').to_owned())
        .collect()
}

/// The two limits, and the clients as a JSON list without spaces, or `null`.
fn parse_container(text: &str) -> Option<BuilderContainer> {
    let mut words = text.split_whitespace();
    let (memory, memory_swap) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let is_in_use = !matches!(words.next(), None | Some("null" | "[]"));
    Some(BuilderContainer { memory, memory_swap, is_in_use })
}

fn parse_volumes(text: &str) -> BTreeMap<String, u64> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Volume {
        name: String,
        size: String,
    }
    let volumes: Vec<Volume> = serde_json::from_str(text.trim()).unwrap_or_default();
    volumes.into_iter().filter_map(|volume| Some((volume.name, parse_decimal(&volume.size)?))).collect()
}

/// A size as docker prints it, in powers of 1000: `1.234GB`, `12.3kB`, `0B`.
pub(super) fn parse_decimal(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let power = ["B", "kB", "MB", "GB", "TB", "PB"].iter().position(|known| *known == unit)?;
    let bytes = number.parse::<f64>().ok()? * 1000_f64.powi(i32::try_from(power).ok()?);
    Some(bytes.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_builders_are_listed() {
        let table = "\
NAME/NODE                       DRIVER/ENDPOINT                   STATUS     BUILDKIT         PLATFORMS
rlmesh-build-1g-default         docker-container
 \\_ rlmesh-build-1g-default0    \\_ unix:///var/run/docker.sock   inactive
rlmesh-build-2g-default*        docker-container
 \\_ rlmesh-build-2g-default0    \\_ unix:///var/run/docker.sock   running    v0.13.2          linux/amd64
rlmesh-build-3g-default *       docker-container
  rlmesh-build-3g-default0      unix:///var/run/docker.sock       inactive
other                           docker-container
default                         docker
 \\_ default                     \\_ default                       running    v0.0.0+unknown   linux/amd64 (+3)

Cannot load builder lab: error
";
        assert_eq!(
            parse_list(table),
            ["rlmesh-build-1g-default", "rlmesh-build-2g-default", "rlmesh-build-3g-default"]
        );
    }

    #[test]
    fn sizes_of_volumes() {
        let sizes = parse_volumes(
            r#"[{"Driver":"local","Name":"a","Size":"1.5GB"},{"Name":"b","Size":"12.3kB"},{"Name":"c","Size":"N/A"},{"Name":"d","Size":"0B"}]"#,
        );
        let expected = [("a", 1_500_000_000), ("b", 12_300), ("d", 0)];
        assert_eq!(sizes, expected.map(|(name, bytes)| (name.to_owned(), bytes)).into());
        assert!(parse_volumes("nonsense").is_empty());
    }
}
