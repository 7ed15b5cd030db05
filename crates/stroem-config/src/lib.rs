//! Strict reading of the configurations of server and worker: YAML text and `STROEM__A__B` variables, checked against
//! one table of keys, to a JSON value that has every default filled in.
//!
//! Pure: text and variables arrive as data, nothing here opens a file or reads the environment. It knows no key of
//! any program; each program brings its [`Schema`]. Nothing a user wrote is ignored: unknown keys, wrong types and
//! keys written twice are problems with their place and, where possible, what to write instead, all of them in one go.

mod environment;
mod load;
mod problem;
mod reference;
mod schema;
mod shape;
mod suggest;
mod tree;

pub use environment::PREFIX;
pub use load::{Source, load};
pub use problem::{Place, Problem};
pub use reference::reference;
pub use schema::{Key, Kind, Schema};
