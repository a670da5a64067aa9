//! Decides which failed requests are sent again, and after which pause.

use std::time::{Duration, SystemTime};

use ureq::http::HeaderMap;

use crate::hub::failure::Fault;

/// The longest pause before another attempt.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The longest wait that a server may ask for. The Hub counts requests in windows of five minutes.
const LONGEST_WAIT: Duration = Duration::from_secs(330);

/// The most attempts of a request that fails for a temporary reason.
const TRIES: u32 = 6;

/// The most attempts if there is no connection, which is rarely temporary.
const TRIES_WITHOUT_CONNECTION: u32 = 3;

/// Whether a request is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retries {
    /// No, because the answer is useful but not needed.
    None,
    /// Yes, if the reason of the failure may be temporary.
    Usual,
}

/// How long a server asks to wait, in Retry-After or in the Hub's `ratelimit: "api";r=0;t=55`.
pub(crate) fn requested_wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    if let Some(value) = text("retry-after") {
        if let Ok(seconds) = value.trim().parse::<f64>() {
            return Duration::try_from_secs_f64(seconds).ok();
        }
        let at = httpdate::parse_http_date(value.trim()).ok()?;
        return Some(at.duration_since(SystemTime::now()).unwrap_or_default());
    }
    let limit = text("ratelimit")?;
    // `r` requests are left in a window that ends in `t` seconds.
    let field = |name: &str| limit.split(';').find_map(|field| field.trim().strip_prefix(name));
    (field("r=")? == "0").then(|| field("t=")?.parse().ok().map(Duration::from_secs)).flatten()
}

/// How long to wait before the next attempt: `first` after one failure, twice as long after each further one;
/// `None` if there is no further attempt.
pub(crate) fn pause_before_retry(
    fault: &Fault,
    failures: u32,
    retries: Retries,
    first: Duration,
) -> Option<Duration> {
    let tries = match fault {
        _ if retries == Retries::None => 1,
        Fault::NoConnection { .. } => TRIES_WITHOUT_CONNECTION,
        fault if fault.may_pass() => TRIES,
        _ => 1,
    };
    if failures >= tries {
        return None;
    }
    match fault.wait() {
        Some(wait) => (wait <= LONGEST_WAIT).then_some(wait),
        None => {
            let pause = first * 2_u32.saturating_pow(failures.saturating_sub(1));
            Some(pause.min(LONGEST_PAUSE).mul_f64(jitter()))
        }
    }
}

/// A random factor around 1, so that requests that failed together are not repeated at the same time.
fn jitter() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    0.75 + 0.5 * (RandomState::new().hash_one(0) as f64 / u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::failure::Refusal;

    const FIRST: Duration = Duration::from_millis(300);

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_hub_says_how_long_to_wait_in_three_ways() {
        let seconds = |pairs| requested_wait(&headers(pairs)).map(|wait| wait.as_secs());
        assert_eq!(seconds(&[("retry-after", "7")]), Some(7));
        assert_eq!(seconds(&[("ratelimit", "\"api\";r=0;t=55")]), Some(55));
        assert_eq!(seconds(&[("ratelimit", "\"api\";r=3;t=55")]), None);
        assert_eq!(seconds(&[("retry-after", "7"), ("ratelimit", "\"api\";r=0;t=55")]), Some(7));
        assert_eq!(seconds(&[("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")]), Some(0));
        assert_eq!(seconds(&[("retry-after", "-1")]), None);
        assert_eq!(seconds(&[]), None);
    }

    fn refused(status: u16, wait: Option<Duration>) -> Fault {
        Fault::Refused(Refusal {
            status,
            code: None,
            message: None,
            wait,
            host: "hub".to_owned(),
            is_hub: true,
        })
    }

    #[test]
    fn temporary_failures_are_retried_after_growing_pauses() {
        let pause = |fault: &Fault, failures| pause_before_retry(fault, failures, Retries::Usual, FIRST);
        let wait = Duration::from_millis(30);
        let slow_down = refused(429, Some(wait));
        assert_eq!(pause(&slow_down, 1), Some(wait));
        assert_eq!(pause(&slow_down, TRIES), None);
        assert_eq!(pause_before_retry(&slow_down, 1, Retries::None, FIRST), None);
        assert_eq!(pause(&refused(429, Some(LONGEST_WAIT * 2)), 1), None);
        assert_eq!(pause(&refused(404, None), 1), None);
        let pauses: Vec<Duration> =
            (1..TRIES).map(|failures| pause(&refused(503, None), failures).unwrap()).collect();
        assert!(pauses.is_sorted() && pauses[4] <= LONGEST_PAUSE.mul_f64(1.25), "{pauses:?}");
    }
}
