//! Recognizes a file of the cache that has not changed since it was verified.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use serde::{Deserialize, Serialize};

use crate::host::process::Host;

/// Smaller contents are hashed at each use, which takes about as long as reading a stamp.
pub(crate) const SMALLEST: u64 = 1 << 20;

/// What changes if a file is written to or replaced.
///
/// Not the time of the last status change, because a hard link to the file changes it. The boot counts,
/// because a crash can lose what was written without changing the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    boot: String,
    device: u64,
    inode: u64,
    /// In bytes.
    pub(crate) size: u64,
    /// In seconds and nanoseconds since 1970.
    modified: (i64, i64),
}

impl Stamp {
    /// `None` for a file that is too small, or if this boot is not known.
    pub(crate) fn of(metadata: &Metadata) -> Option<Self> {
        if metadata.len() < SMALLEST {
            return None;
        }
        Some(Self {
            boot: Host::here().boot?,
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}
