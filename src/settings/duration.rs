//! Parses durations.

use std::time::Duration;

use crate::error::InvalidValue;

/// The longest time-out. A longer one is probably a typing error.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The longest age.
const LONGEST_AGE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Parses a time-out: seconds (`30`, `0.5`), or a time with units (`90s`, `1m 30s`).
///
/// # Errors
/// [`InvalidValue`] for anything else, and for more than a week.
pub(crate) fn timeout(text: &str) -> Result<Duration, InvalidValue> {
    parse(text, LONGEST_TIMEOUT, "use seconds (30, 0.5) or a time with units (90s, 5m), up to 7 days")
}

/// Parses a time-out that is not 0.
///
/// # Errors
/// As [`timeout`], and for 0.
pub(crate) fn positive_timeout(text: &str) -> Result<Duration, InvalidValue> {
    match timeout(text)? {
        Duration::ZERO => {
            Err(InvalidValue::new("it must be more than 0", "use a number of seconds above 0, such as 30"))
        }
        time => Ok(time),
    }
}

/// The longest lifetime.
const LONGEST_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// Parses how long a sandbox may run: like a time-out, from a second to a year.
///
/// # Errors
/// [`InvalidValue`].
pub(crate) fn lifetime(text: &str) -> Result<Duration, InvalidValue> {
    const HINT: &str = "use a time from 1s to 365d, such as 90s, 30m or 2h";
    let time = parse(text, LONGEST_LIFETIME, HINT)?;
    if time < Duration::from_secs(1) {
        return Err(InvalidValue::new("it is too short", HINT));
    }
    Ok(time)
}

/// Parses an age: like a time-out, but up to ten years.
///
/// # Errors
/// [`InvalidValue`].
pub(crate) fn age(text: &str) -> Result<Duration, InvalidValue> {
    parse(text, LONGEST_AGE, "use seconds or a time with units (90m, 24h, 7d); 0 means any age")
}

/// Parses a past time, as docker reads it: an age such as `10m`, or a time in RFC 3339.
///
/// # Errors
/// [`InvalidValue`].
pub(crate) fn since(text: &str) -> Result<String, InvalidValue> {
    const HINT: &str = "use an age (90s, 10m, 2h) or a time (2026-11-25T09:00:00Z)";
    if let Ok(time) = humantime::parse_rfc3339_weak(text.trim()) {
        return Ok(humantime::format_rfc3339(time).to_string());
    }
    let age = parse(text, LONGEST_AGE, HINT)?;
    Ok(format!("{}s", age.as_secs_f64()))
}

fn parse(text: &str, longest: Duration, hint: &str) -> Result<Duration, InvalidValue> {
    let text = text.trim();
    let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .or_else(|| humantime::parse_duration(text).ok())
        .filter(|duration| *duration <= longest)
        .ok_or_else(|| InvalidValue::new("it is not a valid time", hint))
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
        assert_eq!(lifetime("1h 30m").unwrap(), Duration::from_secs(5400));
        assert!(lifetime("0").is_err() && lifetime("0.5").is_err() && lifetime("2years").is_err());
    }

    #[test]
    fn a_past_time_is_passed_on_as_docker_reads_it() {
        assert_eq!(since("10m").unwrap(), "600s");
        assert_eq!(since("1.5").unwrap(), "1.5s");
        assert_eq!(since("2026-11-25T09:00:00Z").unwrap(), "2026-11-25T09:00:00Z");
        assert_eq!(since("2026-11-25 09:00:00").unwrap(), "2026-11-25T09:00:00Z");
        assert!(since("yesterday").is_err() && since("").is_err());
    }

    #[test]
    fn an_age_may_be_longer() {
        assert_eq!(age("30d").unwrap(), Duration::from_secs(30 * 24 * 3600));
        assert!(age("soon").is_err() && age("-1").is_err());
    }
}
