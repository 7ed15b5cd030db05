//! Log lines from a pipe to stored chunks: framing, masking, spool, batches, chunk codec.
