//! How somebody came, in words: the platform's way of adding, and the channel of the code they scanned.

use crate::directory::Store;
use crate::web::Shell;

/// Ways of the platform that have a word of their own (path/92114, read 2026-11-22).
const WAYS: [i64; 19] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 201, 202,
];

/// The causes a timeline keeps.
const CAUSES: [&str; 7] = ["scan", "search", "card", "group", "link", "shared", "transfer"];

/// Places within a store that codes are often named after.
const PLACES: [&str; 5] = ["cashier", "fitting", "door", "bag", "counter"];

/// As a relationship has it.
pub fn added(shell: &Shell, add_way: i64, channel: &str, stores: &[Store]) -> String {
    let way = match WAYS.contains(&add_way) {
        true => shell.t(&format!("add-way-{add_way}")),
        false => shell.t("way-other"),
    };
    joined(way, channel, stores, shell)
}

/// As the timeline has it.
pub fn came(shell: &Shell, cause: &str, channel: &str, stores: &[Store]) -> String {
    let cause = if CAUSES.contains(&cause) { cause } else { "other" };
    joined(shell.t(&format!("way-{cause}")), channel, stores, shell)
}

fn joined(way: String, channel: &str, stores: &[Store], shell: &Shell) -> String {
    match word(shell, channel, stores) {
        Some(word) => format!("{way} · {word}"),
        None => way,
    }
}

/// `S001_cashier`: the store of that code and the place in it. A channel that names no store is given as it is.
fn word(shell: &Shell, channel: &str, stores: &[Store]) -> Option<String> {
    if channel.is_empty() {
        return None;
    }
    let Some((store, rest)) = stores
        .iter()
        .find_map(|store| Some((store, after(channel, &store.code)?)))
    else {
        return Some(shell.t1("channel-other", "code", channel));
    };
    let rest = rest.trim_matches(is_seam);
    let place = match rest {
        "" => return Some(store.name.clone()),
        known if PLACES.contains(&known) => shell.t(&format!("place-{known}")),
        other => other.to_owned(),
    };
    Some(shell.t2("channel-store", "store", &store.name, "place", place))
}

/// What follows a store's code at the head of a channel; the code ends where a word does.
fn after<'a>(channel: &'a str, code: &str) -> Option<&'a str> {
    let head = channel.get(..code.len())?;
    let rest = &channel[code.len()..];
    (!code.is_empty() && head.eq_ignore_ascii_case(code) && (rest.is_empty() || rest.starts_with(is_seam)))
        .then_some(rest)
}

fn is_seam(letter: char) -> bool {
    matches!(letter, '_' | '-' | '.' | ':' | '/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Role;
    use crate::ids::{RegionId, StoreId};
    use crate::metrics::Lang;
    use crate::web::samples;

    fn store(id: i64, code: &str, name: &str) -> Store {
        Store {
            id: StoreId(id),
            code: code.into(),
            name: name.into(),
            region_id: RegionId(11),
            region_name: "华东".into(),
            zone: "Asia/Shanghai".into(),
            status: "open".into(),
        }
    }

    #[test]
    fn a_channel_is_said_by_its_store_and_place() {
        let stores = [store(21, "S1", "静安嘉里店"), store(22, "S12", "杭州湖滨店")];
        for (lang, way, channel, said) in [
            (Lang::Zh, 1, "S1_cashier", "扫码 · 静安嘉里店收银台"),
            (Lang::En, 1, "S1_cashier", "Scanned a code · 静安嘉里店, checkout"),
            (Lang::Zh, 1, "s12-fitting", "扫码 · 杭州湖滨店试衣间"),
            (Lang::Zh, 16, "S12", "获客链接 · 杭州湖滨店"),
            (Lang::Zh, 1, "S1_Q4", "扫码 · 静安嘉里店Q4"),
            (Lang::Zh, 1, "S123", "扫码 · 渠道 S123"),
            (Lang::En, 1, "douyin", "Scanned a code · Channel douyin"),
            (Lang::Zh, 10, "", "视频号"),
            (Lang::Zh, 0, "", "其他方式"),
            (Lang::Zh, 999, "", "其他方式"),
        ] {
            let shell = samples::shell(Role::Manager, lang, "/contacts/101");
            assert_eq!(added(&shell, way, channel, &stores), said, "{way} {channel}");
        }
    }

    #[test]
    fn every_way_and_cause_has_its_word() {
        let shell = samples::shell(Role::Manager, Lang::Zh, "/contacts/101");
        for way in WAYS {
            assert!(!added(&shell, way, "", &[]).contains('⟦'), "{way}");
        }
        for cause in CAUSES {
            assert!(!came(&shell, cause, "", &[]).contains('⟦'), "{cause}");
        }
        for place in PLACES {
            assert!(!shell.t(&format!("place-{place}")).contains('⟦'), "{place}");
        }
    }
}
