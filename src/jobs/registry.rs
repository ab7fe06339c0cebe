//! Every job there is: one line each.

use super::{inbox, schedule};
use crate::app::App;
use crate::contacts::inbox::ReadEvent;
use crate::error::{Error, Result};
use crate::job::Job as _;
use crate::queue::Job;
use crate::{campaigns, contacts, files, groups, marking, moments, persons, sync, tags, timeline, welcomes};

macro_rules! registry {
    ($($job:ty),* $(,)?) => {
        /// Runs a claimed job by its name.
        pub async fn run(app: &App, job: &Job) -> Result<()> {
            match job.kind.as_str() {
                $(<$job as crate::job::Job>::NAME => {
                    let read: $job = serde_json::from_str(&job.payload)?;
                    Box::pin(read.run(app, job.corp_id, job.attempts)).await
                })*
                // A newer version wrote it: one that knows it takes it in the end.
                unknown => Err(Error::internal(format!("there is no job `{unknown}` in this version"))),
            }
        }

        /// Names of every job.
        pub const NAMES: &[&str] = &[$(<$job as crate::job::Job>::NAME),*];
    };
}

registry![
    ReadEvent,
    inbox::Fetch,
    contacts::jobs::Recognised,
    contacts::jobs::Passed,
    contacts::jobs::RefreshMember,
    contacts::jobs::SyncPeople,
    tags::jobs::SyncTags,
    groups::jobs::Fetch,
    sync::jobs::Nightly,
    sync::jobs::CarryOn,
    welcomes::jobs::NameContact,
    campaigns::jobs::Start,
    campaigns::jobs::HandOver,
    campaigns::jobs::Reconcile,
    campaigns::jobs::Poll,
    campaigns::jobs::Stop,
    campaigns::jobs::Remind,
    moments::jobs::Start,
    moments::jobs::Post,
    moments::jobs::Follow,
    moments::jobs::Reconcile,
    moments::jobs::Stop,
    moments::jobs::Sweep,
    timeline::Told,
    marking::jobs::GoOn,
    marking::jobs::Stages,
    files::jobs::Load,
    files::jobs::Write,
    persons::jobs::Upkeep,
    schedule::Tidy,
];

#[cfg(test)]
mod tests {
    use super::NAMES;

    #[test]
    fn every_job_has_a_name_of_its_own() {
        let distinct: std::collections::HashSet<_> = NAMES.iter().collect();
        assert_eq!(distinct.len(), NAMES.len());
        assert!(NAMES.iter().all(|name| name.contains('.')));
    }
}
