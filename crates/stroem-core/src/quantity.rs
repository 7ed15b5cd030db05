//! Amounts of memory and processor time, spelled as Kubernetes and Docker users spell them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a byte size.
    #[error("`{0}` is not a size: write for example `512Mi`, `2Gi`, `500M` or a number of bytes")]
    Size(String),
    /// Not an amount of processor time.
    #[error("`{0}` is not an amount of CPU: write for example `500m`, `0.5` or `2`")]
    Cpu(String),
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByteSize(pub u64);

const SIZE_UNITS: [(&str, u64); 12] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("", 1),
];

impl ByteSize {
    /// From mebibytes.
    pub const fn from_mib(mib: u64) -> Self {
        Self(mib << 20)
    }

    /// The number of bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let error = || QuantityError::Size(text.to_owned());
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number: u64 = text[..digits].parse().map_err(|_| error())?;
        let unit = SIZE_UNITS.iter().find(|(unit, _)| *unit == &text[digits..]).ok_or_else(error)?.1;
        number.checked_mul(unit).filter(|bytes| *bytes > 0).map(Self).ok_or_else(error)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        for (unit, size) in binary {
            if self.0 >= size {
                return if self.0.is_multiple_of(size) {
                    write!(f, "{} {unit}", self.0 / size)
                } else {
                    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
                    let value = self.0 as f64 / size as f64;
                    write!(f, "{value:.1} {unit}")
                };
            }
        }
        write!(f, "{} B", self.0)
    }
}

/// Processor time in thousandths of a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CpuQuantity {
    millicores: u32,
}

impl CpuQuantity {
    /// From thousandths of a core.
    pub const fn from_millicores(millicores: u32) -> Self {
        Self { millicores }
    }

    /// Thousandths of a core.
    pub const fn millicores(self) -> u32 {
        self.millicores
    }
}

impl FromStr for CpuQuantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let error = || QuantityError::Cpu(text.to_owned());
        let millicores = match text.strip_suffix('m') {
            Some(number) => number.parse::<u32>().map_err(|_| error())?,
            None => {
                let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
                if fraction.is_empty() || fraction.len() > 3 {
                    return Err(error());
                }
                let whole: u32 = whole.parse().map_err(|_| error())?;
                let fraction: u32 = format!("{fraction:0<3}").parse().map_err(|_| error())?;
                whole.checked_mul(1_000).and_then(|w| w.checked_add(fraction)).ok_or_else(error)?
            }
        };
        if millicores == 0 { Err(error()) } else { Ok(Self { millicores }) }
    }
}

impl fmt::Display for CpuQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.millicores.is_multiple_of(1_000) {
            write!(f, "{}", self.millicores / 1_000)
        } else {
            write!(f, "{}m", self.millicores)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_parse_in_both_families() {
        for (text, bytes) in [("512Mi", 512 << 20), ("2Gi", 2 << 30), ("500M", 500_000_000), ("1024", 1024)] {
            assert_eq!(text.parse::<ByteSize>().expect(text).as_bytes(), bytes);
        }
        for bad in ["", "Mi", "-1", "5 Mi", "5mb", "0", "1.5Gi"] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn cpu_parses_whole_decimal_and_milli() {
        for (text, millicores) in [("2", 2000), ("0.5", 500), ("1.25", 1250), ("500m", 500)] {
            assert_eq!(text.parse::<CpuQuantity>().expect(text).millicores(), millicores);
        }
        for bad in ["", "m", "-1", "0", "0m", "1.", "1.2345", "two"] {
            assert!(bad.parse::<CpuQuantity>().is_err(), "{bad:?}");
        }
    }
}
