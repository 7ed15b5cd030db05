//! Durations as users write them: `30s`, `5m`, `1h30m`, `7d`, or whole seconds.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not of the form number-unit, number-unit, ...
    #[error(
        "`{0}` is not a duration: write for example `30s`, `5m`, `1h30m`, `7d` or a whole number of seconds"
    )]
    Malformed(String),
    /// Zero waits for nothing and is always a mistake.
    #[error("a duration cannot be zero")]
    Zero,
    /// Above the limit of the place where it stands.
    #[error("{value} is more than the {max} that are allowed here")]
    TooLong {
        /// What was written.
        value: HumanDuration,
        /// What is allowed.
        max: HumanDuration,
    },
}

/// A positive duration in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HumanDuration {
    millis: u64,
}

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl HumanDuration {
    /// From whole seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self { millis: secs * 1_000 }
    }

    /// From milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self { millis }
    }

    /// As the standard library's duration.
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.millis)
    }

    /// Whole milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.millis
    }

    /// This duration if it is not above `max`.
    ///
    /// # Errors
    /// [`DurationError::TooLong`].
    pub fn at_most(self, max: Self) -> Result<Self, DurationError> {
        if self > max { Err(DurationError::TooLong { value: self, max }) } else { Ok(self) }
    }
}

impl FromStr for HumanDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let malformed = || DurationError::Malformed(text.to_owned());
        let mut millis: u64 = 0;
        if let Ok(secs) = text.parse::<u64>() {
            millis = secs.checked_mul(1_000).ok_or_else(malformed)?;
        } else {
            let mut rest = text;
            let mut smallest_so_far = u64::MAX;
            while !rest.is_empty() {
                let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(malformed)?;
                let number: u64 = rest[..digits].parse().map_err(|_| malformed())?;
                rest = &rest[digits..];
                let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
                let unit = UNITS.iter().find(|(unit, _)| *unit == &rest[..letters]).ok_or_else(malformed)?.1;
                if unit >= smallest_so_far {
                    return Err(malformed());
                }
                smallest_so_far = unit;
                rest = &rest[letters..];
                millis =
                    number.checked_mul(unit).and_then(|m| millis.checked_add(m)).ok_or_else(malformed)?;
            }
            if text.is_empty() {
                return Err(malformed());
            }
        }
        if millis == 0 { Err(DurationError::Zero) } else { Ok(Self { millis }) }
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.millis;
        for (unit, size) in UNITS {
            if rest >= size {
                write!(f, "{}{unit}", rest / size)?;
                rest %= size;
            }
        }
        if self.millis == 0 { f.write_str("0s") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_form_parses_and_prints_back() {
        for (text, millis, printed) in [
            ("30s", 30_000, "30s"),
            ("5m", 300_000, "5m"),
            ("1h30m", 5_400_000, "1h30m"),
            ("7d", 604_800_000, "7d"),
            ("90", 90_000, "1m30s"),
            ("250ms", 250, "250ms"),
        ] {
            let duration: HumanDuration = text.parse().expect(text);
            assert_eq!((duration.as_millis(), duration.to_string().as_str()), (millis, printed));
        }
    }

    #[test]
    fn nonsense_and_zero_are_refused() {
        for bad in ["", "s", "5 m", "5x", "-1s", "1.5h", "30m1h", "1h1h", "99999999999999999999d"] {
            assert!(matches!(bad.parse::<HumanDuration>(), Err(DurationError::Malformed(_))), "{bad:?}");
        }
        for zero in ["0", "0s", "0h0m"] {
            assert_eq!(zero.parse::<HumanDuration>(), Err(DurationError::Zero), "{zero:?}");
        }
    }
}
