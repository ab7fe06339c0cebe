//! Invented people for the `samples()` of pages: every page renders with them in the tests.

use crate::auth::{Operator, Role};
use crate::ids::{AssociateId, CorpId, OperatorId, StoreId};
use crate::metrics::Lang;
use crate::scope::{Reach, Scope};
use crate::time::Timestamp;

use super::Shell;

/// 2026-11-23 10:30 in Shanghai, a Monday.
pub const NOW: Timestamp = Timestamp(1_795_401_000_000);

/// The frame around a page as somebody of this role sees it.
pub fn shell(role: Role, lang: Lang, address: &str) -> Shell {
    Shell {
        lang,
        theme: None,
        csrf: "sample-csrf".into(),
        me: Some(operator(role)),
        address: address.into(),
        flash: None,
        now: NOW,
        zone: chrono_tz::Asia::Shanghai,
        waiting: 0,
        is_https: true,
    }
}

pub fn operator(role: Role) -> Operator {
    let (name, associate, store, reach) = match role {
        Role::Associate => (
            "林晓雯",
            Some(AssociateId(31)),
            Some(StoreId(21)),
            Reach::Own(AssociateId(31)),
        ),
        Role::Manager => ("周敏", None, Some(StoreId(21)), Reach::Stores(vec![StoreId(21)])),
        Role::Regional => ("陈嘉", None, None, Reach::Stores(vec![StoreId(21), StoreId(22)])),
        Role::Marketer | Role::Admin => ("许宁", None, None, Reach::Whole),
    };
    Operator {
        id: OperatorId(1),
        corp: CorpId(1),
        corp_name: "禾与 HEYU".into(),
        zone: chrono_tz::Asia::Shanghai,
        name: name.into(),
        role,
        associate,
        store,
        store_name: store.map(|_| "静安嘉里店".into()),
        scope: Scope {
            corp: CorpId(1),
            reach,
        },
        csrf: "sample-csrf".into(),
        session: "sample".into(),
    }
}
