//! Where templates stand in a file, so that a problem inside one is shown at its own line.

use crate::{
    report::{Report, Span},
    template,
    yaml::{Data, Node, Style},
};

/// One template.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// Which key, such as `script` or `input.name`.
    pub(crate) place: String,
    pub(crate) text: String,
    span: Span,
    style: Style,
}

impl Site {
    /// The template in a node; none when the node has none.
    pub(crate) fn of(place: &str, node: &Node) -> Option<Self> {
        match &node.data {
            Data::Text(text, style) if template::is_template(text) => {
                Some(Self { place: place.to_owned(), text: text.clone(), span: node.span, style: *style })
            }
            _ => None,
        }
    }

    /// The place of a byte of the template, with a length in characters.
    pub(crate) fn at(&self, report: &Report<'_>, offset: usize, length: usize) -> Span {
        let offset =
            (0..=offset.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
        let before = &self.text[..offset];
        let line = before.matches('\n').count();
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let content = self.text[start..].lines().next().unwrap_or("");
        // The parser's place of a block is its first line that is not empty.
        let empty_before = match self.style {
            Style::Literal | Style::Folded => self.text.len() - self.text.trim_start_matches('\n').len(),
            Style::Plain | Style::Quoted => line,
        };
        let file_line = (self.span.line as usize + line).saturating_sub(empty_before);
        let file_line = u32::try_from(file_line).unwrap_or(u32::MAX);
        let candidate = Span { line: file_line, column: 1, ..self.span };
        let source = report.line(candidate);
        let Some(found) = source.find(content).filter(|_| !content.is_empty()) else { return self.span };
        let column = source[..found].chars().count() + self.text[start..offset].chars().count() + 1;
        Span {
            column: u32::try_from(column).unwrap_or(u32::MAX),
            length: u32::try_from(length).unwrap_or(1),
            ..candidate
        }
    }
}

/// The templates inside a value, each with its place.
pub(crate) fn collect(place: &str, node: &Node, found: &mut Vec<Site>) {
    match &node.data {
        Data::Text(..) => found.extend(Site::of(place, node)),
        Data::List(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(&format!("{place}[{index}]"), item, found);
            }
        }
        Data::Map(entries) => {
            for entry in entries {
                collect(&format!("{place}.{}", entry.key), &entry.value, found);
            }
        }
        Data::Null | Data::Bool(..) | Data::Number(..) => {}
    }
}
