//! A Rust file taken apart just far enough for the rules: code without its strings and comments, the strings,
//! and which lines are tests. Not a parser: it knows tokens that hide others, and braces.

/// A Rust file, taken apart.
pub(crate) struct Source {
    /// The code, line by line, with the insides of strings and all comments blanked.
    pub(crate) code: Vec<String>,
    /// String literals with the line on which they begin, counted from 1.
    pub(crate) strings: Vec<(usize, String)>,
    /// Per line: is it inside something marked `#[cfg(test)]`?
    pub(crate) tests: Vec<bool>,
}

impl Source {
    /// Takes `text` apart.
    pub(crate) fn new(text: &str) -> Self {
        let mut lexer = Lexer { rest: text, line: 1, code: String::new(), strings: vec![] };
        while !lexer.rest.is_empty() {
            lexer.token();
        }
        let code: Vec<String> = lexer.code.lines().map(str::to_owned).collect();
        let tests = test_lines(&code);
        Self { code, strings: lexer.strings, tests }
    }

    /// Lines that hold code, with and without tests.
    pub(crate) fn lines_of_code(&self) -> (usize, usize) {
        let held = |line: &&String| !line.trim().is_empty();
        let product = self.code.iter().zip(&self.tests).filter(|(line, test)| held(line) && !**test).count();
        (self.code.iter().filter(held).count(), product)
    }

    /// The code of each line that is not a test, with its number.
    pub(crate) fn product_code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.all_code().filter(|(line, _)| !self.tests[line - 1])
    }

    /// The code of each line with its number.
    pub(crate) fn all_code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.iter().enumerate().map(|(index, code)| (index + 1, code.as_str()))
    }
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    code: String,
    strings: Vec<(usize, String)>,
}

impl Lexer<'_> {
    fn token(&mut self) {
        if self.rest.starts_with("//") {
            let length = self.rest.find('\n').unwrap_or(self.rest.len());
            self.blank(length);
        } else if self.rest.starts_with("/*") {
            self.blank(block_comment_length(self.rest));
        } else if let Some((prefix, hashes)) = raw_string_start(self.rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            let inside = &self.rest[prefix..];
            let length = inside.find(&end).unwrap_or(inside.len());
            self.literal(prefix, length, end.len().min(inside.len() - length));
        } else if self.rest.starts_with('"') {
            let length = escaped_length(&self.rest[1..], '"');
            self.literal(1, length, 1.min(self.rest.len() - 1 - length));
        } else if let Some(length) = char_length(self.rest) {
            self.blank(length);
        } else {
            self.keep();
        }
    }

    /// An identifier as a whole (so that the `r` of `bar"` starts no raw string), or one character.
    fn keep(&mut self) {
        let word = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let length = if word > 0 { word } else { self.rest.chars().next().map_or(0, char::len_utf8) };
        let kept = &self.rest[..length];
        self.line += kept.matches('\n').count();
        self.code.push_str(kept);
        self.rest = &self.rest[length..];
    }

    fn blank(&mut self, length: usize) {
        for c in self.rest[..length].chars() {
            self.line += usize::from(c == '\n');
            self.code.push(if c == '\n' { '\n' } else { ' ' });
        }
        self.rest = &self.rest[length..];
    }

    fn literal(&mut self, before: usize, length: usize, after: usize) {
        self.strings.push((self.line, self.rest[before..before + length].to_owned()));
        // A quote stays on either side: a line that only continues a string holds no code, its ends do.
        self.blank(before - 1);
        self.code.push('"');
        self.rest = &self.rest[1..];
        self.blank(length);
        if after > 0 {
            self.code.push('"');
            self.rest = &self.rest[after..];
        }
    }
}

fn block_comment_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of `r#"` with its prefixes and the number of its hashes.
fn raw_string_start(text: &str) -> Option<(usize, usize)> {
    let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
        let after = text.strip_prefix(prefix);
        after.is_some_and(|after| after.trim_start_matches('#').starts_with('"'))
    })?;
    let hashes = text[prefix.len()..].chars().take_while(|c| *c == '#').count();
    Some((prefix.len() + hashes + 1, hashes))
}

/// The bytes before the next `end` that no backslash escapes.
fn escaped_length(text: &str, end: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == end {
            return at;
        }
    }
    text.len()
}

/// The length of a character literal, none for a lifetime.
fn char_length(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    if first == '\\' {
        return Some(2 + escaped_length(inside, '\''));
    }
    inside[first.len_utf8()..].starts_with('\'').then(|| 2 + first.len_utf8())
}

/// Marks what follows `#[cfg(test)]`: up to the end of its braces, or of its statement.
fn test_lines(code: &[String]) -> Vec<bool> {
    let mut marks = vec![false; code.len()];
    let mut line = 0;
    while line < code.len() {
        if !code[line].contains("#[cfg(test)]") {
            line += 1;
            continue;
        }
        let end = end_of_item(code, line);
        marks[line..=end].fill(true);
        line = end + 1;
    }
    marks
}

fn end_of_item(code: &[String], start: usize) -> usize {
    let mut depth = 0_i32;
    for (offset, line) in code[start..].iter().enumerate() {
        let mut ended = false;
        for c in line.chars() {
            match c {
                '{' => depth += 1,
                '}' => {
                    depth -= 1;
                    ended |= depth == 0;
                }
                ';' => ended |= depth == 0,
                _ => {}
            }
        }
        if ended && depth == 0 {
            return start + offset;
        }
    }
    code.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, code: &str, strings: &[(usize, &str)]) {
        let owned = |list: &[(usize, &str)]| -> Vec<(usize, String)> {
            list.iter().map(|(line, text)| (*line, (*text).to_owned())).collect()
        };
        let source = Source::new(text);
        assert_eq!(source.code.join("\n"), code, "code of {text}");
        assert_eq!(source.strings, owned(strings), "strings of {text}");
    }

    #[test]
    fn strings_and_comments_are_taken_out_of_the_code() {
        check("let a = \"b\"; // c", "let a = \" \";     ", &[(1, "b")]);
        check("f(\"a\\\"b\")", "f(\"    \")", &[(1, "a\\\"b")]);
        check("f(r#\"a\"b\"#)", "f(  \"   \")", &[(1, "a\"b")]);
        check("bar\"a\"", "bar\" \"", &[(1, "a")]);
        check("/* a /* b */ c */ d", "                  d", &[]);
        check("'\"' x 'a", "    x 'a", &[]);
        check("'\\'' x", "     x", &[]);
        check("a\n\"b\nc\" d", "a\n\" \n \" d", &[(2, "b\nc")]);
    }

    #[test]
    fn a_test_module_ends_with_its_brace() {
        let source = Source::new("fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n");
        assert_eq!(source.tests, [false, true, true, true, true, false]);
        assert_eq!(source.lines_of_code(), (6, 2));
    }

    #[test]
    fn a_test_module_in_another_file_ends_with_its_semicolon() {
        let source = Source::new("#[cfg(test)]\nmod tests;\nfn c() {}\n");
        assert_eq!(source.tests, [true, true, false]);
    }

    #[test]
    fn blank_and_comment_lines_are_no_code() {
        assert_eq!(Source::new("//! a\n\n/// b\nfn c() {}\n").lines_of_code(), (1, 1));
    }
}
