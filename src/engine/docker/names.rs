//! The names of sandboxes and images, for shell completion: one short docker command, without an error.

use std::time::Duration;

use crate::contract::{CONTAINER_PORT, label};
use crate::engine::docker::Docker;

/// A sandbox, in any state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedSandbox {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) is_running: bool,
    /// What it serves. This is the text of a label, so it is not trusted.
    pub(crate) source: String,
    /// As `tcp://127.0.0.1:49153`.
    pub(crate) address: Option<String>,
    /// In Docker's words: `3 minutes ago`.
    pub(crate) age: String,
}

impl NamedSandbox {
    /// Parses a line of tab-separated fields.
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [id, name, state, ports, age, source] = fields[..] else { return None };
        let end = format!("->{CONTAINER_PORT}/tcp");
        let address = ports.split(", ").find_map(|port| port.strip_suffix(&end));
        Some(Self {
            id: id.to_owned(),
            name: name.to_owned(),
            is_running: state == "running",
            source: source.to_owned(),
            address: address.map(|address| format!("tcp://{address}")),
            age: age.to_owned(),
        })
    }
}

/// A name of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedImage {
    pub(crate) name: String,
    /// Its age and size, in Docker's words.
    pub(crate) note: String,
}

impl Docker {
    /// All sandboxes, the running ones first; none if docker does not answer within `limit`.
    pub(crate) fn sandbox_names(&self, limit: Duration) -> Vec<NamedSandbox> {
        let mark = format!("label={}={}", label::MARK.0, label::MARK.1);
        let format = format!(
            "{{{{.ID}}}}\t{{{{.Names}}}}\t{{{{.State}}}}\t{{{{.Ports}}}}\t{{{{.RunningFor}}}}\t{{{{.Label \"{}\"}}}}",
            label::SOURCE
        );
        let list = ["ps", "--all", "--no-trunc", "--filter", &mark, "--format", &format];
        let Ok(printed) = self.command(list).limit(limit).run() else { return Vec::new() };
        let mut sandboxes: Vec<_> = printed.stdout.lines().filter_map(NamedSandbox::parse).collect();
        sandboxes.sort_by_key(|sandbox| !sandbox.is_running);
        sandboxes
    }

    /// The names of all images, the newest first; none if docker does not answer within `limit`.
    pub(crate) fn image_names(&self, limit: Duration) -> Vec<NamedImage> {
        self.listed_images(&[], limit)
    }

    /// The names of the images that this tool built, the newest first; none if docker does not answer within
    /// `limit`.
    pub(crate) fn sandbox_image_names(&self, limit: Duration) -> Vec<NamedImage> {
        self.listed_images(&["--filter", &format!("label={}", label::CREATED_BY)], limit)
    }

    fn listed_images(&self, filter: &[&str], limit: Duration) -> Vec<NamedImage> {
        let format = "{{.Repository}}:{{.Tag}}\t{{.CreatedSince}}, {{.Size}}";
        let mut list = vec!["image", "ls", "--format", format];
        list.extend(filter);
        let Ok(printed) = self.command(list).limit(limit).run() else { return Vec::new() };
        let lines = printed.stdout.lines().filter_map(|line| line.split_once('\t'));
        let tagged = lines.filter(|(name, _)| !name.contains("<none>"));
        tagged.map(|(name, note)| NamedImage { name: name.to_owned(), note: note.to_owned() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_docker_ps_is_a_sandbox() {
        let line =
            "45d51d\tx-1\trunning\t127.0.0.1:32885->50051/tcp, [::1]:2->50051/tcp\t4 seconds ago\tgym://A-v0";
        let sandbox = NamedSandbox::parse(line).unwrap();
        assert_eq!(sandbox.address.as_deref(), Some("tcp://127.0.0.1:32885"));
        assert!(sandbox.is_running && sandbox.source == "gym://A-v0" && sandbox.age == "4 seconds ago");
        let ended = NamedSandbox::parse("45d51d\tx-1\texited\t\t2 days ago\t").unwrap();
        assert!(!ended.is_running && ended.address.is_none());
        assert_eq!(NamedSandbox::parse("not docker"), None);
    }
}
