//! Indexes set aside while empty tables are filled, and built again from all rows at once: each row on its own would
//! look for its place in every one of them.

use super::{Tx, all, scalar};
use crate::args;
use crate::error::Result;
use sea_orm::{ConnectionTrait as _, FromQueryResult};

/// Indexes that are not there at present.
#[must_use = "without `build` the indexes are gone"]
pub struct Aside {
    definitions: Vec<String>,
}

#[derive(FromQueryResult)]
struct Index {
    name: String,
    definition: String,
}

impl Aside {
    /// Takes the indexes of those of the tables that are empty. Primary keys stay.
    pub async fn of(tx: &Tx, tables: &[&str]) -> Result<Self> {
        use super::Conn as _;
        let mut definitions = Vec::new();
        for table in tables {
            if scalar::<i32>(tx, &format!("select 1 from {table} limit 1"), vec![])
                .await?
                .is_some()
            {
                continue;
            }
            for index in all::<Index>(tx, tx.backend().indexes_of(), args![*table]).await? {
                tx.inner
                    .execute_unprepared(&format!("drop index {}", index.name))
                    .await?;
                definitions.push(index.definition);
            }
        }
        Ok(Self { definitions })
    }

    pub async fn build(self, tx: &Tx) -> Result<()> {
        for definition in self.definitions {
            tx.inner.execute_unprepared(&definition).await?;
        }
        Ok(())
    }
}
