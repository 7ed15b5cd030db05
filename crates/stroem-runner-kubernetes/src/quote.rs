//! Texts as words of a shell.

/// One word that a shell takes for exactly this text.
pub(crate) fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Words after each other.
pub(crate) fn words<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    texts.into_iter().map(|text| word(text.as_ref())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_expanded() {
        assert_eq!(
            words(["a b", "", "$HOME", "it's", "line\nbreak"]),
            "'a b' '' '$HOME' 'it'\\''s' 'line\nbreak'"
        );
    }
}
