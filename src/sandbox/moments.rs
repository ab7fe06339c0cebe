//! Posts to the customers' feed: a job makes the post, each member publishes it, customers like and comment.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Value, json};

use super::broadcasts::{is_by, shown};
use super::directory::is_below;
use super::gate::{Answer, Api, Call, Refusal, strings};
use super::groups::ZONE;
use super::message;
use super::world::{Corp, Kind, Moment, MomentTask, Pair, Relation, Standing, join};
use crate::time::{DAY_MS, Timestamp};

pub const APIS: &[Api] = &[
    Api::post("externalcontact/add_moment_task", add),
    Api::get("externalcontact/get_moment_task_result", job),
    Api::post("externalcontact/get_moment_list", list).listing(&["moment_list"]),
    Api::post("externalcontact/get_moment_task", tasks).listing(&["task_list"]),
    Api::post("externalcontact/get_moment_customer_list", chosen).listing(&["customer_list"]),
    Api::post("externalcontact/get_moment_send_result", visible).listing(&["customer_list"]),
    Api::post("externalcontact/get_moment_comments", interactions).listing(&["comment_list", "like_list"]),
    Api::post("externalcontact/cancel_moment_task", cancel),
];

const JOB_LIFE_MS: i64 = DAY_MS;
const MAX_SPAN_S: i64 = 30 * 86_400;

/// Who was asked to post, to whom; and what of it nobody knows.
#[derive(Default)]
struct Range {
    members: BTreeSet<String>,
    tags: Vec<String>,
    invalid_senders: Vec<String>,
    invalid_departments: Vec<i64>,
    invalid_tags: Vec<String>,
}

fn add(call: &mut Call<'_>) -> Answer {
    message::check_moment(call.corp, call.now, call.body)?;
    let running = call.now.0 - call.knobs.moment_job_ms;
    let jobs = call.corp.moments.values();
    if jobs.filter(|moment| moment.created_at > running).count() >= call.knobs.moment_jobs {
        return Err(Refusal::new(41078));
    }
    let range = range(call)?;
    let jobid = call.corp.new_id("SimJob", 40);
    let moment = Moment {
        moment_id: call.corp.new_id("mom", 34),
        jobid: jobid.clone(),
        created_at: call.now.0,
        message: message::content(call.body),
        is_public: range.tags.is_empty(),
        is_cancelled: false,
        invalid_senders: range.invalid_senders,
        invalid_departments: range.invalid_departments,
        invalid_tags: range.invalid_tags,
        creator: String::new(),
    };
    for userid in range.members {
        let customers = customers(call.corp, &userid, &range.tags);
        if customers.is_empty() && !range.tags.is_empty() {
            continue;
        }
        let moment_id = moment.moment_id.clone();
        let task = MomentTask {
            moment_id,
            userid,
            published_at: None,
            customers,
            likes: vec![],
            comments: vec![],
        };
        put_task(call.corp, task);
    }
    call.corp.touch(Kind::Moment, &moment.moment_id);
    call.corp.moments.insert(moment.moment_id.clone(), moment);
    Ok(json!({"jobid": jobid}))
}

fn range(call: &Call<'_>) -> Result<Range, Refusal> {
    let asked = &call.body["visible_range"];
    let senders = &asked["sender_list"];
    let users = strings(senders.get("user_list"), "user_list", 100_000)?;
    let departments: Vec<i64> = senders["department_list"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_i64)
        .collect();
    let tags = strings(asked["external_contact_list"].get("tag_list"), "tag_list", 3_000)?;
    let mut range = Range::default();
    for user in &users {
        match call.member(user) {
            Ok(key) => drop(range.members.insert(key)),
            Err(_) => range.invalid_senders.push((*user).to_owned()),
        }
    }
    for root in &departments {
        if call.corp.departments.contains_key(root) {
            range.members.extend(members_below(call.corp, *root));
        } else {
            range.invalid_departments.push(*root);
        }
    }
    for tag in tags {
        let is_known = call.corp.tag(tag).is_some();
        if is_known {
            &mut range.tags
        } else {
            &mut range.invalid_tags
        }
        .push(tag.to_owned());
    }
    if users.is_empty() && departments.is_empty() {
        range.members = able_members(call.corp).map(str::to_owned).collect();
    }
    Ok(range)
}

fn able_members(corp: &Corp) -> impl Iterator<Item = &str> {
    let is_able = |member: &super::world::Member| member.status == 1 && !member.is_unconfigured;
    corp.members
        .iter()
        .filter(move |(_, member)| is_able(member))
        .map(|(key, _)| key.as_str())
}

/// Members of a department and of those below it who may have customers.
pub fn members_below(corp: &Corp, root: i64) -> Vec<String> {
    able_members(corp)
        .filter(|key| {
            corp.members[*key]
                .department
                .iter()
                .any(|id| is_below(corp, *id, root))
        })
        .map(str::to_owned)
        .collect()
}

fn customers(corp: &Corp, member: &str, tags: &[String]) -> Vec<String> {
    let may_see = |relation: &&Relation| {
        relation.standing == Standing::Friend
            && (tags.is_empty()
                || relation
                    .tag_ids
                    .iter()
                    .any(|id| tags.iter().any(|tag| *id == *tag)))
    };
    corp.customers_of(member, None)
        .filter(may_see)
        .map(|relation| relation.external_userid.clone())
        .collect()
}

fn put_task(corp: &mut Corp, task: MomentTask) {
    let pair = (task.moment_id.clone(), task.userid.clone());
    corp.touch(Kind::MomentTask, join(&pair));
    corp.moment_tasks.insert(pair, task);
}

fn job(call: &mut Call<'_>) -> Answer {
    let jobid = call.parameter("jobid").unwrap_or_default();
    // A member's own post has no job.
    let mut moments = call.corp.moments.values();
    let found = moments.find(|moment| moment.jobid == jobid && !jobid.is_empty());
    let moment = found
        .filter(|moment| call.now.0 - moment.created_at < JOB_LIFE_MS)
        .ok_or_else(|| Refusal::said(40058, "invalid jobid"))?;
    let age = call.now.0 - moment.created_at;
    let status = match age {
        age if age >= call.knobs.moment_job_ms => 3,
        age if age * 2 >= call.knobs.moment_job_ms => 2,
        _ => 1,
    };
    let result = match status {
        3 => json!({"errcode": 0, "errmsg": "ok", "moment_id": moment.moment_id,
            "invalid_sender_list": {"user_list": moment.invalid_senders, "department_list": moment.invalid_departments},
            "invalid_external_contact_list": {"tag_list": moment.invalid_tags}}),
        _ => json!({}),
    };
    Ok(json!({"status": status, "type": "add_moment_task", "result": result}))
}

fn list(call: &mut Call<'_>) -> Answer {
    let from = call
        .number("start_time")?
        .ok_or_else(|| Refusal::field("start_time", "is missing"))?;
    let until = call
        .number("end_time")?
        .ok_or_else(|| Refusal::field("end_time", "is missing"))?;
    if until < from || until - from > MAX_SPAN_S {
        return Err(Refusal::field(
            "end_time",
            "is before `start_time` or more than 30 days after it",
        ));
    }
    let made = call.number("filter_type")?.unwrap_or(2);
    let creator = call.optional_text("creator")?.unwrap_or_default().to_lowercase();
    let mut found: Vec<&Moment> = call
        .corp
        .moments
        .values()
        .filter(|moment| is_made(call, moment) && is_by(made, &moment.creator))
        .filter(|moment| creator.is_empty() || moment.creator == creator)
        .filter(|moment| (from..=until).contains(&moment.created_at.div_euclid(1_000)))
        .collect();
    found.sort_by_key(|moment| (moment.created_at, moment.moment_id.clone()));
    let (page, next) = call.page(found.into_iter(), 20, 20)?;
    let list: Vec<Value> = page.into_iter().map(|moment| listed(call.corp, moment)).collect();
    Ok(json!({"moment_list": list, "next_cursor": next}))
}

fn listed(corp: &Corp, moment: &Moment) -> Value {
    let mut json = json!({"moment_id": moment.moment_id, "create_time": moment.created_at.div_euclid(1_000),
        "create_type": i64::from(!moment.creator.is_empty()), "visible_type": i64::from(moment.is_public),
        "text": moment.message["text"]});
    if !moment.creator.is_empty() {
        json["creator"] = json!(shown(corp, &moment.creator));
    }
    let attachments = moment.message["attachments"].as_array().into_iter().flatten();
    for attachment in attachments {
        match message::kind(attachment) {
            "image" if json["image"].is_null() => json["image"] = json!([attachment["image"]]),
            "image" => json["image"]
                .as_array_mut()
                .into_iter()
                .for_each(|all| all.push(attachment["image"].clone())),
            kind => json[kind] = attachment[kind].clone(),
        }
    }
    json
}

fn is_made(call: &Call<'_>, moment: &Moment) -> bool {
    !moment.creator.is_empty() || call.now.0 - moment.created_at >= call.knobs.moment_job_ms
}

fn known<'a>(call: &'a Call<'_>) -> Result<&'a Moment, Refusal> {
    let id = call.optional_text("moment_id")?.filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Refusal::said(41059, "moment_id missing"))?;
    let moment = call.corp.moments.get(id);
    moment
        .filter(|moment| is_made(call, moment))
        .ok_or_else(|| Refusal::new(41060))
}

fn part<'a>(call: &'a Call<'_>) -> Result<&'a MomentTask, Refusal> {
    let pair: Pair = (
        known(call)?.moment_id.clone(),
        call.text("userid")?.to_lowercase(),
    );
    call.corp
        .moment_tasks
        .get(&pair)
        .ok_or_else(|| Refusal::new(40003))
}

fn published<'a>(call: &'a Call<'_>) -> Result<&'a MomentTask, Refusal> {
    let task = part(call)?;
    if task.published_at.is_none() {
        Err(Refusal::new(41061))
    } else {
        Ok(task)
    }
}

fn tasks(call: &mut Call<'_>) -> Answer {
    let id = known(call)?.moment_id.clone();
    let (page, next) = call.page(Corp::tasks_of(&call.corp.moment_tasks, &id), 500, 1_000)?;
    let list: Vec<Value> = page
        .into_iter()
        .map(|task| {
            json!({"userid": shown(call.corp, &task.userid), "publish_status": i64::from(task.published_at.is_some())})
        })
        .collect();
    Ok(json!({"task_list": list, "next_cursor": next}))
}

fn chosen(call: &mut Call<'_>) -> Answer {
    let task = part(call)?;
    let userid = shown(call.corp, &task.userid);
    let (page, next) = call.page(task.customers.iter(), 500, 1_000)?;
    let list: Vec<Value> = page
        .into_iter()
        .map(|id| json!({"userid": userid, "external_userid": id}))
        .collect();
    Ok(json!({"customer_list": list, "next_cursor": next}))
}

fn visible(call: &mut Call<'_>) -> Answer {
    let task = published(call)?;
    let (page, next) = call.page(task.customers.iter(), 3_000, 5_000)?;
    let list: Vec<Value> = page
        .into_iter()
        .map(|id| json!({"external_userid": id}))
        .collect();
    Ok(json!({"customer_list": list, "next_cursor": next}))
}

fn interactions(call: &mut Call<'_>) -> Answer {
    let task = published(call)?;
    let rows = |people: &[(String, i64)]| -> Vec<Value> {
        people
            .iter()
            .map(|(who, at)| json!({"external_userid": who, "create_time": at}))
            .collect()
    };
    Ok(json!({"comment_list": rows(&task.comments), "like_list": rows(&task.likes)}))
}

fn cancel(call: &mut Call<'_>) -> Answer {
    let id = known(call)?.moment_id.clone();
    call.corp.touch(Kind::Moment, &id);
    if let Some(moment) = call.corp.moments.get_mut(&id) {
        moment.is_cancelled = true;
    }
    Ok(json!({}))
}

fn task_mut<'a>(corp: &'a mut Corp, moment_id: &str, userid: &str) -> anyhow::Result<&'a mut MomentTask> {
    let pair: Pair = (moment_id.to_owned(), userid.to_lowercase());
    corp.touch(Kind::MomentTask, join(&pair));
    let task = corp.moment_tasks.get_mut(&pair);
    task.ok_or_else(|| anyhow::anyhow!("`{userid}` has no part in moment `{moment_id}`"))
}

/// A member publishes: whoever is still a friend can see it from now on.
pub fn publish(
    corp: &mut Corp,
    now: Timestamp,
    moment_id: &str,
    userid: &str,
    shown_a_day: usize,
) -> anyhow::Result<Vec<String>> {
    let is_cancelled = corp
        .moments
        .get(moment_id)
        .is_none_or(|moment| moment.is_cancelled);
    anyhow::ensure!(
        !is_cancelled,
        "moment `{moment_id}` is cancelled or was never made"
    );
    let member = userid.to_lowercase();
    let mut friends: HashSet<String> = customers(corp, &member, &[]).into_iter().collect();
    let shown = shown_today(corp, now);
    friends.retain(|customer| {
        shown
            .get(customer.as_str())
            .is_none_or(|many| *many < shown_a_day)
    });
    drop(shown);
    let task = task_mut(corp, moment_id, userid)?;
    anyhow::ensure!(
        task.published_at.is_none(),
        "`{userid}` has published moment `{moment_id}` already"
    );
    task.published_at = Some(now.0);
    task.customers.retain(|customer| friends.contains(customer));
    Ok(task.customers.clone())
}

/// How many of the corp's moments each customer was shown today.
fn shown_today(corp: &Corp, now: Timestamp) -> HashMap<&str, usize> {
    let today = now.day(ZONE).start(ZONE).0;
    let mut shown = HashMap::new();
    for task in corp.moment_tasks.values() {
        if task.published_at.is_some_and(|at| at >= today) {
            for customer in &task.customers {
                *shown.entry(customer.as_str()).or_default() += 1;
            }
        }
    }
    shown
}

/// A member posts in the client, for every friend to see; answers the moment_id.
pub fn post_own(corp: &mut Corp, now: Timestamp, userid: &str, text: &str) -> anyhow::Result<String> {
    let member = userid.to_lowercase();
    anyhow::ensure!(corp.members.contains_key(&member), "no member `{userid}`");
    let moment = Moment {
        moment_id: corp.new_id("mom", 34),
        jobid: String::new(),
        created_at: now.0,
        message: json!({"text": {"content": text}}),
        is_public: true,
        is_cancelled: false,
        invalid_senders: vec![],
        invalid_departments: vec![],
        invalid_tags: vec![],
        creator: member.clone(),
    };
    let moment_id = moment.moment_id.clone();
    let task = MomentTask {
        moment_id: moment_id.clone(),
        customers: customers(corp, &member, &[]),
        userid: member,
        published_at: Some(now.0),
        likes: vec![],
        comments: vec![],
    };
    put_task(corp, task);
    corp.touch(Kind::Moment, &moment_id);
    corp.moments.insert(moment_id.clone(), moment);
    Ok(moment_id)
}

pub fn like(
    corp: &mut Corp,
    now: Timestamp,
    moment_id: &str,
    userid: &str,
    customer: &str,
) -> anyhow::Result<()> {
    let task = seen_by(corp, moment_id, userid, customer)?;
    if !task.likes.iter().any(|(who, _)| who == customer) {
        task.likes.push((customer.to_owned(), now.seconds()));
    }
    Ok(())
}

pub fn comment(
    corp: &mut Corp,
    now: Timestamp,
    moment_id: &str,
    userid: &str,
    customer: &str,
) -> anyhow::Result<()> {
    let task = seen_by(corp, moment_id, userid, customer)?;
    task.comments.push((customer.to_owned(), now.seconds()));
    Ok(())
}

fn seen_by<'a>(
    corp: &'a mut Corp,
    moment_id: &str,
    userid: &str,
    customer: &str,
) -> anyhow::Result<&'a mut MomentTask> {
    let task = task_mut(corp, moment_id, userid)?;
    let is_seen = task.published_at.is_some() && task.customers.iter().any(|id| id == customer);
    anyhow::ensure!(
        is_seen,
        "`{customer}` does not see moment `{moment_id}` of `{userid}`"
    );
    Ok(task)
}

/// Parts that wait for their member.
pub fn waiting(corp: &Corp) -> Vec<Pair> {
    let is_live = |id: &str| corp.moments.get(id).is_some_and(|moment| !moment.is_cancelled);
    corp.moment_tasks
        .iter()
        .filter(|(pair, task)| task.published_at.is_none() && is_live(&pair.0))
        .map(|(pair, _)| pair.clone())
        .collect()
}
