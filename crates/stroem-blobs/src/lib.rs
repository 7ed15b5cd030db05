//! One blob port for sealed logs and tarballs, over an object store.
