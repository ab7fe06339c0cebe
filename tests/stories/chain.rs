//! A seeded chain: its rows, its figures, and the indexes of its tables.

use dianyu::db::{self, Backend, Conn as _, Db};
use dianyu::directory::{self, NewCorp};
use dianyu::ids::CorpId;
use dianyu::links::LinkTarget;
use dianyu::metrics;
use dianyu::scope::Actor;
use dianyu::seed::{Chain, ChainOptions, write};

use crate::world::World;

fn small(shop: &World) -> Chain {
    let mini_store = LinkTarget::Web {
        url: "https://shop.example.com".to_owned(),
    };
    Chain::grow(ChainOptions {
        contacts: 400,
        associates: 6,
        stores: 3,
        days: 20,
        more_tag_groups: 2,
        ..ChainOptions::demo(shop.now(), mini_store)
    })
}

async fn stored(shop: &World, chain: &Chain) -> CorpId {
    let new = NewCorp {
        corpid: "wwseed000000000001".to_owned(),
        name: "试算连锁".to_owned(),
        zone: chain.options.zone,
        agent_id: 1_000_002,
        secret: "secret".into(),
        callback_token: "token".into(),
        callback_aes_key: "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU".into(),
        link_hosts: vec!["shop.example.com".to_owned()],
        mini_store: None,
    };
    let act = shop.app.act(Actor::System);
    let tx = shop.begin().await;
    let corp = directory::add_corp(&tx, &act, &shop.app.sealer, new)
        .await
        .unwrap();
    write::write(&tx, &shop.app.sealer, corp, chain).await.unwrap();
    tx.commit().await.unwrap();
    corp
}

async fn indexes(db: &Db) -> Vec<String> {
    let sql = match db.backend() {
        Backend::Sqlite => "select name from sqlite_master where type = 'index' order by name",
        Backend::Postgres => {
            "select cast(indexname as text) from pg_indexes where schemaname = current_schema() order by indexname"
        }
    };
    db::scalars(db, sql, vec![]).await.unwrap()
}

#[tokio::test]
async fn a_seeded_chain_is_whole_its_figures_add_up_and_every_index_stands() {
    let shop = World::open().await;
    let before = indexes(&shop.app.db).await;
    assert!(before.len() > 40, "{before:?}");
    let chain = small(&shop);
    let corp = stored(&shop, &chain).await;

    assert_eq!(indexes(&shop.app.db).await, before);
    let batches: usize = chain
        .campaigns
        .iter()
        .map(|campaign| campaign.batches.len())
        .sum();
    let deliveries: usize = chain
        .campaigns
        .iter()
        .map(|campaign| campaign.deliveries.len())
        .sum();
    let lines: usize = chain.orders.iter().map(|order| order.lines.len()).sum();
    for (table, expected) in [
        ("contact", chain.contacts.len()),
        ("follow_period", chain.periods.len()),
        ("click", chain.clicks.len()),
        ("batch", batches),
        ("delivery", deliveries),
        ("sale", chain.orders.len()),
        ("sale_line", lines),
        ("refund", chain.refunds.len()),
        ("tag", chain.tag_groups.iter().map(|group| group.tags.len()).sum()),
    ] {
        let sql = format!("select count(*) from {table} where corp_id = {corp}");
        assert_eq!(shop.number(&sql).await, expected as i64, "{table}");
        assert!(expected > 0, "{table}");
    }
    let snapshot = shop.app.db.snapshot().await.unwrap();
    let (first, last) = (chain.first_day(), chain.last_day());
    let differences = metrics::differences(&snapshot, corp, first, last).await.unwrap();
    assert!(differences.is_empty(), "{differences:?}");
}
