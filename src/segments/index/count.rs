//! How many a rule finds, and the first of them. An answer is kept while nothing changes: an editor asks for the same
//! again with each look at it, and so does everybody else who looks at the same segment.

use std::sync::Arc;

use super::kept::Kept;
use super::plan::{self, Plan, Want};
use super::{Index, leaf, store};
use crate::error::Result;
use crate::ids::ContactId;
use crate::scope::Scope;
use crate::segments::{Rule, SamplePerson};
use crate::time::Timestamp;

/// People shown of an answer.
const SAMPLE: usize = 5;

/// An answer of the index.
#[derive(Debug, Clone)]
pub(in crate::segments) struct Counted {
    pub count: i64,
    /// After each part of an `all`.
    pub steps: Vec<i64>,
    pub in_reach: i64,
    pub sample: Vec<SamplePerson>,
}

/// By scope and rule.
pub(super) type Counts = Kept<(Plan, Plan), Counted, 256>;
/// By scope and who they are: while a rule is typed the first few often remain.
pub(super) type Samples = Kept<(Plan, Vec<ContactId>), Vec<SamplePerson>, 256>;

impl Index {
    /// How many a rule finds in scope, after each part of an `all` too, and the first of them; `None`: ask the database.
    pub(in crate::segments) async fn count(
        self: &Arc<Self>,
        scope: &Scope,
        rule: &Rule,
        now: Timestamp,
    ) -> Result<Option<Counted>> {
        let (asked, version) = {
            let held = self.read();
            let rule = plan::of_rule(&held.facts, rule, leaf::today(now, self.zone))?;
            ((plan::of_scope(scope), rule), held.version)
        };
        if let Some(kept) = self.counts.get(&asked, version) {
            return Ok(Some(kept));
        }
        let want = Want::Count { first: SAMPLE };
        let Some(found) = self.find(asked.0.clone(), asked.1.clone(), want).await? else {
            return Ok(None);
        };
        let counted = Counted {
            count: found.count,
            steps: found.steps,
            in_reach: found.in_reach,
            sample: self.sample(scope, &asked.0, found.people, version).await?,
        };
        if self.read().version == version {
            self.counts.put(asked, version, counted.clone());
        }
        Ok(Some(counted))
    }

    /// What people in scope are called.
    async fn sample(
        &self,
        scope: &Scope,
        reach: &Plan,
        people: Vec<ContactId>,
        version: u64,
    ) -> Result<Vec<SamplePerson>> {
        let asked = (reach.clone(), people);
        if let Some(kept) = self.samples.get(&asked, version) {
            return Ok(kept);
        }
        let sample = store::names(&self.db, scope, &asked.1).await?;
        if self.read().version == version {
            self.samples.put(asked, version, sample.clone());
        }
        Ok(sample)
    }
}
