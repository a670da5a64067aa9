//! BuildKit's progress as buildx before 0.13 has it (`--progress=plain`) → [`BuildEvent`]: a line is told of at a time; it draws nothing.

use std::collections::HashMap;

use crate::progress::BuildEvent;

/// Reads the lines in whatever pieces they come.
#[derive(Debug, Default)]
pub(crate) struct PlainDecoder {
    pending: Vec<u8>,
    /// The names of the steps by buildx's own numbers; `None` once a step is over.
    steps: HashMap<usize, Option<String>>,
}

impl PlainDecoder {
    /// Takes the next piece of the output.
    pub(crate) fn push(&mut self, piece: &[u8], event: &mut dyn FnMut(BuildEvent)) {
        self.pending.extend_from_slice(piece);
        while let Some(newline) = self.pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=newline).collect();
            self.line(&String::from_utf8_lossy(&line), event);
        }
    }

    /// Takes what is left at the end of the output.
    pub(crate) fn finish(mut self, event: &mut dyn FnMut(BuildEvent)) {
        let rest = std::mem::take(&mut self.pending);
        self.line(&String::from_utf8_lossy(&rest), event);
    }

    fn line(&mut self, line: &str, event: &mut dyn FnMut(BuildEvent)) {
        let line = line.trim_end();
        if line.is_empty() {
            return;
        }
        match numbered(line) {
            Some((step, said)) => self.step(step, said, event),
            None => event(BuildEvent::Text { line: line.to_owned() }),
        }
    }

    fn step(&mut self, step: usize, said: &str, event: &mut dyn FnMut(BuildEvent)) {
        let Some(state) = self.steps.get_mut(&step) else {
            self.steps.insert(step, Some(said.to_owned()));
            event(BuildEvent::StepStarted { step, name: said.to_owned() });
            return;
        };
        let Some(name) = state else { return };
        let name = name.clone();
        // The name comes again whenever buildx turns back to a step.
        if said == name || said == "..." {
            return;
        }
        if said == "CACHED" {
            *state = None;
            event(BuildEvent::StepFinished { step, name, seconds: 0.0, cached: true });
        } else if let Some(seconds) = said.strip_prefix("DONE ").and_then(in_seconds) {
            *state = None;
            event(BuildEvent::StepFinished { step, name, seconds, cached: false });
        } else if said == "CANCELED" {
            *state = None;
            event(BuildEvent::StepFailed { step, name, error: "context canceled".to_owned() });
        } else if let Some(error) = said.strip_prefix("ERROR: ") {
            *state = None;
            event(BuildEvent::StepFailed { step, name, error: error.to_owned() });
        } else {
            event(BuildEvent::Output { step, text: format!("{}\n", without_time(said)) });
        }
    }
}

/// `#7 said`.
fn numbered(line: &str) -> Option<(usize, &str)> {
    let (number, said) = line.strip_prefix('#')?.split_once(' ')?;
    Some((number.parse().ok()?, said))
}

/// `0.1s`.
fn in_seconds(text: &str) -> Option<f64> {
    text.strip_suffix('s')?.parse().ok()
}

/// A line of a step's output, without the seconds that buildx puts before it.
fn without_time(said: &str) -> &str {
    let is_time = |word: &str| word.contains('.') && word.parse::<f64>().is_ok();
    match said.split_once(' ') {
        Some((time, rest)) if is_time(time) => rest,
        _ => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: &str = "\
#0 building with \"default\" instance using docker driver

#1 [internal] load build definition from Dockerfile
#1 transferring dockerfile: 31B done
#1 DONE 0.1s

#4 [1/3] FROM docker.io/library/python:3.11-slim
#4 CACHED

#5 [2/3] RUN one
#5 0.211 first
#5 ...

#6 [3/3] RUN two
#6 0.3 # hash of mine
#6 1.25 ERROR: No matching distribution found for nope

#5 [2/3] RUN one
#5 CANCELED
#6 ERROR: process \"two\" did not complete successfully: exit code: 1
------
 > [3/3] RUN two:
------
ERROR: failed to solve: exit code: 1
";

    #[test]
    fn lines_become_the_events_that_a_newer_buildx_tells() {
        for size in [1, 7, 100_000] {
            let (mut events, mut decoder) = (Vec::new(), PlainDecoder::default());
            for piece in FAILED.as_bytes().chunks(size) {
                decoder.push(piece, &mut |event| events.push(event));
            }
            decoder.finish(&mut |event| events.push(event));
            let json: Vec<String> =
                events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
            let has = |text: &str| json.iter().filter(|event| event.contains(text)).count();
            assert_eq!(has(r#""event":"step_started","step":5"#), 1, "{json:#?}");
            assert_eq!(
                has(
                    r#""step":4,"name":"[1/3] FROM docker.io/library/python:3.11-slim","seconds":0.0,"cached":true"#
                ),
                1
            );
            assert_eq!(has(r#""event":"output","step":5,"text":"first\n""#), 1);
            assert_eq!(has(r##""text":"# hash of mine\n""##), 1);
            assert_eq!(has(r#""event":"step_failed","step":6"#), 1);
            assert_eq!(has(r#""step":5,"name":"[2/3] RUN one","error":"context canceled""#), 1);
            assert_eq!(has(r#""event":"text","line":"ERROR: failed to solve: exit code: 1""#), 1);
        }
    }
}
