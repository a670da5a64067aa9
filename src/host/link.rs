//! A file under a second path: a hard link where the file system has these, else a copy.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use rustix::io::Errno;

/// Makes the file `from` also be at `to`, which must not exist. The two may share their content: neither is to
/// be written to afterwards.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] where there is anything at `to`, which is then left as it is;
/// [`io::ErrorKind::NotFound`] where there is nothing at `from`, or no folder for `to`; other errors of the
/// file system.
pub(crate) fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if is_not_supported(&error) => copy(from, to),
        result => result,
    }
}

/// Whether an error means that this file cannot be linked there, but may well be copied: another file system,
/// one without hard links, a file of another user, or one that has all the links that it can have.
fn is_not_supported(error: &io::Error) -> bool {
    Errno::from_io_error(error).is_some_and(|errno| {
        [Errno::XDEV, Errno::PERM, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOSYS, Errno::MLINK]
            .contains(&errno)
    })
}

/// Copies into a new file. Unlike [`fs::copy`], it never writes to a file that exists: that may be a link to
/// one that is still needed.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut copy = OpenOptions::new().write(true).create_new(true).open(to)?;
    let copied = io::copy(&mut source, &mut copy)
        .and_then(|_| source.metadata())
        .and_then(|metadata| copy.set_permissions(metadata.permissions()));
    if copied.is_err() {
        let _ = fs::remove_file(to);
    }
    copied
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    #[test]
    fn what_is_there_already_is_never_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("kept"), "kept").unwrap();
        fs::write(path("new"), "new").unwrap();
        fs::hard_link(path("kept"), path("linked")).unwrap();
        for place in [link_or_copy, copy] {
            let error = place(&path("new"), &path("linked")).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(path("kept")).unwrap(), b"kept");
            assert_eq!(place(&path("gone"), &path("x")).unwrap_err().kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn a_copy_is_like_its_original_and_a_link_is_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "content").unwrap();
        fs::set_permissions(path("file"), fs::Permissions::from_mode(0o604)).unwrap();
        copy(&path("file"), &path("copy")).unwrap();
        link_or_copy(&path("file"), &path("link")).unwrap();
        let metadata = |name: &str| fs::metadata(path(name)).unwrap();
        assert_eq!(fs::read(path("copy")).unwrap(), b"content");
        assert_eq!(metadata("copy").permissions().mode() & 0o777, 0o604);
        assert_eq!(metadata("link").ino(), metadata("file").ino());
        assert_ne!(metadata("copy").ino(), metadata("file").ino());
    }

    #[test]
    fn only_a_file_system_that_cannot_link_makes_it_a_copy() {
        let is_copied = |errno: Errno| is_not_supported(&io::Error::from(errno));
        for errno in [Errno::XDEV, Errno::PERM, Errno::NOTSUP, Errno::MLINK, Errno::NOSYS] {
            assert!(is_copied(errno), "{errno}");
        }
        for errno in [Errno::EXIST, Errno::NOENT, Errno::NOSPC, Errno::ROFS, Errno::ACCESS] {
            assert!(!is_copied(errno), "{errno}");
        }
    }
}
