//! Local files on their way into a store, with flat memory.

use std::path::Path;

use bytes::BytesMut;
use object_store::{ObjectStore, ObjectStoreExt as _, WriteMultipart};
use tokio::{fs::File, io::AsyncReadExt as _};

use crate::{BlobError, BlobKey, BlobStore, store::object_path};

/// Bytes of one part; object stores take no smaller ones, except for the last.
const PART_BYTES: usize = 5 << 20;
/// Parts on their way at once; with the one being filled they bound the memory.
const PARTS_IN_FLIGHT: usize = 2;

pub(crate) async fn put_file(
    store: &BlobStore,
    objects: &dyn ObjectStore,
    key: &BlobKey,
    path: &Path,
) -> Result<(), BlobError> {
    let unreadable = |source| BlobError::File { path: path.to_owned(), source };
    let fails = |error| BlobError::from_store("put", key, error);
    let mut file = File::open(path).await.map_err(unreadable)?;
    let first = read_part(&mut file).await.map_err(unreadable)?;
    if first.len() < PART_BYTES {
        return store.put(key, first.freeze()).await;
    }
    let upload = objects.put_multipart(&object_path(key)).await.map_err(fails)?;
    let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
    let mut part = first;
    while !part.is_empty() {
        upload.put(part.freeze());
        if let Err(error) = upload.wait_for_capacity(PARTS_IN_FLIGHT).await {
            return Err(abandoned(upload, fails(error)).await);
        }
        part = match read_part(&mut file).await {
            Ok(part) => part,
            Err(error) => return Err(abandoned(upload, unreadable(error)).await),
        };
    }
    upload.finish().await.map(|_| ()).map_err(fails)
}

/// Up to a part's worth of bytes; fewer only at the end of the file.
async fn read_part(file: &mut File) -> std::io::Result<BytesMut> {
    let mut part = BytesMut::with_capacity(PART_BYTES);
    let mut rest = file.take(PART_BYTES as u64);
    while rest.read_buf(&mut part).await? > 0 {}
    Ok(part)
}

/// Frees what the store holds of an unfinished upload. The first error is the one that counts.
async fn abandoned(upload: WriteMultipart, error: BlobError) -> BlobError {
    match upload.abort().await {
        Ok(()) | Err(_) => error,
    }
}
