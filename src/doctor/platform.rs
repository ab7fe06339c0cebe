//! The platform as it treats us: whether it answers, takes the secret, lets us in from here, and whom it shows us.

use std::collections::HashSet;

use super::away::{Address, away};
use super::floor::some_of;
use super::model::Line;
use super::permission::{Area, permissions};
use super::refusal::{is_about_access, is_about_range, refusal};
use super::run::{clock_time, in_time};
use super::store;
use crate::app::App;
use crate::config::Config;
use crate::directory::{self, Corp};
use crate::error::{Error, Result, Said, said};
use crate::ids::UserId;
use crate::time::Timestamp;
use crate::wecom::{Away, Client, Headroom};

/// A limit this full is worth a word, in percent.
const FULL: u64 = 80;

pub fn reach(config: &Config, looked: &Result<Option<Timestamp>, Away>) -> Line {
    let url = config.wecom_base_url.as_str();
    match looked {
        Ok(_) => Line::ok(
            "platform",
            said!("doctor-platform-ok", "`{url}` answers", url = url),
        ),
        Err(why) => away(
            "platform",
            Address {
                url,
                setting: "DIANYU_WECOM_BASE_URL",
                start: said!(
                    "doctor-platform-start-way",
                    "correct host and port in `DIANYU_WECOM_BASE_URL`; without it the platform's own address is used"
                ),
            },
            why,
        ),
    }
}

/// Every check that asks the platform about a corp's app.
pub async fn of_app(app: &App, corp: &Corp, is_server: bool) -> Vec<Line> {
    let client = match directory::platform(app, corp.id).await {
        Ok(client) => client,
        Err(_) => return skipped(&[], "master_key"),
    };
    let credentials = in_time("credentials", async {
        Ok(match client.prove_secret().await {
            Ok(()) => Line::ok(
                "credentials",
                said!(
                    "doctor-credentials-ok",
                    "the platform takes corpid and secret of app {agent}",
                    agent = corp.agent_id.to_string()
                ),
            ),
            Err(error) => refusal("credentials", corp, &error, true),
        })
    })
    .await;
    if !credentials.holds() {
        return [vec![credentials], skipped(&["credentials"], "credentials")].concat();
    }
    let trusted_ip = in_time("trusted_ip", trusted_ip(&client, corp)).await;
    if !trusted_ip.holds() {
        let known = ["credentials", "trusted_ip"];
        return [vec![credentials, trusted_ip], skipped(&known, "trusted_ip")].concat();
    }
    let (range, member) = visible_range(app, corp, &client).await;
    let mut lines = vec![credentials, trusted_ip];
    lines.extend(permissions(corp, &client, member.as_ref(), app.now()).await);
    lines.push(range);
    let is_known = is_server || app.cache.is_shared();
    lines.push(if is_known {
        in_time("headroom", async { Ok(headroom(&client.headroom().await, corp)) }).await
    } else {
        Line::unknown(
            "headroom",
            said!(
                "doctor-headroom-unknown",
                "without Redis only the running server knows how many calls it made: its page about the platform shows it"
            ),
        )
    });
    lines
}

/// What is not looked at because of another check.
pub fn skipped(but: &[&str], because: &str) -> Vec<Line> {
    let all = ["credentials", "trusted_ip"]
        .into_iter()
        .chain(Area::ALL.map(Area::check))
        .chain(["visible_range", "headroom"]);
    all.filter(|check| !but.contains(check))
        .map(|check| Line::skipped(check, because))
        .collect()
}

/// A call that wants no permission tells whether calls may come from here.
async fn trusted_ip(client: &Client, corp: &Corp) -> Result<Line> {
    Ok(match client.api_addresses().await {
        Err(error) if is_about_access(&error) => refusal("trusted_ip", corp, &error, true),
        // What else it refuses, the checks of it say.
        _ => Line::ok(
            "trusted_ip",
            said!("doctor-ip-ok", "the platform takes calls from this address"),
        ),
    })
}

/// Members we know beside those the app shows; and one to try reads with.
async fn visible_range(app: &App, corp: &Corp, client: &Client) -> (Line, Option<UserId>) {
    let mut member = None;
    let line = in_time("visible_range", async {
        let (departments, shown) = tokio::join!(client.departments(), client.follow_users());
        member = shown.iter().flatten().next().cloned();
        let refused = |error: Option<&Error>| error.is_some_and(|error| !is_about_range(error));
        for (is_refused, area) in [
            (refused(shown.as_ref().err()), Area::FollowUsers),
            (refused(departments.as_ref().err()), Area::Directory),
        ] {
            if is_refused {
                return Ok(Line::skipped("visible_range", area.check()));
            }
        }
        let departments = departments.unwrap_or_default();
        compare(app, corp, departments.len(), &shown.unwrap_or_default()).await
    })
    .await;
    (line, member)
}

async fn compare(app: &App, corp: &Corp, departments: usize, shown: &[UserId]) -> Result<Line> {
    let known = store::members(&app.db, corp.id).await?;
    if departments == 0 && shown.is_empty() {
        return Ok(Line::failed(
            "visible_range",
            said!(
                "doctor-range-empty",
                "the app sees nobody; we know {known} members",
                known = known
            ),
            range_way(corp),
        ));
    }
    if shown.is_empty() {
        return Ok(Line::warning(
            "visible_range",
            said!(
                "doctor-range-no-follow-users",
                "the app sees {departments} departments, but no member who may have customers",
                departments = departments
            ),
            said!(
                "doctor-range-no-follow-users-way",
                "console › 客户与上下游 › 客户联系 › 权限配置 (customer contact › permission settings): name the members who may have customers"
            ),
        ));
    }
    let shown: HashSet<UserId> = shown.iter().map(UserId::folded).collect();
    let with_customers = store::members_with_customers(&app.db, corp.id).await?;
    let outside: Vec<String> = with_customers
        .iter()
        .filter(|userid| !shown.contains(*userid))
        .map(|userid| userid.0.clone())
        .collect();
    if outside.is_empty() {
        return Ok(Line::ok(
            "visible_range",
            said!(
                "doctor-range-ok",
                "{shown} members with customer contact are visible; we know {known} members, {customers} of them with customers",
                shown = shown.len(),
                known = known,
                customers = with_customers.len()
            ),
        ));
    }
    Ok(Line::warning(
        "visible_range",
        said!(
            "doctor-range-outside",
            "{count} members with customers are out of the app's range or without customer contact: {members}",
            count = outside.len(),
            members = some_of(&outside)
        ),
        range_way(corp),
    ))
}

fn range_way(corp: &Corp) -> Said {
    said!(
        "doctor-range-way",
        "console › 应用管理 › app {agent} › 可见范围 (visible range): add the departments of the stores; and 客户联系 › 权限配置 for customer contact",
        agent = corp.agent_id.to_string()
    )
}

/// What is left of the limits of the APIs that were called lately, by whoever shares the figures.
fn headroom(all: &[Headroom], corp: &Corp) -> Line {
    let way = || {
        said!(
            "doctor-headroom-way",
            "nothing to change: calls wait by themselves. Should it last, see which app of the corp calls so often"
        )
    };
    if let Some(one) = all.iter().find(|one| one.is_broken) {
        return Line::warning(
            "headroom",
            said!(
                "doctor-headroom-broken",
                "`{api}` gave no answers lately; its calls pause",
                api = one.api.as_str()
            ),
            way(),
        );
    }
    let blocked = all.iter().find_map(|one| Some((&one.api, one.blocked_until?)));
    if let Some((api, until)) = blocked {
        return Line::warning(
            "headroom",
            said!(
                "doctor-headroom-blocked",
                "the platform holds `{api}` back until {until}",
                api = api.as_str(),
                until = clock_time(until, corp.zone)
            ),
            way(),
        );
    }
    let percent = |used: crate::wecom::Used| used.calls * 100 / used.of.max(1);
    let fullest = all
        .iter()
        .map(|one| (percent(one.minute).max(percent(one.hour)), &one.api))
        .max();
    let Some((used, api)) = fullest else {
        return Line::ok(
            "headroom",
            said!("doctor-headroom-unused", "no API has been called yet"),
        );
    };
    let finding = said!(
        "doctor-headroom-used",
        "the fullest limit is `{api}`: {used} % of our share used",
        api = api.as_str(),
        used = used as i64
    );
    if used >= FULL {
        Line::warning("headroom", finding, way())
    } else {
        Line::ok("headroom", finding)
    }
}
