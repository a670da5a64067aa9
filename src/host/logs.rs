//! The folder with the logs of failed builds and starts: private files, of which the newest are kept.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How many logs are kept.
const KEPT: usize = 30;

/// What the names of the logs start with.
const KINDS: [&str; 2] = ["build-", "start-"];

/// Creates a log that only this user can read: `<kind>-<time>-<name>-<process id>.log`.
///
/// # Errors
/// If the folder or the file cannot be created.
pub(crate) fn create(folder: &Path, kind: &str, name: &str) -> io::Result<(File, PathBuf)> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let time: String = now.chars().filter(char::is_ascii_digit).collect();
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(60).collect();
    let path = folder.join(format!("{kind}-{time}-{name}-{}.log", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    Ok((file, path))
}

/// Writes the log of a failed start, without control characters, and removes old logs. `None` if the folder cannot
/// be written.
pub(crate) fn write(folder: &Path, kind: &str, name: &str, text: &str) -> Option<PathBuf> {
    let (mut file, path) = create(folder, kind, name).ok()?;
    let text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    if file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).is_err() {
        let _ = fs::remove_file(&path);
        return None;
    }
    keep_the_newest(folder);
    Some(path)
}

/// Removes all but the newest logs.
pub(crate) fn keep_the_newest(folder: &Path) {
    for old in all(folder, &KINDS).iter().rev().skip(KEPT) {
        let _ = fs::remove_file(old);
    }
}

/// Every log, the oldest first.
pub(crate) fn list(folder: &Path) -> Vec<PathBuf> {
    all(folder, &KINDS)
}

/// The newest log of a kind: `build` or `start`.
pub(crate) fn newest(folder: &Path, kind: &str) -> Option<PathBuf> {
    all(folder, &[&format!("{kind}-")]).pop()
}

/// The logs of some kinds, sorted by the time in their names.
fn all(folder: &Path, kinds: &[&str]) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut logs: Vec<(String, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let rest = kinds.iter().find_map(|kind| name.strip_prefix(kind))?;
            rest.ends_with(".log").then(|| (rest.to_owned(), entry.path()))
        })
        .collect();
    logs.sort();
    logs.into_iter().map(|(_, path)| path).collect()
}

/// Moves to the start of the last `count` lines of a file. It reads the file backwards.
///
/// # Errors
/// If the file cannot be read.
pub(crate) fn skip_to_last_lines(file: &mut File, count: u64) -> io::Result<()> {
    let mut at = file.seek(SeekFrom::End(0))?;
    let (mut piece, mut left) = (vec![0; 64 * 1024], count);
    let mut is_end = true;
    while at > 0 {
        let length = usize::try_from(at).unwrap_or(usize::MAX).min(piece.len());
        at -= length as u64;
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut piece[..length])?;
        for offset in (0..length).rev() {
            // The line break at the end of the file ends the last line.
            if piece[offset] == b'\n' && !is_end {
                left = left.saturating_sub(1);
            }
            if left == 0 {
                file.seek(SeekFrom::Start(at + offset as u64 + 1))?;
                return Ok(());
            }
            is_end = false;
        }
    }
    file.seek(SeekFrom::Start(0)).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_log_is_private_and_harmless() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("state/logs");
        let path = write(&folder, "start", "cart/pole-v1", "a\x1b[2J\tb\r\nc").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a[2J\tb\nc\n");
        assert!(path.file_name().unwrap().to_str().unwrap().contains("-cartpole-v1-"), "{path:?}");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&folder)), (0o600, 0o700));
        assert_eq!(write(Path::new("/dev/null/x"), "start", "x", ""), None);
    }

    #[test]
    fn the_last_lines_of_a_file() {
        use std::io::Read as _;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("x");
        for (text, count, expected) in [
            ("a\nb\nc\n", 2, "b\nc\n"),
            ("a\nb\nc", 2, "b\nc"),
            ("a\nb\n", 9, "a\nb\n"),
            ("a\nb\n", 0, ""),
            ("\n\n", 1, "\n"),
            ("", 3, ""),
        ] {
            fs::write(&path, text).unwrap();
            let mut file = File::open(&path).unwrap();
            skip_to_last_lines(&mut file, count).unwrap();
            let mut rest = String::new();
            file.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, expected, "{text:?} {count}");
        }
        let long: String = (0..100_000).map(|line| format!("{line}\n")).collect();
        fs::write(&path, long).unwrap();
        let mut file = File::open(&path).unwrap();
        skip_to_last_lines(&mut file, 20_000).unwrap();
        let mut rest = String::new();
        file.read_to_string(&mut rest).unwrap();
        assert!(rest.starts_with("80000\n") && rest.lines().count() == 20_000);
    }

    #[test]
    fn only_the_newest_of_both_kinds_stay() {
        let home = tempfile::tempdir().unwrap();
        for minute in 10..10 + KEPT {
            let kind = if minute % 2 == 0 { "build" } else { "start" };
            fs::write(home.path().join(format!("{kind}-2020010100{minute}00-x-1.log")), "").unwrap();
        }
        fs::write(home.path().join("notes.txt"), "").unwrap();
        let newest = write(home.path(), "start", "x", "y").unwrap();
        let left: Vec<PathBuf> =
            fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left.len(), KEPT + 1, "{left:?}");
        assert!(left.contains(&newest) && home.path().join("notes.txt").exists());
        assert!(!home.path().join("build-20200101001000-x-1.log").exists());
    }
}
