//! Boards: reports, overview, segments and campaigns render with their samples in both languages.

use dianyu::auth::Role;
use dianyu::metrics::Lang;
use dianyu::web::{
    Shell, campaigns, contacts, files, lang, overview, platform, report, samples, segments, stores, tags,
};

use super::pages::{Rendered, check, texts};

type Render = fn(&Shell) -> Vec<(&'static str, String)>;

/// Page, for whom, at which address, how.
const PAGES: &[(&str, Role, &str, Render)] = &[
    ("report", Role::Manager, "/stores/21/report", |shell| {
        texts(report::ReportPage::samples(shell))
    }),
    ("orders", Role::Manager, "/orders", |shell| {
        texts(report::OrdersPage::samples(shell))
    }),
    ("overview", Role::Marketer, "/overview", |shell| {
        texts(overview::OverviewPage::samples(shell))
    }),
    ("segments", Role::Marketer, "/segments", |shell| {
        texts(segments::SegmentsPage::samples(shell))
    }),
    ("segment", Role::Marketer, "/segments/1", |shell| {
        texts(segments::BuilderPage::samples(shell))
    }),
    ("campaigns", Role::Marketer, "/campaigns", |shell| {
        texts(campaigns::CampaignsPage::samples(shell))
    }),
    ("campaigns", Role::Manager, "/campaigns", |shell| {
        texts(campaigns::CampaignsPage::samples(shell))
    }),
    ("compose-1", Role::Marketer, "/campaigns/1/audience", |shell| {
        texts(campaigns::AudiencePage::samples(shell))
    }),
    ("compose-2", Role::Marketer, "/campaigns/1/content", |shell| {
        texts(campaigns::ContentPage::samples(shell))
    }),
    ("compose-3", Role::Marketer, "/campaigns/1/time", |shell| {
        texts(campaigns::TimePage::samples(shell))
    }),
    ("compose-4", Role::Marketer, "/campaigns/1/review", |shell| {
        texts(campaigns::ReviewPage::samples(shell))
    }),
    ("live", Role::Marketer, "/campaigns/1", |shell| {
        texts(campaigns::LivePage::samples(shell))
    }),
    ("live", Role::Manager, "/campaigns/1", |shell| {
        texts(campaigns::LivePage::samples(shell))
    }),
    ("result", Role::Marketer, "/campaigns/1", |shell| {
        texts(campaigns::ResultPage::samples(shell))
    }),
    ("platform", Role::Admin, "/admin/platform", |shell| {
        texts(platform::ChecksPage::samples(shell))
    }),
    ("sync", Role::Admin, "/admin/platform/sync", |shell| {
        texts(platform::SyncPage::samples(shell))
    }),
    ("stores", Role::Admin, "/admin/stores", |shell| {
        texts(stores::StoresPage::samples(shell))
    }),
    ("imports", Role::Marketer, "/contacts/import", |shell| {
        texts(files::ImportsPage::samples(shell))
    }),
    ("import", Role::Admin, "/contacts/import/1", |shell| {
        texts(files::ImportPage::samples(shell))
    }),
    ("exports", Role::Associate, "/contacts/exports", |shell| {
        texts(files::ExportsPage::samples(shell))
    }),
    ("fields", Role::Admin, "/admin/fields", |shell| {
        texts(files::FieldsPage::samples(shell))
    }),
    ("duplicates", Role::Marketer, "/contacts/duplicates", |shell| {
        texts(contacts::DuplicatesPage::samples(shell))
    }),
    ("marks", Role::Marketer, "/tags/marks", |shell| {
        texts(tags::MarksPage::samples(shell))
    }),
    ("marks", Role::Associate, "/tags/marks", |shell| {
        texts(tags::MarksPage::samples(shell))
    }),
    ("mark", Role::Marketer, "/tags/marks/1", |shell| {
        texts(tags::MarkPage::samples(shell))
    }),
    ("tags", Role::Marketer, "/tags", |shell| {
        texts(tags::TagsPage::samples(shell))
    }),
    ("tag-group", Role::Admin, "/tags/groups/90", |shell| {
        texts(tags::GroupPage::samples(shell))
    }),
    ("tag", Role::Marketer, "/tags/901", |shell| {
        texts(tags::TagPage::samples(shell))
    }),
    ("tag-rules", Role::Marketer, "/tags/rules", |shell| {
        texts(tags::RulesPage::samples(shell))
    }),
    ("mark-new", Role::Manager, "/tags/marks/new", |shell| {
        texts(tags::BeginPage::samples(shell))
    }),
    ("deliveries", Role::Marketer, "/campaigns/1/deliveries", |shell| {
        texts(campaigns::DeliveriesPage::samples(shell))
    }),
];

#[test]
fn boards_render_soundly_in_both_languages() {
    let mut pages = Vec::new();
    for lang in [Lang::Zh, Lang::En] {
        for (page, role, address, render) in PAGES {
            let shell = samples::shell(*role, lang, address);
            for (sample, text) in render(&shell) {
                let name = format!("{page}-{sample}.{}.{}", role.as_str(), lang::code(lang));
                pages.push(Rendered { name, text });
            }
        }
    }
    check(pages);
}
