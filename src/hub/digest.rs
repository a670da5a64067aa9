//! What a file's content must be: git's blob id or LFS's digest, and its size; it reads no files by itself.

use std::fmt;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// The digest of a file's content, in one of the two forms in which a repository records it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Digest {
    /// SHA-1 of `blob <size>\0` and the content: how git names a plain file.
    GitBlob([u8; 20]),
    /// SHA-256 of the content: how LFS names a large one.
    Sha256([u8; 32]),
}

impl Digest {
    /// The digest of a plain file, from 40 hex digits.
    pub(crate) fn git_blob(hex: &str) -> Option<Self> {
        let mut bytes = [0; 20];
        hex::decode_to_slice(hex, &mut bytes).ok().map(|()| Digest::GitBlob(bytes))
    }

    /// The digest of an LFS file, from 64 hex digits.
    pub(crate) fn sha256(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(hex, &mut bytes).ok().map(|()| Digest::Sha256(bytes))
    }
}

impl fmt::Display for Digest {
    /// `git:<40 hex digits>` or `sha256:<64 hex digits>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Digest::GitBlob(bytes) => write!(f, "git:{}", hex::encode(bytes)),
            Digest::Sha256(bytes) => write!(f, "sha256:{}", hex::encode(bytes)),
        }
    }
}

/// A content that is known before it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Content {
    pub(crate) digest: Digest,
    /// In bytes.
    pub(crate) size: u64,
}

impl Content {
    /// Whether `bytes` are that content.
    pub(crate) fn is(self, bytes: &[u8]) -> bool {
        let mut hasher = Hasher::of(self);
        hasher.update(bytes);
        bytes.len() as u64 == self.size && hasher.finish() == self.digest
    }
}

/// Takes the digest of a content that comes piece by piece.
#[derive(Clone)]
pub(crate) enum Hasher {
    GitBlob(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    /// One that will agree with `content.digest` once it has seen that content.
    pub(crate) fn of(content: Content) -> Self {
        match content.digest {
            Digest::GitBlob(_) => Hasher::GitBlob(Sha1::new_with_prefix(format!("blob {}\0", content.size))),
            Digest::Sha256(_) => Hasher::Sha256(Sha256::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::GitBlob(hasher) => hasher.update(bytes),
            Hasher::Sha256(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Hasher::GitBlob(hasher) => Digest::GitBlob(hasher.finalize().into()),
            Hasher::Sha256(hasher) => Digest::Sha256(hasher.finalize().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids are what `git hash-object --stdin` and `sha256sum` print.
    #[test]
    fn contents_are_named_as_git_and_lfs_name_them() {
        let plain = Content {
            digest: Digest::git_blob("ce013625030ba8dba906f756967f9e9ca394464a").unwrap(),
            size: 6,
        };
        assert!(plain.is(b"hello\n"));
        assert!(!plain.is(b"hello!"));
        assert!(!Content { size: 7, ..plain }.is(b"hello\n"));
        let large = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert!(Content { digest: Digest::sha256(large).unwrap(), size: 6 }.is(b"hello\n"));
        assert_eq!(Digest::git_blob("ce01"), None);
        assert_eq!(Digest::sha256("zz"), None);
    }
}
