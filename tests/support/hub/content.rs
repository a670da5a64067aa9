//! The content of a file: bytes, or so many made up as they are read.

use std::sync::Arc;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// A file's content.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Bytes(Arc<Vec<u8>>),
    /// So many bytes that nobody has to hold.
    Made(u64),
}

impl Content {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Made(length) => *length,
        }
    }

    /// The bytes from `start` on, at most 64 KiB, and none beyond the end.
    pub(crate) fn chunk(&self, start: u64) -> Vec<u8> {
        let end = self.len().min(start + 64 * 1024);
        match self {
            Content::Bytes(bytes) => bytes[start.min(end) as usize..end as usize].to_vec(),
            Content::Made(_) => {
                let word = start / 8;
                let words = word..end.div_ceil(8);
                let made: Vec<u8> =
                    words.flat_map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect();
                let skipped = (start - word * 8) as usize;
                made[skipped..skipped + (end - start) as usize].to_vec()
            }
        }
    }

    pub(crate) fn sha256(&self) -> String {
        let mut hasher = Sha256::new();
        let mut at = 0;
        while at < self.len() {
            let chunk = self.chunk(at);
            hasher.update(&chunk);
            at += chunk.len() as u64;
        }
        hex::encode(hasher.finalize())
    }
}

/// What git calls a file with these bytes.
pub(crate) fn blob_id(bytes: &[u8]) -> String {
    let mut hasher = Sha1::new_with_prefix(format!("blob {}\0", bytes.len()));
    hasher.update(bytes);
    hex::encode(hasher.finalize())
}
