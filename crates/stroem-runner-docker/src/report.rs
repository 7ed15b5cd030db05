//! What a script left behind in its container: its output file and the wrapper's notes.

use std::io::Read;

use bollard::{Docker, query_parameters::DownloadFromContainerOptions};
use futures_util::StreamExt;
use stroem_core::{ByteSize, limits};

use crate::wrapper::RESULT;

/// Notes longer than this are cut.
const NOTES: u64 = 64 << 10;
/// Beside the two files: headers and padding.
const FRAMING: usize = 16 << 10;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// What `STROEM_OUTPUT` holds, at most one byte more than the limit.
    pub(crate) output: Option<Vec<u8>>,
    /// Processes that were still running, in words.
    pub(crate) left: Vec<String>,
    /// The most memory that the container held.
    pub(crate) peak: Option<ByteSize>,
    /// Why the script was not run at all.
    pub(crate) refused: Option<String>,
}

/// Fetches it. What cannot be fetched is not there: the container may have been killed before it wrote anything.
pub(crate) async fn fetch(docker: &Docker, container: &str) -> Report {
    let options = DownloadFromContainerOptions { path: RESULT.to_owned() };
    let mut parts = docker.download_from_container(container, Some(options));
    let mut archive = Vec::new();
    let most = usize::try_from(limits::STEP_OUTPUT.as_bytes() + NOTES).unwrap_or(usize::MAX) + FRAMING;
    while archive.len() < most {
        match parts.next().await {
            Some(Ok(part)) => archive.extend_from_slice(&part),
            Some(Err(_)) | None => break,
        }
    }
    read(&archive)
}

fn read(archive: &[u8]) -> Report {
    let mut report = Report::default();
    let mut archive = tar::Archive::new(archive);
    let Ok(entries) = archive.entries() else { return report };
    // A cut archive ends with an error, and everything before it counts.
    for entry in entries.map_while(Result::ok) {
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        match path.as_str() {
            "result/output" => report.output = output(entry),
            "result/report" => {
                let mut text = Vec::new();
                // What can be read of it counts.
                let _ = entry.take(NOTES).read_to_end(&mut text);
                notes(&String::from_utf8_lossy(&text), &mut report);
            }
            _ => {}
        }
    }
    report
}

fn output(entry: impl Read) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    // An output over the limit is cut here, and whoever frames the line sees that it is.
    let _ = entry.take(limits::STEP_OUTPUT.as_bytes() + 1).read_to_end(&mut text);
    let end = text.trim_ascii_end().len();
    text.truncate(end);
    (!text.is_empty()).then_some(text)
}

fn notes(text: &str, report: &mut Report) {
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "left" => report.left.push(rest.to_owned()),
            "peak" => report.peak = rest.trim().parse().ok().map(ByteSize),
            "refused" => report.refused = Some(rest.to_owned()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            builder.append_data(&mut header, path, text.as_bytes()).expect("appended");
        }
        builder.into_inner().expect("written")
    }

    #[test]
    fn output_and_notes_are_found() {
        let files = [
            ("result/output", "{\n}\n\n"),
            ("result/report", "left 7 (sleep 1000)\npeak 4096\nother\n"),
            ("result/else", "x"),
        ];
        let expected = Report {
            output: Some(b"{\n}".to_vec()),
            left: vec!["7 (sleep 1000)".to_owned()],
            peak: Some(ByteSize(4096)),
            refused: None,
        };
        assert_eq!(read(&archive(&files)), expected);
        assert_eq!(read(&archive(&[("result/output", " \n")])), Report::default());
        assert_eq!(read(&[]), Report::default());
    }

    #[test]
    fn an_output_over_the_limit_is_seen_to_be_so() {
        let large = "x".repeat(limits::STEP_OUTPUT.as_bytes() as usize + 10_000);
        let whole = archive(&[("result/output", &large)]);
        let report = read(&whole[..whole.len() - 9_000]);
        assert_eq!(report.output.map(|text| text.len()), Some(limits::STEP_OUTPUT.as_bytes() as usize + 1));
    }
}
