//! YAML text to a tree in which every value knows its place. It knows nothing of keys and kinds.

use std::{collections::HashMap, sync::Arc};

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::problem::{Place, Problem};

/// Bytes of a configuration file.
const FILE_BYTES: usize = 1 << 20;
/// Nesting of maps and lists.
const DEPTH: usize = 32;
/// Values after aliases are expanded.
const NODES: usize = 100_000;

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) data: Data,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(crate) enum Data {
    /// A scalar as it is spelled; `plain` when it has no quotes.
    Scalar {
        text: String,
        plain: bool,
    },
    /// The text of a variable, which takes its kind from the key.
    Variable(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value. Keys of one map differ.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) value: Node,
}

impl Node {
    pub(crate) fn empty_map(place: Place) -> Self {
        Self { place, data: Data::Map(Vec::new()) }
    }

    /// `null`, `~` or nothing at all.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.data, Data::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    pub(crate) fn describe(&self) -> &'static str {
        match &self.data {
            _ if self.is_null() => "nothing",
            Data::Scalar { plain: false, .. } => "a quoted text",
            Data::Scalar { text, .. } if matches!(text.as_str(), "true" | "false") => "a boolean",
            Data::Scalar { text, .. } if text.parse::<f64>().is_ok() => "a number",
            Data::Scalar { .. } => "a text",
            Data::Variable(_) => "the variable's text",
            Data::List(_) => "a list",
            Data::Map(_) => "a map",
        }
    }
}

/// Reads a file's YAML. An empty text is an empty map.
pub(crate) fn parse(text: &str, file: &Arc<str>, problems: &mut Vec<Problem>) -> Node {
    let root = parse_value(text, file, problems);
    if root.is_null() { Node::empty_map(root.place) } else { root }
}

/// Reads one YAML value; an empty map when there is a problem.
pub(crate) fn parse_value(text: &str, file: &Arc<str>, problems: &mut Vec<Problem>) -> Node {
    let place = |line, column| Place::File { file: Arc::clone(file), line, column };
    let nothing = Node::empty_map(place(1, 1));
    if text.len() > FILE_BYTES {
        problems.push(Problem::new(
            place(1, 1),
            format!("a configuration can have {} KiB at most", FILE_BYTES >> 10),
        ));
        return nothing;
    }
    let mut builder =
        Builder { place: &place, open: Vec::new(), root: None, anchors: HashMap::new(), nodes: 0 };
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let taken = match event {
            Ok((Event::DocumentStart(_), span)) => {
                documents += 1;
                let second =
                    || Problem::new(builder.at(span), "a second YAML document starts here; only one is read");
                if documents > 1 { Err(second()) } else { Ok(()) }
            }
            Ok((event, span)) => builder.event(event, span, problems),
            Err(error) => {
                let at = place(error.marker().line(), error.marker().col() + 1);
                Err(Problem::new(at, format!("this is not YAML: {}", error.info())))
            }
        };
        if let Err(problem) = taken {
            problems.push(problem);
            return nothing;
        }
    }
    builder.root.unwrap_or(nothing)
}

struct Open {
    node: Node,
    anchor: usize,
    key: Option<(String, Place)>,
}

struct Builder<'a> {
    place: &'a dyn Fn(usize, usize) -> Place,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl Builder<'_> {
    fn at(&self, span: Span) -> Place {
        (self.place)(span.start.line(), span.start.col() + 1)
    }

    fn event(&mut self, event: Event<'_>, span: Span, problems: &mut Vec<Problem>) -> Result<(), Problem> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = matches!(style, ScalarStyle::Plain);
                let node =
                    Node { place: self.at(span), data: Data::Scalar { text: text.into_owned(), plain } };
                self.add(node, anchor, problems)
            }
            Event::SequenceStart(anchor, _) => self.begin(Data::List(Vec::new()), anchor, span),
            Event::MappingStart(anchor, _) => self.begin(Data::Map(Vec::new()), anchor, span),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.add(open.node, open.anchor, problems),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let unknown = || Problem::new(self.at(span), "this alias has no value before it");
                let mut node = self.anchors.get(&anchor).cloned().ok_or_else(unknown)?;
                node.place = self.at(span);
                self.count(&node)?;
                self.add(node, 0, problems)
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn begin(&mut self, data: Data, anchor: usize, span: Span) -> Result<(), Problem> {
        let place = self.at(span);
        if self.open.len() >= DEPTH {
            return Err(Problem::new(place, format!("maps and lists can be nested {DEPTH} deep at most")));
        }
        if self.open.last().is_some_and(|open| matches!(open.node.data, Data::Map(_)) && open.key.is_none()) {
            return Err(Problem::new(place, "a key must be a text, not a map or a list"));
        }
        self.open.push(Open { node: Node { place, data }, anchor, key: None });
        Ok(())
    }

    fn count(&mut self, node: &Node) -> Result<(), Problem> {
        self.nodes += size(node);
        if self.nodes > NODES {
            return Err(Problem::new(
                node.place.clone(),
                format!("a configuration can have {NODES} values at most"),
            ));
        }
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize, problems: &mut Vec<Problem>) -> Result<(), Problem> {
        if anchor > 0 {
            self.count(&node)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.node.data {
            Data::List(items) => items.push(node),
            Data::Map(entries) => match (open.key.take(), node.data) {
                (Some((name, place)), data) => {
                    if let Some(first) = entries.iter().find(|entry| entry.name == name) {
                        let message = format!("`{name}` is written twice, first at {}", first.place);
                        problems.push(Problem::new(place, message).suggest("remove one of the two"));
                    } else {
                        entries.push(Entry { name, place, value: Node { place: node.place, data } });
                    }
                }
                (None, Data::Scalar { text, .. }) => open.key = Some((text, node.place)),
                (None, _) => return Err(Problem::new(node.place, "a key must be a text")),
            },
            Data::Scalar { .. } | Data::Variable(_) => {}
        }
        Ok(())
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.data {
        Data::List(items) => items.iter().map(size).sum(),
        Data::Map(entries) => entries.iter().map(|entry| size(&entry.value)).sum(),
        Data::Scalar { .. } | Data::Variable(_) => 0,
    }
}
