//! On the phones: customer groups, made, joined, left and dismissed; and the question whether to be handed over.

use super::broadcasts::shown;
use super::groups::Group;
use super::handover::asked_about;
use super::html::{escape, hidden};
use super::phone::{act_button, acts_address};
use super::world::Corp;

/// Groups and people a page lists at most.
const LISTED: usize = 20;

/// A member's groups, and a form to make another.
pub fn own_groups(corp: &Corp, member: &str) -> String {
    let mut html = String::from("<section><h2>客户群 · Groups</h2>");
    for group in corp
        .groups
        .values()
        .filter(|group| group.owner == member)
        .take(LISTED)
    {
        html.push_str(&own_group(corp, member, group));
    }
    let others = corp
        .groups
        .values()
        .filter(|group| group.owner != member && group.holds(member));
    for group in others.take(LISTED) {
        html.push_str(&format!(
            "<p>{} {}</p>",
            title(group),
            leave_button(corp, member, group)
        ));
    }
    html.push_str(&form(
        corp,
        member,
        &[("act", "create_group"), ("owner", member)],
        "<label>群名 · Name <input name=\"name\" maxlength=\"40\"></label> \
         <label>拉入 · People, by id <input name=\"people\"></label>",
        "建群 · Create",
    ));
    html + "</section>"
}

fn own_group(corp: &Corp, member: &str, group: &Group) -> String {
    let chat_id = group.chat_id.as_str();
    let mut html = format!("<p>{} <small>{}</small></p>", title(group), escape(chat_id));
    for person in group
        .members
        .iter()
        .filter(|person| person.id != group.owner)
        .take(LISTED)
    {
        let fields = [("chat_id", chat_id), ("person", person.id.as_str())];
        html.push_str(&format!(
            "<p>{} {}</p>",
            escape(&name_of(corp, &person.id)),
            act_button(corp, member, "remove_from_group", &fields, "移出 · Remove")
        ));
    }
    html.push_str(&form(
        corp,
        member,
        &[("act", "join_group"), ("chat_id", chat_id), ("invitor", member)],
        "<label>ID <input name=\"person\" required></label>",
        "邀请 · Invite",
    ));
    html.push_str(&form(
        corp,
        member,
        &[("act", "rename_group"), ("chat_id", chat_id)],
        "<label>群名 · Name <input name=\"name\" maxlength=\"40\" required></label>",
        "改名 · Rename",
    ));
    html.push_str(&write_button(corp, member, group));
    html + &act_button(
        corp,
        member,
        "dismiss_group",
        &[("chat_id", chat_id)],
        "解散 · Dismiss",
    )
}

/// A customer's groups, and forms to come into others.
pub fn groups_of_customer(corp: &Corp, customer: &str) -> String {
    let mut html = String::from("<section><h2>群聊 · Groups</h2>");
    for group in corp
        .groups
        .values()
        .filter(|group| group.holds(customer))
        .take(LISTED)
    {
        html.push_str(&format!(
            "<p>{} {}{}</p>",
            title(group),
            write_button(corp, customer, group),
            leave_button(corp, customer, group)
        ));
    }
    html.push_str(&form(
        corp,
        customer,
        &[("act", "join_group"), ("person", customer)],
        "<label>群二维码 · The group's code <input name=\"chat_id\" required></label>",
        "进群 · Join",
    ));
    html.push_str(&form(
        corp,
        customer,
        &[("act", "scan_join_way"), ("customer", customer)],
        "<label>进群方式 · Join way <input name=\"config_id\" required></label>",
        "扫码 · Scan",
    ));
    html + "</section>"
}

/// What a customer is asked who is handed to another member. Silence means yes, after a day.
pub fn transfer_question(corp: &Corp, customer: &str) -> String {
    let Some(transfer) = asked_about(corp, customer) else {
        return String::new();
    };
    let name = escape(&name_of(corp, &transfer.takeover));
    let fields = [("customer", customer)];
    format!(
        "<section><p>接下来由 {name} 为您服务 · {name} is to look after you</p>{}{}</section>",
        act_button(corp, customer, "accept_transfer", &fields, "同意 · Accept"),
        act_button(corp, customer, "refuse_transfer", &fields, "拒绝 · Refuse"),
    )
}

fn write_button(corp: &Corp, person: &str, group: &Group) -> String {
    let fields = [("chat_id", group.chat_id.as_str()), ("person", person)];
    act_button(corp, person, "write_in_group", &fields, "发消息 · Write")
}

fn leave_button(corp: &Corp, person: &str, group: &Group) -> String {
    let fields = [("chat_id", group.chat_id.as_str()), ("person", person)];
    act_button(corp, person, "leave_group", &fields, "退群 · Leave")
}

fn title(group: &Group) -> String {
    let name = if group.name.is_empty() {
        "未命名 · unnamed"
    } else {
        &group.name
    };
    format!("{} <small>{}</small>", escape(name), group.members.len())
}

fn name_of(corp: &Corp, id: &str) -> String {
    let member = corp.members.get(id).map(|member| member.name.clone());
    let customer = || corp.customers.get(id).map(|customer| customer.name.clone());
    let name = member.or_else(customer).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| shown(corp, id))
}

/// A form that is an act, with something to fill in.
fn form(corp: &Corp, person: &str, fixed: &[(&str, &str)], inputs: &str, label: &str) -> String {
    let fixed: String = fixed.iter().map(|(name, value)| hidden(name, value)).collect();
    format!(
        "<form method=\"post\" action=\"{}\">{fixed}{inputs} <button>{label}</button></form> ",
        acts_address(corp, person)
    )
}
