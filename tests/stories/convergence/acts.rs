//! What happens in a history: people in the platform's own apps, ourselves through our own verbs, another app.

use dianyu::contacts;
use dianyu::db;
use dianyu::directory;
use dianyu::error::{Error, Result};
use dianyu::ids::{AssociateId, ContactId, TagGroupId, TagId};
use dianyu::sandbox::{Act, Member, Picture, Relation, Standing};
use dianyu::scope::{Actor, Reach, Scope};
use dianyu::sync::{self, Kind};
use dianyu::tags;
use dianyu::wecom::tag::Group;
use rand::RngExt as _;
use rand::rngs::StdRng;

use super::town::{History, Town};

/// One thing that happens.
enum Deed {
    Human(Act),
    /// Changed through a call: by our own verb, or by another app of the corp.
    Call(Verb),
    /// A sync in the middle of it all.
    Sweep,
}

#[derive(Debug)]
enum Verb {
    Mark {
        pair: (String, String),
        add: Vec<String>,
        take: Vec<String>,
    },
    Remark {
        pair: (String, String),
        remark: String,
    },
    CreateTag {
        group: String,
        name: String,
    },
    RenameTag {
        tag: String,
        name: String,
    },
    DeleteTag {
        tag: String,
    },
}

impl History {
    /// Plays one act.
    pub async fn act(&mut self, town: &Town) {
        let picture = town.sandbox.picture(&self.corpid).unwrap();
        let deed = loop {
            if let Some(deed) = choose(&mut self.chance, &picture) {
                break deed;
            }
        };
        let is_ours = self.chance.random_range(0..3) > 0;
        let now = town.app().now();
        let (what, done) = match deed {
            Deed::Human(act) => {
                let what = format!("{act:?}");
                let done = town.sandbox.act(&self.corpid, act);
                (what, done.map(drop).map_err(|error| error.to_string()))
            }
            Deed::Call(verb) if is_ours => {
                let done = self.through_us(town, &verb).await;
                self.must_be_a_refusal(&done);
                (format!("we: {verb:?}"), done.map_err(|error| error.to_string()))
            }
            Deed::Call(verb) => {
                let done = self.through_another(town, &verb).await;
                (
                    format!("another app: {verb:?}"),
                    done.map_err(|error| error.to_string()),
                )
            }
            Deed::Sweep => {
                let tx = town.shop.begin().await;
                let act = town.app().act(Actor::System);
                let started = sync::start(&tx, &act, self.corp, Kind::Asked).await;
                tx.commit().await.unwrap();
                (
                    "a sync".to_owned(),
                    started.map(drop).map_err(|error| error.to_string()),
                )
            }
        };
        let outcome = done.err().map(|error| format!(" -> {error}")).unwrap_or_default();
        self.note(now, &format!("{what}{outcome}"));
    }

    /// The mirror may be behind, so a verb may be refused; it may not break.
    fn must_be_a_refusal(&mut self, done: &Result<()>) {
        if let Err(error @ Error::Internal(_)) = done {
            self.is_wrong(format!("a verb broke: {error}"));
        }
    }

    async fn through_us(&self, town: &Town, verb: &Verb) -> Result<()> {
        let app = town.app();
        let act = app.act(Actor::System);
        let whole = Scope::whole(self.corp);
        match verb {
            Verb::Mark { pair, add, take } => {
                let contact = self.contact(town, &pair.1).await?;
                let (add, take) = (self.tags(town, add).await?, self.tags(town, take).await?);
                tags::mark(app, &act, &whole, &[contact], &add, &take)
                    .await
                    .map(drop)
            }
            Verb::Remark { pair, remark } => {
                let contact = self.contact(town, &pair.1).await?;
                let userid = pair.0.as_str().into();
                let associate = directory::associate_by_userid(&app.db, self.corp, &userid).await?;
                let own = Scope {
                    corp: self.corp,
                    reach: Reach::Own(associate.map_or(AssociateId(0), |associate| associate.id)),
                };
                contacts::remark(app, &act, &own, contact, Some(remark.as_str()), None).await
            }
            Verb::CreateTag { group, name } => {
                let sql = "select id from tag_group where corp_id = $1 and name = $2 and deleted_at is null";
                let args = vec![self.corp.into(), group.clone().into()];
                let into = match db::scalar::<TagGroupId>(&app.db, sql, args).await? {
                    Some(id) => tags::Into::Group(id),
                    None => tags::Into::NewGroup(group.clone()),
                };
                tags::create(app, &act, &whole, into, name).await.map(drop)
            }
            Verb::RenameTag { tag, name } => {
                let id = self.tags(town, std::slice::from_ref(tag)).await?;
                tags::rename(app, &act, &whole, id[0], name).await
            }
            Verb::DeleteTag { tag } => {
                let id = self.tags(town, std::slice::from_ref(tag)).await?;
                tags::delete(app, &act, &whole, id[0]).await
            }
        }
    }

    /// The platform is asked as we ask it, and we write nothing down: to us it is as if another app had.
    async fn through_another(&self, town: &Town, verb: &Verb) -> Result<()> {
        let client = directory::platform(town.app(), self.corp).await?;
        match verb {
            Verb::Mark { pair, add, take } => {
                let add: Vec<&str> = add.iter().map(String::as_str).collect();
                let take: Vec<&str> = take.iter().map(String::as_str).collect();
                let (userid, customer) = (pair.0.as_str().into(), pair.1.as_str().into());
                client.mark_tags(&userid, &customer, &add, &take).await
            }
            Verb::Remark { pair, remark } => {
                let (userid, customer) = (pair.0.as_str().into(), pair.1.as_str().into());
                client
                    .remark(&userid, &customer, Some(remark.as_str()), None)
                    .await
            }
            Verb::CreateTag { group, name } => client
                .add_tags(&Group::Named(group.clone()), &[name.as_str()])
                .await
                .map(drop),
            Verb::RenameTag { tag, name } => client.rename_tag(tag, name).await,
            Verb::DeleteTag { tag } => client.delete_tags(&[tag.as_str()], &[]).await,
        }
    }

    async fn contact(&self, town: &Town, customer: &str) -> Result<ContactId> {
        let sql = "select id from contact where corp_id = $1 and external_userid = $2";
        let args = vec![self.corp.into(), customer.into()];
        db::scalar(&town.app().db, sql, args)
            .await?
            .ok_or(Error::NotFound)
    }

    async fn tags(&self, town: &Town, platform_ids: &[String]) -> Result<Vec<TagId>> {
        let mut found = Vec::new();
        for id in platform_ids {
            let sql = "select id from tag where corp_id = $1 and platform_id = $2 and deleted_at is null";
            let args = vec![self.corp.into(), id.clone().into()];
            let tag = db::scalar(&town.app().db, sql, args).await?;
            found.push(tag.ok_or(Error::NotFound)?);
        }
        Ok(found)
    }
}

/// Something that can happen in this world; `None`: what was thought of cannot.
fn choose(chance: &mut StdRng, world: &Picture) -> Option<Deed> {
    let present: Vec<&Member> = world.members.iter().filter(|member| member.status == 1).collect();
    let member = one(chance, &present)?.userid.clone();
    let customer = one(chance, &world.customers)?.external_userid.clone();
    let is_present = |pair: &&Relation| present.iter().any(|member| member.userid == pair.userid);
    let pairs: Vec<&Relation> = world.relations.iter().filter(is_present).collect();
    let of = |wanted: fn(Standing) -> bool| -> Vec<&Relation> {
        pairs
            .iter()
            .copied()
            .filter(|pair| wanted(pair.standing))
            .collect()
    };
    let scan = |needs_acceptance, is_half| Act::Scan {
        customer: customer.clone(),
        member: member.clone(),
        state: "door".into(),
        add_way: 1,
        needs_acceptance,
        is_half,
    };
    let number = chance.random_range(0..6);
    let kind = chance.random_range(0..100);
    let act = match kind {
        0..18 => scan(false, false),
        18..21 => scan(true, false),
        21..24 => scan(false, true),
        24..28 => {
            let pair = one(
                chance,
                &of(|standing| matches!(standing, Standing::Pending | Standing::Half)),
            )
            .copied()?;
            Act::Accept {
                member: pair.userid.clone(),
                customer: pair.external_userid.clone(),
            }
        }
        28..36 => {
            let pair = one(chance, &of(|standing| standing == Standing::Friend)).copied()?;
            Act::CustomerDeletes {
                customer: pair.external_userid.clone(),
                member: pair.userid.clone(),
            }
        }
        36..44 => {
            let pair = one(chance, &pairs)?;
            Act::MemberDeletes {
                member: pair.userid.clone(),
                customer: pair.external_userid.clone(),
            }
        }
        44..48 => {
            let (pair, add, take) = marking(chance, world, &of(Standing::is_readable))?;
            Act::MemberTags {
                member: pair.0,
                customer: pair.1,
                add,
                remove: take,
            }
        }
        48..51 => {
            let pair = one(chance, &of(Standing::is_readable)).copied()?;
            Act::MemberRemarks {
                member: pair.userid.clone(),
                customer: pair.external_userid.clone(),
                remark: format!("备注{number}"),
            }
        }
        51..53 => Act::AdminAddsTag {
            group: group_name(number),
            name: format!("签{number}"),
        },
        53..55 => Act::AdminRenamesTag {
            id: tag(chance, world)?,
            name: format!("改{number}"),
        },
        55..57 => Act::AdminDeletesTag {
            id: tag(chance, world)?,
        },
        57..60 => Act::MoveMember {
            member,
            department: vec![if number % 2 == 0 { 21 } else { 22 }],
        },
        60..61 if present.len() > 2 => Act::Resign { member },
        61..62 => Act::Hire(Member {
            userid: format!("New{number}"),
            name: format!("新人{number}"),
            department: vec![21],
            has_console_welcome: true,
            ..Member::default()
        }),
        62..78 => group_act(chance, world, &member, &customer, number)?,
        78..98 => return verb(chance, world, &of(Standing::is_readable), number).map(Deed::Call),
        98..100 => return Some(Deed::Sweep),
        _ => return None,
    };
    Some(Deed::Human(act))
}

fn group_act(chance: &mut StdRng, world: &Picture, member: &str, customer: &str, number: i32) -> Option<Act> {
    let kind = chance.random_range(0..16);
    if kind < 4 {
        return Some(Act::CreateGroup {
            owner: member.into(),
            name: format!("群{number}"),
            people: vec![customer.into()],
        });
    }
    let group = one(chance, &world.groups)?;
    let chat_id = group.chat_id.clone();
    let others: Vec<&str> = group
        .members
        .iter()
        .map(|member| member.id.as_str())
        .filter(|id| *id != group.owner)
        .collect();
    Some(match kind {
        4..8 => Act::JoinGroup {
            chat_id,
            person: if number == 0 { member } else { customer }.into(),
            invitor: (number % 2 == 0).then(|| group.owner.clone()),
        },
        8..10 => Act::LeaveGroup {
            chat_id,
            person: (*one(chance, &others)?).into(),
        },
        10..12 => Act::RemoveFromGroup {
            chat_id,
            person: (*one(chance, &others)?).into(),
        },
        12 => Act::RenameGroup {
            chat_id,
            name: format!("群改{number}"),
        },
        13 => Act::ChangeGroupNotice {
            chat_id,
            notice: format!("公告{number}"),
        },
        14 => Act::ChangeGroupOwner {
            chat_id,
            member: member.into(),
        },
        _ => Act::DismissGroup { chat_id },
    })
}

fn verb(chance: &mut StdRng, world: &Picture, pairs: &[&Relation], number: i32) -> Option<Verb> {
    Some(match chance.random_range(0..20) {
        0..8 => {
            let (pair, add, take) = marking(chance, world, pairs)?;
            Verb::Mark { pair, add, take }
        }
        8..12 => {
            let pair = one(chance, pairs)?;
            Verb::Remark {
                pair: (pair.userid.clone(), pair.external_userid.clone()),
                remark: format!("我们{number}"),
            }
        }
        12..16 => Verb::CreateTag {
            group: group_name(number),
            name: format!("签{number}"),
        },
        16..18 => Verb::RenameTag {
            tag: tag(chance, world)?,
            name: format!("改{number}"),
        },
        _ => Verb::DeleteTag {
            tag: tag(chance, world)?,
        },
    })
}

type Marking = ((String, String), Vec<String>, Vec<String>);

/// A pair, and tags to set on it or to take.
fn marking(chance: &mut StdRng, world: &Picture, pairs: &[&Relation]) -> Option<Marking> {
    let pair = one(chance, pairs)?;
    let tag = tag(chance, world)?;
    let holds = pair.tag_ids.iter().any(|held| *held == *tag);
    let (add, take) = if holds {
        (vec![], vec![tag])
    } else {
        (vec![tag], vec![])
    };
    Some(((pair.userid.clone(), pair.external_userid.clone()), add, take))
}

fn group_name(number: i32) -> String {
    (if number % 2 == 0 { "等级" } else { "来源" }).to_owned()
}

fn tag(chance: &mut StdRng, world: &Picture) -> Option<String> {
    let tags: Vec<&str> = world
        .tag_groups
        .iter()
        .flat_map(|group| group.tags.iter().map(|tag| tag.id.as_str()))
        .collect();
    one(chance, &tags).map(|tag| (*tag).to_owned())
}

fn one<'a, T>(chance: &mut StdRng, list: &'a [T]) -> Option<&'a T> {
    (!list.is_empty()).then(|| &list[chance.random_range(0..list.len())])
}
