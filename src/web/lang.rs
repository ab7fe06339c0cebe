//! Texts in two languages: one Fluent file each, embedded; zh-CN first, en beside it.

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};

use super::format;
use crate::doctor::{Line, Sentence};
pub use crate::error::Arg;
use crate::error::Said;
use crate::metrics::Lang;

const ZH: &str = include_str!("../../locales/zh-CN.ftl");
const EN: &str = include_str!("../../locales/en.ftl");

static ZH_BUNDLE: LazyLock<FluentBundle<FluentResource>> = LazyLock::new(|| bundle("zh-CN", ZH));
static EN_BUNDLE: LazyLock<FluentBundle<FluentResource>> = LazyLock::new(|| bundle("en", EN));

fn bundle(name: &str, text: &str) -> FluentBundle<FluentResource> {
    let mut bundle = FluentBundle::new_concurrent(vec![name.parse().expect("a language tag")]);
    bundle.set_use_isolating(false);
    bundle.set_formatter(Some(|value, _| match value {
        FluentValue::Number(number) => Some(format::count(number.value as i64)),
        _ => None,
    }));
    let resource = FluentResource::try_new(text.to_owned());
    let resource = resource.unwrap_or_else(|(_, errors)| panic!("locales/{name}.ftl: {errors:?}"));
    if let Err(errors) = bundle.add_resource(resource) {
        panic!("locales/{name}.ftl: {errors:?}");
    }
    bundle
}

/// The text of a key. A key that is not there shows as `⟦key⟧`; a test finds it before a reader does.
pub fn text(lang: Lang, key: &str, args: &[(&str, Arg)]) -> String {
    let bundle = match lang {
        Lang::Zh => &ZH_BUNDLE,
        Lang::En => &EN_BUNDLE,
    };
    let Some(pattern) = bundle.get_message(key).and_then(|message| message.value()) else {
        return format!("⟦{key}⟧");
    };
    let mut given = FluentArgs::new();
    for (name, value) in args {
        match value {
            Arg::Number(number) => given.set(*name, *number),
            Arg::Word(word) => given.set(*name, word.as_str()),
        }
    }
    let mut errors = Vec::new();
    bundle
        .format_pattern(pattern, Some(&given), &mut errors)
        .into_owned()
}

/// What a domain said, in the reader's language; what it says to programs only stays as it is.
pub fn said(lang: Lang, said: &Said) -> String {
    let Some(key) = said.key() else {
        return said.to_string();
    };
    let why = text(lang, key, said.args());
    match said.subject() {
        Some(name) => text(
            lang,
            "problem-about",
            &[("name", name.into()), ("why", why.into())],
        ),
        None => why,
    }
}

/// A sentence of the doctor's.
fn sentence(lang: Lang, sentence: &Sentence) -> String {
    let args = sentence.args.iter();
    let args: Vec<(&str, Arg)> = args.map(|(name, value)| (name.as_str(), value.clone())).collect();
    text(lang, &sentence.key, &args)
}

/// What a check of the doctor's is called.
pub fn check(lang: Lang, check: &str) -> String {
    text(
        lang,
        &format!("doctor-check-{}", check.replace(['.', '_'], "-")),
        &[],
    )
}

/// What a check found, or which other has to be well first.
pub fn finding(lang: Lang, line: &Line) -> String {
    match (&line.finding, &line.because) {
        (Some(finding), _) => sentence(lang, finding),
        (None, because) => {
            let because = self::check(lang, because.as_deref().unwrap_or("settings"));
            text(lang, "doctor-because", &[("check", because.into())])
        }
    }
}

/// What to open and change.
pub fn way_out(lang: Lang, line: &Line) -> Option<String> {
    line.way_out.as_ref().map(|way| sentence(lang, way))
}

/// `zh` or `en` as the cookie and the address write them.
pub fn parse(text: &str) -> Option<Lang> {
    match text {
        "zh" => Some(Lang::Zh),
        "en" => Some(Lang::En),
        _ => None,
    }
}

pub fn code(lang: Lang) -> &'static str {
    match lang {
        Lang::Zh => "zh",
        Lang::En => "en",
    }
}

/// The first language of ours that a browser asks for.
pub fn accepted(header: &str) -> Option<Lang> {
    header.split(',').find_map(|tag| {
        let tag = tag.trim().to_ascii_lowercase();
        parse(tag.get(..2)?)
    })
}

/// The keys of a language, in order, for the test that both have the same.
pub fn keys(lang: Lang) -> Vec<&'static str> {
    let text = match lang {
        Lang::Zh => ZH,
        Lang::En => EN,
    };
    text.lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
        .filter_map(|line| line.split_once('=').map(|(key, _)| key.trim()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_the_same_keys_once() {
        let (zh, en) = (keys(Lang::Zh), keys(Lang::En));
        for key in &zh {
            assert!(en.contains(key), "en.ftl lacks `{key}`");
        }
        for key in &en {
            assert!(zh.contains(key), "zh-CN.ftl lacks `{key}`");
        }
        let mut once = zh.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), zh.len());
    }

    #[test]
    fn numbers_have_separators_and_missing_keys_show() {
        assert!(text(Lang::Zh, "toast-tagged", &[("count", 3282i64.into())]).contains("3,282"));
        assert_eq!(text(Lang::En, "no-such-key", &[]), "⟦no-such-key⟧");
    }

    #[test]
    fn a_browsers_first_known_language_is_taken() {
        for (header, lang) in [
            ("en-GB,en;q=0.9,zh;q=0.5", Some(Lang::En)),
            ("fr, zh-CN;q=0.8", Some(Lang::Zh)),
            ("de", None),
            ("", None),
        ] {
            assert_eq!(accepted(header), lang, "{header}");
        }
    }
}
