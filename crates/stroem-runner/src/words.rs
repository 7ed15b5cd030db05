//! Splits an `interpreter:` into words as a shell would, without anything that a shell would expand. The same for all
//! runners.

/// Why a text has no words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// There is none.
    #[error("it names no program")]
    Empty,
    /// A quote has no partner.
    #[error("a quote is not closed")]
    OpenQuote,
}

/// Words are divided by blanks; `'...'` and `"..."` hold blanks, `\` takes the next character as it is, except inside
/// `'...'`.
///
/// # Errors
/// [`WordsError`].
pub fn split(text: &str) -> Result<Vec<String>, WordsError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => {
                let next = characters.next().ok_or(WordsError::OpenQuote)?;
                word.get_or_insert_default().push(next);
            }
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    match (quote, words.is_empty()) {
        (Some(_), _) => Err(WordsError::OpenQuote),
        (None, true) => Err(WordsError::Empty),
        (None, false) => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_in_a_shell() {
        for (text, words) in [
            ("python3", &["python3"][..]),
            ("  python3   -u ", &["python3", "-u"]),
            (r#""/opt/my tools/py" -c 'a "b"'"#, &["/opt/my tools/py", "-c", "a \"b\""]),
            (r"a\ b c", &["a b", "c"]),
            (r#"x "" y"#, &["x", "", "y"]),
            (r#"pre"fix ed""#, &["prefix ed"]),
        ] {
            assert_eq!(
                split(text).as_deref(),
                Ok(words.iter().map(ToString::to_string).collect::<Vec<_>>().as_slice())
            );
        }
    }

    #[test]
    fn nothing_and_open_quotes_are_refused() {
        for (text, error) in
            [("", WordsError::Empty), (" ", WordsError::Empty), ("a 'b", WordsError::OpenQuote)]
        {
            assert_eq!(split(text), Err(error), "{text:?}");
        }
    }
}
