//! Limits how long a container runs. Its first program ends it, so that it ends whatever becomes of this process.

use std::time::Duration;

use crate::contract::ENTRYPOINT;
use crate::engine::docker::Docker;
use crate::error::SandboxError;
use crate::plan::{Plan, PlannedImage};

/// The program of coreutils and busybox that ends another one after a time.
pub(crate) const PROGRAM: &str = "timeout";

/// How long the environment has to end before it is killed, in seconds.
const GRACE: &str = "10";

/// The exit code of a container whose time was over.
const TIME_IS_OVER: i64 = 124;

/// The exit code of a container that had to be killed.
const KILLED: i64 = 137;

/// The arguments of [`PROGRAM`] to run `program` for this time.
pub(crate) fn arguments(time: Duration, program: Vec<String>) -> Vec<String> {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let options = ["-k".to_owned(), GRACE.to_owned(), seconds.to_string()];
    options.into_iter().chain(program).collect()
}

/// What the image of a plan runs with these arguments; `None` if the engine does not have the image.
///
/// # Errors
/// Docker, for a prebuilt image.
pub(crate) fn program(
    docker: &Docker,
    plan: &Plan,
    arguments: &[String],
) -> Result<Option<Vec<String>>, SandboxError> {
    match plan.image {
        PlannedImage::Built(_) => {
            Ok(Some(ENTRYPOINT.iter().map(ToString::to_string).chain(arguments.iter().cloned()).collect()))
        }
        PlannedImage::Prebuilt(_) => docker.image_program(&plan.image_name(), arguments),
    }
}

/// Whether a container with this exit code most likely ended because its time was over. `ran` is how long it ran.
pub(crate) fn is_over(exit_code: i64, ran: Duration, time: Duration) -> bool {
    ran + Duration::from_secs(1) >= time && matches!(exit_code, TIME_IS_OVER | KILLED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_has_a_time_limit_in_whole_seconds() {
        let program = vec!["python".to_owned(), "x.py".to_owned()];
        assert_eq!(arguments(Duration::from_millis(1500), program), ["-k", "10", "2", "python", "x.py"]);
    }

    #[test]
    fn an_early_end_is_another_failure() {
        let hour = Duration::from_secs(3600);
        assert!(is_over(124, hour, hour) && is_over(137, hour, hour));
        assert!(!is_over(137, hour / 2, hour) && !is_over(1, hour, hour) && !is_over(0, hour, hour));
    }
}
