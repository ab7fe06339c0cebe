//! Answers and events as the platform may give them one day, or gives them here and there: fields and numbers nobody
//! knows, numbers written as text.

use serde_json::{Value, json};

use super::faults::Knobs;

/// A number that stands for no kind and no state that is known.
pub const UNHEARD_OF: i64 = 9_001;

/// Fields whose number says a kind or a state.
const KINDS: [&str; 8] = [
    "add_way",
    "chat_status",
    "create_type",
    "join_scene",
    "publish_status",
    "status",
    "type",
    "visible_type",
];

/// Fields whose number comes as text in some answers.
const TIMES: [&str; 4] = ["create_time", "created_at", "createtime", "send_time"];

/// Dresses an answer's JSON as the knobs say.
pub fn dress(text: String, knobs: &Knobs) -> String {
    if !knobs.from_the_future && !knobs.times_as_text {
        return text;
    }
    match serde_json::from_str(&text) {
        Ok(mut answer) => {
            change(&mut answer, knobs);
            answer.to_string()
        }
        Err(_) => text,
    }
}

fn change(value: &mut Value, knobs: &Knobs) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| change(item, knobs)),
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                match field.as_i64() {
                    Some(_) if knobs.from_the_future && KINDS.contains(&name.as_str()) => {
                        *field = json!(UNHEARD_OF);
                    }
                    Some(number) if knobs.times_as_text && TIMES.contains(&name.as_str()) => {
                        *field = json!(number.to_string());
                    }
                    _ => change(field, knobs),
                }
            }
            if knobs.from_the_future {
                fields.insert(
                    "not_yet_known".into(),
                    json!({"since": "2031", "list": [1, "a", null]}),
                );
            }
        }
        _ => {}
    }
}

/// What a later platform writes into every event.
pub const EVENT_FIELDS: &str = "<NotYetKnown><![CDATA[2031]]></NotYetKnown><NotYetKnownList><Item><Kind>9001</Kind></Item></NotYetKnownList>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_times_change_and_everything_else_stays() {
        let plain =
            json!({"list": [{"status": 2, "msgtype": "text", "send_time": 5, "name": "status"}]}).to_string();
        let later = Knobs {
            from_the_future: true,
            times_as_text: true,
            ..Knobs::default()
        };
        let dressed: Value = serde_json::from_str(&dress(plain.clone(), &later)).unwrap();
        let one = &dressed["list"][0];
        assert_eq!(
            (&one["status"], &one["send_time"], &one["msgtype"], &one["name"]),
            (&json!(UNHEARD_OF), &json!("5"), &json!("text"), &json!("status"))
        );
        assert!(one["not_yet_known"].is_object() && dressed["not_yet_known"].is_object());
        assert_eq!(dress(plain.clone(), &Knobs::default()), plain);
    }
}
