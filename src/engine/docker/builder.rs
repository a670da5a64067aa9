//! A builder with a memory limit: its name, what buildx reports about it, and whether that is as it should be.

use std::collections::BTreeMap;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use crate::settings::size::{Ceiling, parse_size};

/// What the names of all builders with a memory limit start with.
pub(crate) const PREFIX: &str = "rlmesh-build-";

/// The driver whose builders can have a memory limit.
pub(super) const DRIVER: &str = "docker-container";

/// The endpoint that a builder's name does not mention.
const USUAL_HOST: &str = "unix:///var/run/docker.sock";

/// How long a context's name may be to become part of a builder's, in bytes.
const LONGEST_CONTEXT: usize = 40;

/// The engine that the client talks to, as the client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) context: String,
    pub(crate) host: String,
}

impl Endpoint {
    /// As buildx records it when it creates a builder: the context's name, but for the default one its host.
    pub(crate) fn as_buildx_records_it(&self) -> &str {
        if self.context == "default" { &self.host } else { &self.context }
    }
}

/// The name of the builder with that limit on that engine.
///
/// A builder is bound to the endpoint that it was created on, so two endpoints never share a name: where the
/// context's name does not serve, a digest does.
pub(crate) fn builder_name(ceiling: Ceiling, endpoint: &Endpoint) -> String {
    let Endpoint { context, host } = endpoint;
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let is_elsewhere = context == "default" && host != USUAL_HOST;
    if context.len() <= LONGEST_CONTEXT && context.chars().all(is_plain) && !is_elsewhere {
        return format!("{PREFIX}{ceiling}-{context}");
    }
    let digest = Sha256::digest(format!("{context}\0{host}"));
    format!("{PREFIX}{ceiling}-at-{}", hex::encode(&digest[..4]))
}

/// The container that a builder runs in, once it has built something.
pub(crate) fn container_of(builder: &str) -> String {
    format!("buildx_buildkit_{builder}0")
}

/// The volume with a builder's cache.
pub(crate) fn volume_of(builder: &str) -> String {
    format!("{}_state", container_of(builder))
}

/// What `docker buildx inspect` prints about a builder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct BuilderInfo {
    pub(crate) driver: String,
    /// When something was last built on it, or it was created.
    pub(crate) last_activity: Option<SystemTime>,
    /// Where it builds; ours have one endpoint.
    pub(crate) endpoints: Vec<String>,
    options: BTreeMap<String, String>,
}

impl BuilderInfo {
    /// Reads the output of `docker buildx inspect`: lines of `Key: value`, some once, some for each endpoint.
    pub(crate) fn parse(text: &str) -> Self {
        let values = |key: &'static str| {
            let value = move |line: &str| Some(line.strip_prefix(key)?.strip_prefix(':')?.trim().to_owned());
            text.lines().filter_map(value)
        };
        let first = |key| values(key).next().unwrap_or_default();
        Self {
            driver: first("Driver"),
            last_activity: parse_time(&first("Last Activity")),
            endpoints: values("Endpoint").collect(),
            options: parse_options(&first("Driver Options")),
        }
    }

    /// What keeps it from being the builder with this limit on this engine, as the rest of a sentence about it.
    ///
    /// Options other than the limits are the user's own: an image or a network, for example.
    pub(crate) fn mismatch(&self, ceiling: Ceiling, endpoint: &Endpoint) -> Option<String> {
        if !self.is_on(endpoint) {
            return Some(format!("its driver is {:?}, on {}", self.driver, self.endpoints.join(" and ")));
        }
        ["memory", "memory-swap"].into_iter().find_map(|option| match self.options.get(option) {
            Some(value) if parse_size(value) == Some(ceiling.0) => None,
            Some(value) => Some(format!("its {option} is {value}, not {ceiling}")),
            None => Some(format!("it has no {option} limit")),
        })
    }

    /// Whether it builds on this engine alone, with a driver that can limit memory.
    pub(crate) fn is_on(&self, endpoint: &Endpoint) -> bool {
        self.driver == DRIVER && self.endpoints == [endpoint.as_buildx_records_it()]
    }
}

/// `memory="1g" env.X="a \"b\""`, in any order. Go's quoting is read as a shell's: for a size it is the same.
fn parse_options(text: &str) -> BTreeMap<String, String> {
    let words = shlex::split(text).unwrap_or_default();
    let options = words.iter().filter_map(|word| word.split_once('='));
    options.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// A time as buildx prints it, always in UTC: `2026-11-23 08:17:20 +0000 UTC`.
fn parse_time(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339_weak(text.strip_suffix(" +0000 UTC")?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const G: Ceiling = Ceiling(1 << 30);

    fn endpoint(context: &str, host: &str) -> Endpoint {
        Endpoint { context: context.into(), host: host.into() }
    }

    fn here() -> Endpoint {
        endpoint("default", USUAL_HOST)
    }

    #[test]
    fn a_name_has_the_limit_and_the_endpoint() {
        assert_eq!(builder_name(G, &here()), "rlmesh-build-1g-default");
        assert_eq!(builder_name(Ceiling(3 << 29), &here()), "rlmesh-build-1536m-default");
        assert_eq!(builder_name(G, &endpoint("desktop-linux", "unix:///x")), "rlmesh-build-1g-desktop-linux");
        let all = [
            here(),
            endpoint("default", "tcp://10.0.0.1:2376"),
            endpoint("default", "ssh://me@host"),
            endpoint("Lab", "x"),
            endpoint("lab", "x"),
            endpoint("lab.a", "x"),
            endpoint(&"x".repeat(300), "x"),
            endpoint(&"x".repeat(301), "x"),
        ];
        let names: std::collections::BTreeSet<String> =
            all.iter().map(|endpoint| builder_name(G, endpoint)).collect();
        assert_eq!(names.len(), all.len(), "{names:?}");
        for name in names {
            let is_valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
            assert!(name.starts_with("rlmesh-build-1g-") && name.chars().all(is_valid), "{name}");
            assert!(name.len() < 80, "{name}");
        }
    }

    /// As buildx 0.29.1 prints it.
    const NEW: &str = "\
Name:          rlmesh-build-1g-default
Driver:        docker-container
Last Activity: 2026-11-23 08:17:20 +0000 UTC

Nodes:
Name:                  rlmesh-build-1g-default0
Endpoint:              unix:///var/run/docker.sock
Driver Options:        memory-swap=\"1073741824\" env.X=\"a \\\"b\\\" memory=7g\" memory=\"1g\"
Status:                inactive
BuildKit daemon flags: --allow-insecure-entitlement=network.host
";

    /// As buildx 0.13 prints one that runs.
    const OLD: &str = "\
Name:          rlmesh-build-1g-default
Driver:        docker-container
Last Activity: 2026-11-23 08:17:20 +0000 UTC

Nodes:
Name:           rlmesh-build-1g-default0
Endpoint:       unix:///var/run/docker.sock
Driver Options: memory=\"1g\" memory-swap=\"1024m\"
Status:         running
Flags:          --allow-insecure-entitlement=network.host
Buildkit:       v0.13.2
Platforms:      linux/amd64, linux/386
Labels:
 org.mobyproject.buildkit.worker.executor:         oci
 org.mobyproject.buildkit.worker.network:          host
GC Policy rule#0:
 All:           false
 Filters:       type==source.local,type==exec.cachemount,type==source.git.checkout
 Keep Duration: 48h0m0s
";

    #[test]
    fn a_builder_as_two_versions_of_buildx_print_it() {
        for text in [NEW, OLD] {
            let info = BuilderInfo::parse(text);
            assert_eq!(info.mismatch(G, &here()), None, "{info:?}");
            let activity = humantime::parse_rfc3339("2026-11-23T08:17:20Z").unwrap();
            assert_eq!(info.last_activity, Some(activity));
            assert!(info.is_on(&here()) && !info.is_on(&endpoint("lab", USUAL_HOST)));
        }
        assert_eq!(BuilderInfo::parse(NEW).options["env.X"], "a \"b\" memory=7g");
    }

    #[test]
    fn every_mismatch_is_found() {
        let changed = |from: &str, to: &str| BuilderInfo::parse(&NEW.replace(from, to));
        for (info, expected) in [
            (
                changed("docker-container", "remote"),
                "its driver is \"remote\", on unix:///var/run/docker.sock",
            ),
            (changed("unix:///var/run/docker.sock", "lab"), "its driver is \"docker-container\", on lab"),
            (
                BuilderInfo::parse(&format!("{NEW}\nName: b1\nEndpoint: x\n")),
                "its driver is \"docker-container\", on unix:///var/run/docker.sock and x",
            ),
            (BuilderInfo::parse("Name: x\nError: cannot load\n"), "its driver is \"\", on "),
            (changed(" memory=\"1g\"", " memory=\"2g\""), "its memory is 2g, not 1g"),
            (changed("memory-swap=\"1073741824\" ", ""), "it has no memory-swap limit"),
            (changed("Driver Options", "Nothing"), "it has no memory limit"),
            (changed("\" memory=\"1g\"", ""), "it has no memory limit"),
        ] {
            assert_eq!(info.mismatch(G, &here()).unwrap(), expected, "{info:?}");
        }
        let lab = endpoint("lab", "tcp://x");
        assert!(BuilderInfo::parse(NEW).mismatch(G, &lab).is_some());
        assert_eq!(changed("unix:///var/run/docker.sock", "lab").mismatch(G, &lab), None);
    }
}
