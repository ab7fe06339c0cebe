//! Templates of the message that greets newcomers of a customer group 入群欢迎语. An owner chooses one in the client.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::gate::{Answer, Api, Call, Refusal};
use super::message;
use super::world::{Corp, Kind};

pub const APIS: &[Api] = &[
    Api::post("externalcontact/group_welcome_template/add", add),
    Api::post("externalcontact/group_welcome_template/get", get),
    Api::post("externalcontact/group_welcome_template/edit", edit),
    Api::post("externalcontact/group_welcome_template/del", delete),
];

const MAX_TEMPLATES: usize = 100;
const MAX_TEXT_BYTES: usize = 3_000;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupWelcome {
    pub template_id: String,
    /// The app that made it; no other may change it (41058).
    pub made_by: i64,
    /// The text and the one thing beside it, as they were given.
    pub message: Value,
}

fn add(call: &mut Call<'_>) -> Answer {
    if call.corp.group_welcomes.len() >= MAX_TEMPLATES {
        return Err(Refusal::new(41055));
    }
    let template = GroupWelcome {
        message: content(call)?,
        made_by: call.agent_id,
        template_id: call.corp.new_id("msg", 34),
    };
    let answer = json!({"template_id": template.template_id});
    put(call.corp, template);
    Ok(answer)
}

fn content(call: &Call<'_>) -> Result<Value, Refusal> {
    let thing = message::check_one(call.corp, call.now, call.body, MAX_TEXT_BYTES)?;
    let mut content = json!({});
    for part in ["text"].into_iter().chain(thing) {
        if let Some(given) = call.body.get(part) {
            content[part] = given.clone();
        }
    }
    Ok(content)
}

fn put(corp: &mut Corp, template: GroupWelcome) {
    corp.touch(Kind::GroupWelcome, &template.template_id);
    corp.group_welcomes.insert(template.template_id.clone(), template);
}

fn known<'a>(call: &'a Call<'_>) -> Result<&'a GroupWelcome, Refusal> {
    let template = call.corp.group_welcomes.get(call.text("template_id")?);
    template.ok_or_else(|| Refusal::field("template_id", "is not known"))
}

fn own<'a>(call: &'a Call<'_>) -> Result<&'a GroupWelcome, Refusal> {
    let template = known(call)?;
    if template.made_by == call.agent_id {
        Ok(template)
    } else {
        Err(Refusal::new(41058))
    }
}

fn get(call: &mut Call<'_>) -> Answer {
    Ok(known(call)?.message.clone())
}

fn edit(call: &mut Call<'_>) -> Answer {
    let mut template = own(call)?.clone();
    template.message = content(call)?;
    put(call.corp, template);
    Ok(json!({}))
}

fn delete(call: &mut Call<'_>) -> Answer {
    let id = own(call)?.template_id.clone();
    call.corp.touch(Kind::GroupWelcome, &id);
    call.corp.group_welcomes.remove(&id);
    Ok(json!({}))
}
