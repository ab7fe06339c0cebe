//! The little HTML the simulator's own pages need.

use axum::response::Html;

const STYLE: &str = "body{font:16px/1.6 system-ui,sans-serif;max-width:44rem;margin:0 auto;padding:1rem;color:#1d2129;background:#f6f7f9}\
section{background:#fff;border-radius:8px;padding:.75rem 1rem;margin:.75rem 0}h1{font-size:1.25rem}h2{font-size:1rem;margin:.25rem 0}\
form{display:inline}button,select,input{font:inherit;padding:.4rem .8rem;margin:.2rem 0;min-height:2.75rem}p{margin:.4rem 0}small{color:#667}";

pub fn page(title: &str, body: &str) -> Html<String> {
    let title = escape(title);
    Html(format!(
        "<!doctype html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
         <link rel=\"icon\" href=\"data:,\"><style>{STYLE}</style></head><body><h1>{title}</h1>{body}</body></html>"
    ))
}

pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

pub fn hidden(name: &str, value: &str) -> String {
    format!(
        "<input type=\"hidden\" name=\"{name}\" value=\"{}\">",
        escape(value)
    )
}

/// A form with hidden fields and one button.
pub fn button(action: &str, fields: &[(&str, &str)], label: &str) -> String {
    let fields: String = fields.iter().map(|(name, value)| hidden(name, value)).collect();
    format!(
        "<form method=\"post\" action=\"{}\">{fields}<button>{}</button></form> ",
        escape(action),
        escape(label)
    )
}

/// Percent-encodes for a path or a query.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
