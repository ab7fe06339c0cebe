//! The platform as it treats us: whether it answers, takes the secret, lets us in from here, and whom it shows us.

use std::collections::HashSet;

use super::floor::some_of;
use super::model::Line;
use super::permission::{Area, permissions};
use super::run::{clock_time, in_time};
use super::store;
use crate::app::App;
use crate::config::Config;
use crate::directory::{self, Corp};
use crate::error::{Error, Result, Said, said};
use crate::ids::UserId;
use crate::time::Timestamp;
use crate::wecom::{Client, codes};

/// The secret or what it belongs to.
const WRONG_SECRET: [i64; 3] = [40001, 40091, 41004];
const WRONG_CORPID: [i64; 2] = [40013, 41002];
const UNTRUSTED_IP: i64 = 60020;
const DISABLED: [i64; 2] = [50003, 301007];
/// The app may not call this API.
const NOT_ALLOWED: [i64; 10] = [
    48001, 48002, 48004, 48005, 48006, 48009, 60031, 84074, 301002, 40056,
];
/// The app may not see this member or department.
const OUT_OF_RANGE: [i64; 4] = [60011, 60021, 50002, 40003];
/// Waiting helps.
const PASSING: [i64; 4] = [-1, 6000, 45009, 45033];
/// A limit this full is worth a word, in percent.
const FULL: u64 = 80;

pub fn reach(config: &Config, looked: &Result<Option<Timestamp>, String>) -> Line {
    let url = config.wecom_base_url.as_str();
    match looked {
        Ok(_) => Line::ok(
            "platform",
            said!("doctor-platform-ok", "`{url}` answers", url = url),
        ),
        Err(why) => Line::failed(
            "platform",
            said!(
                "doctor-platform-away",
                "`{url}` does not answer: {why}",
                url = url,
                why = why.as_str()
            ),
            said!(
                "doctor-platform-away-way",
                "let this machine reach it (firewall, DNS, proxy), or correct `DIANYU_WECOM_BASE_URL`"
            ),
        ),
    }
}

/// Every check that asks the platform about a corp's app.
pub async fn of_app(app: &App, corp: &Corp) -> Vec<Line> {
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
    lines.push(in_time("headroom", headroom(&client, corp)).await);
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
        Err(error) if is_one_of(&error, &[UNTRUSTED_IP]) || is_one_of(&error, &DISABLED) => {
            refusal("trusted_ip", corp, &error, true)
        }
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
        let shown = match (departments, shown) {
            (Err(error), _) | (_, Err(error)) if !is_about_range(&error) => {
                return Ok(Line::skipped("visible_range", "permission.follow_users"));
            }
            (departments, shown) => (departments.unwrap_or_default(), shown.unwrap_or_default()),
        };
        member = shown.1.first().cloned();
        compare(app, corp, shown.0.len(), &shown.1).await
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

/// What is left of the limits of the APIs this instance has called.
async fn headroom(client: &Client, corp: &Corp) -> Result<Line> {
    let all = client.headroom().await;
    let way = || {
        said!(
            "doctor-headroom-way",
            "nothing to change: calls wait by themselves. Should it last, see which app of the corp calls so often"
        )
    };
    if let Some(one) = all.iter().find(|one| one.is_broken) {
        return Ok(Line::warning(
            "headroom",
            said!(
                "doctor-headroom-broken",
                "`{api}` gave no answers lately; its calls pause",
                api = one.api
            ),
            way(),
        ));
    }
    let blocked = all.iter().find_map(|one| Some((one.api, one.blocked_until?)));
    if let Some((api, until)) = blocked {
        return Ok(Line::warning(
            "headroom",
            said!(
                "doctor-headroom-blocked",
                "the platform holds `{api}` back until {until}",
                api = api,
                until = clock_time(until, corp.zone)
            ),
            way(),
        ));
    }
    let percent = |used: crate::wecom::Used| used.calls * 100 / used.of.max(1);
    let fullest = all
        .iter()
        .map(|one| (percent(one.minute).max(percent(one.hour)), one.api))
        .max();
    let Some((used, api)) = fullest else {
        return Ok(Line::ok(
            "headroom",
            said!("doctor-headroom-unused", "no API has been called from here yet"),
        ));
    };
    let finding = said!(
        "doctor-headroom-used",
        "the fullest limit is `{api}`: {used} % of our share used",
        api = api,
        used = used as i64
    );
    Ok(if used >= FULL {
        Line::warning("headroom", finding, way())
    } else {
        Line::ok("headroom", finding)
    })
}

fn code(error: &Error) -> Option<i64> {
    match error {
        Error::Platform(fault) => fault.code,
        _ => None,
    }
}

fn is_one_of(error: &Error, codes: &[i64]) -> bool {
    code(error).is_some_and(|code| codes.contains(&code))
}

pub(super) fn is_about_range(error: &Error) -> bool {
    is_one_of(error, &OUT_OF_RANGE)
}

/// The platform's code in a sentence that [`Error`] made and a run kept.
pub fn code_in(problem: &str) -> Option<i64> {
    let rest = problem.split_once("refused with ")?.1;
    rest.split(':').next()?.trim().parse().ok()
}

/// Whether a refusal of this code ends with another permission or a wider visible range.
pub fn is_permission(code: i64) -> bool {
    NOT_ALLOWED.contains(&code) || OUT_OF_RANGE.contains(&code)
}

/// Why the platform refused, each cause by its own name, and where it is mended.
pub(super) fn refusal(check: &str, corp: &Corp, error: &Error, is_needed: bool) -> Line {
    let Some(code) = code(error) else {
        return Line::warning(
            check,
            said!(
                "doctor-refused-silent",
                "the platform gave no readable answer: {why}",
                why = error.to_string()
            ),
            said!(
                "doctor-refused-silent-way",
                "look again in a minute; should it last, see what stands between this machine and the platform"
            ),
        );
    };
    let (corpid, agent) = (corp.corpid.as_str(), corp.agent_id.to_string());
    let number = code.to_string();
    let (finding, way) = match code {
        code if WRONG_SECRET.contains(&code) => (
            said!(
                "doctor-refused-secret",
                "the platform does not take the secret of app {agent} ({number})",
                agent = agent.as_str(),
                number = number
            ),
            said!(
                "doctor-refused-secret-way",
                "console › 应用管理 › app {agent} › Secret: show it, then `dianyu corp set --corpid {corpid} --secret …`",
                agent = agent.as_str(),
                corpid = corpid
            ),
        ),
        code if WRONG_CORPID.contains(&code) => (
            said!(
                "doctor-refused-corpid",
                "the platform knows no corp `{corpid}` ({number})",
                corpid = corpid,
                number = number
            ),
            said!(
                "doctor-refused-corpid-way",
                "console › 我的企业 › 企业ID (my company): compare it; a corp with the right one is connected by `dianyu corp add`"
            ),
        ),
        UNTRUSTED_IP => (
            said!(
                "doctor-refused-ip",
                "the platform takes no calls from {ip} ({number})",
                ip = address_in(error),
                number = number
            ),
            said!(
                "doctor-refused-ip-way",
                "console › 应用管理 › app {agent} › 企业可信IP (trusted IPs): enter {ip}",
                agent = agent.as_str(),
                ip = address_in(error)
            ),
        ),
        code if DISABLED.contains(&code) => (
            said!(
                "doctor-refused-disabled",
                "app {agent} or its corp is disabled ({number})",
                agent = agent.as_str(),
                number = number
            ),
            said!(
                "doctor-refused-disabled-way",
                "console › 应用管理 › app {agent}: enable it",
                agent = agent.as_str()
            ),
        ),
        code if NOT_ALLOWED.contains(&code) => (
            said!(
                "doctor-refused-permission",
                "app {agent} may not do this ({number})",
                agent = agent.as_str(),
                number = number
            ),
            said!(
                "doctor-refused-permission-way",
                "console › 客户与上下游 › 客户联系 › API › 可调用接口的应用 (apps that may call the customer-contact APIs): add app {agent} and this permission",
                agent = agent.as_str()
            ),
        ),
        code if PASSING.contains(&code) => {
            return Line::warning(
                check,
                said!(
                    "doctor-refused-busy",
                    "the platform asks us to wait ({number})",
                    number = number
                ),
                said!("doctor-refused-busy-way", "look again in a minute"),
            );
        }
        _ => (
            said!(
                "doctor-refused-other",
                "the platform refuses with {number}: {meaning}",
                number = number.as_str(),
                meaning = codes::meaning(code).unwrap_or("a code we do not know")
            ),
            said!(
                "doctor-refused-other-way",
                "the platform's page about it: https://open.work.weixin.qq.com/devtool/query?e={number}",
                number = number.as_str()
            ),
        ),
    };
    if is_needed {
        Line::failed(check, finding, way)
    } else {
        Line::warning(check, finding, way)
    }
}

/// The address in `… (from ip 203.0.113.7)`.
fn address_in(error: &Error) -> String {
    let text = error.to_string();
    let ip = text.split_once("from ip ").map(|(_, rest)| rest);
    let ip = ip.and_then(|rest| rest.split(')').next());
    ip.unwrap_or("this machine's address").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Advice, PlatformFault};

    fn fault(code: i64, message: &str) -> Error {
        Error::Platform(PlatformFault {
            code: Some(code),
            message: message.into(),
            advice: Advice::TellAdmin,
        })
    }

    #[test]
    fn what_a_run_kept_of_a_refusal_is_read_again() {
        let kept = fault(84074, "`externalcontact/list`: no external contact permission").to_string();
        assert_eq!(code_in(&kept), Some(84074));
        assert_eq!(code_in("platform gave no readable answer: x"), None);
    }

    #[test]
    fn the_address_to_enter_is_in_the_refusal() {
        let error = fault(
            60020,
            "`get_api_domain_ip`: not allow to access from your ip (from ip 203.0.113.7)",
        );
        assert_eq!(address_in(&error), "203.0.113.7");
    }
}
