//! What the platform's refusals mean: each cause by its own name, and where it is mended.

use super::model::Line;
use super::permission::Area;
use crate::directory::Corp;
use crate::error::{Error, Said, said};
use crate::wecom::codes;

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

/// Why the platform refused.
enum Cause {
    Secret,
    Corpid,
    Address,
    Disabled,
    /// The app may not read departments: no permission of customer contact gives it that.
    Directory,
    Permission,
    Busy,
    Other,
}

impl Cause {
    fn of(check: &str, code: i64) -> Self {
        let is_directory = check == Area::Directory.check();
        match code {
            code if WRONG_SECRET.contains(&code) => Self::Secret,
            code if WRONG_CORPID.contains(&code) => Self::Corpid,
            UNTRUSTED_IP => Self::Address,
            code if DISABLED.contains(&code) => Self::Disabled,
            code if is_directory && is_permission(code) => Self::Directory,
            code if NOT_ALLOWED.contains(&code) => Self::Permission,
            code if PASSING.contains(&code) => Self::Busy,
            _ => Self::Other,
        }
    }
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

pub fn is_about_range(error: &Error) -> bool {
    is_one_of(error, &OUT_OF_RANGE)
}

/// Whether the platform lets nobody in from here, or nobody of this app.
pub fn is_about_access(error: &Error) -> bool {
    is_one_of(error, &[UNTRUSTED_IP]) || is_one_of(error, &DISABLED)
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

/// The line of a check that was refused; without a need for what it checks it is only a warning.
pub fn refusal(check: &str, corp: &Corp, error: &Error, is_needed: bool) -> Line {
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
    let cause = Cause::of(check, code);
    let (finding, way) = told(&cause, code, corp, error);
    if is_needed && !matches!(cause, Cause::Busy) {
        Line::failed(check, finding, way)
    } else {
        Line::warning(check, finding, way)
    }
}

/// What each cause is called, and its way out.
fn told(cause: &Cause, code: i64, corp: &Corp, error: &Error) -> (Said, Said) {
    let (agent, number, corpid) = (corp.agent_id.to_string(), code.to_string(), corp.corpid.as_str());
    match cause {
        Cause::Secret => (
            said!(
                "doctor-refused-secret",
                "the platform does not take the secret of app {agent} ({number})",
                agent = agent.as_str(),
                number = number
            ),
            said!(
                "doctor-refused-secret-way",
                "console › 应用管理 › app {agent} › Secret: show it, then `dianyu corp set --corpid {corpid} --secret`",
                agent = agent.as_str(),
                corpid = corpid
            ),
        ),
        Cause::Corpid => (
            said!(
                "doctor-refused-corpid",
                "the platform knows no corp `{corpid}` ({number})",
                corpid = corpid,
                number = number
            ),
            said!(
                "doctor-refused-corpid-way",
                "console › 我的企业 › 企业ID (my company): compare it; how to connect a corp with the right one says `dianyu corp add --help`"
            ),
        ),
        Cause::Address => (
            said!(
                "doctor-refused-ip",
                "the platform takes no calls from {ip} ({number})",
                ip = address_in(error),
                number = number
            ),
            said!(
                "doctor-refused-ip-way",
                "console › 应用管理 › app {agent} › 企业可信IP (trusted IPs): enter {ip}",
                agent = agent,
                ip = address_in(error)
            ),
        ),
        Cause::Disabled => (
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
        Cause::Directory => (
            said!(
                "doctor-refused-directory",
                "app {agent} may not read departments and members ({number})",
                agent = agent.as_str(),
                number = number
            ),
            said!(
                "doctor-refused-directory-way",
                "console › 应用管理 › app {agent} › 可见范围 (visible range): add the departments of the stores. If they are in it, the secret is of 客户联系 or 通讯录同步, which may not read them: take this app's own, then `dianyu corp set --corpid {corpid} --secret`",
                agent = agent.as_str(),
                corpid = corpid
            ),
        ),
        Cause::Permission => (
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
        Cause::Busy => (
            said!(
                "doctor-refused-busy",
                "the platform asks us to wait ({number})",
                number = number
            ),
            said!("doctor-refused-busy-way", "look again in a minute"),
        ),
        Cause::Other => (
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
    fn what_the_directory_lacks_is_no_permission_of_customer_contact() {
        let (directory, tags) = (Area::Directory.check(), Area::Tags.check());
        for code in [48002, 60011] {
            assert!(matches!(Cause::of(directory, code), Cause::Directory), "{code}");
        }
        assert!(matches!(Cause::of(directory, 40001), Cause::Secret));
        assert!(matches!(Cause::of(tags, 48002), Cause::Permission));
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
