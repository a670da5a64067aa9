//! Turns a container to start into the arguments of `docker run`.

use std::ffi::OsString;
use std::path::Path;

use crate::engine::{Isolation, Mount, NewContainer, Platform, Reach};

/// The arguments of `docker run`, or of `docker create` if files must be copied into the container first.
pub(super) fn run_arguments(new: &NewContainer<'_>, id_file: &Path) -> Vec<OsString> {
    let verb: &[&str] = if new.files.is_empty() { &["run", "-d"] } else { &["create"] };
    let mut arguments: Vec<OsString> = verb.iter().map(OsString::from).collect();
    let mut option = |name: &str, value: OsString| arguments.extend([name.into(), value]);
    option("--name", new.name.into());
    option("--cidfile", id_file.into());
    option("--pull", "never".into());
    if let Platform::Named(platform) = new.platform {
        option("--platform", platform.into());
    }
    if let Some(size) = new.shm_size {
        option("--shm-size", format!("{size}b").into());
    }
    for mount in new.mounts {
        match &mount.source {
            // Only this form can relabel. It would create a folder that does not exist.
            Some(source) if mount.relabel && Path::new("/sys/fs/selinux/enforce").exists() => {
                option("--volume", format!("{source}:{}:z", mount.target).into());
            }
            _ => option("--mount", mount_argument(mount).into()),
        }
    }
    if let Some(program) = new.entrypoint {
        option("--entrypoint", program.into());
    }
    if let Some(file) = new.env_file {
        option("--env-file", file.into());
    }
    for (name, value) in new.labels {
        option("--label", format!("{name}={value}").into());
    }
    // Only the name: the client takes the value from its own environment, so that it is not on a command
    // line.
    for (name, _) in new.variables {
        option("--env", name.into());
    }
    arguments.extend(isolation_arguments(new.isolation, new.has_init).into_iter().map(OsString::from));
    arguments.push(new.image.into());
    arguments.extend(new.arguments.iter().map(OsString::from));
    arguments
}

fn isolation_arguments(isolation: &Isolation, has_init: bool) -> Vec<String> {
    let mut arguments = Vec::new();
    if has_init {
        arguments.push("--init".to_owned());
    }
    if isolation.read_only {
        arguments.push("--read-only".to_owned());
    }
    let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
    for capability in &isolation.dropped_capabilities {
        option("--cap-drop", (*capability).to_owned());
    }
    if isolation.no_new_privileges {
        option("--security-opt", "no-new-privileges".to_owned());
    }
    option("--network", isolation.network.clone());
    if let Reach::Port(address, port) = isolation.reach {
        option("--publish", format!("{address}::{port}"));
    }
    if let Some(bytes) = isolation.memory {
        option("--memory", format!("{bytes}b"));
        // Memory and swap together: no swap.
        option("--memory-swap", format!("{bytes}b"));
    }
    if let Some(count) = isolation.processes {
        option("--pids-limit", count.to_string());
    }
    // This driver has limits, and `docker logs` reads it, whatever the engine's default is.
    option("--log-driver", "json-file".to_owned());
    option("--log-opt", format!("max-size={}m", isolation.log_size / 2));
    option("--log-opt", "max-file=2".to_owned());
    for (name, values) in [
        ("--ulimit", &isolation.ulimits),
        ("--tmpfs", &isolation.tmpfs),
        ("--device", &isolation.devices),
        ("--add-host", &isolation.add_hosts),
        ("--security-opt", &isolation.security_opts),
    ] {
        values.iter().for_each(|value| option(name, value.clone()));
    }
    for (name, value) in [
        ("--user", &isolation.user),
        ("--cpus", &isolation.cpus),
        ("--gpus", &isolation.gpus),
        ("--runtime", &isolation.runtime),
    ] {
        value.iter().for_each(|value| option(name, value.clone()));
    }
    arguments
}

/// The value of `--mount`: fields of CSV.
fn mount_argument(mount: &Mount) -> String {
    let field = |name: &str, value: &str| {
        let field = format!("{name}={value}");
        if field.contains([',', '"']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
    };
    let is_path = mount.source.as_ref().is_some_and(|source| source.starts_with('/'));
    let mut fields = vec![field("type", if is_path { "bind" } else { "volume" })];
    fields.extend(mount.source.as_ref().map(|source| field("source", source)));
    fields.push(field("target", &mount.target));
    if !mount.writable {
        fields.push("readonly".to_owned());
    }
    fields.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_mount_are_quoted_for_csv() {
        let argument = |source: Option<&str>, writable| {
            let source = source.map(str::to_owned);
            mount_argument(&Mount { source, target: "/b".to_owned(), writable, relabel: false })
        };
        assert_eq!(argument(Some("/a"), false), "type=bind,source=/a,target=/b,readonly");
        assert_eq!(argument(Some("cache"), true), "type=volume,source=cache,target=/b");
        assert_eq!(argument(None, true), "type=volume,target=/b");
        assert_eq!(argument(Some("/a,\"readonly"), true), "type=bind,\"source=/a,\"\"readonly\",target=/b");
    }
}
