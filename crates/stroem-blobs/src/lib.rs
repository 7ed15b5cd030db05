//! One blob port for workspace tarballs, sealed logs and later artifacts and caches, over an object store.
//!
//! [`BlobStore`] is a cheap handle to clone. It knows keys and bytes, never what the bytes mean. The places a
//! blob can live are implementations of `object_store::ObjectStore` (a local directory, an object store) or of
//! [`BlobTable`] (parts in a database), and every one must pass `conformance::run` (feature `conformance`).

mod error;
mod key;
mod store;
mod table;
mod upload;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;

pub use error::BlobError;
pub use key::{BlobKey, BlobKeyError};
pub use store::{BlobInfo, BlobStore, BlobStream};
pub use table::{BlobTable, TableBlob, TableError};
