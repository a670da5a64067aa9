//! Shows progress as bars, lines or JSON.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::engine::docker::inspection::short;
use crate::image::build_context::step_title::title;
use crate::output::Paint;
use crate::output::json::harmless;
use crate::output::table::cut;
use crate::output::text::{self, line, seconds};
use crate::progress::{BuildEvent, Event};
use crate::settings::size::HumanSize;

/// How long to wait before bars are drawn: short work shows none.
const DRAW_DELAY: Duration = Duration::from_millis(400);

/// How many finished steps stay visible.
const SHOWN_FINISHED: usize = 6;

/// The longest title of a step on a terminal, in columns. The rest of the line shows what the step is
/// doing.
const LONGEST_TITLE: usize = 48;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Bars,
    Plain,
    Json,
    None,
}

/// The state of the progress display.
pub(crate) struct Progress {
    how: How,
    bars: MultiProgress,
    has_color: bool,
    head: Option<ProgressBar>,
    steps: HashMap<usize, ProgressBar>,
    /// The bars of the last finished steps.
    finished: VecDeque<ProgressBar>,
    transfers: HashMap<usize, HashMap<String, (u64, Option<u64>)>>,
    is_drawing: Option<Arc<AtomicBool>>,
}

impl Progress {
    pub(crate) fn new(how: How, bars: MultiProgress, has_color: bool) -> Self {
        Self {
            how,
            bars,
            has_color,
            head: None,
            steps: HashMap::new(),
            finished: VecDeque::new(),
            transfers: HashMap::new(),
            is_drawing: None,
        }
    }

    /// Handles an event, and returns the lines to print.
    pub(crate) fn lines(&mut self, event: &Event) -> Vec<String> {
        match self.how {
            How::None => Vec::new(),
            How::Json => json(event).map(|line| harmless(&line)).into_iter().collect(),
            How::Plain => self.plain(event),
            How::Bars => self.draw(event),
        }
    }

    /// Removes everything from the terminal.
    pub(crate) fn clear(&mut self) {
        for (_, bar) in self.steps.drain() {
            bar.finish_and_clear();
        }
        for bar in self.finished.drain(..) {
            bar.finish_and_clear();
        }
        if let Some(head) = self.head.take() {
            head.finish_and_clear();
        }
        if let Some(is_drawing) = self.is_drawing.take() {
            is_drawing.store(false, Ordering::SeqCst);
        }
        let _ = self.bars.clear();
        self.bars.set_draw_target(ProgressDrawTarget::hidden());
        self.transfers.clear();
    }

    fn plain(&self, event: &Event) -> Vec<String> {
        let dim = |text: &str| Paint::Dim.on(text, self.has_color);
        let shown = match event {
            Event::LookingUp { what } => format!("looking up {}", line(what)),
            Event::Pausing { seconds, reason } => {
                format!("{}; trying again in {seconds:.0} s", line(reason))
            }
            Event::Fetched { files, size, from_network, seconds } => {
                fetched(*files, *size, *from_network, *seconds)
            }
            Event::Building { tag } => format!("building {tag}"),
            Event::Build(BuildEvent::StepFinished { name, cached: true, .. }) if is_shown(name) => {
                format!("  {} {}", line(&title(name)), dim("(cached)"))
            }
            Event::Build(BuildEvent::StepFinished { name, seconds, .. }) if is_shown(name) => {
                format!("  {} {}", line(&title(name)), dim(&format!("({seconds:.1} s)")))
            }
            Event::Build(BuildEvent::StepFailed { name, .. }) => format!("  {} failed", line(&title(name))),
            Event::Built { seconds } => format!("built in {seconds:.1} s"),
            Event::Pulling { image } => format!("pulling {image}"),
            Event::Locked { file, image } => locked(file, image),
            Event::Pushing { image } => format!("pushing {image}"),
            _ => return Vec::new(),
        };
        vec![shown]
    }

    fn draw(&mut self, event: &Event) -> Vec<String> {
        match event {
            Event::LookingUp { what } => self.begin(format!("looking up {}", line(what))),
            Event::Fetching { what, files, size } => {
                self.begin(format!("fetching {} ({})", line(what), text::files(*files, HumanSize(*size))));
            }
            Event::FetchProgress { done, total } => {
                if let Some(head) = &self.head {
                    head.set_prefix(format!("{} / {} ", HumanSize(*done), HumanSize(*total)));
                }
            }
            Event::Pausing { seconds, reason } => {
                if let Some(head) = &self.head {
                    head.set_prefix(format!("{}; trying again in {seconds:.0} s ", line(reason)));
                }
            }
            Event::Fetched { files, size, from_network, seconds } => {
                self.clear();
                return vec![fetched(*files, *size, *from_network, *seconds)];
            }
            Event::Building { tag } => self.begin(format!("building {tag}")),
            Event::Pulling { image } => self.begin(format!("pulling {image}")),
            Event::Locked { file, image } => return vec![locked(file, image)],
            Event::Pushing { image } => self.begin(format!("pushing {image}")),
            Event::Build(event) => self.draw_build(event),
            Event::Built { seconds: took } => {
                self.clear();
                return vec![format!("built in {}", seconds(Duration::from_secs_f64(*took)))];
            }
            Event::Starting => self.begin("starting the container".to_owned()),
            Event::Waiting { id, .. } => {
                self.begin(format!("waiting for the environment in {} to answer", short(id)));
            }
            Event::Checking => self.begin("checking the environment".to_owned()),
            Event::Note(_) | Event::Warning(_) => {}
        }
        Vec::new()
    }

    /// Shows new work in the first line.
    fn begin(&mut self, what: String) {
        match &self.head {
            Some(head) => {
                head.set_prefix("");
                head.set_message(what);
            }
            None => {
                let head = self.bars.add(ProgressBar::new_spinner());
                head.set_style(style("{spinner} {prefix}{wide_msg} {elapsed:>5}"));
                head.set_message(what);
                head.enable_steady_tick(Duration::from_millis(100));
                self.head = Some(head);
                self.draw_later();
            }
        }
    }

    fn draw_later(&mut self) {
        let is_wanted = Arc::new(AtomicBool::new(true));
        self.is_drawing = Some(Arc::clone(&is_wanted));
        let bars = self.bars.clone();
        std::thread::spawn(move || {
            std::thread::sleep(DRAW_DELAY);
            if is_wanted.load(Ordering::SeqCst) {
                bars.set_draw_target(ProgressDrawTarget::stderr());
            }
        });
    }

    fn end_step(&mut self, step: usize) {
        self.transfers.remove(&step);
        if let Some(bar) = self.steps.remove(&step) {
            bar.finish_and_clear();
        }
    }

    /// Shows a finished step above the running ones until the build is over.
    fn show_finished(&mut self, name: &str, how: String) {
        if self.finished.len() == SHOWN_FINISHED {
            self.finished.pop_front().inspect(ProgressBar::finish_and_clear);
        }
        // The first line is `head`; finished steps follow in order.
        let bar = self.bars.insert(self.finished.len() + 1, ProgressBar::new_spinner());
        bar.set_style(style("  {prefix:.dim} {msg:.dim}"));
        bar.set_prefix(cut(&line(&title(name)), LONGEST_TITLE));
        bar.set_message(how);
        self.finished.push_back(bar);
    }

    fn draw_build(&mut self, event: &BuildEvent) {
        match event {
            BuildEvent::StepStarted { step, name } if is_shown(name) => {
                let bar = self.bars.add(ProgressBar::new_spinner());
                bar.set_style(style("  {prefix} {wide_msg:.dim} {elapsed:>5}"));
                bar.set_prefix(cut(&line(&title(name)), LONGEST_TITLE));
                bar.enable_steady_tick(Duration::from_millis(200));
                self.steps.insert(*step, bar);
            }
            BuildEvent::StepFinished { step, name, seconds, cached } => {
                self.end_step(*step);
                if is_shown(name) {
                    self.show_finished(
                        name,
                        if *cached { "cached".to_owned() } else { format!("{seconds:.1} s") },
                    );
                }
            }
            BuildEvent::StepFailed { step, .. } => self.end_step(*step),
            BuildEvent::Output { step, text } => {
                // pip and uv rewrite the last line with carriage returns.
                let last = text.split(['\n', '\r']).map(str::trim).rfind(|last| !last.is_empty());
                if let (Some(bar), Some(last)) = (self.steps.get(step), last) {
                    // pip draws its own bar in front of the numbers.
                    bar.set_message(line(last.trim_start_matches(['━', '╸', '╺', ' '])));
                }
            }
            BuildEvent::Transfer { step, id, done, total, .. } => {
                let transfers = self.transfers.entry(*step).or_default();
                transfers.insert(id.clone(), (*done, *total));
                let done: u64 = transfers.values().map(|(done, _)| done).sum();
                let total: u64 = transfers.values().map(|(done, total)| total.unwrap_or(*done)).sum();
                if let Some(bar) = self.steps.get(step).filter(|_| total > 0) {
                    bar.set_message(format!("{} / {}", HumanSize(done), HumanSize(total)));
                }
            }
            _ => {}
        }
    }
}

fn locked(file: &str, image: &str) -> String {
    format!("wrote {}; builds with this lockfile use the image {image}", line(file))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// Whether to show a step: BuildKit's internal steps are hidden.
fn is_shown(name: &str) -> bool {
    !name.is_empty() && !name.starts_with("[internal]") && !name.contains("] load metadata for ")
}

fn fetched(files: usize, size: u64, from_network: u64, seconds: f64) -> String {
    let source = if from_network == 0 && size > 0 { "from the cache " } else { "" };
    format!("fetched {} {source}in {seconds:.1} s", text::files(files, HumanSize(size)))
}

fn json(event: &Event) -> Option<String> {
    let value = match event {
        Event::LookingUp { what } => serde_json::json!({ "event": "looking_up", "what": what }),
        Event::Fetching { what, files, size } => {
            serde_json::json!({ "event": "fetching", "what": what, "files": files, "bytes": size })
        }
        Event::FetchProgress { done, total } => {
            serde_json::json!({ "event": "fetch_progress", "done": done, "total": total })
        }
        Event::Pausing { seconds, reason } => {
            serde_json::json!({ "event": "pausing", "seconds": seconds, "reason": reason })
        }
        Event::Fetched { files, size, from_network, seconds } => serde_json::json!({
            "event": "fetched", "files": files, "bytes": size, "from_network": from_network, "seconds": seconds
        }),
        Event::Building { tag } => serde_json::json!({ "event": "building", "image": tag }),
        Event::Build(event) => serde_json::to_value(event).ok()?,
        Event::Built { seconds } => serde_json::json!({ "event": "built", "seconds": seconds }),
        Event::Pulling { image } => serde_json::json!({ "event": "pulling", "image": image }),
        Event::Locked { file, image } => {
            serde_json::json!({ "event": "locked", "file": file, "image": image })
        }
        Event::Pushing { image } => serde_json::json!({ "event": "pushing", "image": image }),
        Event::Starting => serde_json::json!({ "event": "starting" }),
        Event::Waiting { name, id } => {
            serde_json::json!({ "event": "waiting", "container_name": name, "container_id": id })
        }
        Event::Checking => serde_json::json!({ "event": "checking" }),
        Event::Note(_) | Event::Warning(_) => return None,
    };
    Some(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_progress_is_one_line_for_each_finished_step() {
        let mut progress =
            Progress::new(How::Plain, MultiProgress::with_draw_target(ProgressDrawTarget::hidden()), false);
        let finished = |name: &str, cached| {
            Event::Build(BuildEvent::StepFinished { step: 0, name: name.into(), seconds: 1.25, cached })
        };
        assert_eq!(progress.lines(&finished("[1/2] RUN x", false)), ["  [1/2] RUN x (1.2 s)"]);
        assert_eq!(progress.lines(&finished("[1/2] RUN x", true)), ["  [1/2] RUN x (cached)"]);
        assert!(progress.lines(&finished("[internal] load .dockerignore", false)).is_empty());
        assert!(progress.lines(&Event::Starting).is_empty());
    }
}
