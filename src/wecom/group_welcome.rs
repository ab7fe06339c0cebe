//! Templates of the message that greets newcomers of a customer group. path/93438 (read 2026-11-22). The owner of a
//! group chooses one in the client.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Client;
use super::ask::Api;
use super::message::{Attachment, Image, Link, Media, MiniProgram, Text};
use super::wire::Accepted;
use crate::error::Result;

/// A text, in which `%NICKNAME%` stands for the newcomer, and one thing beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupWelcome {
    /// At most 3,000 bytes.
    pub text: String,
    pub attachment: Option<Attachment>,
}

/// A repeat would make a second template, of which there are at most 100 (41055).
const ADD: Api = Api::once("externalcontact/group_welcome_template/add");
const GET: Api = Api::freely("externalcontact/group_welcome_template/get");
const EDIT: Api = Api::freely("externalcontact/group_welcome_template/edit");
const DELETE: Api = Api::once("externalcontact/group_welcome_template/del");

#[derive(Deserialize)]
struct WireAdded {
    template_id: String,
}

#[derive(Deserialize)]
struct WireTemplate {
    #[serde(default)]
    text: Option<Text>,
    #[serde(default)]
    image: Option<Image>,
    #[serde(default)]
    link: Option<Link>,
    #[serde(default)]
    miniprogram: Option<MiniProgram>,
    #[serde(default)]
    file: Option<Media>,
    #[serde(default)]
    video: Option<Media>,
}

impl From<WireTemplate> for GroupWelcome {
    /// Of several things the first counts, in the platform's order.
    fn from(wire: WireTemplate) -> Self {
        let image = wire.image.map(|image| Attachment::Image { image });
        let link = wire.link.map(|link| Attachment::Link { link });
        let program = wire
            .miniprogram
            .map(|miniprogram| Attachment::Miniprogram { miniprogram });
        let file = wire.file.map(|file| Attachment::File { file });
        let video = wire.video.map(|video| Attachment::Video { video });
        Self {
            text: wire.text.map(|text| text.content).unwrap_or_default(),
            attachment: image.or(link).or(program).or(file).or(video),
        }
    }
}

impl Client {
    /// Makes a template; answers its id. `notify` tells owners of groups that there is one.
    pub async fn add_group_welcome(&self, welcome: &GroupWelcome, notify: bool) -> Result<String> {
        let mut body = body_of(welcome)?;
        body["agentid"] = self.agent_id().into();
        body["notify"] = i64::from(notify).into();
        let added: WireAdded = self.post(ADD, &body).await?;
        Ok(added.template_id)
    }

    pub async fn group_welcome(&self, template_id: &str) -> Result<GroupWelcome> {
        let template: WireTemplate = self.post(GET, &json!({ "template_id": template_id })).await?;
        Ok(template.into())
    }

    /// Only the app that made a template may change it (41058).
    pub async fn edit_group_welcome(&self, template_id: &str, welcome: &GroupWelcome) -> Result<()> {
        let mut body = body_of(welcome)?;
        body["template_id"] = template_id.into();
        body["agentid"] = self.agent_id().into();
        self.post::<Accepted>(EDIT, &body).await.map(drop)
    }

    pub async fn delete_group_welcome(&self, template_id: &str) -> Result<()> {
        let body = json!({ "template_id": template_id, "agentid": self.agent_id() });
        self.post::<Accepted>(DELETE, &body).await.map(drop)
    }
}

/// The one attachment stands under its own name here, not in a list.
fn body_of(welcome: &GroupWelcome) -> Result<Value> {
    let mut body = match &welcome.attachment {
        Some(attachment) => serde_json::to_value(attachment)?,
        None => json!({}),
    };
    if let Some(fields) = body.as_object_mut() {
        fields.remove("msgtype");
    }
    if !welcome.text.is_empty() {
        body["text"] = json!({ "content": welcome.text });
    }
    Ok(body)
}
