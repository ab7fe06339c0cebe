//! Files 文件: what headquarters knows of contacts, read from a file; contacts, written to one.
//!
//! An import is stored first, row by row and sealed, so that any instance can go on with it; then a thousand rows a
//! transaction are taken, and what is taken is gone from the rows that wait. A row that cannot be loaded is kept with its
//! line, its column and why. The same file again changes nothing. An export is written the other way: a thousand rows a
//! part, by key, in the scope that its asker had; only they get it, while they still see as much.

pub mod jobs;
pub mod model;
mod cells;
mod export;
mod head;
mod lines;
mod load;
mod receive;
mod store;
mod text;

pub use cells::{defused, refused_csv};
pub use export::{create, download, end_export, parts, write_part};
pub use load::{Outcome, end_import, take_part};
pub use model::*;
pub use receive::{MOST_BYTES, MOST_ROWS, let_go, receive, start};
pub use store::exports::{find_export, list_exports};
pub use store::imports::{find_import, list_imports, refused_rows};
pub use store::sweep;
