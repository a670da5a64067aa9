//! BuildKit's progress (`--progress=rawjson`) → [`BuildEvent`]: a stream of JSON values, with plain lines among them.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::progress::BuildEvent;

/// The most that is kept of a value or line that is not complete yet, in bytes. BuildKit splits logs into
/// values of about 1 MiB.
const LARGEST_VALUE: usize = 4 * 1024 * 1024;

/// Reads the stream, cut into pieces anywhere.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    pending: Vec<u8>,
    /// Whether the rest of a line is dropped since it was too long.
    is_skipping: bool,
    steps: HashMap<String, Step>,
}

#[derive(Debug)]
struct Step {
    number: usize,
    name: String,
    phase: StepPhase,
}

#[derive(Debug, PartialEq, Eq)]
enum StepPhase {
    Announced,
    Started,
    Over,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    vertexes: Vec<Vertex>,
    #[serde(default)]
    statuses: Vec<Transfer>,
    #[serde(default)]
    logs: Vec<Log>,
    #[serde(default)]
    warnings: Vec<Warning>,
}

#[derive(Deserialize)]
struct Vertex {
    digest: String,
    #[serde(default)]
    name: String,
    started: Option<String>,
    completed: Option<String>,
    #[serde(default)]
    cached: bool,
    #[serde(default)]
    error: String,
}

#[derive(Deserialize)]
struct Transfer {
    id: String,
    vertex: String,
    #[serde(default)]
    current: u64,
    total: Option<u64>,
    completed: Option<String>,
}

#[derive(Deserialize)]
struct Log {
    vertex: String,
    #[serde(default)]
    data: String,
}

#[derive(Deserialize)]
struct Warning {
    #[serde(default)]
    short: String,
}

impl Decoder {
    /// Takes the next piece of the stream.
    pub(crate) fn push(&mut self, piece: &[u8], on_event: &mut dyn FnMut(BuildEvent)) {
        let mut piece = piece;
        if self.is_skipping {
            let Some(newline) = piece.iter().position(|byte| *byte == b'\n') else { return };
            piece = &piece[newline + 1..];
            self.is_skipping = false;
        }
        self.pending.extend_from_slice(piece);
        // Each value ends with its line, so that a long one is not parsed again with each piece of it.
        if piece.contains(&b'\n') || self.pending.len() > LARGEST_VALUE {
            self.drain(on_event);
        }
    }

    /// Takes the rest at the end of the stream.
    pub(crate) fn finish(mut self, on_event: &mut dyn FnMut(BuildEvent)) {
        self.pending.push(b'\n');
        self.drain(on_event);
        let rest = std::mem::take(&mut self.pending);
        String::from_utf8_lossy(&rest).lines().for_each(|line| text(line, on_event));
    }

    fn drain(&mut self, on_event: &mut dyn FnMut(BuildEvent)) {
        loop {
            let blank = self.pending.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.pending.drain(..blank);
            let Some(first) = self.pending.first() else { return };
            if *first == b'{' {
                let mut values = serde_json::Deserializer::from_slice(&self.pending).into_iter::<Status>();
                match values.next() {
                    Some(Ok(status)) => {
                        let consumed = values.byte_offset();
                        self.pending.drain(..consumed);
                        self.read(status, on_event);
                        continue;
                    }
                    Some(Err(error)) if error.is_eof() && self.pending.len() <= LARGEST_VALUE => return,
                    // Not a value, but a line of text that starts like one.
                    Some(Err(_)) | None => {}
                }
            }
            let newline = self.pending.iter().position(|byte| *byte == b'\n');
            let line: Vec<u8> = match newline {
                Some(newline) => self.pending.drain(..=newline).collect(),
                None if self.pending.len() > LARGEST_VALUE => std::mem::take(&mut self.pending),
                None => return,
            };
            self.is_skipping = newline.is_none();
            text(&String::from_utf8_lossy(&line), on_event);
        }
    }

    fn read(&mut self, status: Status, on_event: &mut dyn FnMut(BuildEvent)) {
        for vertex in status.vertexes {
            self.read_vertex(vertex, on_event);
        }
        for transfer in status.statuses {
            let Transfer { id, vertex, current, total, completed } = transfer;
            let step = self.number(&vertex);
            let total = total.filter(|total| *total > 0);
            on_event(BuildEvent::Transfer { step, id, done: current, total, is_over: completed.is_some() });
        }
        for log in status.logs {
            let step = self.number(&log.vertex);
            let bytes = STANDARD.decode(&log.data).unwrap_or_default();
            on_event(BuildEvent::Output { step, text: String::from_utf8_lossy(&bytes).into_owned() });
        }
        for warning in status.warnings {
            let bytes =
                STANDARD.decode(&warning.short).unwrap_or_else(|_| warning.short.clone().into_bytes());
            on_event(BuildEvent::Warning { text: String::from_utf8_lossy(&bytes).into_owned() });
        }
    }

    /// The same digest comes again with more in it, and some steps start twice: each change is reported once.
    fn read_vertex(&mut self, vertex: Vertex, on_event: &mut dyn FnMut(BuildEvent)) {
        let Vertex { digest, name, started, completed, cached, error } = vertex;
        let step = self.step(&digest);
        if !name.is_empty() {
            step.name = name;
        }
        let (number, name) = (step.number, step.name.clone());
        if started.is_some() && step.phase == StepPhase::Announced {
            step.phase = StepPhase::Started;
            if completed.is_none() {
                on_event(BuildEvent::StepStarted { step: number, name: name.clone() });
            }
        }
        if !error.is_empty() {
            step.phase = StepPhase::Over;
            on_event(BuildEvent::StepFailed { step: number, name, error });
        } else if let Some(completed) = completed.filter(|_| step.phase != StepPhase::Over) {
            step.phase = StepPhase::Over;
            let seconds =
                started.and_then(|started| between(&started, &completed)).unwrap_or_default().as_secs_f64();
            on_event(BuildEvent::StepFinished { step: number, name, seconds, cached });
        }
    }

    fn number(&mut self, digest: &str) -> usize {
        self.step(digest).number
    }

    fn step(&mut self, digest: &str) -> &mut Step {
        let number = self.steps.len();
        self.steps.entry(digest.to_owned()).or_insert_with(|| Step {
            number,
            name: String::new(),
            phase: StepPhase::Announced,
        })
    }
}

fn text(line: &str, on_event: &mut dyn FnMut(BuildEvent)) {
    let line = line.trim_end();
    if !line.is_empty() {
        on_event(BuildEvent::Text { line: line.to_owned() });
    }
}

fn between(started: &str, completed: &str) -> Option<Duration> {
    let time = |text| humantime::parse_rfc3339_weak(text).ok();
    time(completed)?.duration_since(time(started)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(pieces: &[&[u8]]) -> Vec<BuildEvent> {
        let mut events = Vec::new();
        let mut decoder = Decoder::default();
        for piece in pieces {
            decoder.push(piece, &mut |event| events.push(event));
        }
        decoder.finish(&mut |event| events.push(event));
        events
    }

    const COMPACT: &str = concat!(
        r#"{"vertexes":[{"digest":"sha256:a","name":"[1/2] FROM x"}]}"#,
        "\n",
        r#"{"vertexes":[{"digest":"sha256:a","name":"[1/2] FROM x","started":"2026-11-23T06:12:27.5Z"}]}"#,
        "\n",
        r#"{"statuses":[{"id":"layer","vertex":"sha256:a","current":5,"total":10,"started":"2026-11-23T06:12:27Z"}],"logs":[{"vertex":"sha256:a","stream":1,"data":"aGVsbG8K"}]}"#,
        "\n",
        r#"{"vertexes":[{"digest":"sha256:a","name":"[1/2] FROM x","started":"2026-11-23T06:12:27.5Z","completed":"2026-11-23T06:12:29Z"},{"digest":"sha256:b","name":"[2/2] RUN y","started":"2026-11-23T06:12:29Z","completed":"2026-11-23T06:12:29Z","cached":true}]}"#,
        "\n",
        r#"{"warnings":[{"vertex":"sha256:a","level":1,"short":"b2xk"}]}"#,
        "\n",
        r#"{"vertexes":[{"digest":"sha256:c","name":"z","started":"2026-11-23T06:12:29Z","completed":"2026-11-23T06:12:30Z","error":"exit code: 1"}]}"#,
        "\nDockerfile:5\n--------\n{ not JSON\nERROR: failed\n",
    );

    fn expected() -> Vec<BuildEvent> {
        let line = |line: &str| BuildEvent::Text { line: line.to_owned() };
        vec![
            BuildEvent::StepStarted { step: 0, name: "[1/2] FROM x".into() },
            BuildEvent::Transfer { step: 0, id: "layer".into(), done: 5, total: Some(10), is_over: false },
            BuildEvent::Output { step: 0, text: "hello\n".into() },
            BuildEvent::StepFinished { step: 0, name: "[1/2] FROM x".into(), seconds: 1.5, cached: false },
            BuildEvent::StepFinished { step: 1, name: "[2/2] RUN y".into(), seconds: 0.0, cached: true },
            BuildEvent::Warning { text: "old".into() },
            BuildEvent::StepFailed { step: 2, name: "z".into(), error: "exit code: 1".into() },
            line("Dockerfile:5"),
            line("--------"),
            line("{ not JSON"),
            line("ERROR: failed"),
        ]
    }

    #[test]
    fn one_value_a_line_as_newer_buildx_prints_it() {
        assert_eq!(decode(&[COMPACT.as_bytes()]), expected());
    }

    #[test]
    fn indented_values_as_buildx_0_13_prints_them() {
        let mut indented = String::new();
        for line in COMPACT.lines() {
            match serde_json::from_str::<serde_json::Value>(line) {
                Ok(value) => indented += &serde_json::to_string_pretty(&value).unwrap(),
                Err(_) => indented += line,
            }
            indented.push('\n');
        }
        assert_eq!(decode(&[indented.as_bytes()]), expected());
    }

    #[test]
    fn any_cut_gives_the_same_events() {
        for size in [1, 2, 7, 64, 1000] {
            let pieces: Vec<&[u8]> = COMPACT.as_bytes().chunks(size).collect();
            assert_eq!(decode(&pieces), expected(), "pieces of {size}");
        }
    }

    #[test]
    fn a_stream_without_json_is_its_lines() {
        let events = decode(&[b"ERROR: Cannot connect to the Docker daemon at unix:///none."]);
        assert_eq!(
            events,
            [BuildEvent::Text { line: "ERROR: Cannot connect to the Docker daemon at unix:///none.".into() }]
        );
    }

    #[test]
    fn values_and_lines_without_end_are_not_kept() {
        for start in ["{\"vertexes\":[{\"name\":\"", "text "] {
            let (mut events, mut decoder) = (Vec::new(), Decoder::default());
            decoder.push(start.as_bytes(), &mut |event| events.push(event));
            for _ in 0..4 * LARGEST_VALUE / 16_384 {
                decoder.push(&[b'x'; 16_384], &mut |event| events.push(event));
                assert!(decoder.pending.len() <= LARGEST_VALUE + 16_384);
            }
            decoder.push(b"xx\nnext\n", &mut |event| events.push(event));
            decoder.push(COMPACT.as_bytes(), &mut |event| events.push(event));
            decoder.finish(&mut |event| events.push(event));
            let BuildEvent::Text { line } = events.remove(0) else { panic!("{:?}", events[0]) };
            assert!(line.starts_with(start) && line.len() <= LARGEST_VALUE + 16_384);
            assert_eq!(events.remove(0), BuildEvent::Text { line: "next".into() });
            assert_eq!(events, expected());
        }
    }

    #[test]
    fn a_value_that_never_ends_is_shown_as_it_came() {
        assert_eq!(decode(&[b"{\"vertexes\":["]), [BuildEvent::Text { line: "{\"vertexes\":[".into() }]);
    }
}
