//! Sizes in Docker's format, and the memory limit of a build.

use std::fmt;
use std::str::FromStr;

use crate::error::InvalidValue;

/// The memory limit of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BuildMemory {
    /// No limit: the engine's own builder builds.
    #[default]
    Off,
    /// The engine's memory minus 8 GiB, but at least 4 GiB.
    Auto,
    /// This many bytes, never 0.
    Bytes(u64),
}

impl BuildMemory {
    /// The limit on an engine with `engine_memory` bytes of memory; `None` for no limit.
    pub(crate) fn limit(self, engine_memory: u64) -> Option<MemoryLimit> {
        /// The memory that `auto` leaves for the rest of the machine, in bytes.
        const RESERVE: u64 = 8 << 30;
        /// The lowest limit that `auto` sets, in bytes: most builds need more than less would allow.
        const LEAST: u64 = 4 << 30;
        match self {
            BuildMemory::Off => None,
            BuildMemory::Auto => Some(MemoryLimit(engine_memory.saturating_sub(RESERVE).max(LEAST))),
            BuildMemory::Bytes(bytes) => Some(MemoryLimit(bytes)),
        }
    }
}

impl FromStr for BuildMemory {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text.trim() {
            "off" => Ok(BuildMemory::Off),
            "auto" => Ok(BuildMemory::Auto),
            size => size_of(size).map(BuildMemory::Bytes).map_err(|invalid| {
                InvalidValue::new(
                    invalid.reason,
                    "use a size such as 20g, 1.5g, 2048m or a number of bytes, or auto, or off",
                )
            }),
        }
    }
}

/// Parses a size in Docker's format that is not 0, and returns it in bytes.
///
/// # Errors
/// [`InvalidValue`].
pub(crate) fn size_of(text: &str) -> Result<u64, InvalidValue> {
    parse_size(text.trim()).filter(|bytes| *bytes > 0).ok_or_else(|| {
        InvalidValue::new(
            "it is not a valid size",
            "use a size such as 20g, 1.5g, 2048m or a number of bytes",
        )
    })
}

/// The memory limit of a build, in bytes, never 0. It is displayed in Docker's format, in the largest unit
/// that represents it exactly, so that equal limits have the same text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemoryLimit(pub(crate) u64);

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fitting = [(30, 'g'), (20, 'm'), (10, 'k')]
            .into_iter()
            .find(|(power, _)| self.0 > 0 && self.0.trailing_zeros() >= *power);
        match fitting {
            Some((power, unit)) => write!(f, "{}{unit}", self.0 >> power),
            None => write!(f, "{}b", self.0),
        }
    }
}

/// Displays a size in bytes for users: `1.50 GiB`. indicatif has the same, but is a dependency of the
/// program only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HumanSize(pub(crate) u64);

impl fmt::Display for HumanSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let power = self.0.ilog2() / 10;
        write!(f, "{:.2} {}", self.0 as f64 / 1024_f64.powi(power as i32), UNITS[power as usize - 1])
    }
}

/// Parses a size in Docker's format: a number, which may have decimals, and a unit in upper or lower case.
/// Units are powers of 1024.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if !number.starts_with(|c: char| c.is_ascii_digit()) || number.ends_with('.') {
        return None;
    }
    let power = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return None,
    };
    let factor = 1024_u64.pow(power);
    match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(factor),
        Err(_) => {
            let bytes = number.parse::<f64>().ok()? * factor as f64;
            (bytes < u64::MAX as f64).then_some(bytes as u64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_docker_takes_them() {
        for (text, bytes) in [
            ("20g", 20 << 30),
            ("1.5g", 3 << 29),
            ("2048m", 2 << 30),
            ("2048M", 2 << 30),
            ("512MiB", 512 << 20),
            ("1kb", 1024),
            ("1073741824", 1 << 30),
            ("7b", 7),
        ] {
            assert_eq!(text.parse(), Ok(BuildMemory::Bytes(bytes)), "{text}");
        }
        assert_eq!("auto".parse(), Ok(BuildMemory::Auto));
        assert_eq!("off".parse(), Ok(BuildMemory::Off));
        for text in [
            "0",
            "0g",
            "0.0001b",
            "-1g",
            "1 g",
            "g",
            "lots",
            ".5g",
            "5.",
            "1.2.3g",
            "1x",
            "1e9",
            "99999999999t",
        ] {
            assert!(text.parse::<BuildMemory>().is_err(), "{text}");
        }
    }

    #[test]
    fn auto_leaves_the_machine_8_gib_and_gives_at_least_4() {
        let auto = |bytes| BuildMemory::Auto.limit(bytes).unwrap().0;
        assert_eq!(auto(25_276_510_208), 25_276_510_208 - (8 << 30));
        assert_eq!(auto(12 << 30), 4 << 30);
        assert_eq!(auto((12 << 30) + 1), (4 << 30) + 1);
        assert_eq!(auto(2 << 30), 4 << 30);
        assert_eq!(auto(0), 4 << 30);
        assert_eq!(BuildMemory::Bytes(7).limit(1 << 40), Some(MemoryLimit(7)));
        assert_eq!(BuildMemory::Off.limit(1 << 40), None);
    }

    #[test]
    fn sizes_for_people_are_those_of_the_progress_bars() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (3 << 29, "1.50 GiB"),
            (10 << 30, "10.00 GiB"),
            (1 << 40, "1.00 TiB"),
        ] {
            assert_eq!(HumanSize(bytes).to_string(), shown);
        }
        for bytes in [999, 1500, 300_025, 1_048_575, 1_048_576, 123_456_789_012, u64::MAX] {
            assert_eq!(HumanSize(bytes).to_string(), indicatif::HumanBytes(bytes).to_string());
        }
    }

    #[test]
    fn equal_limits_have_the_same_text_and_docker_reads_it() {
        for (given, shown) in [
            ("20g", "20g"),
            ("1.5g", "1536m"),
            ("2048m", "2g"),
            ("1073741824", "1g"),
            ("16686575616", "16295484k"),
            ("7", "7b"),
            ("1025", "1025b"),
            ("1tb", "1024g"),
        ] {
            let bytes = size_of(given).unwrap();
            assert_eq!(MemoryLimit(bytes).to_string(), shown);
            assert_eq!(parse_size(shown), Some(bytes));
        }
    }
}
