//! From scan to snapshot, re-using what is known from the snapshot before. Blocking; one caller at a time.

use std::{path::Path, sync::Arc};

use stroem_core::{ByteSize, Revision};

use super::{
    pack::{Facts, Packed, pack, revision_of, tarball_path},
    read::{FileFacts, Root, WorkflowText},
    scan::{Kind, Scan, is_workflow_file, scan},
};
use crate::{FolderOptions, NoteReason, Snapshot, SnapshotNote, SourceError, WorkflowFile};

/// How often everything is looked at again when it changed while it was read. The last round counts either way;
/// what was read is what the revision names.
const ROUNDS: u32 = 3;

/// The state between two snapshots.
#[derive(Debug, Default)]
pub(super) struct Builder {
    last: Option<Built>,
}

#[derive(Debug)]
struct Built {
    scan: Scan,
    facts: Facts,
    snapshot: Arc<Snapshot>,
}

impl Builder {
    /// A snapshot of the present content; the same as before when nothing has changed.
    pub(super) fn refresh(&mut self, options: &FolderOptions) -> Result<Arc<Snapshot>, SourceError> {
        let mut seen = scan(options)?;
        if let Some(last) = &self.last
            && last.is_still(&seen)
        {
            return Ok(last.snapshot.clone());
        }
        let mut vanished = None;
        for _ in 0..ROUNDS {
            let (settled, facts) = self.hash_until_settled(options, seen)?;
            let known = revision_of(&settled, &facts)
                .filter(|revision| tarball_path(options, revision).exists())
                .map(|revision| (revision, facts));
            let (revision, facts) = match known {
                Some(known) => known,
                None => match pack(options, &settled)? {
                    Packed::Done { revision, facts } => (revision, facts),
                    Packed::Vanished(path) => {
                        vanished = Some(settled.root.join(path));
                        seen = scan(options)?;
                        continue;
                    }
                },
            };
            return Ok(self.keep(options, settled, facts, revision));
        }
        Err(SourceError::Unstable { path: vanished.unwrap_or_else(|| options.path.clone()) })
    }

    /// Hashes the files that are not known yet until two scans around that are equal, at most [`ROUNDS`] times.
    fn hash_until_settled(&self, options: &FolderOptions, seen: Scan) -> Result<(Scan, Facts), SourceError> {
        let mut seen = seen;
        let mut facts = self.hash_unknown(options, &seen, &Facts::new())?;
        for _ in 1..ROUNDS {
            let again = scan(options)?;
            if again == seen {
                break;
            }
            seen = again;
            facts = self.hash_unknown(options, &seen, &facts)?;
        }
        Ok((seen, facts))
    }

    /// What is known about all files of a scan. Files that are gone are left out.
    fn hash_unknown(
        &self,
        options: &FolderOptions,
        seen: &Scan,
        newer: &Facts,
    ) -> Result<Facts, SourceError> {
        let root = Root::open(&seen.root)?;
        let older = self.last.as_ref().map(|last| &last.facts);
        let mut facts = Facts::new();
        for entry in &seen.entries {
            let Kind::File(stamp) = &entry.kind else { continue };
            let same = |known: &&FileFacts| known.trusted && known.stamp == *stamp;
            let known = newer
                .get(&entry.path)
                .filter(same)
                .or_else(|| older.and_then(|older| older.get(&entry.path)).filter(same));
            let known = match known {
                Some(known) => Some(known.clone()),
                None => root.hash(&entry.path, options.limit.as_bytes())?,
            };
            if let Some(known) = known {
                facts.insert(entry.path.clone(), known);
            }
        }
        Ok(facts)
    }

    /// Remembers what was built. The snapshot stays the same one while what it says is the same.
    fn keep(
        &mut self,
        options: &FolderOptions,
        scan: Scan,
        facts: Facts,
        revision: Revision,
    ) -> Arc<Snapshot> {
        let snapshot = snapshot(options, &scan, &facts, revision);
        let snapshot = match self.last.take() {
            Some(last) if *last.snapshot == snapshot => last.snapshot,
            _ => Arc::new(snapshot),
        };
        self.last = Some(Built { scan, facts, snapshot: snapshot.clone() });
        snapshot
    }
}

impl Built {
    fn is_still(&self, seen: &Scan) -> bool {
        self.scan == *seen && self.facts.values().all(|known| known.trusted) && self.snapshot.tarball.exists()
    }
}

fn snapshot(options: &FolderOptions, scan: &Scan, facts: &Facts, revision: Revision) -> Snapshot {
    let mut workflow_files = vec![];
    let mut notes = scan.notes.clone();
    let mut note = |path: &Path, reason| {
        notes.push(SnapshotNote { path: path.to_string_lossy().into_owned(), reason });
    };
    for (path, known) in facts {
        if !known.steady {
            note(path, NoteReason::KeptChanging);
        }
        if is_workflow_file(path) {
            match workflow_file(path, known) {
                Ok(file) => workflow_files.push(file),
                Err(reason) => note(path, reason),
            }
        }
    }
    notes.sort_unstable();
    workflow_files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Snapshot {
        tarball: tarball_path(options, &revision),
        revision,
        workflow_files,
        notes,
        size_bytes: facts.values().map(|known| known.stamp.size_bytes).sum(),
        file_count: facts.len(),
    }
}

fn workflow_file(path: &Path, known: &FileFacts) -> Result<WorkflowFile, NoteReason> {
    let name = path.to_str().ok_or(NoteReason::NameNotUtf8)?;
    match &known.text {
        Some(WorkflowText::Text(text)) => Ok(WorkflowFile { path: name.to_owned(), text: text.clone() }),
        Some(WorkflowText::NotUtf8 { valid_bytes }) => Err(NoteReason::NotUtf8 { valid_bytes: *valid_bytes }),
        Some(WorkflowText::TooLarge) | None => {
            Err(NoteReason::WorkflowTooLarge { size: ByteSize(known.stamp.size_bytes) })
        }
    }
}
