//! Second page of the composer: the name, what is said, what hangs on it, and how it will look.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::draft;
use super::phone::Phone;
use super::steps::{Steps, refused};
use crate::app::App;
use crate::auth::Operator;
use crate::campaigns::{self, Campaign, CampaignChange};
use crate::directory::{self, Corp};
use crate::error::{Error, said};
use crate::ids::CampaignId;
use crate::links::LinkTarget;
use crate::links::content::{Attachment, Content};
use crate::web::figures as say;
use crate::web::shell::FieldProblem;
use crate::web::{Form, Path, Result, Shell, Show};

/// As typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    #[serde(rename = "do")]
    pub action: String,
    pub name: String,
    pub text: String,
    pub link_title: String,
    pub link_url: String,
    pub picture_url: String,
    pub extra_title: String,
    pub extra_url: String,
}

impl Fields {
    pub fn of(campaign: &Campaign) -> Self {
        let mut fields = Self {
            name: campaign.name.clone(),
            text: campaign.content.text.clone(),
            ..Self::default()
        };
        for attachment in shown(&campaign.content).into_iter().flatten() {
            match attachment {
                Attachment::StoreLink { title, target, .. } => {
                    fields.link_title = title.clone();
                    fields.link_url = target.url().to_owned();
                }
                Attachment::Image { picture_url, .. } => {
                    fields.picture_url = picture_url.clone().unwrap_or_default();
                }
                Attachment::Link { title, url, .. } => {
                    fields.extra_title = title.clone();
                    fields.extra_url = url.clone();
                }
            }
        }
        fields
    }

    /// The content these fields make of what was there: attachments the form does not show stay.
    pub fn content(&self, before: &Content, default: Option<&LinkTarget>) -> crate::error::Result<Content> {
        let [link, image, extra] = shown(before);
        let others = before.attachments.iter().filter(|attachment| {
            ![link, image, extra]
                .into_iter()
                .flatten()
                .any(|one| std::ptr::eq(one, *attachment))
        });
        let own = [
            self.store_link(link, default)?,
            self.image(image),
            self.extra(extra),
        ];
        let attachments = own.into_iter().flatten().chain(others.cloned()).collect();
        Ok(Content {
            text: self.text.replace("\r\n", "\n").trim().to_owned(),
            attachments,
        })
    }

    fn store_link(
        &self,
        before: Option<&Attachment>,
        default: Option<&LinkTarget>,
    ) -> crate::error::Result<Option<Attachment>> {
        let (title, url) = (self.link_title.trim(), self.link_url.trim());
        if title.is_empty() && url.is_empty() {
            return Ok(None);
        }
        let (kept, description, picture_url) = match before {
            Some(Attachment::StoreLink {
                target,
                description,
                picture_url,
                ..
            }) => (Some(target), description.clone(), picture_url.clone()),
            _ => (None, None, None),
        };
        let same = [kept, default]
            .into_iter()
            .flatten()
            .find(|target| target.url() == url);
        let target = match (same, default) {
            (Some(target), _) => target.clone(),
            (None, Some(default)) if url.is_empty() => default.clone(),
            (None, None) if url.is_empty() => {
                return Err(Error::invalid(
                    "/link_url",
                    said!(
                        "refused-no-mini-store",
                        "the company has no mini-store set; write an address"
                    ),
                ));
            }
            (None, _) => LinkTarget::Web { url: url.to_owned() },
        };
        Ok(Some(Attachment::StoreLink {
            title: title.to_owned(),
            target,
            description,
            picture_url,
        }))
    }

    fn image(&self, before: Option<&Attachment>) -> Option<Attachment> {
        let typed = Some(self.picture_url.trim())
            .filter(|url| !url.is_empty())
            .map(str::to_owned);
        match before {
            // One that only the platform's id names has no address to type; it stays.
            Some(kept @ Attachment::Image { picture_url, .. }) if *picture_url == typed => Some(kept.clone()),
            _ => typed.map(|url| Attachment::Image {
                media_id: None,
                picture_url: Some(url),
            }),
        }
    }

    fn extra(&self, before: Option<&Attachment>) -> Option<Attachment> {
        let (title, url) = (self.extra_title.trim(), self.extra_url.trim());
        if title.is_empty() && url.is_empty() {
            return None;
        }
        let (description, picture_url) = match before {
            Some(Attachment::Link {
                description,
                picture_url,
                ..
            }) => (description.clone(), picture_url.clone()),
            _ => (None, None),
        };
        Some(Attachment::Link {
            title: title.to_owned(),
            url: url.to_owned(),
            description,
            picture_url,
        })
    }
}

/// What the form shows of the attachments: the store link, the first picture, the first other link.
fn shown(content: &Content) -> [Option<&Attachment>; 3] {
    let first = |fits: fn(&Attachment) -> bool| content.attachments.iter().find(|one| fits(one));
    [
        first(|one| matches!(one, Attachment::StoreLink { .. })),
        first(|one| matches!(one, Attachment::Image { .. })),
        first(|one| matches!(one, Attachment::Link { .. })),
    ]
}

#[derive(Template)]
#[template(path = "campaigns/content.html")]
pub struct ContentPage {
    pub shell: Shell,
    pub steps: Steps,
    pub problems: Vec<FieldProblem>,
    pub id: CampaignId,
    pub fields: Fields,
    pub size: String,
    pub attachments: String,
    pub others: Option<String>,
    pub phone: Phone,
    pub sender: String,
}

impl ContentPage {
    pub fn new(
        shell: Shell,
        id: CampaignId,
        fields: Fields,
        content: &Content,
        phone: Phone,
        problems: Vec<FieldProblem>,
    ) -> Self {
        let seen = shown(content).into_iter().flatten().count();
        let others = content.attachments.len() - seen;
        let counted = |key: &str, count: usize| shell.with(key, &[("count", &say::count(count as i64))]);
        Self {
            steps: Steps::new(&shell, Some(id), 1),
            size: shell.with(
                "compose-text-size",
                &[("size", &say::count(fields.text.len() as i64))],
            ),
            attachments: counted("compose-attachments-count", content.attachments.len()),
            others: (others > 0).then(|| counted("compose-others", others)),
            sender: phone.sender.clone(),
            phone,
            problems,
            id,
            fields,
            shell,
        }
    }

    fn has_problem(&self, field: &str) -> bool {
        self.problems.iter().any(|problem| problem.field == field)
    }
}

pub(super) async fn show(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
) -> Result<Show<ContentPage>> {
    let campaign = draft(&app, &me, id).await?;
    let phone = phone_of(&shell, &me, &campaign.content, String::new());
    let fields = Fields::of(&campaign);
    Ok(Show(ContentPage::new(
        shell,
        id,
        fields,
        &campaign.content,
        phone,
        Vec::new(),
    )))
}

pub(super) async fn change(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
    Form(fields): Form<Fields>,
) -> Result<Response> {
    let campaign = draft(&app, &me, id).await?;
    let corp = directory::find_corp(&app.db, me.corp).await?;
    let content = fields.content(&campaign.content, mini_store(&corp).as_ref());
    if fields.action == "preview" {
        let content = content.unwrap_or(campaign.content);
        let phone = phone_of(&shell, &me, &content, String::new());
        let page = ContentPage::new(shell, id, fields, &content, phone, Vec::new());
        return Ok(Show(page).into_response());
    }
    let saved = match content {
        Ok(content) => save(&app, &me, &corp, id, &fields, content.clone())
            .await
            .map_err(|error| at_fields(error, &content)),
        Err(error) => Err(error),
    };
    match saved {
        Ok(()) if fields.action == "draft" => {
            Ok(shell.go_saying("/campaigns", "toast-compose-draft-saved", &[]))
        }
        Ok(()) => Ok(shell.go(&format!("/campaigns/{id}/time"))),
        Err(error) => {
            let wrong = refused(&shell, error)?;
            let phone = phone_of(&shell, &me, &campaign.content, String::new());
            let page = ContentPage::new(shell.clone(), id, fields, &campaign.content, phone, wrong);
            Ok(shell.refused(Show(page)))
        }
    }
}

async fn save(
    app: &App,
    me: &Operator,
    corp: &Corp,
    id: CampaignId,
    fields: &Fields,
    content: Content,
) -> crate::error::Result<()> {
    let change = CampaignChange {
        name: Some(fields.name.trim().to_owned()),
        content: Some(content),
        ..CampaignChange::default()
    };
    let tx = app.db.begin().await?;
    campaigns::change(&tx, &app.act(me.actor()), &me.scope, corp, id, change).await?;
    tx.commit().await
}

/// An attachment has fields by its kind: a problem with one goes where it was typed.
fn at_fields(error: Error, content: &Content) -> Error {
    let Error::Invalid(mut problems) = error else {
        return error;
    };
    for problem in &mut problems {
        if let Some(field) = field_of(&problem.pointer, content) {
            problem.pointer = format!("/{field}");
        }
    }
    Error::Invalid(problems)
}

fn field_of(pointer: &str, content: &Content) -> Option<&'static str> {
    let place = pointer.strip_prefix("/content/attachments/")?;
    let index: usize = place.split('/').next()?.parse().ok()?;
    let is_title = place.ends_with("/title");
    Some(match content.attachments.get(index)? {
        Attachment::StoreLink { .. } if is_title => "link_title",
        Attachment::StoreLink { .. } => "link_url",
        Attachment::Link { .. } if is_title => "extra_title",
        Attachment::Link { .. } => "extra_url",
        Attachment::Image { .. } => "picture_url",
    })
}

/// Where a store link leads that names no address of its own.
fn mini_store(corp: &Corp) -> Option<LinkTarget> {
    serde_json::from_str(corp.mini_store.as_deref()?).ok()
}

/// The message as if this person sent it: a broadcast differs by sender, never by customer.
pub(super) fn phone_of(shell: &Shell, me: &Operator, content: &Content, time: String) -> Phone {
    let store = me.store_name.clone().unwrap_or_else(|| me.corp_name.clone());
    let message = content.message(&me.name, &store, "https://link.invalid/");
    let text = message.text.map(|text| text.content).unwrap_or_default();
    Phone::new(shell, &me.name, time, text, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web(url: &str) -> LinkTarget {
        LinkTarget::Web { url: url.into() }
    }

    fn before() -> Content {
        let image = |media: &str| Attachment::Image {
            media_id: Some(media.into()),
            picture_url: None,
        };
        let link = Attachment::StoreLink {
            title: "连衣裙".into(),
            target: LinkTarget::MiniProgram {
                appid: "wx1".into(),
                page: "p".into(),
                url: "https://shop/".into(),
            },
            description: Some("加绒".into()),
            picture_url: None,
        };
        Content {
            text: "你好".into(),
            attachments: vec![image("m1"), link, image("m2")],
        }
    }

    #[test]
    fn what_the_form_does_not_show_stays() {
        let fields = Fields {
            text: "你好\r\n 早".into(),
            link_title: "大衣".into(),
            link_url: "https://shop/".into(),
            ..Fields::default()
        };
        let content = fields.content(&before(), None).unwrap();
        assert_eq!(content.text, "你好\n 早");
        assert_eq!(content.attachments.len(), 3);
        let Attachment::StoreLink {
            title,
            target,
            description,
            ..
        } = &content.attachments[0]
        else {
            panic!()
        };
        assert_eq!((title.as_str(), description.as_deref()), ("大衣", Some("加绒")));
        assert!(matches!(target, LinkTarget::MiniProgram { .. }));
    }

    #[test]
    fn a_store_link_without_an_address_leads_to_the_companys_store() {
        let fields = Fields {
            link_title: "新品".into(),
            ..Fields::default()
        };
        let shop = web("https://mall/");
        let content = fields.content(&Content::default(), Some(&shop)).unwrap();
        assert_eq!(content.attachments.len(), 1);
        assert!(fields.content(&Content::default(), None).is_err());
        let empty = Fields::default()
            .content(&Content::default(), Some(&shop))
            .unwrap();
        assert!(empty.attachments.is_empty());
    }
}
