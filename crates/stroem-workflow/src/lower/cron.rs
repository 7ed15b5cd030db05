//! Whether a schedule can be read: its fields and their ranges. When it is due is not the business of the language.

/// One field: its name, range, and the names that may stand for its numbers, from the range's beginning.
struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    names: &'static [&'static str],
    /// Further signs, beside `*`.
    days: bool,
}

const MONTHS: &[&str] = &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: [Field; 6] = [
    Field { name: "second", min: 0, max: 59, names: &[], days: false },
    Field { name: "minute", min: 0, max: 59, names: &[], days: false },
    Field { name: "hour", min: 0, max: 23, names: &[], days: false },
    Field { name: "day of the month", min: 1, max: 31, names: &[], days: true },
    Field { name: "month", min: 1, max: 12, names: MONTHS, days: false },
    Field { name: "day of the week", min: 0, max: 7, names: DAYS, days: true },
];

/// Checks an expression of 5 or 6 fields.
///
/// # Errors
/// What is wrong, as a sentence.
pub(super) fn check(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let fields = match parts.len() {
        5 => &FIELDS[1..],
        6 => &FIELDS[..],
        1 if text.trim().starts_with('@') => {
            return Err(format!("`{}` is an abbreviation that is not known here", text.trim()));
        }
        count => return Err(format!("a schedule has 5 or 6 fields, this one has {count}")),
    };
    for (field, part) in fields.iter().zip(parts) {
        for item in part.split(',') {
            if !field.takes(item) {
                let Field { name, min, max, .. } = field;
                return Err(format!("`{item}` cannot be the {name}, which is from {min} to {max}"));
            }
        }
    }
    Ok(())
}

impl Field {
    fn takes(&self, item: &str) -> bool {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        if step.is_some_and(|step| !number(step).is_some_and(|step| (1..=self.max).contains(&step))) {
            return false;
        }
        match range {
            "*" => true,
            "?" => self.days && step.is_none(),
            _ => match range.split_once('-') {
                Some((from, to)) if from != "L" => self.value(from).is_some_and(|from| {
                    // `FRI-SUN` and `5-7` end on Sunday, which is also the first day.
                    self.value(to).is_some_and(|to| from <= to || (self.max == 7 && to == 0))
                }),
                _ => self.value(range).is_some() || (self.days && step.is_none() && self.is_special(range)),
            },
        }
    }

    fn value(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(index) => self.min + u32::try_from(index).ok()?,
            None => number(text)?,
        };
        (self.min..=self.max).contains(&value).then_some(value)
    }

    /// `L`, `L-3`, `LW`, `15W` of the month; `5L`, `FRI#2` of the week.
    fn is_special(&self, text: &str) -> bool {
        let text = text.to_ascii_uppercase();
        if self.max == 31 {
            let before_last = text.strip_prefix("L-").and_then(number).is_some_and(|days| days < self.max);
            return before_last
                || matches!(text.as_str(), "L" | "LW" | "WL")
                || text.strip_suffix('W').is_some_and(|day| self.value(day).is_some());
        }
        let nth = text.split_once('#').is_some_and(|(day, nth)| {
            self.value(day).is_some() && number(nth).is_some_and(|nth| (1..=5).contains(&nth))
        });
        nth || text == "L" || text.strip_suffix('L').is_some_and(|day| self.value(day).is_some())
    }
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn schedules_of_all_documented_kinds_are_taken() {
        for good in [
            "* * * * *",
            "0 3 * * *",
            "*/5 0-6,22 1,15 JAN-mar MON-FRI",
            "0 0 0 L * ?",
            "0 12 15W * *",
            "0 12 LW * *",
            "0 12 L-3 * *",
            "0 0 * * 5L",
            "0 0 * * FRI#2",
            "30 0 0 1 1 7",
            "0 0 * * FRI-SUN",
            "  5 4 * *   sun ",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_never_comes_or_is_no_schedule_is_refused() {
        for (bad, part) in [
            ("", "this one has 0"),
            ("* * * *", "this one has 4"),
            ("* * * * * * *", "this one has 7"),
            ("@daily", "`@daily` is an abbreviation"),
            ("60 * * * *", "`60` cannot be the minute, which is from 0 to 59"),
            ("* 24 * * *", "`24` cannot be the hour"),
            ("* * 0 * *", "`0` cannot be the day of the month"),
            ("* * * 13 *", "`13` cannot be the month"),
            ("* * * * 8", "`8` cannot be the day of the week"),
            ("* * * * MON#6", "`MON#6`"),
            ("*/0 * * * *", "`*/0`"),
            ("5-1 * * * *", "`5-1`"),
            ("L * * * *", "`L`"),
            ("a * * * *", "`a`"),
            ("1,,2 * * * *", "``"),
            ("+1 * * * *", "`+1`"),
        ] {
            let message = check(bad).expect_err(bad);
            assert!(message.contains(part), "{bad}: {message}");
        }
    }
}
