//! The seeded chain: the same people in the product's database and in the simulator.

use anyhow::Context as _;
use dianyu::app::App;
use dianyu::auth::{self, NewOperator, Role};
use dianyu::db::Tx;
use dianyu::directory::{self, NewCorp};
use dianyu::ids::{CorpId, random_base62};
use dianyu::links::LinkTarget;
use dianyu::links::content::Content;
use dianyu::page::PageOf;
use dianyu::sandbox::{
    CorpSeed, Customer, Department, LifeOptions, Member, Product, Relation, Sandbox, Standing, Tag, TagGroup,
};
use dianyu::scope::{Actor, Scope};
use dianyu::seed::{Chain, ChainOptions, names, write};
use dianyu::segments::{self, Rule};
use dianyu::welcomes::{self, AppliesTo};
use secrecy::ExposeSecret as _;

use super::files::{Callback, Persona, Printed};

pub const SEED: u64 = 20_261_123;
pub const CORPID: &str = "ww7d1a0c5e93b84f26";
pub const NAME: &str = "禾与 HEYU";
pub const AGENT_ID: i64 = 1_000_002;

/// Grows the chain and puts it into both; the database's part is there whole or not at all.
pub async fn furnish(app: &App, sandbox: &Sandbox, url: &str, sandbox_url: &str) -> anyhow::Result<Printed> {
    let known = directory::find_corp_by_corpid(&app.db, CORPID).await.is_ok();
    anyhow::ensure!(
        !known,
        "the database holds a demo that this folder does not know; use another database"
    );
    let mini_store = LinkTarget::Web {
        url: format!("{sandbox_url}/shop/{CORPID}"),
    };
    let options = ChainOptions {
        seed: SEED,
        ..ChainOptions::demo(app.now(), mini_store.clone())
    };
    let chain = tokio::task::spawn_blocking(move || Chain::grow(options)).await?;

    let secret = random_base62(43);
    let callback = Callback {
        token: random_base62(24),
        aes_key: aes_key(),
    };
    sandbox.add_corp(platform_side(&chain, &secret));

    let tx = app.db.begin().await.map_err(super::super::sentence)?;
    tx.take_time().await.map_err(super::super::sentence)?;
    let new = NewCorp {
        corpid: CORPID.to_owned(),
        name: NAME.to_owned(),
        zone: chain.options.zone,
        agent_id: AGENT_ID,
        secret: secret.into(),
        callback_token: callback.token.clone().into(),
        callback_aes_key: callback.aes_key.clone().into(),
        link_hosts: vec![sandbox_url.trim_start_matches("http://").to_owned()],
        mini_store: Some(serde_json::to_string(&mini_store)?),
    };
    let printed = our_side(app, &tx, &chain, new, url, sandbox_url, callback)
        .await
        .map_err(super::super::sentence)?;
    tx.commit()
        .await
        .map_err(super::super::sentence)
        .context("storing the seeded chain")?;
    app.db.look_at_tables().await.map_err(super::super::sentence)?;
    Ok(printed)
}

/// Tells the simulator where the product hears of changes; the product may have moved since.
pub fn connect(sandbox: &Sandbox, printed: &Printed) {
    let address = format!("{}/wecom/{}/callback", printed.url, printed.corpid);
    sandbox.set_callback(
        &printed.corpid,
        &address,
        &printed.callback.token,
        &printed.callback.aes_key,
    );
}

/// Who sells where and what there is to buy: what the shoppers' side of the demo needs to know.
pub async fn life(
    app: &App,
    printed: &Printed,
    stop: tokio_util::sync::CancellationToken,
) -> anyhow::Result<LifeOptions> {
    let corp = super::super::corp_named(app, &printed.corpid).await?;
    let scope = Scope::whole(corp.id);
    let stores = directory::all_stores(&app.db, &scope)
        .await
        .map_err(super::super::sentence)?;
    let codes: std::collections::HashMap<_, _> =
        stores.into_iter().map(|store| (store.id, store.code)).collect();
    let mut sellers = std::collections::HashMap::new();
    let mut page = PageOf::first(dianyu::page::MAX_LIMIT);
    loop {
        let found = directory::associates(&app.db, &scope, None, &page)
            .await
            .map_err(super::super::sentence)?;
        for associate in found.items {
            if let Some(code) = associate.store_id.and_then(|store| codes.get(&store)) {
                sellers.insert(associate.userid.0, code.clone());
            }
        }
        match found.next {
            Some(next) => {
                page =
                    PageOf::new(Some(dianyu::page::MAX_LIMIT), Some(next)).map_err(super::super::sentence)?
            }
            None => break,
        }
    }
    Ok(LifeOptions {
        product_url: printed.url.clone(),
        api_key: printed.api_key.clone(),
        corpid: printed.corpid.clone(),
        stores: sellers,
        products: products(),
        pace: 1.0,
        // Another life at every start: the same numbers would make the same orders again.
        seed: app.now().0.unsigned_abs(),
        stop,
    })
}

fn products() -> Vec<Product> {
    names::PRODUCTS
        .iter()
        .map(|product| Product {
            sku: product.sku.to_owned(),
            name: product.name.to_owned(),
            category: product.category.to_owned(),
            price_fen: product.price_fen,
        })
        .collect()
}

async fn our_side(
    app: &App,
    tx: &Tx,
    chain: &Chain,
    new: NewCorp,
    url: &str,
    sandbox_url: &str,
    callback: Callback,
) -> dianyu::error::Result<Printed> {
    let act = app.act(Actor::System);
    let corp = directory::add_corp(tx, &act, &app.sealer, new).await?;
    write::write(tx, &app.sealer, corp, chain).await?;
    let personas = personas(app, tx, chain, corp).await?;
    let scopes: Vec<String> = auth::key_scopes().into_iter().map(str::to_owned).collect();
    let (_, key) = auth::add_key(tx, &act, corp, "demo", &scopes, None).await?;
    welcome_and_segments(app, tx, chain, corp).await?;
    Ok(Printed {
        url: url.to_owned(),
        sandbox_url: sandbox_url.to_owned(),
        corpid: CORPID.to_owned(),
        secret: None,
        agent_id: None,
        api_key: key.expose_secret().to_owned(),
        callback,
        personas,
    })
}

/// One of each role; the manager's and the associate's store is the first. Both are members of the platform too.
async fn personas(app: &App, tx: &Tx, chain: &Chain, corp: CorpId) -> dianyu::error::Result<Vec<Persona>> {
    let associate = &chain.associates[0];
    let manager = chain
        .associates
        .iter()
        .filter(|member| member.store == associate.store)
        .nth(1)
        .unwrap_or(associate);
    let store = chain.store_of(0);
    let region = Some(store.region);
    let wanted = [
        (
            Role::Associate,
            "guide",
            associate.name.as_str(),
            None,
            None,
            Some(associate),
        ),
        (
            Role::Manager,
            "manager",
            manager.name.as_str(),
            Some(store.id),
            None,
            Some(manager).filter(|manager| manager.id != associate.id),
        ),
        (Role::Regional, "regional", "顾岚", None, region, None),
        (Role::Marketer, "marketer", "陈嘉", None, None, None),
        (Role::Admin, "admin", "何管理", None, None, None),
    ];
    let mut personas = Vec::new();
    for (role, login, name, store, region, member) in wanted {
        let password = random_base62(16);
        let new = NewOperator {
            login: login.to_owned(),
            name: name.to_owned(),
            role,
            password: Some(password.clone().into()),
            store,
            region,
            associate: member.map(|member| member.id),
        };
        auth::add_operator(tx, &app.act(Actor::System), corp, new).await?;
        let (role, login, name) = (role.as_str().to_owned(), login.to_owned(), name.to_owned());
        personas.push(Persona {
            role,
            login,
            password,
            name,
            userid: member.map(|member| member.userid.clone()),
        });
    }
    Ok(personas)
}

async fn welcome_and_segments(app: &App, tx: &Tx, chain: &Chain, corp: CorpId) -> dianyu::error::Result<()> {
    let act = app.act(Actor::System);
    let scope = Scope::whole(corp);
    let text = "你好，我是{store}的{associate}。想看什么款式直接跟我说，码数和颜色我帮你留。";
    let content = Content {
        text: text.to_owned(),
        attachments: Vec::new(),
    };
    welcomes::create(tx, &act, &scope, AppliesTo::Corp, &content).await?;
    let gold = Rule::Tag(chain.tag("金卡").id);
    let dress = Rule::Tag(chain.tag("爱买连衣裙").id);
    let east = Rule::Region(chain.regions[0].id);
    for (name, rule) in [
        ("金卡会员", gold.clone()),
        ("华东金卡 · 爱买连衣裙", Rule::All(vec![gold, east, dress])),
        ("爱买大衣", Rule::Tag(chain.tag("爱买大衣").id)),
    ] {
        segments::create(tx, &act, &scope, name, &rule).await?;
    }
    Ok(())
}

/// The platform's side of the same people.
pub fn platform_side(chain: &Chain, secret: &str) -> CorpSeed {
    let opened = chain.first_day().plus(-400).start(chain.options.zone).seconds();
    let mut departments = vec![Department {
        id: 1,
        name: NAME.to_owned(),
        ..Department::default()
    }];
    departments.extend(chain.regions.iter().map(|region| Department {
        id: region.department,
        name: region.name.clone(),
        parentid: 1,
        ..Department::default()
    }));
    departments.extend(chain.stores.iter().map(|store| Department {
        id: store.department,
        name: store.name.clone(),
        parentid: store.region_department,
        ..Department::default()
    }));
    let members = (0..chain.associates.len()).map(|index| {
        let associate = &chain.associates[index];
        Member {
            userid: associate.userid.clone(),
            name: associate.name.clone(),
            department: vec![chain.store_of(index).department],
            position: "导购".to_owned(),
            status: 1,
            ..Member::default()
        }
    });
    let customers = chain.contacts.iter().map(|contact| Customer {
        external_userid: contact.external_userid.clone(),
        name: contact.name.clone(),
        gender: contact.gender,
        unionid: contact.unionid.clone(),
        ..Customer::default()
    });
    CorpSeed {
        corpid: CORPID.to_owned(),
        name: NAME.to_owned(),
        secret: secret.to_owned(),
        agent_id: AGENT_ID,
        departments,
        members: members.collect(),
        customers: customers.collect(),
        relations: relations(chain),
        tag_groups: tag_groups(chain, opened),
    }
}

fn tag_groups(chain: &Chain, opened: i64) -> Vec<TagGroup> {
    let group = |(place, group): (usize, &dianyu::seed::chain::TagGroupGrown)| TagGroup {
        group_id: group.platform_id.clone(),
        group_name: group.name.to_owned(),
        create_time: opened,
        order: 100 - place as i64,
        tags: group
            .tags
            .iter()
            .enumerate()
            .map(|(place, tag)| Tag {
                id: tag.platform_id.clone(),
                name: tag.name.to_owned(),
                create_time: opened,
                order: 100 - place as i64,
                ..Tag::default()
            })
            .collect(),
        ..TagGroup::default()
    };
    chain.tag_groups.iter().enumerate().map(group).collect()
}

/// Pairs as they stand: one the associate removed is gone, one the customer left stays readable.
fn relations(chain: &Chain) -> Vec<Relation> {
    let platform_ids: std::collections::HashMap<_, _> = chain
        .tag_groups
        .iter()
        .flat_map(|group| &group.tags)
        .map(|tag| (tag.id, tag.platform_id.clone()))
        .collect();
    let standing = |period: &dianyu::seed::chain::PeriodSeed| match period.until {
        None => Some(Standing::Friend),
        Some((_, "contact")) => Some(Standing::OneWay),
        Some(_) => None,
    };
    chain
        .periods
        .iter()
        .filter(|period| period.is_last)
        .filter_map(|period| {
            let contact = &chain.contacts[period.contact];
            Some(Relation {
                userid: chain.associates[period.associate].userid.clone(),
                external_userid: contact.external_userid.clone(),
                standing: standing(period)?,
                createtime: period.from.seconds(),
                tag_ids: contact
                    .tags
                    .iter()
                    .map(|tag| platform_ids[tag].as_str().into())
                    .collect(),
                add_way: match period.cause {
                    "scan" => 1,
                    "search" => 2,
                    _ => 4,
                },
                state: period.channel.clone(),
                remark: period.remark.clone(),
                remark_mobiles: contact.phone.iter().cloned().collect(),
                ..Relation::default()
            })
        })
        .collect()
}

/// 43 characters whose bits make 32 bytes.
pub fn aes_key() -> String {
    use base64::Engine as _;
    let key = dianyu::config::MasterKey::generate();
    let mut text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(key.0);
    // The console's keys are letters and digits only.
    text = text.replace('+', "A").replace('/', "b");
    text
}
