//! Whether the mirror is the world: both written down as sentences, and the difference. And what may never be stored.

use std::collections::{BTreeMap, BTreeSet};

use dianyu::db;
use dianyu::sandbox::{Picture, Relation, Standing};
use sea_orm::Value;

use super::town::{History, Town};

impl Town {
    /// Notes where a history's mirror differs from its world. Unless ends that were told `are_placed`, a pair whose
    /// customer left may be live for us still: its reading came first, and the looks that follow have not come.
    pub async fn compare(&self, histories: &mut [History], are_placed: bool, when: &str) {
        let dead = "select kind || ' ' || payload || ': ' || coalesce(last_error, '') from job
                    where corp_id = $1 and state = 'dead'";
        for history in histories {
            let world = self.sandbox.picture(&history.corpid).unwrap();
            let mut there = sentences_of(&world, history);
            let mut here = self.mirror(history).await;
            if !are_placed {
                for pair in world
                    .relations
                    .iter()
                    .filter(|pair| pair.standing == Standing::OneWay)
                {
                    let (member, customer) = (&pair.userid, &pair.external_userid);
                    let about = [
                        format!("pair {customer} {member} "),
                        format!("contact {customer} "),
                    ];
                    let is_certain = |line: &String| !about.iter().any(|about| line.starts_with(about));
                    there.retain(is_certain);
                    here.retain(is_certain);
                }
            }
            let mut wrong: Vec<String> = there
                .difference(&here)
                .map(|line| format!("  missing: {line}"))
                .collect();
            wrong.extend(here.difference(&there).map(|line| format!("  too much: {line}")));
            wrong.extend(
                self.lines(history, dead)
                    .await
                    .into_iter()
                    .map(|job| format!("  a dead job: {job}")),
            );
            let failed = "select step || ' ' || coalesce(problem, '') from sync_step
                          where corp_id = $1 and (state <> 'done' or failed > 0)";
            wrong.extend(
                self.lines(history, failed)
                    .await
                    .into_iter()
                    .map(|step| format!("  a step: {step}")),
            );
            if !wrong.is_empty() {
                history.is_wrong(format!("{when}:\n{}", wrong.join("\n")));
            }
        }
    }

    async fn lines(&self, history: &History, sql: &str) -> Vec<String> {
        let args: Vec<Value> = vec![history.corp.into()];
        db::scalars(&self.app().db, sql, args)
            .await
            .unwrap_or_else(|error| panic!("{error}: {sql}"))
    }

    /// The mirror in the words of [`sentences_of`].
    async fn mirror(&self, history: &History) -> BTreeSet<String> {
        let mut said = BTreeSet::new();
        for sql in [
            "select 'member ' || a.userid || ' ' || a.name || ' in ' || cast(s.department_id as text)
             from associate a join store s on s.corp_id = a.corp_id and s.id = a.store_id
             where a.corp_id = $1 and a.status <> 'left'",
            "select 'tag group ' || platform_id || ' ' || name from tag_group where corp_id = $1 and deleted_at is null",
            "select 'tag ' || t.platform_id || ' ' || t.name || ' in ' || g.platform_id
             from tag t join tag_group g on g.corp_id = t.corp_id and g.id = t.group_id
             where t.corp_id = $1 and t.deleted_at is null",
            "select 'contact ' || external_userid || ' ' || name || ' ' || coalesce(unionid, '') from contact
             where corp_id = $1 and id in (select f.contact_id from follow f
               join associate a on a.corp_id = f.corp_id and a.id = f.associate_id
               where f.corp_id = $1 and f.state = 'active' and a.status <> 'left')",
            "select 'group ' || chat_id || ' ' || name || ' of ' || owner_userid || ' since '
               || cast(created_at / 1000 as text) || ' ' || notice
             from customer_group where corp_id = $1 and ended_at is null",
            "select 'in ' || g.chat_id || ': ' || m.member || ' kind ' || cast(m.kind as text) || ' since '
               || cast(m.joined_at / 1000 as text) || ' scene ' || cast(m.join_scene as text) || ' by '
               || coalesce(m.invitor, '-')
             from group_member m join customer_group g on g.corp_id = m.corp_id and g.id = m.group_id
             where m.corp_id = $1 and m.left_at is null",
        ] {
            said.extend(self.lines(history, sql).await);
        }
        said.extend(self.pairs(history).await);
        said
    }

    async fn pairs(&self, history: &History) -> Vec<String> {
        let tags = "select id, platform_id from tag where corp_id = $1";
        let args: Vec<Value> = vec![history.corp.into()];
        let rows = db::rows(&self.app().db, tags, args.clone()).await.unwrap();
        let names: BTreeMap<String, String> = rows
            .iter()
            .map(|row| {
                (
                    db::column::<i64>(row, 0).unwrap().to_string(),
                    db::column(row, 1).unwrap(),
                )
            })
            .collect();
        // Live, and as often as it has an open stretch.
        let sql = "select c.external_userid || ' ' || a.userid || ' since ' || cast(p.from_at / 1000 as text)
                     || ' way ' || cast(f.add_way as text) || ' by ' || f.channel || ' called ' || f.remark
                     || ' of ' || f.description || ' in ' || cast(p.store_id as text), f.tags,
                     p.from_cause, f.added_at / 1000
                   from follow f
                   join contact c on c.corp_id = f.corp_id and c.id = f.contact_id
                   join associate a on a.corp_id = f.corp_id and a.id = f.associate_id and a.status <> 'left'
                   left join follow_period p on p.corp_id = f.corp_id and p.contact_id = f.contact_id
                     and p.associate_id = f.associate_id and p.until_at is null
                   where f.corp_id = $1 and f.state = 'active'";
        let mut said = Vec::new();
        for row in &db::rows(&self.app().db, sql, args).await.unwrap() {
            let line: Option<String> = db::column(row, 0).unwrap();
            let (tags, cause): (String, Option<String>) =
                (db::column(row, 1).unwrap(), db::column(row, 2).unwrap());
            let added: i64 = db::column(row, 3).unwrap();
            let tags: BTreeSet<&str> = tags
                .split_whitespace()
                .map(|id| names.get(id).map_or("unknown", String::as_str))
                .collect();
            let line = line.unwrap_or_else(|| "a live pair without an open stretch".into());
            // A stretch that began with a move of the associate began, for the platform, with the pair.
            let line = match cause.as_deref() {
                Some("moved") => moved(&line, added),
                _ => line,
            };
            said.push(format!("pair {line} tags {tags:?}"));
        }
        said
    }

    /// Notes what no history may store at any time: two open stretches of a pair, a stretch that ends before it begins,
    /// a live pair without one, two of one person in a group, and (`deeply`) stretches that overlap.
    pub async fn impossible(&self, histories: &mut [History], deeply: bool) {
        let mut checks = vec![
            ("two open stretches of a pair",
             "select corp_id from follow_period where until_at is null and corp_id between $1 and $2
              group by corp_id, contact_id, associate_id having count(*) > 1"),
            ("a stretch that ends before it begins",
             "select corp_id from follow_period where until_at < from_at and corp_id between $1 and $2"),
            ("a live pair without an open stretch, or an open stretch of a pair that is not live",
             "select f.corp_id from follow f left join follow_period p on p.corp_id = f.corp_id
                and p.contact_id = f.contact_id and p.associate_id = f.associate_id and p.until_at is null
              where (f.state = 'active') <> (p.id is not null) and f.corp_id between $1 and $2"),
            ("a stretch in a group that ends before it begins",
             "select corp_id from group_member where left_at < joined_at and corp_id between $1 and $2"),
            ("somebody in a group that is over",
             "select m.corp_id from group_member m join customer_group g on g.corp_id = m.corp_id and g.id = m.group_id
              where m.left_at is null and g.ended_at is not null and m.corp_id between $1 and $2"),
        ];
        if deeply {
            checks.push((
                "stretches of a pair that overlap",
                "select a.corp_id from follow_period a join follow_period b on b.corp_id = a.corp_id
                   and b.contact_id = a.contact_id and b.associate_id = a.associate_id and b.id <> a.id
                 where a.from_at < b.from_at and (a.until_at is null or a.until_at > b.from_at)
                   and a.corp_id between $1 and $2",
            ));
            checks.push((
                "stretches in a group that overlap",
                "select a.corp_id from group_member a join group_member b on b.corp_id = a.corp_id
                   and b.group_id = a.group_id and b.member = a.member and b.id <> a.id
                 where a.joined_at < b.joined_at and (a.left_at is null or a.left_at > b.joined_at)
                   and a.corp_id between $1 and $2",
            ));
            checks.push((
                "two open memberships of an associate",
                "select corp_id from store_membership where until_at is null and corp_id between $1 and $2
                 group by corp_id, associate_id having count(*) > 1",
            ));
        }
        let now = self.app().now();
        let (first, last) = (histories.first(), histories.last());
        let span: Vec<Value> = [first, last]
            .into_iter()
            .flatten()
            .map(|one| one.corp.into())
            .collect();
        for (what, sql) in checks {
            let corps: Vec<i64> = db::scalars(&self.app().db, sql, span.clone())
                .await
                .unwrap_or_else(|error| panic!("{error}: {sql}"));
            for history in histories
                .iter_mut()
                .filter(|history| corps.contains(&history.corp.0))
            {
                history.note(now, &format!("HERE: {what}"));
                history.is_wrong(what.to_owned());
            }
        }
    }
}

/// A line with the beginning of the pair in the place of that of its stretch.
fn moved(line: &str, added: i64) -> String {
    let (head, rest) = line.split_once(" since ").unwrap_or((line, ""));
    let rest = rest.split_once(' ').map_or("", |(_, rest)| rest);
    format!("{head} since {added} {rest}")
}

/// The world as a mirror can know it. Pairs of members who left cannot be listed any more, so they are left out; that a
/// customer deleted the member is known from the event alone.
fn sentences_of(world: &Picture, history: &History) -> BTreeSet<String> {
    let mut said = BTreeSet::new();
    let department = |userid: &str| {
        let member = world
            .members
            .iter()
            .find(|member| member.userid.to_lowercase() == *userid);
        member
            .filter(|member| member.status != 5)
            .map(|member| member.department[0])
    };
    for member in world.members.iter().filter(|member| member.status != 5) {
        let userid = member.userid.to_lowercase();
        said.insert(format!(
            "member {userid} {} in {}",
            member.name, member.department[0]
        ));
    }
    for group in &world.tag_groups {
        said.insert(format!("tag group {} {}", group.group_id, group.group_name));
        for tag in &group.tags {
            said.insert(format!("tag {} {} in {}", tag.id, tag.name, group.group_id));
        }
    }
    for pair in world.relations.iter().filter(|pair| is_live(pair, history)) {
        let Some(department) = department(&pair.userid) else {
            continue;
        };
        let person = world
            .customers
            .iter()
            .find(|person| person.external_userid == pair.external_userid)
            .expect("a pair is with somebody");
        said.insert(format!(
            "contact {} {} {}",
            person.external_userid, person.name, person.unionid
        ));
        let tags: BTreeSet<&str> = pair.tag_ids.iter().map(|tag| &**tag).collect();
        said.insert(format!(
            "pair {} {} since {} way {} by {} called {} of {} in {department} tags {tags:?}",
            pair.external_userid,
            pair.userid,
            pair.createtime,
            pair.add_way,
            pair.state,
            pair.remark,
            pair.description
        ));
    }
    for group in &world.groups {
        let (chat_id, name, owner) = (&group.chat_id, &group.name, &group.owner);
        said.insert(format!(
            "group {chat_id} {name} of {owner} since {} {}",
            group.created_at, group.notice
        ));
        for member in &group.members {
            said.insert(format!(
                "in {chat_id}: {} kind {} since {} scene {} by {}",
                member.id,
                if member.is_external { 2 } else { 1 },
                member.joined_at,
                member.scene,
                member.invitor.as_deref().unwrap_or("-")
            ));
        }
    }
    said
}

fn is_live(pair: &Relation, history: &History) -> bool {
    match pair.standing {
        Standing::Friend => true,
        Standing::OneWay => {
            let key = (pair.userid.clone(), pair.external_userid.clone());
            !history.known_lost.contains(&key)
        }
        Standing::Pending | Standing::Half => false,
    }
}
