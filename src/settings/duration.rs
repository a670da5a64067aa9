//! Durations as people write them.

use std::time::Duration;

use crate::error::InvalidValue;

/// The longest time-out; a longer one is most likely a typing error.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The longest age.
const LONGEST_AGE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// A time-out: seconds, with decimals if need be (`30`, `0.5`), or a number with units (`90s`, `1m 30s`).
///
/// # Errors
/// [`InvalidValue`] for anything else, and for more than a week.
pub(crate) fn timeout(text: &str) -> Result<Duration, InvalidValue> {
    parse(text, LONGEST_TIMEOUT, "use seconds (30, 0.5) or a time with units (90s, 5m), up to 7 days")
}

/// A time-out that leaves some time.
///
/// # Errors
/// As [`timeout`], and for 0.
pub(crate) fn positive_timeout(text: &str) -> Result<Duration, InvalidValue> {
    match timeout(text)? {
        Duration::ZERO => Err(InvalidValue::new("it must be more than 0", "give it some seconds")),
        time => Ok(time),
    }
}

/// An age: as a time-out, up to ten years.
///
/// # Errors
/// [`InvalidValue`].
pub(crate) fn age(text: &str) -> Result<Duration, InvalidValue> {
    parse(text, LONGEST_AGE, "use seconds or a time with units: 90m, 24h, 7d; 0 is any age")
}

fn parse(text: &str, longest: Duration, hint: &str) -> Result<Duration, InvalidValue> {
    let text = text.trim();
    let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .or_else(|| humantime::parse_duration(text).ok())
        .filter(|duration| *duration <= longest)
        .ok_or_else(|| InvalidValue::new("it is not a time", hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_units() {
        assert_eq!(timeout("30").unwrap(), Duration::from_secs(30));
        assert_eq!(timeout("0.5").unwrap(), Duration::from_millis(500));
        assert_eq!(timeout("2m").unwrap(), Duration::from_secs(120));
        assert_eq!(timeout("0").unwrap(), Duration::ZERO);
        for text in ["", "-1", "abc", "nan", "inf", "8days", "1e300"] {
            assert!(timeout(text).is_err(), "{text}");
        }
        assert!(positive_timeout("0").is_err());
    }

    #[test]
    fn an_age_may_be_longer() {
        assert_eq!(age("30d").unwrap(), Duration::from_secs(30 * 24 * 3600));
        assert!(age("soon").is_err() && age("-1").is_err());
    }
}
