//! Events of the YAML parser to a tree, within the limits on depth and nodes. Anchors are copied where their aliases
//! stand; merge keys are applied; a key written twice is a problem that names both places.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span as Range, Tag};
use stroem_core::limits;

use super::{Data, Entry, Node, Style, scalar};
use crate::report::{Report, Span};

/// What could be read of a file.
pub(crate) struct Parsed {
    /// The tree; up to the problem when the text is broken in the middle.
    pub(crate) root: Option<Node>,
    /// Whether the tree is all of the file.
    pub(crate) whole: bool,
}

/// Reads one file. Problems go to the report.
pub(crate) fn parse(file: u32, text: &str, report: &mut Report<'_>) -> Parsed {
    if text.len() as u64 > limits::WORKFLOW_FILE.as_bytes() {
        let span = Span { file, line: 1, column: 1, length: 1 };
        report.error(
            span,
            "file_too_large",
            format!("a workflow file can have {} at most", limits::WORKFLOW_FILE),
        );
        return Parsed { root: None, whole: false };
    }
    let mut builder =
        Builder { file, report, open: Vec::new(), root: None, anchors: HashMap::new(), nodes: 0 };
    let mut documents = 0;
    let mut whole = true;
    for event in Parser::new_from_str(text) {
        let (event, range) = match event {
            Ok(next) => next,
            Err(error) => {
                builder.scan_error(&error);
                whole = false;
                break;
            }
        };
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
            if documents == 2 {
                let span = builder.span(range);
                let message = "a workflow file is one YAML document, and a second one starts here";
                let help = "remove the `---`, or put the second document into its own file";
                builder.report.error_with(span, "several_documents", message, Some(help.to_owned()));
                whole = false;
                break;
            }
        }
        if builder.event(event, range).is_err() {
            whole = false;
            break;
        }
    }
    builder.close_all();
    Parsed { root: builder.root, whole }
}

/// A reported problem after which reading on makes no sense.
struct Stop;

/// A map or list whose end has not been read.
struct Open {
    node: Node,
    anchor: usize,
    nodes_before: usize,
    /// For maps: the keys so far, a key that waits for its value, and maps to merge in.
    keys: HashMap<String, Span>,
    key: Option<(String, Span, bool)>,
    merges: Vec<Node>,
}

struct Builder<'r, 'f> {
    file: u32,
    report: &'r mut Report<'f>,
    open: Vec<Open>,
    root: Option<Node>,
    /// Finished anchored nodes with their number of nodes; `None` while they are open.
    anchors: HashMap<usize, Option<(Node, usize)>>,
    nodes: usize,
}

impl Builder<'_, '_> {
    fn event(&mut self, event: Event<'_>, range: Range) -> Result<(), Stop> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let node = self.scalar(&text, style, tag.as_deref(), range);
                self.count(1, node.span)?;
                self.anchor(anchor, &node, 1);
                self.add(node)
            }
            Event::SequenceStart(anchor, tag) => {
                self.collection(Data::List(Vec::new()), anchor, tag.as_deref(), range)
            }
            Event::MappingStart(anchor, tag) => {
                self.collection(Data::Map(Vec::new()), anchor, tag.as_deref(), range)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => self.alias(id, range),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, range: Range) -> Node {
        let span = self.span(range);
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        let as_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
        if let Some(tag) = tag.filter(|_| !as_text) {
            self.unknown_tag(tag, span);
        }
        let data = match style {
            Style::Plain if !as_text => scalar::resolve(text),
            style => Data::Text(text.to_owned(), style),
        };
        Node { span, data }
    }

    fn unknown_tag(&mut self, tag: &Tag, span: Span) {
        let help = "only `!!str` is known; remove the tag".to_owned();
        self.report.error_with(span, "unknown_tag", format!("`{tag}` is not a known YAML tag"), Some(help));
    }

    fn collection(&mut self, data: Data, anchor: usize, tag: Option<&Tag>, range: Range) -> Result<(), Stop> {
        let node = Node { span: self.span(range), data };
        if let Some(tag) = tag {
            self.unknown_tag(tag, node.span);
        }
        self.count(1, node.span)?;
        if self.open.len() >= limits::YAML_DEPTH {
            let message = format!("maps and lists can be nested {} deep at most", limits::YAML_DEPTH);
            self.report.error(node.span, "too_deep", message);
            return Err(Stop);
        }
        if self.open.last().is_some_and(|open| matches!(open.node.data, Data::Map(_)) && open.key.is_none()) {
            return self.complex_key(node.span);
        }
        if anchor > 0 {
            self.anchors.insert(anchor, None);
        }
        let nodes_before = self.nodes - 1;
        let keys = HashMap::new();
        self.open.push(Open { node, anchor, nodes_before, keys, key: None, merges: Vec::new() });
        Ok(())
    }

    fn complex_key(&mut self, span: Span) -> Result<(), Stop> {
        let line = self.report.quotable(span).unwrap_or_default();
        if self.report.line(span).contains("{{") {
            let message = "a value that starts with `{{` must be quoted, or YAML reads it as a map";
            let help = quoted_template(line);
            self.report.error_with(span, "template_not_quoted", message, help);
        } else {
            self.report.error(span, "key_not_text", "a key must be a text, not a map or a list");
        }
        Err(Stop)
    }

    fn alias(&mut self, id: usize, range: Range) -> Result<(), Stop> {
        let span = self.span(range);
        let Some(Some((node, size))) = self.anchors.get(&id) else {
            self.report.error(
                span,
                "alias_in_itself",
                "this alias stands inside the value that it refers to",
            );
            return Err(Stop);
        };
        let (mut node, size) = (node.clone(), *size);
        node.span = span;
        self.count(size, span)?;
        if self.open.len() + depth(&node) > limits::YAML_DEPTH {
            let message = format!("maps and lists can be nested {} deep at most", limits::YAML_DEPTH);
            self.report.error(span, "too_deep", message);
            return Err(Stop);
        }
        self.add(node)
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Stop> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > limits::YAML_NODES {
            let message =
                format!("a workflow file can have {} values at most, aliases expanded", limits::YAML_NODES);
            self.report.error(span, "too_many_values", message);
            return Err(Stop);
        }
        Ok(())
    }

    fn anchor(&mut self, anchor: usize, node: &Node, size: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, Some((node.clone(), size)));
        }
    }

    /// Puts a finished node where it belongs: as a key, a value, an item or the root.
    fn add(&mut self, node: Node) -> Result<(), Stop> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.node.data {
            Data::List(items) => items.push(node),
            Data::Map(entries) => match open.key.take() {
                None => {
                    let merge = matches!(&node.data, Data::Text(text, Style::Plain) if text == "<<");
                    let Some(key) = node.as_scalar() else {
                        let message = "a key must be a text";
                        self.report.error(node.span, "key_not_text", message);
                        return Err(Stop);
                    };
                    open.key = Some((key.to_owned(), node.span, merge));
                }
                Some((_, _, true)) => open.merges.push(node),
                Some((key, span, false)) => {
                    if let Some(first) = open.keys.get(&key) {
                        let message = format!(
                            "`{key}` is written twice in this map, first at {}",
                            self.report.place(*first)
                        );
                        let help = "remove one of the two or rename it".to_owned();
                        self.report.error_with(span, "duplicate_key", message, Some(help));
                    } else {
                        open.keys.insert(key.clone(), span);
                        entries.push(Entry { key, span, value: node });
                    }
                }
            },
            Data::Null | Data::Bool(..) | Data::Number(..) | Data::Text(..) => {}
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Stop> {
        let Some(mut open) = self.open.pop() else { return Ok(()) };
        for merge in std::mem::take(&mut open.merges) {
            self.merge(&mut open, merge);
        }
        let size = self.nodes - open.nodes_before;
        if open.anchor > 0 {
            // The copy that aliases are made from counts too.
            self.count(size, open.node.span)?;
        }
        self.anchor(open.anchor, &open.node, size);
        self.add(open.node)
    }

    /// `<<: *defaults`: adds the keys that the map does not write itself.
    fn merge(&mut self, open: &mut Open, merge: Node) {
        let sources = match merge.data {
            Data::List(items) => items,
            _ => vec![merge],
        };
        let Data::Map(entries) = &mut open.node.data else { return };
        let mut present: HashSet<String> = open.keys.keys().cloned().collect();
        for source in sources {
            let Data::Map(merged) = source.data else {
                let message = "`<<` takes a map or a list of maps";
                self.report.error(source.span, "wrong_type", message);
                continue;
            };
            entries.extend(merged.into_iter().filter(|entry| present.insert(entry.key.clone())));
        }
    }

    /// After a problem in the middle: what was read so far becomes the tree.
    fn close_all(&mut self) {
        while let Some(open) = self.open.last_mut() {
            open.key = None;
            if self.close().is_err() {
                break;
            }
        }
    }

    fn scan_error(&mut self, error: &ScanError) {
        let marker = error.marker();
        let span = Span {
            file: self.file,
            line: narrow(marker.line()),
            column: narrow(marker.col() + 1),
            length: 1,
        };
        let line = self.report.quotable(span).unwrap_or_default();
        let help = if line.contains("{{") || line.contains("{%") {
            quoted_template(line)
        } else if line.trim_start_matches(' ').starts_with('\t') {
            Some("indent with spaces; YAML does not allow tabs there".to_owned())
        } else if let Some((key, value)) =
            colon_in_value(line).filter(|_| error.info().contains("mapping values"))
        {
            let quote = if value.contains('"') { '\'' } else { '"' };
            Some(format!("a text with `: ` in it needs quotes: `{key}: {quote}{value}{quote}`"))
        } else if let Some(open) = self.open.last().filter(|_| error.info().contains("flow ")) {
            let close = if matches!(open.node.data, Data::List(_)) { ']' } else { '}' };
            Some(format!("close with `{close}` what begins at {}", self.report.place(open.node.span)))
        } else {
            None
        };
        self.report.error_with(span, "yaml_syntax", format!("this is not YAML: {}", error.info()), help);
    }

    fn span(&self, range: Range) -> Span {
        let (start, end) = (range.start, range.end);
        let length = if end.line() == start.line() { end.col().saturating_sub(start.col()) } else { 1 };
        Span {
            file: self.file,
            line: narrow(start.line()),
            column: narrow(start.col() + 1),
            length: narrow(length.max(1)),
        }
    }
}

/// A line's key and value when the value has `: ` in it. Values of secrets are not repeated.
fn colon_in_value(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.trim().split_once(": ")?;
    let secret = ["secret", "password", "token"].iter().any(|word| key.to_lowercase().contains(word));
    (value.contains(": ") && !secret && !value.starts_with(['"', '\'', '{', '[', '|', '>']))
        .then_some((key, value))
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The line with its template in quotes, as a suggestion.
fn quoted_template(line: &str) -> Option<String> {
    let start = line.find("{{").or_else(|| line.find("{%"))?;
    let value = line[start..].trim_end();
    let quote = if value.contains('"') { '\'' } else { '"' };
    Some(format!("write `{}{quote}{value}{quote}`", line[..start].trim_start()))
}

fn depth(node: &Node) -> usize {
    match &node.data {
        Data::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Data::Map(entries) => 1 + entries.iter().map(|entry| depth(&entry.value)).max().unwrap_or(0),
        Data::Null | Data::Bool(..) | Data::Number(..) | Data::Text(..) => 0,
    }
}
