//! Markdown, as far as the rules and the snippet tests need it: fenced blocks, headings, links.

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fence {
    /// What follows the opening fence, as `sh` or `yaml workflow`.
    pub(crate) info: String,
    /// The line of the opening fence, counted from 1.
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Every fenced block of a document.
pub(crate) fn fences(text: &str) -> Vec<Fence> {
    parts(text)
        .into_iter()
        .filter_map(|part| if let Part::Fence(fence) = part { Some(fence) } else { None })
        .collect()
}

/// The lines outside fenced blocks with inline code blanked, each with its number.
pub(crate) fn prose(text: &str) -> Vec<(usize, String)> {
    parts(text)
        .into_iter()
        .filter_map(
            |part| if let Part::Line(line, text) = part { Some((line, without_code(text))) } else { None },
        )
        .collect()
}

/// The anchors that the headings of a document make.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let lines = parts(text)
        .into_iter()
        .filter_map(|part| if let Part::Line(_, text) = part { Some(text) } else { None });
    lines
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect()
}

/// The targets of the links `[text](target)` of a line.
pub(crate) fn links(line: &str) -> Vec<&str> {
    let mut found = vec![];
    let mut rest = line;
    while let Some(at) = rest.find("](") {
        rest = &rest[at + 2..];
        let Some(end) = rest.find(')') else { break };
        let target = rest[..end].split_whitespace().next().unwrap_or_default();
        found.push(target.trim_start_matches('<').trim_end_matches('>'));
        rest = &rest[end..];
    }
    found
}

enum Part<'a> {
    Line(usize, &'a str),
    Fence(Fence),
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = vec![];
    let mut open: Option<(&str, usize, Fence)> = None;
    for (index, line) in text.lines().enumerate() {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        match &mut open {
            Some((mark, _, _)) if content.starts_with(*mark) && content.trim_end().len() == mark.len() => {
                parts.extend(open.take().map(|(_, _, fence)| Part::Fence(fence)));
            }
            Some((_, outer, fence)) => {
                fence.text.push_str(line.get(indent.min(*outer)..).unwrap_or_default());
                fence.text.push('\n');
            }
            None if content.starts_with("```") || content.starts_with("~~~") => {
                let mark = &content[..3];
                let info = content[3..].trim().to_owned();
                open = Some((mark, indent, Fence { info, line: index + 1, text: String::new() }));
            }
            None => parts.push(Part::Line(index + 1, line)),
        }
    }
    parts.extend(open.map(|(_, _, fence)| Part::Fence(fence)));
    parts
}

fn without_code(line: &str) -> String {
    let pieces: Vec<&str> = line.split('`').collect();
    if pieces.len().is_multiple_of(2) {
        return line.to_owned();
    }
    pieces.iter().step_by(2).copied().collect::<Vec<_>>().join("`")
}

fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_keep_their_info_line_and_text() {
        let text = "a\n```sh\nb\n```\n- c\n  ```yaml workflow\n  d:\n    e\n  ```\n";
        let fence =
            |info: &str, line, text: &str| Fence { info: info.to_owned(), line, text: text.to_owned() };
        assert_eq!(fences(text), [fence("sh", 2, "b\n"), fence("yaml workflow", 6, "d:\n  e\n")]);
    }

    #[test]
    fn prose_has_neither_blocks_nor_inline_code() {
        let text = "a `[b](c)` [d](e)\n```\n[f](g)\n```\n";
        assert_eq!(prose(text), [(1, "a ` [d](e)".to_owned())]);
    }

    #[test]
    fn links_give_their_targets() {
        assert_eq!(links("[a](b) and [c](<d> \"title\"), [e](#f)"), ["b", "d", "#f"]);
        assert_eq!(links("no [link] (here)"), [""; 0]);
    }

    #[test]
    fn headings_make_anchors() {
        assert_eq!(anchors("# A b, `c`!\n```\n# not\n```\n## D-e\n"), ["a-b-c", "d-e"]);
    }
}
