//! Describes sandboxes for other programs that start containers: Kubernetes manifests and Compose files.

mod compose;
mod kubernetes;

use std::time::Duration;

use anyhow::Context as _;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::contract::{label, variable};
use crate::error::{InvalidValue, SandboxError, invalid_option};
use crate::plan::Plan;
use crate::plan::bootstrap::bootstrap_json;
use crate::sandbox::isolation;
use crate::sandbox::start::container::{FAULT_HANDLER, LARGEST_VARIABLE, variables_of_prebuilt};

/// The folder that environments may write to, and their home.
const WRITABLE: &str = "/tmp";

/// The format of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum ManifestKind {
    /// A StatefulSet (with --ttl: a Job), its Service and its NetworkPolicy
    #[default]
    Kubernetes,
    /// A Compose file
    Compose,
}

/// What a manifest describes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ManifestOptions {
    /// The format.
    pub kind: ManifestKind,
    /// The number of containers, each with its own address.
    pub replicas: u32,
    /// The name of everything in the manifest; `None` derives it from the source.
    pub name: Option<String>,
    /// The image as the cluster pulls it; `None` is the name that `build` gives it.
    pub image: Option<String>,
    /// After this time, the containers end; `None` lets them run until they are deleted.
    pub ttl: Option<Duration>,
    /// The memory limit of each container, in bytes.
    pub memory: u64,
    /// The CPU limit of each container, in cores: `1.5`.
    pub cpus: String,
    /// The size limit of the writable folder, in bytes.
    pub tmp_size: u64,
}

impl Default for ManifestOptions {
    /// One container for Kubernetes, with 2 GiB of memory, 2 cores and a writable folder of 1 GiB.
    fn default() -> Self {
        Self {
            kind: ManifestKind::default(),
            replicas: 1,
            name: None,
            image: None,
            ttl: None,
            memory: 2 << 30,
            cpus: "2".to_owned(),
            tmp_size: 1 << 30,
        }
    }
}

/// A manifest, and how its sandboxes are reached.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Manifest {
    /// The Kubernetes objects, or the one Compose file.
    pub documents: Vec<Value>,
    /// How to apply it and where its sandboxes answer, in several lines.
    pub usage: String,
    /// The image that it names.
    pub image: String,
}

/// What both formats describe.
struct Sandboxes<'a> {
    name: String,
    image: String,
    /// The source and, unless the image is prebuilt, its build hash.
    annotations: Vec<(&'static str, String)>,
    variables: Vec<(String, String)>,
    /// The most processes of a container.
    processes: u64,
    options: &'a ManifestOptions,
}

/// Describes the sandboxes of a plan.
///
/// # Errors
/// [`SandboxError::InvalidOption`] for options that the format does not have, and for kwargs that are too large.
pub(crate) fn manifest(plan: &Plan, options: &ManifestOptions) -> Result<Manifest, SandboxError> {
    let mut annotations = vec![(label::SOURCE, plan.resolved_source().to_string())];
    annotations.extend(plan.build_hash().map(|hash| (label::BUILD_HASH, hash)));
    let sandboxes = Sandboxes {
        name: options.name.clone().unwrap_or_else(|| name(&plan.resolved_source().slug())),
        image: options.image.clone().unwrap_or_else(|| plan.image_name()),
        annotations,
        variables: variables(plan)?,
        // The processors of the nodes are not known.
        processes: isolation::processes(plan.serving.num_envs, 1),
        options,
    };
    let (documents, usage) = match options.kind {
        ManifestKind::Kubernetes => kubernetes::documents(&sandboxes),
        ManifestKind::Compose => compose::documents(&sandboxes)?,
    };
    Ok(Manifest { documents, usage, image: sandboxes.image })
}

/// The most characters of a name: Kubernetes adds a number and a hash, and allows 63.
const LONGEST_NAME: usize = 40;

/// A name for a source: a DNS label (RFC 1123).
fn name(slug: &str) -> String {
    let slug = &slug[..slug.len().min(LONGEST_NAME - "rlmesh-".len())];
    format!("rlmesh-{}", slug.trim_matches('-'))
}

/// Parses the name of a manifest: a DNS label (RFC 1123) of at most 40 characters.
///
/// # Errors
/// [`InvalidValue`] for anything else.
pub(crate) fn manifest_name(text: &str) -> Result<String, InvalidValue> {
    let is_label = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.len() <= LONGEST_NAME
    };
    if is_label(text) {
        return Ok(text.to_owned());
    }
    Err(InvalidValue::new(
        "it is not a valid name",
        "use lower-case letters, digits and hyphens, such as cartpole, at most 40 characters",
    ))
}

/// The variables of the container: the family's, and those of this tool.
fn variables(plan: &Plan) -> Result<Vec<(String, String)>, SandboxError> {
    let mut variables: Vec<(String, String)> = plan.serving.variables.clone();
    variables.push(("HOME".to_owned(), WRITABLE.to_owned()));
    variables.push((FAULT_HANDLER.0.to_owned(), FAULT_HANDLER.1.to_owned()));
    if let Some(build) = plan.build() {
        let payload = bootstrap_json(&build.spec, &plan.serving);
        if payload.len() > LARGEST_VARIABLE {
            return Err(invalid_option(
                format!(
                    "the arguments are {} bytes long; for a manifest, the limit is {LARGEST_VARIABLE}",
                    payload.len()
                ),
                "put the data into the image",
            ));
        }
        variables.push((variable::BOOTSTRAP_JSON.to_owned(), payload));
    } else {
        let own = variables_of_prebuilt(&plan.serving)?;
        variables.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    Ok(variables)
}

impl Manifest {
    /// The manifest as YAML.
    ///
    /// # Errors
    /// [`SandboxError::Other`] if a document cannot be written.
    pub fn yaml(&self) -> Result<String, SandboxError> {
        let documents: Result<Vec<String>, _> =
            self.documents.iter().map(|document| serde_saphyr::to_string(&Plain(document))).collect();
        Ok(documents.context("cannot write the manifest as YAML")?.join("---\n"))
    }
}

/// A JSON value whose numbers are plain numbers: with `arbitrary_precision`, serde_json writes its own numbers to
/// other formats as objects.
struct Plain<'a>(&'a Value);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) => serializer.collect_seq(items.iter().map(Plain)),
            Value::Object(entries) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key, Plain(value))))
            }
            Value::Number(number) => match (number.as_u64(), number.as_f64()) {
                (Some(number), _) => serializer.serialize_u64(number),
                (None, number) => serializer.serialize_f64(number.unwrap_or_default()),
            },
            other => other.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels() {
        assert_eq!(name("cartpole-v1"), "rlmesh-cartpole-v1");
        assert_eq!(name(&"x".repeat(100)).len(), LONGEST_NAME);
        for slug in ["a-".repeat(50), "long-".repeat(9)] {
            assert!(manifest_name(&name(&slug)).is_ok(), "{}", name(&slug));
        }
        for wrong in ["", "A", "a_b", "-a", "a-", "1a", &"a".repeat(41)] {
            assert!(manifest_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn yaml_has_plain_numbers_and_quoted_texts() {
        let manifest = Manifest {
            documents: vec![serde_json::json!({"port": 50051, "value": "yes", "text": "a: {\"b\": 1}\n#"})],
            usage: String::new(),
            image: String::new(),
        };
        let yaml = manifest.yaml().unwrap();
        assert!(yaml.contains("port: 50051\n"), "{yaml}");
        assert!(!yaml.contains("value: yes\n"), "{yaml}");
    }
}
