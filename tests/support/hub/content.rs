//! The content of a file, and the ids that git and LFS have for one.

use std::sync::Arc;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// A file's content. Clones share the bytes.
#[derive(Debug, Clone)]
pub(crate) struct Content(Arc<Vec<u8>>);

impl Content {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes))
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes from `start` on, at most 64 KiB, and none beyond the end.
    pub(crate) fn chunk(&self, start: u64) -> Vec<u8> {
        let end = self.len().min(start + 64 * 1024);
        self.0[start.min(end) as usize..end as usize].to_vec()
    }

    pub(crate) fn sha256(&self) -> String {
        hex::encode(Sha256::digest(self.bytes()))
    }
}

/// What git calls a file with these bytes.
pub(crate) fn blob_id(bytes: &[u8]) -> String {
    let mut hasher = Sha1::new_with_prefix(format!("blob {}\0", bytes.len()));
    hasher.update(bytes);
    hex::encode(hasher.finalize())
}
