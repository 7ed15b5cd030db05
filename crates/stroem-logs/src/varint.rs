//! Whole numbers in seven-bit groups, the lowest first (LEB128); signed ones zigzag. Reading never panics.

/// Appends an unsigned number.
pub(crate) fn write(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number.
pub(crate) fn write_signed(out: &mut Vec<u8>, value: i64) {
    write(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Reads numbers from the front of a slice; `None` when the slice ends too early or a number has too many bits.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    /// The next unsigned number.
    pub(crate) fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for (index, byte) in self.0.iter().enumerate().take(10) {
            let group = u64::from(byte & 0x7F);
            if index == 9 && group > 1 {
                return None;
            }
            value |= group << (7 * index);
            if byte & 0x80 == 0 {
                self.0 = &self.0[index + 1..];
                return Some(value);
            }
        }
        None
    }

    /// The next unsigned number, when it fits.
    pub(crate) fn unsigned_32(&mut self) -> Option<u32> {
        self.unsigned().and_then(|value| u32::try_from(value).ok())
    }

    /// The next signed number.
    pub(crate) fn signed(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_size_come_back() {
        let mut bytes = Vec::new();
        let unsigned = [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX];
        let signed = [0, -1, 1, -64, 64, i64::MIN, i64::MAX];
        unsigned.iter().for_each(|value| write(&mut bytes, *value));
        signed.iter().for_each(|value| write_signed(&mut bytes, *value));
        let mut reader = Reader(&bytes);
        for value in unsigned {
            assert_eq!(reader.unsigned(), Some(value));
        }
        for value in signed {
            assert_eq!(reader.signed(), Some(value));
        }
        assert!(reader.0.is_empty());
    }

    #[test]
    fn short_and_oversized_numbers_are_refused() {
        for bad in
            [&[][..], &[0x80], &[0xFF; 10], &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02]]
        {
            assert_eq!(Reader(bad).unsigned(), None, "{bad:?}");
        }
    }
}
