//! An image out of the engine's store as an OCI layout in a folder, and whether such a folder is whole; who keeps it, and for how long, is not decided here.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Component, Path};

use serde::Deserialize;

use crate::engine::docker::Docker;
use crate::engine::docker::invocation::{Cause, Failure};

/// What an image index and an image manifest are called in a layout.
const MANIFESTS: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];

/// An image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalImage {
    /// The engine's own id of it: `sha256:…`.
    pub(crate) id: String,
    /// Its size in bytes, as near as the engine tells it.
    pub(crate) size: u64,
    /// Whether it has come from a registry, or gone to one.
    pub(crate) is_in_a_registry: bool,
}

/// Why there is no layout.
#[derive(Debug)]
pub(crate) enum SaveFailure {
    Docker(Failure),
    /// The folder could not be written.
    Folder(io::Error),
    /// What the engine gave is no layout: before Engine 25 it is in docker's older form.
    NotALayout(String),
}

impl Docker {
    /// Writes an image into an empty folder as an OCI layout, and returns the digest that stands in its index.
    /// `progress` is told the bytes so far.
    ///
    /// # Errors
    /// [`SaveFailure`]; the folder may hold parts then.
    pub(crate) fn save_layout(
        &self,
        image: &LocalImage,
        folder: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<String, SaveFailure> {
        let mut unpacked = Ok(());
        // By its id: a name could have moved to another image since somebody looked.
        let saved = self.command(["save", &image.id]).unlimited().read(&mut |stream| {
            unpacked = unpack(stream, folder, progress);
            // Of a stream that ends early, docker itself says why.
            !matches!(unpacked, Err(UnpackFailure::Folder(_)))
        });
        match (saved, unpacked) {
            (Err(failure), _) if matches!(failure.cause, Cause::Interrupted(_)) => {
                return Err(SaveFailure::Docker(failure));
            }
            (_, Err(UnpackFailure::Folder(error))) => return Err(SaveFailure::Folder(error)),
            (Err(failure), _) => return Err(SaveFailure::Docker(failure)),
            (Ok(()), Err(UnpackFailure::Stream(error))) => {
                return Err(SaveFailure::NotALayout(error.to_string()));
            }
            (Ok(()), Ok(())) => {}
        }
        layout_digest(folder).map_err(SaveFailure::NotALayout)
    }
}

/// Why a stream was not unpacked.
#[derive(Debug)]
enum UnpackFailure {
    /// It is no tar stream, or not a whole one.
    Stream(io::Error),
    Folder(io::Error),
}

/// Takes the parts of a layout out of a tar stream, and nothing else: not what docker's older form has beside
/// them, and nothing that would lie outside the folder.
fn unpack(stream: &mut dyn Read, folder: &Path, progress: &mut dyn FnMut(u64)) -> Result<(), UnpackFailure> {
    let mut done = 0;
    let mut archive = tar::Archive::new(stream);
    for entry in archive.entries().map_err(UnpackFailure::Stream)? {
        let mut entry = entry.map_err(UnpackFailure::Stream)?;
        let path = entry.path().map_err(UnpackFailure::Stream)?.into_owned();
        if !entry.header().entry_type().is_file() || !is_part(&path) {
            continue;
        }
        let target = folder.join(&path);
        fs::create_dir_all(target.parent().unwrap_or(folder)).map_err(UnpackFailure::Folder)?;
        let mut file = File::create(&target).map_err(UnpackFailure::Folder)?;
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let count = entry.read(&mut buffer).map_err(UnpackFailure::Stream)?;
            if count == 0 {
                break;
            }
            file.write_all(&buffer[..count]).map_err(UnpackFailure::Folder)?;
            done += count as u64;
            progress(done);
        }
    }
    Ok(())
}

/// `oci-layout`, `index.json` and `blobs/ALGORITHM/DIGEST`.
fn is_part(path: &Path) -> bool {
    let words: Option<Vec<&str>> = path
        .components()
        .map(|component| match component {
            Component::Normal(word) => word.to_str(),
            _ => None,
        })
        .collect();
    matches!(words.as_deref(), Some(["oci-layout" | "index.json"] | ["blobs", _, _]))
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
}

/// The digest of the one image in a layout, which is known to be whole.
///
/// # Errors
/// What is missing, in words.
pub(crate) fn layout_digest(folder: &Path) -> Result<String, String> {
    let index: Index = read_json(&folder.join("index.json"))?;
    let [image] = index.manifests.as_slice() else {
        return Err(format!("its index names {} images, not one", index.manifests.len()));
    };
    check_blob(folder, image)?;
    // An index of several platforms holds only the blobs of those that the engine has.
    if MANIFESTS.contains(&image.media_type.as_str()) {
        let manifest: Manifest = read_json(&blob(folder, &image.digest)?)?;
        for part in std::iter::once(&manifest.config).chain(&manifest.layers) {
            check_blob(folder, part)?;
        }
    }
    Ok(image.digest.clone())
}

fn read_json<T: serde::de::DeserializeOwned>(file: &Path) -> Result<T, String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = fs::read(file).map_err(|error| format!("{name}: {error}"))?;
    serde_json::from_slice(&text).map_err(|error| format!("{name}: {error}"))
}

fn check_blob(folder: &Path, part: &Descriptor) -> Result<(), String> {
    match fs::metadata(blob(folder, &part.digest)?) {
        Ok(found) if found.len() == part.size => Ok(()),
        Ok(found) => Err(format!("{} has {} bytes, not {}", part.digest, found.len(), part.size)),
        Err(error) => Err(format!("{}: {error}", part.digest)),
    }
}

fn blob(folder: &Path, digest: &str) -> Result<std::path::PathBuf, String> {
    match digest.split_once(':') {
        Some((algorithm, hex)) if is_part(&Path::new("blobs").join(algorithm).join(hex)) => {
            Ok(folder.join("blobs").join(algorithm).join(hex))
        }
        _ => Err(format!("{digest:?} is no digest")),
    }
}

impl Docker {
    /// An image of the engine's, by any of its names; `None` where it has none of that name.
    ///
    /// # Errors
    /// Docker's own.
    pub(crate) fn local_image(&self, name: &str) -> Result<Option<LocalImage>, Failure> {
        let format = "{{.Id}} {{.Size}} {{json .RepoDigests}}";
        let printed = match self.command(["image", "inspect", "--format", format, name]).run() {
            Ok(printed) => printed.stdout,
            Err(failure) if failure.stderr.to_lowercase().contains("no such image") => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let mut words = printed.split_whitespace();
        let Some(id) = words.next().filter(|id| is_digest(id)) else { return Ok(None) };
        let size = words.next().and_then(|size| size.parse().ok()).unwrap_or_default();
        let is_in_a_registry = words.next().is_some_and(|digests| !matches!(digests, "null" | "[]"));
        Ok(Some(LocalImage { id: id.to_owned(), size, is_in_a_registry }))
    }
}

fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `docker save` streams: a config, a layer, a manifest, and what the older form has beside them.
    fn saved(change: impl Fn(&str, &mut Vec<u8>)) -> Vec<u8> {
        let digest = |number: u8| hex::encode([number; 32]);
        let descriptor = |number: u8, bytes: &[u8], kind: &str| {
            format!(
                r#"{{"mediaType":"application/vnd.oci.image.{kind}.v1+json","digest":"sha256:{}","size":{}}}"#,
                digest(number),
                bytes.len()
            )
        };
        let (config, layer) = (b"{}".to_vec(), vec![7; 100_000]);
        let manifest = format!(
            r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#,
            descriptor(1, &config, "config"),
            descriptor(2, &layer, "layer")
        );
        let index = format!(r#"{{"manifests":[{}]}}"#, descriptor(3, manifest.as_bytes(), "manifest"));
        let mut tar = tar::Builder::new(Vec::new());
        for (name, bytes) in [
            (format!("blobs/sha256/{}", digest(1)), config),
            (format!("blobs/sha256/{}", digest(2)), layer),
            (format!("blobs/sha256/{}", digest(3)), manifest.into_bytes()),
            ("index.json".to_owned(), index.into_bytes()),
            ("oci-layout".to_owned(), b"{}".to_vec()),
            ("manifest.json".to_owned(), b"[]".to_vec()),
            ("0123/layer.tar".to_owned(), b"old".to_vec()),
        ] {
            let mut bytes = bytes;
            change(&name, &mut bytes);
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o444);
            tar.append_data(&mut header, name, bytes.as_slice()).unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn unpacked(tar: &[u8]) -> (tempfile::TempDir, u64) {
        let folder = tempfile::tempdir().unwrap();
        let mut done = 0;
        unpack(&mut &*tar, folder.path(), &mut |bytes| done = bytes).unwrap();
        (folder, done)
    }

    #[test]
    fn a_saved_image_becomes_a_layout_and_its_digest_is_the_indexs() {
        let (folder, done) = unpacked(&saved(|_, _| {}));
        assert_eq!(layout_digest(folder.path()).unwrap(), format!("sha256:{}", "03".repeat(32)));
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["blobs", "index.json", "oci-layout"]);
        assert!(done > 100_000);
        // buildx writes into it.
        File::create(folder.path().join("blobs/sha256/x")).unwrap();
    }

    #[test]
    fn a_layout_that_lacks_something_is_none() {
        let without = |path: &str| {
            let (folder, _) = unpacked(&saved(|_, _| {}));
            fs::remove_file(folder.path().join(path)).unwrap();
            layout_digest(folder.path()).unwrap_err()
        };
        assert!(without("index.json").starts_with("index.json: "));
        for number in ["01", "02", "03"] {
            let digest = number.repeat(32);
            assert!(without(&format!("blobs/sha256/{digest}")).contains(&digest));
        }
        let (folder, _) = unpacked(&saved(|name, bytes| {
            if name.contains("0202") {
                bytes.pop();
            }
        }));
        assert!(layout_digest(folder.path()).unwrap_err().contains("99999 bytes, not 100000"));
    }

    #[test]
    fn only_one_image_a_folder() {
        let naming = |count: usize| {
            unpacked(&saved(|name, bytes| {
                if name == "index.json" {
                    let index = String::from_utf8(bytes.clone()).unwrap();
                    let image = index.trim_start_matches(r#"{"manifests":["#).trim_end_matches("]}");
                    *bytes = format!(r#"{{"manifests":[{}]}}"#, vec![image; count].join(",")).into();
                }
            }))
            .0
        };
        assert!(layout_digest(naming(1).path()).is_ok());
        for count in [0, 2] {
            let why = layout_digest(naming(count).path()).unwrap_err();
            assert!(why.contains(&format!("{count} images")), "{why}");
        }
        let (empty, _) = unpacked(&saved(|name, bytes| {
            if name == "index.json" {
                *bytes = b"{}".to_vec();
            }
        }));
        assert!(layout_digest(empty.path()).unwrap_err().contains("0 images"));
    }

    #[test]
    fn nothing_but_the_parts_of_a_layout_is_written() {
        for path in
            ["../x", "/etc/x", "blobs/x", "blobs/sha256/a/b", "blobs/../../x", "manifest.json", "a/layer.tar"]
        {
            assert!(!is_part(Path::new(path)), "{path}");
        }
        assert!(blob(Path::new("/f"), "sha256:../../x").is_err());
        assert!(blob(Path::new("/f"), "sha256").is_err());
    }
}
