//! An image of the engine's as an OCI layout in a folder, for builders that cannot see the engine's store.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path};

use serde::Deserialize;

use crate::engine::docker::Docker;
use crate::engine::docker::child::Cause;
use crate::engine::docker::invocation::Failure;

/// How long an index may be, in bytes: it names one image.
const LONGEST_INDEX: u64 = 1 << 20;

/// Why there is no layout.
#[derive(Debug)]
pub(crate) enum SaveFailure {
    Docker(Failure),
    /// The folder could not be written.
    Folder(io::Error),
    /// What the engine printed is not a layout.
    NotALayout(String),
}

impl Docker {
    /// Writes the image with that id into an empty folder as an OCI layout, and returns the digest in its index.
    ///
    /// # Errors
    /// [`SaveFailure`]; the folder may hold parts then.
    pub(crate) fn save_layout(&self, id: &str, folder: &Path) -> Result<String, SaveFailure> {
        let mut unpacked = Ok(());
        // By its id: the name may belong to another image by now.
        let saved = self.command(["save", id]).long().read(&mut |stream| {
            unpacked = unpack(stream, folder);
            // Where the stream ends early, docker itself says why.
            !matches!(&unpacked, Err(error) if is_of_the_folder(error))
        });
        match (saved, unpacked) {
            (Err(failure), _) if matches!(failure.cause, Cause::Interrupted(_)) => {
                Err(SaveFailure::Docker(failure))
            }
            (_, Err(error)) if is_of_the_folder(&error) => Err(SaveFailure::Folder(error)),
            (Err(failure), _) => Err(SaveFailure::Docker(failure)),
            (Ok(()), Err(error)) => Err(SaveFailure::NotALayout(error.to_string())),
            (Ok(()), Ok(())) => layout_digest(folder).map_err(SaveFailure::NotALayout),
        }
    }
}

/// Whether an error of [`unpack`] comes from the system rather than from the stream.
fn is_of_the_folder(error: &io::Error) -> bool {
    error.raw_os_error().is_some()
}

/// Takes the parts of a layout out of a tar stream, and nothing else: not what docker adds for older clients,
/// and nothing that would lie outside the folder.
fn unpack(stream: &mut dyn Read, folder: &Path) -> io::Result<()> {
    for entry in tar::Archive::new(stream).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if entry.header().entry_type().is_file() && is_part(&path) {
            let target = folder.join(&path);
            fs::create_dir_all(target.parent().unwrap_or(folder))?;
            io::copy(&mut entry, &mut File::create(&target)?)?;
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

/// The digest of the one image in a layout.
///
/// # Errors
/// What is wrong with its index.
pub(crate) fn layout_digest(folder: &Path) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Index {
        #[serde(default)]
        manifests: Vec<Descriptor>,
    }
    #[derive(Deserialize)]
    struct Descriptor {
        digest: String,
    }
    let file = File::open(folder.join("index.json")).map_err(|error| format!("index.json: {error}"))?;
    let index: Index = serde_json::from_reader(io::BufReader::new(file.take(LONGEST_INDEX)))
        .map_err(|error| format!("index.json: {error}"))?;
    match index.manifests.as_slice() {
        [image] if is_digest(&image.digest) => Ok(image.digest.clone()),
        [image] => Err(format!("{:?} in its index is not a valid digest", image.digest)),
        images => Err(format!("its index names {} images, not one", images.len())),
    }
}

fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `docker save` prints, with what it adds for older clients.
    fn saved(index: &str) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut append = |name: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o444);
            tar.append_data(&mut header, name, bytes).unwrap();
        };
        append(&format!("blobs/sha256/{}", "02".repeat(32)), &[7; 100_000]);
        append("index.json", index.as_bytes());
        append("oci-layout", b"{}");
        append("manifest.json", b"[]");
        append("0123/layer.tar", b"old");
        tar.into_inner().unwrap()
    }

    fn index(images: &[&str]) -> String {
        let manifests: Vec<_> = images.iter().map(|digest| serde_json::json!({"digest": digest})).collect();
        serde_json::json!({ "manifests": manifests }).to_string()
    }

    fn unpacked(index: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        unpack(&mut saved(index).as_slice(), folder.path()).unwrap();
        folder
    }

    #[test]
    fn a_saved_image_becomes_a_layout_and_its_digest_is_that_in_the_index() {
        let digest = format!("sha256:{}", "03".repeat(32));
        let folder = unpacked(&index(&[&digest]));
        assert_eq!(layout_digest(folder.path()).unwrap(), digest);
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["blobs", "index.json", "oci-layout"]);
        // buildx writes into it.
        File::create(folder.path().join("blobs/sha256/x")).unwrap();
    }

    #[test]
    fn an_index_that_does_not_name_one_image_is_refused() {
        let digest = format!("sha256:{}", "03".repeat(32));
        for (index, why) in [
            (index(&[]), "names 0 images, not one"),
            ("{}".to_owned(), "names 0 images, not one"),
            (index(&[&digest, &digest]), "names 2 images, not one"),
            (index(&["sha256:../../x"]), "is not a valid digest"),
            ("no".to_owned(), "index.json: expected ident"),
            (" ".repeat(2 << 20) + &index(&[&digest]), "index.json: EOF"),
        ] {
            let error = layout_digest(unpacked(&index).path()).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let empty = tempfile::tempdir().unwrap();
        assert!(layout_digest(empty.path()).unwrap_err().starts_with("index.json: No such file"));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_not_the_streams_fault() {
        let tar = saved("{}");
        let error = unpack(&mut tar.as_slice(), Path::new("/dev/null/x")).unwrap_err();
        assert!(is_of_the_folder(&error), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let error = unpack(&mut &tar[..50_000], folder.path()).unwrap_err();
        assert!(!is_of_the_folder(&error), "{error}");
    }

    #[test]
    fn only_the_parts_of_a_layout_are_written() {
        for path in
            ["../x", "/etc/x", "blobs/x", "blobs/sha256/a/b", "blobs/../../x", "manifest.json", "a/layer.tar"]
        {
            assert!(!is_part(Path::new(path)), "{path}");
        }
    }
}
