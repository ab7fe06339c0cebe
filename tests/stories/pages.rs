//! Every page with its samples, in both languages: it renders, and what it renders is sound.
//!
//! Set `DIANYU_PAGES_OUT` to a folder to look at them in a browser.

use askama::Template;
use dianyu::auth::Role;
use dianyu::metrics::Lang;
use dianyu::web::{
    Shell, assets, care, contacts, fault, lang, links, me, moments, samples, sign_in, workbench,
};

/// A page as rendered: its name, for whom, and the text.
pub struct Rendered {
    pub name: String,
    pub text: String,
}

fn all() -> Vec<Rendered> {
    let mut pages = Vec::new();
    for lang in [Lang::Zh, Lang::En] {
        let mut add = |page: &str,
                       role: Role,
                       address: &str,
                       render: &dyn Fn(&Shell) -> Vec<(&'static str, String)>| {
            let shell = samples::shell(role, lang, address);
            for (sample, text) in render(&shell) {
                let name = format!("{page}-{sample}.{}.{}", role.as_str(), lang::code(lang));
                pages.push(Rendered { name, text });
            }
        };
        let associate = Role::Associate;
        add("today", associate, "/", &|shell| {
            texts(workbench::WorkbenchPage::samples(shell))
        });
        add("task", associate, "/", &|shell| {
            texts(workbench::TaskPage::samples(shell))
        });
        add("me", associate, "/me", &|shell| texts(me::MePage::samples(shell)));
        add("me", Role::Manager, "/me", &|shell| {
            texts(me::MePage::samples(shell))
        });
        add("moment-form", Role::Marketer, "/moments/new", &|shell| {
            texts(moments::MomentForm::samples(shell))
        });
        for role in [Role::Associate, Role::Manager, Role::Marketer] {
            add("contacts", role, "/contacts", &|shell| {
                texts(contacts::ContactsPage::samples(shell))
            });
            add("contact", role, "/contacts", &|shell| {
                texts(contacts::ContactPage::samples(shell))
            });
            add("follow-ups", role, "/follow-ups", &|shell| {
                texts(care::FollowUpsPage::samples(shell))
            });
            add("moments", role, "/moments", &|shell| {
                texts(moments::MomentsPage::samples(shell))
            });
            add("moment", role, "/moments", &|shell| {
                texts(moments::MomentPage::samples(shell))
            });
            add("links", role, "/links", &|shell| {
                texts(links::LinksPage::samples(shell))
            });
            add("link", role, "/links", &|shell| {
                texts(links::LinkPage::samples(shell))
            });
        }
        add("sign-in", Role::Associate, "/sign-in", &|shell| {
            texts(sign_in::SignInPage::samples(shell))
        });
        add("switch", Role::Manager, "/sign-in", &|shell| {
            texts(sign_in::SwitchPage::samples(shell))
        });
        for role in Role::ALL {
            add("error", role, "/contacts/1", &|shell| {
                texts(fault::ErrorPage::samples(shell))
            });
        }
    }
    pages
}

pub fn texts<T: Template>(samples: Vec<(&'static str, T)>) -> Vec<(&'static str, String)> {
    samples
        .into_iter()
        .map(|(name, page)| (name, page.render().unwrap()))
        .collect()
}

#[test]
fn every_page_renders_soundly_in_both_languages() {
    check(all());
}

/// Every page is sound; written to files where that is asked for.
pub fn check(pages: Vec<Rendered>) {
    let out = std::env::var("DIANYU_PAGES_OUT").ok();
    for page in pages {
        sound(&page);
        if let Some(out) = &out {
            std::fs::write(format!("{out}/{}.html", page.name), &page.text).unwrap();
        }
    }
    if let Some(out) = &out {
        for name in ["app.css", "dark.css", "app.js", "icons.svg", "mark.svg"] {
            let to = format!("{out}{}", assets::url(name));
            std::fs::create_dir_all(std::path::Path::new(&to).parent().unwrap()).unwrap();
            std::fs::copy(format!("{}/assets/{name}", env!("CARGO_MANIFEST_DIR")), to).unwrap();
        }
    }
}

fn sound(page: &Rendered) {
    let Rendered { name, text } = page;
    for wrong in [
        "⟦",
        "NaN",
        "inf%",
        " style=",
        "<script>",
        "javascript:",
        " onclick=",
        "None",
        "Some(",
    ] {
        assert!(!text.contains(wrong), "{name} holds `{wrong}`:\n{text}");
    }
    assert_eq!(text.matches("<h1").count(), 1, "{name} has one h1");
    assert!(text.len() < 25_600, "{name} has {} bytes", text.len());
    let posts = text.matches("method=\"post\"").count();
    assert_eq!(
        text.matches("name=\"csrf\"").count(),
        posts,
        "{name}: every posted form carries the token"
    );
    tags_close(name, text);
    ids_fit(name, text);
    icons_exist(name, text);
}

/// Every element that opens closes, in order.
fn tags_close(name: &str, text: &str) {
    const VOID: [&str; 14] = [
        "meta", "link", "input", "br", "img", "hr", "path", "use", "rect", "circle", "!doctype", "wbr",
        "line", "source",
    ];
    let mut open: Vec<&str> = Vec::new();
    for part in text.split('<').skip(1) {
        let tag = part.split('>').next().unwrap();
        let word = tag
            .trim_start_matches('/')
            .split([' ', '\n', '/'])
            .next()
            .unwrap();
        if tag.starts_with('/') {
            assert_eq!(
                open.pop(),
                Some(word),
                "{name}: </{word}> closes something else, after …{part}"
            );
        } else if !VOID.contains(&word) && !tag.ends_with('/') {
            open.push(word);
        }
    }
    assert!(open.is_empty(), "{name}: {open:?} stay open");
}

/// Ids are there once, and what points at an id finds it.
fn ids_fit(name: &str, text: &str) {
    let values = |attribute: &str| -> Vec<String> {
        let start = format!(" {attribute}=\"");
        text.split(&start)
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect()
    };
    let ids = values("id");
    let mut once = ids.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "{name}: an id is there twice");
    for attribute in ["for", "aria-describedby", "aria-labelledby"] {
        for id in values(attribute) {
            assert!(ids.contains(&id), "{name}: {attribute}=\"{id}\" points nowhere");
        }
    }
    for href in values("href") {
        assert_ne!(href, "#", "{name} has a link to nowhere");
        if let Some(id) = href.strip_prefix('#') {
            assert!(
                ids.iter().any(|known| known == id),
                "{name}: #{id} points nowhere"
            );
        }
    }
}

fn icons_exist(name: &str, text: &str) {
    let sheet = include_str!("../../assets/icons.svg");
    for icon in text
        .split("icons.svg#")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
    {
        assert!(
            sheet.contains(&format!("id=\"{icon}\"")),
            "{name}: no icon `{icon}`"
        );
    }
}

#[test]
fn texts_named_in_templates_and_pages_exist() {
    let root = env!("CARGO_MANIFEST_DIR");
    let keys = lang::keys(Lang::Zh);
    let mut files = Vec::new();
    for folder in ["templates", "src/web"] {
        collect(std::path::Path::new(root).join(folder), &mut files);
    }
    let all: String = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    for call in [".t(\"", ".t1(\"", ".t2(\"", ".tell(\"", ".rich(\""] {
        for key in all
            .split(call)
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
        {
            assert!(keys.contains(&key), "no text `{key}` in locales/");
        }
    }
}

fn collect(folder: std::path::PathBuf, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(path, files)
        } else {
            files.push(path)
        }
    }
}

/// A call of the macro that makes a sentence with a key.
struct SaidCall {
    key: String,
    /// Names of the values it gives.
    values: Vec<String>,
    file: String,
}

fn said_calls() -> Vec<SaidCall> {
    let mut files = Vec::new();
    collect(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    let mut calls = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let code: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n");
        for rest in code.split("said!(").skip(1) {
            let Some(rest) = rest.trim_start().strip_prefix('"') else {
                continue;
            };
            let (key, rest) = rest.split_once('"').unwrap();
            let rest = rest.trim_start_matches([',', ' ', '\n']).trim_start_matches('"');
            let (_, rest) = rest.split_once('"').unwrap();
            let mut depth = 0;
            let end = rest.find(|letter| {
                depth += match letter {
                    '(' | '[' => 1,
                    ')' | ']' => -1,
                    _ => 0,
                };
                depth < 0
            });
            let given = &rest[..end.unwrap()];
            let values = given
                .split(',')
                .filter_map(|one| one.split_once(" = "))
                .map(|(name, _)| name.trim().to_owned());
            calls.push(SaidCall {
                key: key.to_owned(),
                values: values.collect(),
                file: file.display().to_string(),
            });
        }
    }
    calls
}

/// The whole of a message in a language's file, with its variants.
fn message<'a>(texts: &'a str, key: &str) -> Option<&'a str> {
    let start = texts.find(&format!("\n{key} = "))? + 1;
    let rest = &texts[start..];
    let end = rest
        .match_indices('\n')
        .find(|(at, _)| !rest[at + 1..].starts_with([' ', '}', '\n']))
        .map_or(rest.len(), |(at, _)| at);
    Some(&rest[..end])
}

#[test]
fn what_domains_say_has_a_sentence_in_both_languages_with_the_values_it_needs() {
    let calls = said_calls();
    assert!(calls.len() > 60, "only {} calls were read", calls.len());
    let languages = [
        ("zh-CN.ftl", include_str!("../../locales/zh-CN.ftl")),
        ("en.ftl", include_str!("../../locales/en.ftl")),
    ];
    for (name, texts) in languages {
        for call in &calls {
            let SaidCall { key, values, file } = call;
            let text =
                message(texts, key).unwrap_or_else(|| panic!("{name} has no `{key}`, which {file} says"));
            for used in text.split('$').skip(1) {
                let used = used.split([' ', '}']).next().unwrap();
                assert!(
                    values.iter().any(|value| value == used),
                    "{name}: `{key}` uses ${used}, which {file} does not give"
                );
            }
        }
        let kept = texts
            .lines()
            .filter_map(|line| line.split_once(" = ").map(|(key, _)| key));
        for key in kept.filter(|key| key.starts_with("refused-") || key.starts_with("conflict-")) {
            assert!(
                calls.iter().any(|call| call.key == key),
                "{name}: nobody says `{key}`"
            );
        }
    }
}

#[test]
fn english_has_straight_quotes() {
    // Fonts for Chinese, in which they stand beside it, draw curly ones as wide as a character.
    let texts = include_str!("../../locales/en.ftl");
    for (line, text) in texts.lines().enumerate() {
        let is_straight = !text.contains(['\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}']);
        assert!(is_straight, "locales/en.ftl:{}: {text}", line + 1);
    }
}
