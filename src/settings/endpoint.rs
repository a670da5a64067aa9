//! The engine's endpoint, as far as it is known without asking docker, which would delay every start.

use std::fs;

use crate::settings::variables::Variables;

/// The context of docker that exists without settings, and its socket on Linux.
const DEFAULT: &str = "default";
const DEFAULT_SOCKET: &str = "unix:///var/run/docker.sock";

/// The largest file of docker's settings that is read, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

/// The endpoint that docker uses, by its own rules: DOCKER_HOST, or else the default socket, unless DOCKER_CONTEXT or
/// docker's settings name a context. `None` if one does, and where the default depends on the system.
pub(super) fn known(variables: &Variables) -> Option<String> {
    if let Ok(Some(host)) = variables.text("DOCKER_HOST") {
        return Some(host.to_owned());
    }
    (cfg!(target_os = "linux") && context(variables)? == DEFAULT).then(|| DEFAULT_SOCKET.to_owned())
}

/// The engine that the user selected, by docker's own rules: the endpoint of DOCKER_HOST, or else `context NAME`.
/// `None` if docker's settings cannot be read.
pub(super) fn selected(variables: &Variables) -> Option<String> {
    if let Ok(Some(host)) = variables.text("DOCKER_HOST") {
        return Some(if host == DEFAULT_SOCKET { format!("context {DEFAULT}") } else { host.to_owned() });
    }
    Some(format!("context {}", context(variables)?))
}

/// The context that DOCKER_CONTEXT or docker's settings name. `None` if they cannot be read.
fn context(variables: &Variables) -> Option<String> {
    match variables.text("DOCKER_CONTEXT").ok()? {
        Some(context) => Some(context.to_owned()),
        None => current_context(variables),
    }
}

fn current_context(variables: &Variables) -> Option<String> {
    let folder = variables.path("DOCKER_CONFIG").or_else(|| Some(variables.path("HOME")?.join(".docker")))?;
    let file = folder.join("config.json");
    let text = match fs::metadata(&file) {
        Ok(metadata) if metadata.len() > LARGEST_FILE => return None,
        Ok(_) => fs::read_to_string(&file).ok()?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some(DEFAULT.to_owned()),
        Err(_) => return None,
    };
    let settings: serde_json::Value = serde_json::from_str(&text).ok()?;
    match settings.get("currentContext") {
        None => Some(DEFAULT.to_owned()),
        Some(context) => context.as_str().map(|name| if name.is_empty() { DEFAULT } else { name }.to_owned()),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_default_socket_is_known_unless_a_context_is_chosen() {
        let home = tempfile::tempdir().unwrap();
        let of = |name: &str, value: &str| {
            known(&[("HOME", home.path().to_str().unwrap()), (name, value)].into_iter().collect())
        };
        let default = Some("unix:///var/run/docker.sock".to_owned());
        assert_eq!(of("X", ""), default);
        assert_eq!(of("DOCKER_HOST", "ssh://me@host").as_deref(), Some("ssh://me@host"));
        assert_eq!(of("DOCKER_CONTEXT", "lab"), None);
        assert_eq!(of("DOCKER_CONTEXT", "default"), default);
        fs::create_dir(home.path().join(".docker")).unwrap();
        for (settings, expected) in [
            (r#"{"auths":{}}"#, &default),
            (r#"{"currentContext":"default"}"#, &default),
            (r#"{"currentContext":"rootless"}"#, &None),
            ("not JSON", &None),
        ] {
            fs::write(home.path().join(".docker/config.json"), settings).unwrap();
            assert_eq!(of("X", ""), *expected, "{settings}");
        }
    }

    #[test]
    fn the_engine_is_that_of_docker_host_or_of_a_context() {
        let home = tempfile::tempdir().unwrap();
        let of = |name: &str, value: &str| {
            selected(&[("HOME", home.path().to_str().unwrap()), (name, value)].into_iter().collect())
        };
        let is = |name: &str, value: &str, engine: &str| {
            assert_eq!(of(name, value).as_deref(), Some(engine), "{name}={value}");
        };
        is("X", "", "context default");
        is("DOCKER_HOST", DEFAULT_SOCKET, "context default");
        is("DOCKER_HOST", "ssh://me@host", "ssh://me@host");
        is("DOCKER_CONTEXT", "lab", "context lab");
        fs::create_dir(home.path().join(".docker")).unwrap();
        for (settings, engine) in [
            (r#"{"auths":{}}"#, Some("context default")),
            (r#"{"currentContext":"rootless"}"#, Some("context rootless")),
            ("not JSON", None),
        ] {
            fs::write(home.path().join(".docker/config.json"), settings).unwrap();
            assert_eq!(of("X", "").as_deref(), engine, "{settings}");
        }
    }
}
