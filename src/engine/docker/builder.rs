//! A builder whose memory is bounded: its name, what buildx says of it, and whether that is as it should be; it asks nobody.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use crate::settings::size::{Ceiling, parse_size};

/// What the names of all bounded builders start with.
pub(crate) const PREFIX: &str = "rlmesh-build-";

/// The driver that has a ceiling at all.
pub(super) const DRIVER: &str = "docker-container";

/// The endpoint that needs no mention in a builder's name.
const USUAL_HOST: &str = "unix:///var/run/docker.sock";

/// How much of a context's name goes into a builder's.
const LONGEST_CONTEXT: usize = 40;

/// The engine that the client talks to, as the client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) context: String,
    pub(crate) host: String,
}

impl Endpoint {
    /// As buildx writes it down when it makes a builder: the context's name, but for the default one its host.
    pub(crate) fn as_buildx_writes_it(&self) -> &str {
        if self.context == "default" { &self.host } else { &self.context }
    }
}

/// The name of the builder with that ceiling on that engine.
///
/// A builder is pinned to the endpoint that it was made on, so two endpoints never share a name: what the
/// context's name does not tell apart, a digest does.
pub(crate) fn builder_name(ceiling: Ceiling, endpoint: &Endpoint) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let slug: String =
        endpoint.context.chars().map(|c| if is_plain(c) { c } else { '-' }).take(LONGEST_CONTEXT).collect();
    let is_default = endpoint.context == "default";
    if slug == endpoint.context && (!is_default || endpoint.host == USUAL_HOST) {
        return format!("{PREFIX}{ceiling}-{slug}");
    }
    let digest = Sha256::new()
        .chain_update(&endpoint.context)
        .chain_update("\0")
        .chain_update(&endpoint.host)
        .finalize();
    format!("{PREFIX}{ceiling}-{slug}-{}", hex::encode(&digest[..4]))
}

/// The container that a builder runs in, once it has built something.
pub(crate) fn container_of(builder: &str) -> String {
    format!("buildx_buildkit_{builder}0")
}

/// The volume with a builder's cache.
pub(crate) fn volume_of(builder: &str) -> String {
    format!("{}_state", container_of(builder))
}

/// What `docker buildx inspect` says of a builder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SeenBuilder {
    pub(crate) driver: String,
    /// When something was last built on it, or it was made.
    pub(crate) last_activity: Option<SystemTime>,
    pub(crate) nodes: Vec<SeenNode>,
}

/// One of the places where a builder builds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SeenNode {
    pub(crate) endpoint: String,
    pub(crate) options: BTreeMap<String, String>,
}

/// Why a builder of the right name is not the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    Driver(String),
    Nodes(usize),
    Endpoint(String),
    /// A limit that is not the ceiling: the option's name, and its value where it has one.
    Limit(&'static str, Option<String>),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Driver(driver) => write!(f, "its driver is {driver:?}, not {DRIVER}"),
            Fault::Nodes(count) => write!(f, "it has {count} nodes, not one"),
            Fault::Endpoint(endpoint) => write!(f, "it builds on {endpoint}"),
            Fault::Limit(option, Some(value)) => write!(f, "its {option} is {value}"),
            Fault::Limit(option, None) => write!(f, "it has no {option} limit"),
        }
    }
}

impl SeenBuilder {
    /// Reads the output of `docker buildx inspect`, of buildx 0.13 and later: `Key: value` lines, the
    /// builder's own first, then those of each node below `Nodes:`. Unknown keys are passed over.
    pub(crate) fn parse(text: &str) -> Self {
        let mut seen = Self::default();
        let mut is_in_nodes = false;
        for line in text.lines() {
            // What is indented belongs to a list below the key before it.
            let Some((key, value)) = line.split_once(':').filter(|_| !line.starts_with([' ', '\t', '#']))
            else {
                continue;
            };
            let value = value.trim();
            match (key.trim(), is_in_nodes) {
                ("Nodes", _) => is_in_nodes = true,
                ("Name", true) => seen.nodes.push(SeenNode::default()),
                ("Driver", false) => value.clone_into(&mut seen.driver),
                ("Last Activity", false) => seen.last_activity = parse_time(value),
                ("Endpoint", true) => {
                    seen.nodes.last_mut().into_iter().for_each(|node| value.clone_into(&mut node.endpoint));
                }
                ("Driver Options", true) => {
                    seen.nodes.last_mut().into_iter().for_each(|node| node.options = parse_options(value));
                }
                _ => {}
            }
        }
        seen
    }

    /// What keeps it from being the builder with this ceiling on this engine.
    ///
    /// Options that are neither limit are let be: somebody may have made it with an image or a network of
    /// their own.
    pub(crate) fn fault(&self, ceiling: Ceiling, endpoint: &Endpoint) -> Option<Fault> {
        if self.driver != DRIVER {
            return Some(Fault::Driver(self.driver.clone()));
        }
        let [node] = self.nodes.as_slice() else { return Some(Fault::Nodes(self.nodes.len())) };
        if node.endpoint != endpoint.as_buildx_writes_it() {
            return Some(Fault::Endpoint(node.endpoint.clone()));
        }
        ["memory", "memory-swap"].into_iter().find_map(|option| {
            let value = node.options.get(option);
            let is_right = value.and_then(|value| parse_size(value)) == Some(ceiling.0);
            (!is_right).then(|| Fault::Limit(option, value.cloned()))
        })
    }

    /// Whether it is one of ours on this engine, whatever its ceiling.
    pub(crate) fn is_on(&self, endpoint: &Endpoint) -> bool {
        let is_here = |node: &SeenNode| node.endpoint == endpoint.as_buildx_writes_it();
        self.driver == DRIVER && !self.nodes.is_empty() && self.nodes.iter().all(is_here)
    }
}

/// `memory="1g" env.X="a b"`, in Go's quoting or without any, in any order.
fn parse_options(text: &str) -> BTreeMap<String, String> {
    let mut options = BTreeMap::new();
    let mut rest = text.chars().peekable();
    loop {
        let key: String = std::iter::from_fn(|| rest.next_if(|c| *c != '=')).collect();
        if rest.next().is_none() {
            return options;
        }
        let mut value = String::new();
        if rest.next_if_eq(&'"').is_some() {
            while let Some(c) = rest.next().filter(|c| *c != '"') {
                // Of the escapes, only those of quote and backslash can matter to what is looked for.
                value.push(if c == '\\' { rest.next().unwrap_or(c) } else { c });
            }
        } else {
            value.extend(std::iter::from_fn(|| rest.next_if(|c| !c.is_whitespace() && *c != ',')));
        }
        options.insert(key.trim_matches([' ', ',']).to_owned(), value);
    }
}

/// A time as Go prints it: `2026-11-23 08:17:20 +0000 UTC`.
fn parse_time(text: &str) -> Option<SystemTime> {
    let mut words = text.split_whitespace();
    let (date, time, zone) = (words.next()?, words.next()?, words.next().unwrap_or("+0000"));
    let local = humantime::parse_rfc3339_weak(&format!("{date} {time}")).ok()?;
    let digits = zone.get(1..5).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))?;
    let minutes: u64 = digits[..2].parse::<u64>().ok()? * 60 + digits[2..].parse::<u64>().ok()?;
    let ahead = Duration::from_secs(minutes * 60);
    if zone.starts_with('-') { local.checked_add(ahead) } else { local.checked_sub(ahead) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Endpoint {
        Endpoint { context: "default".into(), host: USUAL_HOST.into() }
    }

    fn elsewhere(context: &str, host: &str) -> Endpoint {
        Endpoint { context: context.into(), host: host.into() }
    }

    #[test]
    fn a_name_tells_ceiling_and_endpoint() {
        let g = Ceiling(1 << 30);
        assert_eq!(builder_name(g, &here()), "rlmesh-build-1g-default");
        assert_eq!(builder_name(Ceiling(3 << 29), &here()), "rlmesh-build-1536m-default");
        assert_eq!(
            builder_name(g, &elsewhere("desktop-linux", "unix:///x")),
            "rlmesh-build-1g-desktop-linux"
        );
        let all = [
            here(),
            elsewhere("default", "tcp://10.0.0.1:2376"),
            elsewhere("default", "ssh://me@host"),
            elsewhere("Lab", "x"),
            elsewhere("lab", "x"),
            elsewhere("lab.a", "x"),
            elsewhere("lab+a", "x"),
            elsewhere(&"x".repeat(300), "x"),
            elsewhere(&"x".repeat(301), "x"),
        ];
        let names: std::collections::BTreeSet<String> =
            all.iter().map(|endpoint| builder_name(g, endpoint)).collect();
        assert_eq!(names.len(), all.len(), "{names:?}");
        for name in names {
            let is_fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
            assert!(name.starts_with("rlmesh-build-1g-") && name.chars().all(is_fit), "{name}");
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

    /// As buildx 0.13 prints one that runs, on a machine in another time zone.
    const OLD: &str = "\
Name:          rlmesh-build-1g-default
Driver:        docker-container
Last Activity: 2026-11-23 10:17:20 +0200 CEST

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
    fn what_buildx_says_in_both_of_its_forms() {
        for text in [NEW, OLD] {
            let seen = SeenBuilder::parse(text);
            assert_eq!(seen.driver, "docker-container");
            assert_eq!(seen.nodes.len(), 1, "{seen:?}");
            assert_eq!(seen.fault(Ceiling(1 << 30), &here()), None, "{seen:?}");
            let activity = humantime::parse_rfc3339("2026-11-23T08:17:20Z").unwrap();
            assert_eq!(seen.last_activity, Some(activity));
            assert!(seen.is_on(&here()) && !seen.is_on(&elsewhere("lab", USUAL_HOST)));
        }
        assert_eq!(SeenBuilder::parse(NEW).nodes[0].options["env.X"], "a \"b\" memory=7g");
    }

    #[test]
    fn whatever_is_wrong_with_a_builder_is_found() {
        let with = |from: &str, to: &str| SeenBuilder::parse(&NEW.replace(from, to));
        let fault = |seen: SeenBuilder| seen.fault(Ceiling(1 << 30), &here()).unwrap();
        assert_eq!(fault(with("docker-container", "remote")), Fault::Driver("remote".into()));
        assert_eq!(fault(with("Driver:        docker-container\n", "")), Fault::Driver(String::new()));
        assert_eq!(fault(with("unix:///var/run/docker.sock", "lab")), Fault::Endpoint("lab".into()));
        assert_eq!(
            fault(with(" memory=\"1g\"", " memory=\"2g\"")),
            Fault::Limit("memory", Some("2g".into()))
        );
        assert_eq!(fault(with("memory-swap=\"1073741824\" ", "")), Fault::Limit("memory-swap", None));
        assert_eq!(fault(with("Driver Options", "Nothing")), Fault::Limit("memory", None));
        let second = format!("{NEW}\nName: b1\nEndpoint: tcp://x\n");
        assert_eq!(fault(SeenBuilder::parse(&second)), Fault::Nodes(2));
        assert_eq!(
            fault(SeenBuilder::parse("Name: x\nDriver: docker-container\nError: cannot load\n")),
            Fault::Nodes(0)
        );
        assert_eq!(
            SeenBuilder::parse(NEW).fault(Ceiling(1 << 30), &elsewhere("lab", USUAL_HOST)),
            Some(Fault::Endpoint(USUAL_HOST.into()))
        );
        let lab = with("unix:///var/run/docker.sock", "lab");
        assert_eq!(lab.fault(Ceiling(1 << 30), &elsewhere("lab", "tcp://x")), None);
    }

    #[test]
    fn options_without_quotes_or_with_commas() {
        for text in [
            "memory=1g memory-swap=2g",
            "memory=\"1g\", memory-swap=\"2g\"",
            "memory=1g,memory-swap=2g",
            "memory-swap=2g memory=1g trailing",
        ] {
            let options = parse_options(text);
            assert_eq!((options["memory"].as_str(), options["memory-swap"].as_str()), ("1g", "2g"), "{text}");
        }
        assert!(parse_options("").is_empty());
    }
}
