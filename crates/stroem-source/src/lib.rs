//! Workspaces on the server side: folder snapshots, revisions, tarballs, change watching.
