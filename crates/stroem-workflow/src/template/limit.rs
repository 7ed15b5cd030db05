//! Bounds on the shape of a template, checked on its tokens before it is parsed: the engine walks expressions by
//! recursion, so that a very long one would exhaust the stack, which no error can catch.

use minijinja::machinery::{Token, tokenize};

use super::{TemplateError, syntax};

/// Operators, filters, attributes and calls in one `{{ }}` or `{% %}`: each may nest the expression one deeper.
const OPERATORS_MAX: usize = 250;
/// Brackets and filters in all statements that name a value (`set`, `with`, `for`) of one template: each may nest the
/// value one deeper.
const NESTING_MAX: usize = 250;
/// `elif` branches in one template: each nests the statement one deeper.
const BRANCHES_MAX: usize = 100;

/// Refuses a template that is too deep to be worked on. Syntax errors are left to the parser.
pub(super) fn check(text: &str) -> Result<(), TemplateError> {
    if text.len() <= OPERATORS_MAX {
        return Ok(());
    }
    let (mut operators, mut branches, mut nesting) = (0, 0, 0);
    let (mut starts, mut names_value) = (false, false);
    for (token, span) in tokenize(text, false, syntax()).map_while(Result::ok) {
        match token {
            Token::TemplateData(_)
            | Token::VariableStart
            | Token::VariableEnd
            | Token::BlockStart
            | Token::BlockEnd => {
                operators = 0;
                names_value = false;
            }
            Token::Ident(word) if starts => {
                branches += usize::from(word == "elif");
                names_value = matches!(word, "set" | "with" | "for");
            }
            Token::Ident(word) if !matches!(word, "not" | "is" | "and" | "or" | "in" | "if" | "else") => {}
            Token::Str(_)
            | Token::String(_)
            | Token::Int(_)
            | Token::Int128(_)
            | Token::Float(_)
            | Token::Comma => {}
            Token::BracketOpen | Token::BraceOpen | Token::ParenOpen | Token::Pipe => {
                operators += 1;
                nesting += usize::from(names_value);
            }
            _ => operators += 1,
        }
        starts = matches!(token, Token::BlockStart);
        if operators > OPERATORS_MAX || branches > BRANCHES_MAX || nesting > NESTING_MAX {
            let message = format!(
                "the template is too complex: one expression can have {OPERATORS_MAX} operators, filters and attributes, \
                 one template {NESTING_MAX} brackets in `set`, `with` and `for`, and {BRANCHES_MAX} `elif` branches"
            );
            let line = Some(usize::from(span.start_line));
            return Err(TemplateError { message, line, offset: Some(span.start_offset as usize) });
        }
    }
    Ok(())
}
