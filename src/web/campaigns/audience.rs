//! First page of the composer: who gets it, and how many are held back.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::steps::{Reach, Steps, refused};
use super::{audience_of, draft, start_of};
use crate::app::App;
use crate::auth::Operator;
use crate::campaigns::{self, Audience, Campaign, CampaignChange, NewCampaign, QuotaPlan};
use crate::directory::{self, Corp};
use crate::error::{Error, said};
use crate::ids::CampaignId;
use crate::links::content::Content;
use crate::page::PageOf;
use crate::segments::{self, Segment};
use crate::time::Timestamp;
use crate::web::segments::words::sentence;
use crate::web::segments::{names, parse};
use crate::web::shell::FieldProblem;
use crate::web::{Form, Path, Query, Result, Shell, Show};

/// Segments in the select.
const SEGMENTS: i64 = 200;
pub const HOLDOUTS: [i64; 4] = [0, 5, 10, 20];
const RECOMMENDED: i64 = 10;

/// As typed, and as it stands in an address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    #[serde(rename = "do")]
    pub action: String,
    /// `segment` or `rule`.
    pub audience: String,
    pub segment: String,
    /// A rule as JSON.
    pub rule: String,
    pub holdout: String,
}

impl Fields {
    fn of(campaign: &Campaign) -> Self {
        Self {
            action: String::new(),
            audience: if campaign.segment_id.is_some() {
                "segment"
            } else {
                "rule"
            }
            .into(),
            segment: campaign.segment_id.map(|id| id.to_string()).unwrap_or_default(),
            rule: match campaign.segment_id {
                Some(_) => String::new(),
                None => serde_json::to_string(&campaign.rule).expect("a rule is plain data"),
            },
            holdout: campaign.holdout_percent.to_string(),
        }
    }

    /// From an address that names a segment or a rule.
    fn begun(self) -> Self {
        let audience = if self.rule.is_empty() { "segment" } else { "rule" };
        Self {
            audience: audience.into(),
            holdout: RECOMMENDED.to_string(),
            ..self
        }
    }

    fn read(&self) -> Result<Option<Audience>> {
        match self.audience.as_str() {
            "rule" if !self.rule.is_empty() => Ok(Some(Audience::Rule(parse(&self.rule)?))),
            "segment" => Ok(self.segment.parse().ok().map(Audience::Segment)),
            _ => Ok(None),
        }
    }

    fn holdout(&self) -> i64 {
        self.holdout.parse().unwrap_or(0)
    }
}

#[derive(Template)]
#[template(path = "campaigns/audience.html")]
pub struct AudiencePage {
    pub shell: Shell,
    pub steps: Steps,
    pub problems: Vec<FieldProblem>,
    pub action: String,
    pub fields: Fields,
    /// Value, name, whether it is the one.
    pub segments: Vec<(String, String, bool)>,
    /// The rule that was made for this alone, said.
    pub rule_words: Option<String>,
    /// Value, words, whether it is the one.
    pub holdouts: Vec<(i64, String, bool)>,
    pub reach: Option<Reach>,
}

impl AudiencePage {
    pub fn new(
        shell: Shell,
        id: Option<CampaignId>,
        fields: Fields,
        segments: &[Segment],
        rule_words: Option<String>,
        plan: Option<&QuotaPlan>,
        problems: Vec<FieldProblem>,
    ) -> Self {
        let choice = |segment: &Segment| {
            let value = segment.id.to_string();
            let is_chosen = value == fields.segment;
            (value, segment.name.clone(), is_chosen)
        };
        let holdout = |percent: i64| {
            let share = format!("{percent}%");
            let word = match percent {
                0 => shell.t("compose-holdout-none"),
                RECOMMENDED => shell.with("compose-holdout-recommended", &[("share", &share)]),
                _ => share,
            };
            (percent, word, percent == fields.holdout())
        };
        Self {
            steps: Steps::new(&shell, id, 0),
            action: id.map_or_else(
                || "/campaigns/new".to_owned(),
                |id| format!("/campaigns/{id}/audience"),
            ),
            segments: segments.iter().map(choice).collect(),
            holdouts: HOLDOUTS.into_iter().map(holdout).collect(),
            reach: plan.map(|plan| Reach::new(&shell, plan)),
            rule_words,
            problems,
            fields,
            shell,
        }
    }
}

pub(super) async fn begin(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Query(fields): Query<Fields>,
) -> Result<Show<AudiencePage>> {
    page(&app, shell, &me, None, fields.begun(), Vec::new()).await
}

pub(super) async fn show(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
) -> Result<Show<AudiencePage>> {
    let campaign = draft(&app, &me, id).await?;
    page(
        &app,
        shell,
        &me,
        Some(&campaign),
        Fields::of(&campaign),
        Vec::new(),
    )
    .await
}

pub(super) async fn create(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Form(fields): Form<Fields>,
) -> Result<Response> {
    press(&app, shell, &me, None, fields).await
}

pub(super) async fn change(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
    Form(fields): Form<Fields>,
) -> Result<Response> {
    let campaign = draft(&app, &me, id).await?;
    press(&app, shell, &me, Some(campaign), fields).await
}

async fn press(
    app: &App,
    shell: Shell,
    me: &Operator,
    campaign: Option<Campaign>,
    fields: Fields,
) -> Result<Response> {
    let Some(audience) = fields.read()? else {
        let message = shell.t("form-choose-audience");
        let wrong = vec![FieldProblem {
            field: "audience".into(),
            message,
        }];
        let page = page(app, shell.clone(), me, campaign.as_ref(), fields, wrong).await?;
        return Ok(shell.refused(page));
    };
    if fields.action == "count" {
        let page = page(app, shell, me, campaign.as_ref(), fields, Vec::new()).await?;
        return Ok(axum::response::IntoResponse::into_response(page));
    }
    match save(app, &shell, me, campaign.as_ref(), audience, fields.holdout()).await {
        Ok(_) if fields.action == "draft" => {
            Ok(shell.go_saying("/campaigns", "toast-compose-draft-saved", &[]))
        }
        Ok(id) => Ok(shell.go(&format!("/campaigns/{id}/content"))),
        Err(error) => {
            let wrong = refused(&shell, error)?;
            let page = page(app, shell.clone(), me, campaign.as_ref(), fields, wrong).await?;
            Ok(shell.refused(page))
        }
    }
}

async fn save(
    app: &App,
    shell: &Shell,
    me: &Operator,
    campaign: Option<&Campaign>,
    audience: Audience,
    holdout: i64,
) -> crate::error::Result<CampaignId> {
    let corp = directory::find_corp(&app.db, me.corp).await?;
    let new = match campaign {
        Some(_) => None,
        None => Some(begun(app, shell, me, audience.clone(), holdout).await?),
    };
    let tx = app.db.begin().await?;
    let act = app.act(me.actor());
    let id = match (campaign, new) {
        (Some(campaign), _) => {
            let change = CampaignChange {
                audience: Some(audience),
                holdout_percent: Some(holdout),
                ..CampaignChange::default()
            };
            campaigns::change(&tx, &act, &me.scope, &corp, campaign.id, change).await?;
            campaign.id
        }
        (None, Some(new)) => campaigns::create(&tx, &act, &me.scope, &corp, new).await?,
        (None, None) => unreachable!("a campaign is there or begun"),
    };
    tx.commit().await?;
    Ok(id)
}

/// A new draft: named after its segment, with a line of text to start from.
async fn begun(
    app: &App,
    shell: &Shell,
    me: &Operator,
    audience: Audience,
    holdout: i64,
) -> crate::error::Result<NewCampaign> {
    let name = match &audience {
        Audience::Segment(id) => match segments::find(&app.db, &me.scope, *id).await {
            Err(Error::NotFound) => {
                let wrong = said!(
                    "refused-no-segment",
                    "there is no segment `{id}` in your reach",
                    id = id.to_string()
                );
                return Err(Error::invalid("/audience", wrong));
            }
            found => found?.name,
        },
        Audience::Rule(_) => shell.t("campaigns-unnamed"),
    };
    Ok(NewCampaign {
        name,
        audience,
        content: Content {
            text: shell.t("compose-text-starter"),
            attachments: Vec::new(),
        },
        send_at: None,
        zone: None,
        deadline: None,
        late_after_minutes: None,
        holdout_percent: Some(holdout),
        priority: None,
    })
}

async fn page(
    app: &App,
    shell: Shell,
    me: &Operator,
    campaign: Option<&Campaign>,
    fields: Fields,
    mut problems: Vec<FieldProblem>,
) -> Result<Show<AudiencePage>> {
    let segments = segments::list(&app.db, &me.scope, &PageOf::first(SEGMENTS)).await?;
    let rule_words = match fields.rule.as_str() {
        "" => None,
        json => {
            let rule = parse(json)?;
            Some(sentence(&rule, &names(app, me, [&rule]).await?, &shell))
        }
    };
    let plan = match fields.read()? {
        Some(audience) => match plan(app, me, &audience, fields.holdout(), campaign).await {
            // It may be gone since; the page is where another is chosen.
            Err(error @ Error::Invalid(_)) if problems.is_empty() => {
                problems = refused(&shell, error)?;
                None
            }
            Err(Error::Invalid(_)) => None,
            planned => Some(planned?),
        },
        None => None,
    };
    let id = campaign.map(|campaign| campaign.id);
    Ok(Show(AudiencePage::new(
        shell,
        id,
        fields,
        &segments.items,
        rule_words,
        plan.as_ref(),
        problems,
    )))
}

async fn plan(
    app: &App,
    me: &Operator,
    audience: &Audience,
    holdout: i64,
    campaign: Option<&Campaign>,
) -> crate::error::Result<QuotaPlan> {
    let corp = directory::find_corp(&app.db, me.corp).await?;
    let at = campaign.and_then(start_of).unwrap_or_else(|| app.now());
    counted(app, me, &corp, audience.clone(), holdout, at).await
}

async fn counted(
    app: &App,
    me: &Operator,
    corp: &Corp,
    audience: Audience,
    holdout: i64,
    at: Timestamp,
) -> crate::error::Result<QuotaPlan> {
    let (scope, corp, now) = (me.scope.clone(), corp.clone(), app.now());
    let held = app.clone();
    let plan = app.db.at_length(move |db| async move {
        campaigns::quota_plan(&held, &db, &scope, &corp, &audience, holdout, at, now).await
    });
    plan.await
}

/// The same for a draft as it is.
pub(super) async fn plan_of(
    app: &App,
    me: &Operator,
    corp: &Corp,
    campaign: &Campaign,
) -> crate::error::Result<QuotaPlan> {
    let at = start_of(campaign).unwrap_or_else(|| app.now());
    let audience = audience_of(campaign);
    let holdout = campaign.holdout_percent;
    counted(app, me, corp, audience, holdout, at).await
}
