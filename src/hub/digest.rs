//! What identifies a file's content: git's blob id or LFS's digest, and its size.

use std::fmt;
use std::io;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// The digest of a file's content, in one of the two forms that repositories record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Digest {
    /// SHA-1 of `blob <size>\0` and the content: git's id of a file.
    GitBlob([u8; 20]),
    /// SHA-256 of the content: LFS's id of a file.
    Sha256([u8; 32]),
}

impl Digest {
    /// From 40 hex digits.
    pub(crate) fn git_blob(hex: &str) -> Option<Self> {
        let mut bytes = [0; 20];
        hex::decode_to_slice(hex, &mut bytes).ok().map(|()| Digest::GitBlob(bytes))
    }

    /// From 64 hex digits.
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

/// A content, by its digest and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Content {
    pub(crate) digest: Digest,
    /// In bytes.
    pub(crate) size: u64,
}

impl Content {
    /// Whether `bytes` are this content.
    pub(crate) fn is(self, bytes: &[u8]) -> bool {
        let mut hasher = Hasher::of(self);
        hasher.update(bytes);
        bytes.len() as u64 == self.size && hasher.finish() == self.digest
    }
}

/// Computes the digest of a content piece by piece.
#[derive(Clone)]
pub(crate) enum Hasher {
    GitBlob(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    /// For a content of this size and with this kind of digest.
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

/// Adds all bytes of a file to the hasher, and counts them.
pub(crate) fn hash_file(file: &mut impl io::Read, hasher: &mut Hasher) -> io::Result<u64> {
    let mut buffer = vec![0; 128 * 1024];
    let mut size = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(size),
            count => {
                hasher.update(&buffer[..count]);
                size += count as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids are what `git hash-object --stdin` and `sha256sum` print.
    #[test]
    fn contents_have_the_ids_of_git_and_lfs() {
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
