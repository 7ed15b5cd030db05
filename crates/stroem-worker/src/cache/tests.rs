//! Fetching, unpacking and evicting revisions.
