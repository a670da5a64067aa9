//! Results as plain text for users.

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use crate::engine::Isolation;
use crate::engine::docker::inspection::short;
use crate::sandbox::check::CheckReport;
use crate::sandbox::handshake::Handshake;
use crate::sandbox::isolation::NETWORK_WITHOUT_EGRESS;
use crate::sandbox::start::Running;
use crate::settings::isolation::IsolationLevel;
use crate::settings::size::HumanSize;

/// The last lines of a text.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// The lines of an untrusted text, indented, so that none of them looks like a line of this program.
pub(crate) fn indented(text: &str) -> String {
    let lines = text.lines().map(|line| format!("  {}", visible(line)).trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// The same text without colours, and with other control characters and what [`is_invisible`] escaped. Line breaks
/// and tabs stay. Whatever comes from a container, a build, docker or the Hub is shown like this.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = color_length(rest).unwrap_or(c.len_utf8());
        if length > c.len_utf8() {
            // A colour.
        } else if is_control(c) || is_invisible(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
        rest = &rest[length..];
    }
    shown
}

/// The length of the colour code (`ESC [ … m`) that a text starts with.
fn color_length(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("\x1b[")?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':')?;
    (rest.as_bytes()[end] == b'm').then_some(2 + end + 1)
}

/// An untrusted text on one line.
pub(crate) fn line(text: &str) -> String {
    visible(text).replace('\n', "\\n").replace('\t', "\\t")
}

/// The longest name that is shown, in characters.
const LONGEST_NAME: usize = 200;

/// An untrusted name on one line, cut if it is long.
pub(crate) fn one_line(text: &str) -> String {
    let text = line(text);
    match text.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A number of files, and their size.
pub(crate) fn files(count: usize, size: impl Display) -> String {
    format!("{count} file{}, {size}", if count == 1 { "" } else { "s" })
}

/// The time since docker's `created`, in its largest unit: `2h`.
pub(crate) fn age(created: &str) -> Option<String> {
    let created = humantime::parse_rfc3339_weak(created).ok()?;
    Some(short_time(SystemTime::now().duration_since(created).unwrap_or_default()))
}

/// A time in its largest unit.
pub(crate) fn short_time(time: Duration) -> String {
    let seconds = time.as_secs();
    let unit = [(24 * 3600, "d"), (3600, "h"), (60, "m")].into_iter().find(|(unit, _)| seconds >= *unit);
    let (unit, name) = unit.unwrap_or((1, "s"));
    format!("{}{name}", seconds / unit)
}

/// Properties, one on each line.
pub(crate) fn properties(rows: &[(&str, String)]) -> String {
    let widest = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let rows = rows.iter().map(|(name, value)| format!("{name:<widest$}  {value}"));
    rows.collect::<Vec<_>>().join("\n")
}

fn is_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

/// Whether a character has no width, or changes the order or the lines of a text, so that one text looks like
/// another: Unicode's Default_Ignorable_Code_Point, and format characters.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{70f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Converts a stream of bytes, in pieces of any size, to [`visible`] text. A carriage return counts as a line
/// break.
#[derive(Debug, Default)]
pub(crate) struct VisibleStream {
    /// The incomplete end of the last piece: the start of a character, or a carriage return.
    held: Vec<u8>,
}

impl VisibleStream {
    pub(crate) fn push(&mut self, piece: &[u8]) -> String {
        self.held.extend_from_slice(piece);
        let whole = self.held.len() - incomplete(&self.held);
        let rest = self.held.split_off(whole);
        let bytes = std::mem::replace(&mut self.held, rest);
        visible(&String::from_utf8_lossy(&bytes).replace("\r\n", "\n").replace('\r', "\n"))
    }
}

/// The longest line of a log that is kept in one piece, in bytes.
const LONGEST_LOG_LINE: usize = 64 * 1024;

/// Adds a piece of a log to the incomplete last line, and passes on each complete line without its line break. A
/// carriage return ends a line, too: progress bars are drawn with it.
pub(crate) fn for_each_line(pending: &mut Vec<u8>, piece: &[u8], on_line: &mut dyn FnMut(&str)) {
    for byte in piece {
        let is_redrawn = *byte != b'\n' && pending.last() == Some(&b'\r');
        if *byte == b'\n' || is_redrawn || pending.len() >= LONGEST_LOG_LINE {
            on_line(String::from_utf8_lossy(pending).trim_end_matches('\r'));
            pending.clear();
        }
        if *byte != b'\n' {
            pending.push(*byte);
        }
    }
}

/// How many bytes at the end may continue in the next piece.
fn incomplete(bytes: &[u8]) -> usize {
    if bytes.last() == Some(&b'\r') {
        return 1;
    }
    // A colour has only a few bytes.
    let recent = bytes.len().saturating_sub(32);
    if let Some(start) = bytes[recent..].iter().rposition(|byte| *byte == 0x1b).map(|at| recent + at) {
        let is_open = |(at, byte): (usize, &u8)| match at {
            0 => *byte == b'[',
            _ => byte.is_ascii_digit() || matches!(byte, b';' | b':'),
        };
        if bytes[start + 1..].iter().enumerate().all(is_open) {
            return bytes.len() - start;
        }
    }
    // A character has at most four bytes, of which all but the first are 0b10……….
    let tail = bytes.iter().rev().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
    let first = bytes.len().checked_sub(tail + 1).and_then(|at| bytes.get(at)).copied().unwrap_or_default();
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 0,
    };
    if tail + 1 < length { tail + 1 } else { 0 }
}

/// A duration for users: `0.8 s`, `75 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 60.0 { format!("{seconds:.1} s") } else { format!("{seconds:.0} s") }
}

/// The properties of a running environment, and what to do with it, one on each line. `to_stop` says how to stop
/// it; it is empty if something else uses and stops the environment.
pub(crate) fn running(running: &Running, to_stop: &str) -> Vec<String> {
    let mut rows = vec![
        ("container", format!("{} ({})", running.name, short(&running.id))),
        ("image", running.image.tag.clone()),
    ];
    if running.isolation.level == IsolationLevel::Strict {
        rows.push(("isolation", isolation(&running.isolation)));
    }
    rows.extend(environment(&running.handshake));
    if let Some(report) = &running.check {
        let render = report.render.map(|time| format!(", render {}", milliseconds(time)));
        let times = format!("reset {}, step {}", milliseconds(report.reset), milliseconds(report.step));
        rows.push(("checked", times + &render.unwrap_or_default()));
    }
    rows.push(("address", running.address.clone()));
    if !to_stop.is_empty() {
        let class = if running.handshake.num_envs > 1 { "RemoteVectorEnv" } else { "RemoteEnv" };
        let address = &running.address;
        rows.push(("python", format!("env = rlmesh.numpy.{class}(\"{address}\")")));
        rows.push(("to stop", to_stop.to_owned()));
    }
    rows.into_iter().map(|(name, value)| format!("  {name:<12} {}", one_line(&value))).collect()
}

/// What a strict sandbox may do, in a few words.
fn isolation(isolation: &Isolation) -> String {
    let network = match isolation.network.as_str() {
        "none" => "no network".to_owned(),
        NETWORK_WITHOUT_EGRESS => "no internet".to_owned(),
        name => format!("network {name}"),
    };
    let root = if isolation.read_only { "read-only" } else { "writable" };
    let memory =
        isolation.memory.map(|bytes| format!(", {} of memory", HumanSize(bytes))).unwrap_or_default();
    format!("strict: {network}, {root}{memory}")
}

/// What `check` saw, one property on each line.
pub(crate) fn checked(running: &Running, stopped_in: Duration) -> String {
    let mut rows =
        vec![("environment", running.handshake.env_id.clone()), ("image", running.image.tag.clone())];
    rows.extend(environment(&running.handshake));
    rows.push(("start", milliseconds(running.started_in())));
    rows.extend(running.check.iter().flat_map(seen));
    rows.push(("stop", milliseconds(stopped_in)));
    let rows: Vec<String> =
        rows.iter().map(|(name, value)| format!("{name:<12} {}", one_line(value))).collect();
    rows.join("\n")
}

fn seen(report: &CheckReport) -> Vec<(&'static str, String)> {
    let [least, greatest] = report.rewards;
    let ends = [("terminated", report.terminated), ("truncated", report.truncated)];
    let ends: Vec<&str> = ends.iter().filter(|(_, happened)| *happened).map(|(name, _)| *name).collect();
    let mut rows = vec![
        ("reset", milliseconds(report.reset)),
        ("step", format!("{} (mean of {})", milliseconds(report.step), report.steps)),
        (
            "reward",
            if least == greatest {
                number(least)
            } else {
                format!("{} to {}", number(least), number(greatest))
            },
        ),
        ("episode", if ends.is_empty() { "not ended".to_owned() } else { ends.join(", ") }),
        ("info", report.info_keys.join(", ")),
    ];
    if let Some(time) = report.render {
        rows.insert(2, ("render", milliseconds(time)));
        let frame = report.frame.as_ref().map(|frame| {
            let lengths: Vec<String> = frame.shape.iter().map(u64::to_string).collect();
            format!("({}) {}", lengths.join(", "), frame.dtype)
        });
        rows.push(("frame", frame.unwrap_or_else(|| "none".to_owned())));
    }
    rows
}

/// The time of a call: `812 ms`, `3.1 ms`, `0.31 ms`.
fn milliseconds(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1000.0;
    let decimals = if milliseconds >= 10.0 {
        0
    } else if milliseconds >= 1.0 {
        1
    } else {
        2
    };
    format!("{milliseconds:.decimals$} ms")
}

/// A number with at most four decimals.
fn number(number: f64) -> String {
    let text = format!("{number:.4}");
    if number.is_finite() { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// What an environment reports about itself.
pub(crate) fn environment(handshake: &Handshake) -> Vec<(&'static str, String)> {
    let versions: Vec<String> = in_order_of_interest(handshake.versions.iter())
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    let mut rows = vec![
        ("observation", handshake.observation_space.to_string()),
        ("action", handshake.action_space.to_string()),
        ("envs", handshake.num_envs.to_string()),
    ];
    if let Some(mode) = &handshake.render_mode {
        rows.push(("render mode", mode.clone()));
    }
    rows.push(("versions", versions.join(", ")));
    rows
}

/// Sorts rlmesh, gymnasium and Python before the rest.
fn in_order_of_interest<'a>(
    versions: impl Iterator<Item = (&'a String, &'a String)>,
) -> impl Iterator<Item = (&'a String, &'a String)> {
    let mut versions: Vec<_> = versions.collect();
    let rank =
        |name: &str| ["rlmesh", "gymnasium", "python"].iter().position(|known| *known == name).unwrap_or(3);
    versions.sort_by_key(|(name, _)| rank(name));
    versions.into_iter()
}

/// The files that an image would be built from, each below a header line like that of `head`.
pub(crate) fn rendered(image: &str, files: impl Iterator<Item = (&'static str, String)>) -> String {
    let files = files.map(|(name, content)| format!("\n==> {name} <==\n{}\n", content.trim_end()));
    let text = std::iter::once(format!("image: {image}\n")).chain(files).collect::<String>();
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_codes_do_not_reach_the_terminal() {
        for (text, shown) in [
            ("a\x1b[2Jb\rc\nd\te\u{7}\u{9b}31m", "a\\u{1b}[2Jb\\u{d}c\nd\te\\u{7}\\u{9b}31m"),
            (
                "\x1b]0;title\x07\x1b]8;;http://x\x1b\\\\",
                "\\u{1b}]0;title\\u{7}\\u{1b}]8;;http://x\\u{1b}\\\\",
            ),
            ("\x1b[2m2026\x1b[0m \x1b[1;38;5;2mok\x1b[m", "2026 ok"),
            ("\x1b[31", "\\u{1b}[31"),
        ] {
            assert_eq!(visible(text), shown);
        }
        assert_eq!(line("a\nerror: b"), "a\\nerror: b");
    }

    #[test]
    fn a_line_of_a_log_never_looks_like_ours() {
        assert_eq!(
            indented("hint: x\r\n\nerror: y\x1b[1G\u{b}hint: z"),
            "  hint: x\n\n  error: y\\u{1b}[1G\\u{b}hint: z"
        );
    }

    #[test]
    fn invisible_characters_are_escaped() {
        for c in "\u{ad}\u{34f}\u{61c}\u{180e}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{202a}\u{202e}\u{2060}\u{2064}\u{2066}\u{206f}\u{3164}\u{fe0f}\u{feff}\u{fff9}\u{e0041}\u{e0100}".chars() {
            let expected = format!("env{}.py", c.escape_unicode());
            assert_eq!(visible(&format!("env{c}.py")), expected);
        }
        let ordinary = "näme 日本語 עברית 🎉 e\u{301} — ━╸";
        assert_eq!(visible(ordinary), ordinary);
    }

    #[test]
    fn a_stream_is_visible_in_pieces_of_any_size() {
        let text = "é\x1b[2m\x1b[2J\r\nü\u{202e}x\r50%\r100%\n\u{9b}31m€🎉";
        let expected = "é\\u{1b}[2J\nü\\u{202e}x\n50%\n100%\n\\u{9b}31m€🎉";
        for size in 1..=text.len() {
            let mut stream = VisibleStream::default();
            let shown: String = text.as_bytes().chunks(size).map(|piece| stream.push(piece)).collect();
            assert_eq!(shown, expected, "pieces of {size}");
        }
        assert_eq!(VisibleStream::default().push(b"a\xffb"), "a\u{fffd}b");
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(seconds(Duration::from_millis(849)), "0.8 s");
        assert_eq!(seconds(Duration::from_secs(75)), "75 s");
    }

    #[test]
    fn a_redrawn_line_is_shown_without_waiting_for_its_end() {
        let (mut pending, mut lines) = (Vec::new(), Vec::new());
        for piece in ["10%\r20", "%\r", "30%\r\nnext\r\n\nlast"] {
            for_each_line(&mut pending, piece.as_bytes(), &mut |line| lines.push(line.to_owned()));
        }
        assert_eq!(
            (lines, pending),
            (["10%", "20%", "30%", "next", ""].map(str::to_owned).to_vec(), b"last".to_vec())
        );
    }

    #[test]
    fn a_name_is_one_line() {
        assert_eq!(one_line("a\nhint: b\x1b[2J\t\u{202e}"), "a\\nhint: b\\u{1b}[2J\\t\\u{202e}");
        assert_eq!(one_line(&"x".repeat(500)).chars().count(), LONGEST_NAME + 1);
    }

    #[test]
    fn an_age_is_short() {
        let ages = [5, 90, 7300, 200_000, 90_000_000].map(|seconds| short_time(Duration::from_secs(seconds)));
        assert_eq!(ages, ["5s", "1m", "2h", "2d", "1041d"]);
    }
}
