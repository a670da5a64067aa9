//! `docker create` and `docker commit`: an image's layers under other labels, without a builder; which image is to be had that way is not decided here.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::engine::docker::Docker;
use crate::engine::docker::invocation::Failure;
use crate::host::interrupt::Signals;

/// How long making a container or an image may take on an engine that is busy.
const LIMIT: Duration = Duration::from_secs(60);

/// What the engine says of an image or a container, as far as it decides what a container of it does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ImageConfig {
    #[serde(rename = "RootFS")]
    pub(crate) root_fs: RootFs,
    pub(crate) config: Config,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RootFs {
    /// The layers' digests, the lowest first; docker prints `null` for none.
    pub(crate) layers: Option<Vec<String>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Config {
    /// `NAME=value`.
    pub(crate) env: Option<Vec<String>>,
    pub(crate) labels: Option<BTreeMap<String, String>>,
    /// Everything else that docker prints.
    #[serde(flatten)]
    pub(crate) rest: BTreeMap<String, serde_json::Value>,
}

impl Docker {
    /// The ids of the images that carry a label and a name (`x-*`, where `*` stands for no slash), the newest first.
    ///
    /// # Errors
    /// Docker's own.
    pub(crate) fn images_with_label(
        &self,
        (label, value): (&str, &str),
        name: &str,
    ) -> Result<Vec<String>, Failure> {
        let (label, name) = (format!("label={label}={value}"), format!("reference={name}"));
        let list = ["image", "ls", "--quiet", "--no-trunc", "--filter", &label, "--filter", &name];
        let printed = self.command(list).run()?;
        Ok(printed.stdout.split_whitespace().map(str::to_owned).collect())
    }

    /// What images and containers are made of, in the order in which they are named; a container has no layers
    /// here. What docker prints in some other form is nothing.
    ///
    /// # Errors
    /// Docker's own, also where one of them is not there.
    pub(crate) fn image_config(&self, names: &[&str]) -> Result<Vec<ImageConfig>, Failure> {
        let printed = self.command([&["inspect", "--"], names].concat()).run()?;
        Ok(serde_json::from_str(&printed.stdout).unwrap_or_default())
    }

    /// Makes a container that is never to start.
    ///
    /// # Errors
    /// Docker's own.
    pub(crate) fn create_idle(&self, name: &str, image: &str) -> Result<(), Failure> {
        let create = ["create", "--name", name, "--pull", "never", "--network", "none", image];
        // It takes a moment, and killed halfway it leaves nobody knows what.
        self.command(create).limit(LIMIT).ends_at(Signals::Second).run().map(|_| ())
    }

    /// Makes an image of a container as it is, under further labels, and returns its id.
    ///
    /// # Errors
    /// Docker's own.
    pub(crate) fn commit(
        &self,
        container: &str,
        tag: &str,
        labels: &[(String, String)],
    ) -> Result<String, Failure> {
        let pairs: Vec<String> =
            labels.iter().map(|(name, value)| format!("\"{name}\"=\"{value}\"")).collect();
        let change = format!("LABEL {}", pairs.join(" "));
        let message = "the same layers under other labels";
        let commit = ["commit", "--message", message, "--change", &change, container, tag];
        let made = self.command(commit).limit(LIMIT).ends_at(Signals::Second).run()?;
        Ok(made.stdout.trim().to_owned())
    }
}

/// Whether a label can be written into a change as it stands, where quotes and variables would mean something.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || matches!(c, '"' | '\'' | '\\' | '$' | '`'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_prints_of_an_image() {
        let printed = r#"[{"Id":"sha256:1","Os":"linux","RootFS":{"Type":"layers","Layers":["sha256:a"]},
            "Config":{"Env":["A=b"],"Labels":null,"User":"","WorkingDir":"/x"}},
            {"Id":"sha256:2","RootFS":{"Type":"layers"},"Config":{}}]"#;
        let read: Vec<ImageConfig> = serde_json::from_str(printed).unwrap();
        assert_eq!(read[0].root_fs.layers.as_deref(), Some(&["sha256:a".to_owned()][..]));
        assert_eq!(read[0].config.env.as_deref(), Some(&["A=b".to_owned()][..]));
        assert_eq!((&read[0].config.labels, read[0].config.rest.len()), (&None, 2));
        assert_eq!(read[1].config, Config::default());
    }

    #[test]
    fn what_a_change_would_read_otherwise_is_not_plain() {
        for text in ["$HOME", "a\"b", "a\\", "a\nb", "it's", "`x`"] {
            assert!(!is_plain(text), "{text}");
        }
        assert!(is_plain("gym://ALE/Pong-v5 (x=1, #2)"));
    }
}
