//! Socket directories: the private folder in which a container creates the Unix socket of its server.
//!
//! The outer folder is only open to this user. The folder in it is shared with the container, whose user may be any, so
//! everyone may write there.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::error::{Problem, SandboxError};
use crate::host::run_dir;

/// The start of the names of socket directories; random hexadecimal digits follow.
const PREFIX: &str = "rlmesh-socket-";
const DIGITS: usize = 12;
const LOCK: &str = "lock";
const SHARED: &str = "s";
const SOCKET: &str = "env.sock";

/// The longest path of a socket, in bytes: the kernel's limit.
const LONGEST_SOCKET: usize = 107;

/// A socket directory. It is removed when this value is dropped, unless it is kept.
#[derive(Debug)]
pub(crate) struct SocketDir {
    path: PathBuf,
    _lock: File,
    is_kept: AtomicBool,
}

impl Drop for SocketDir {
    fn drop(&mut self) {
        if !self.is_kept.load(Ordering::SeqCst) {
            let _ = remove(&self.path);
        }
    }
}

impl SocketDir {
    /// Creates a socket directory in `parent`, or in `/tmp` if the socket's path would be too long.
    ///
    /// # Errors
    /// [`SandboxError::System`].
    pub(crate) fn create(parent: &Path) -> Result<Self, SandboxError> {
        let random = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("{PREFIX}{}", &random[..DIGITS]);
        let path = parent_for(parent, &name).join(name);
        Self::try_create(&path).map_err(|error| {
            SandboxError::System(Problem::new(
                format!("cannot create the socket directory {}: {error}", path.display()),
                "free some space there, or set TMPDIR to a writable folder",
            ))
        })
    }

    fn try_create(path: &Path) -> io::Result<Self> {
        for _ in 0..16 {
            fs::DirBuilder::new().create(path)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
            let lock = File::create(path.join(LOCK))?;
            // Another process may have taken it for one that is abandoned.
            if lock.try_lock().is_ok() && path.join(LOCK).exists() {
                let shared = path.join(SHARED);
                fs::create_dir(&shared)?;
                fs::set_permissions(&shared, fs::Permissions::from_mode(0o777))?;
                return Ok(Self { path: path.to_owned(), _lock: lock, is_kept: AtomicBool::new(false) });
            }
            let _ = remove(path);
        }
        Err(io::Error::other("another process removes it as soon as it is created"))
    }

    /// The folder that the container mounts.
    pub(crate) fn shared(&self) -> PathBuf {
        self.path.join(SHARED)
    }

    /// Takes away the container's right to create files, and removes all that it has created except for the socket.
    pub(crate) fn seal(&self) -> io::Result<()> {
        let shared = self.shared();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o711))?;
        for entry in fs::read_dir(&shared)?.flatten().filter(|entry| entry.file_name() != SOCKET) {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let path = entry.path();
            let _ = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
        Ok(())
    }

    /// Keeps it for the container when this value is dropped.
    pub(crate) fn keep(&self) {
        self.is_kept.store(true, Ordering::SeqCst);
    }
}

/// The socket in a shared folder.
pub(crate) fn socket(shared: &Path) -> PathBuf {
    shared.join(SOCKET)
}

/// Whether there is a socket at a path. A container could leave a link to another socket there.
pub(crate) fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

fn parent_for<'a>(parent: &'a Path, name: &str) -> &'a Path {
    let length = socket(&parent.join(name).join(SHARED)).as_os_str().len();
    if length > LONGEST_SOCKET { Path::new("/tmp") } else { parent }
}

/// The socket directory of a folder that a container mounts. `None` if that is another folder.
pub(crate) fn outer(mounted: &Path) -> Option<&Path> {
    let outer = mounted.parent()?;
    let random = outer.file_name()?.to_str()?.strip_prefix(PREFIX)?;
    let is_ours = random.len() == DIGITS && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    (mounted.file_name()? == SHARED && is_ours).then_some(outer)
}

/// Removes a socket directory. One that does not exist is not an error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes the socket directories of this user whose run has ended and whose server is gone.
///
/// One without a lock that is younger than `lock_wait` may be about to get it.
pub(crate) fn remove_abandoned(parent: &Path, lock_wait: Duration) {
    let parents = if parent == Path::new("/tmp") { vec![parent] } else { vec![parent, Path::new("/tmp")] };
    for entry in parents.into_iter().filter_map(|parent| fs::read_dir(parent).ok()).flatten().flatten() {
        let path = entry.path();
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
            && run_dir::is_ours(&path);
        if is_ours && is_abandoned(&path, lock_wait) {
            let _ = remove(&path);
        }
    }
}

fn is_abandoned(path: &Path, lock_wait: Duration) -> bool {
    let lock = match File::open(path.join(LOCK)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return run_dir::age(path).is_some_and(|age| age >= lock_wait);
        }
        Err(_) => return false,
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return false,
    }
    let socket = socket(&path.join(SHARED));
    if !is_socket(&socket) {
        return true;
    }
    has_no_server(&socket).unwrap_or(false)
}

/// Whether nothing listens on a socket. A server that is there but does not answer still holds it.
fn has_no_server(socket: &Path) -> rustix::io::Result<bool> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect};
    let client = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    // Otherwise this could wait for the server.
    rustix::io::ioctl_fionbio(&client, true)?;
    let gone = [rustix::io::Errno::CONNREFUSED, rustix::io::Errno::NOENT];
    Ok(connect(&client, &SocketAddrUnix::new(socket)?).is_err_and(|error| gone.contains(&error)))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::net::UnixListener;

    use super::*;

    const WAIT: Duration = Duration::from_secs(3600);

    #[test]
    fn what_a_container_creates_can_be_used_until_it_is_sealed() {
        let parent = tempfile::tempdir().unwrap();
        let dir = SocketDir::create(parent.path()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&dir.path), mode(&dir.shared())), (0o700, 0o777));
        let socket = socket(&dir.shared());
        let _server = UnixListener::bind(&socket).unwrap();
        fs::create_dir(dir.shared().join("more")).unwrap();
        fs::write(dir.shared().join("junk"), "x").unwrap();
        dir.seal().unwrap();
        assert_eq!((mode(&dir.shared()), fs::read_dir(dir.shared()).unwrap().count()), (0o711, 1));
        assert!(is_socket(&socket));
        let path = dir.path.clone();
        drop(dir);
        assert!(!path.exists());
    }

    #[test]
    fn only_a_directory_without_a_run_and_a_server_is_abandoned() {
        let parent = tempfile::tempdir().unwrap();
        let dir = SocketDir::create(parent.path()).unwrap();
        let path = dir.path.clone();
        remove_abandoned(parent.path(), WAIT);
        assert!(path.exists(), "its run has the lock");
        let server = UnixListener::bind(socket(&dir.shared())).unwrap();
        dir.keep();
        drop(dir);
        remove_abandoned(parent.path(), WAIT);
        assert!(path.exists(), "its server listens");
        drop(server);
        remove_abandoned(parent.path(), WAIT);
        assert!(!path.exists());
        fs::create_dir(&path).unwrap();
        remove_abandoned(parent.path(), WAIT);
        assert!(path.exists(), "it may be about to get its lock");
        remove_abandoned(parent.path(), Duration::ZERO);
        assert!(!path.exists());
    }

    #[test]
    fn only_a_socket_directory_is_removed_with_a_container() {
        let mounted = Path::new("/t/rlmesh-socket-0123456789ab/s");
        assert_eq!(outer(mounted), mounted.parent());
        for path in ["/t/rlmesh-socket-0123456789ab/x", "/t/rlmesh-socket-/s", "/home/me/s", "/s", "/"] {
            assert_eq!(outer(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_replaced() {
        let long = PathBuf::from(format!("/{}", "x".repeat(60)));
        let name = format!("{PREFIX}0123456789ab");
        let long = long.join(long.strip_prefix("/").unwrap());
        assert_eq!(parent_for(&long, &name), Path::new("/tmp"));
        assert_eq!(parent_for(Path::new("/run/user/1000"), &name), Path::new("/run/user/1000"));
    }

    #[test]
    fn a_link_is_not_a_socket() {
        let parent = tempfile::tempdir().unwrap();
        let _server = UnixListener::bind(parent.path().join("a")).unwrap();
        std::os::unix::fs::symlink(parent.path().join("a"), parent.path().join("b")).unwrap();
        assert!(is_socket(&parent.path().join("a")) && !is_socket(&parent.path().join("b")));
    }
}
