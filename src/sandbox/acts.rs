//! What people do, as data (for the control API) and as methods (for tests and the demo). One door for both.

use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::acquisition::Bounds;
use super::broadcasts::Confirmed;
use super::groups::{Change, Joining};
use super::relations::{Arrival, Ceilings};
use super::statistics::Talk;
use super::world::{Customer, Kind, Member, QuotaMode};
use super::{
    Sandbox, acquisition, broadcasts, contact_ways, groups, handover, join_ways, moments, relations,
    statistics, tags,
};

/// An act of a person. Members are named by userid, customers by external_userid.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// A person turns up whom nobody knows yet.
    AddCustomer(Customer),
    Scan {
        customer: String,
        member: String,
        #[serde(default)]
        state: String,
        #[serde(default = "by_code")]
        add_way: i64,
        /// The member has to accept.
        #[serde(default)]
        needs_acceptance: bool,
        /// No verification, but the member has not taken it up yet: `add_half_external_contact`.
        #[serde(default)]
        is_half: bool,
    },
    Accept {
        member: String,
        customer: String,
    },
    CustomerDeletes {
        customer: String,
        member: String,
    },
    MemberDeletes {
        member: String,
        customer: String,
    },
    Chat {
        member: String,
        customer: String,
    },
    /// A longer talk, counted for statistics.
    Talk {
        member: String,
        customer: String,
        /// Messages of the member.
        #[serde(default)]
        messages: i64,
        /// The customer wrote first.
        #[serde(default)]
        is_asked: bool,
        #[serde(default)]
        answered_after_minutes: Option<i64>,
    },
    /// A member looks a customer up and asks to be friends.
    MemberApplies {
        member: String,
        customer: String,
        #[serde(default)]
        is_accepted: bool,
    },
    ScanWay {
        customer: String,
        config_id: String,
    },
    OpenLink {
        customer: String,
        link_id: String,
        #[serde(default)]
        customer_channel: String,
    },
    CreateGroup {
        owner: String,
        #[serde(default)]
        name: String,
        /// Members and people outside, whether anybody's customers or not.
        #[serde(default)]
        people: Vec<String>,
    },
    ScanJoinWay {
        customer: String,
        config_id: String,
    },
    JoinGroup {
        chat_id: String,
        person: String,
        /// Who invited; absent: came by the group's own code.
        #[serde(default)]
        invitor: Option<String>,
    },
    LeaveGroup {
        chat_id: String,
        person: String,
    },
    RemoveFromGroup {
        chat_id: String,
        person: String,
    },
    RenameGroup {
        chat_id: String,
        name: String,
    },
    ChangeGroupNotice {
        chat_id: String,
        notice: String,
    },
    ChangeGroupOwner {
        chat_id: String,
        member: String,
    },
    DismissGroup {
        chat_id: String,
    },
    WriteInGroup {
        chat_id: String,
        person: String,
    },
    AcceptTransfer {
        customer: String,
    },
    RefuseTransfer {
        customer: String,
    },
    MemberTags {
        member: String,
        customer: String,
        #[serde(default)]
        add: Vec<String>,
        #[serde(default)]
        remove: Vec<String>,
    },
    MemberRemarks {
        member: String,
        customer: String,
        remark: String,
    },
    MemberConfirmsBroadcast {
        msgid: String,
        member: String,
        /// Customers left out, where the broadcast allows that.
        #[serde(default)]
        without: Vec<String>,
    },
    MemberPublishesMoment {
        moment_id: String,
        member: String,
    },
    /// A broadcast of the member's own.
    MemberBroadcasts {
        member: String,
        text: String,
        /// None: every friend.
        #[serde(default)]
        customers: Vec<String>,
    },
    /// A post of the member's own.
    MemberPosts {
        member: String,
        text: String,
    },
    CustomerLikes {
        moment_id: String,
        member: String,
        customer: String,
    },
    CustomerComments {
        moment_id: String,
        member: String,
        customer: String,
    },
    AdminAddsTag {
        group: String,
        name: String,
    },
    AdminRenamesTag {
        id: String,
        name: String,
    },
    AdminDeletesTag {
        id: String,
    },
    AdminSetsQuota {
        quota: QuotaMode,
    },
    Hire(Member),
    MoveMember {
        member: String,
        department: Vec<i64>,
    },
    /// An administrator changes a member's userid, which is possible once.
    RenameMember {
        member: String,
        new_userid: String,
    },
    Resign {
        member: String,
    },
    ResetSecret {
        secret: String,
    },
    ExpireTokens,
}

fn by_code() -> i64 {
    1
}

/// `add_way` of a customer whom the member searched for.
const BY_SEARCH: i64 = 2;

type Done<T = ()> = anyhow::Result<T>;

impl Sandbox {
    /// Does what a person does; the answer holds ids that were made and people who were reached.
    ///
    /// # Errors
    /// When the world does not allow it: nobody of that name, not a friend, done before.
    pub fn act(&self, corpid: &str, act: Act) -> Done<Value> {
        match act {
            Act::AddCustomer(customer) => self.add_customer(corpid, customer)?,
            Act::Scan {
                customer,
                member,
                state,
                add_way,
                needs_acceptance,
                is_half,
            } => {
                let arrival = Arrival {
                    state: &state,
                    add_way,
                    needs_acceptance,
                    is_half,
                };
                self.arrive(corpid, &customer, &member, arrival)?;
            }
            Act::Accept { member, customer } => self.accept(corpid, &member, &customer)?,
            Act::CustomerDeletes { customer, member } => self.customer_deletes(corpid, &customer, &member)?,
            Act::MemberDeletes { member, customer } => self.member_deletes(corpid, &member, &customer)?,
            Act::Chat { member, customer } => self.chat(corpid, &member, &customer)?,
            Act::Talk {
                member,
                customer,
                messages,
                is_asked,
                answered_after_minutes,
            } => {
                let talk = Talk {
                    messages,
                    is_asked,
                    answered_after_minutes,
                };
                self.talk(corpid, &member, &customer, talk)?;
            }
            Act::MemberApplies {
                member,
                customer,
                is_accepted,
            } => {
                self.member_applies(corpid, &member, &customer, is_accepted)?;
            }
            Act::ScanWay { customer, config_id } => {
                return Ok(json!({"member": self.scan_way(corpid, &customer, &config_id)?}));
            }
            Act::OpenLink {
                customer,
                link_id,
                customer_channel,
            } => {
                let member = self.open_link(corpid, &customer, &link_id, &customer_channel)?;
                return Ok(json!({"member": member}));
            }
            Act::CreateGroup { owner, name, people } => {
                let chat_id = self.create_group(corpid, &owner, &name, &texts(&people))?;
                return Ok(json!({"chat_id": chat_id}));
            }
            Act::ScanJoinWay { customer, config_id } => {
                return Ok(json!({"chat_id": self.scan_join_way(corpid, &customer, &config_id)?}));
            }
            Act::JoinGroup {
                chat_id,
                person,
                invitor,
            } => {
                self.join_group(corpid, &chat_id, &person, invitor.as_deref())?;
            }
            Act::LeaveGroup { chat_id, person } => self.leave_group(corpid, &chat_id, &person, false)?,
            Act::RemoveFromGroup { chat_id, person } => self.leave_group(corpid, &chat_id, &person, true)?,
            Act::RenameGroup { chat_id, name } => {
                self.change_group(corpid, &chat_id, Change::Name(&name))?;
            }
            Act::ChangeGroupNotice { chat_id, notice } => {
                self.change_group(corpid, &chat_id, Change::Notice(&notice))?;
            }
            Act::ChangeGroupOwner { chat_id, member } => {
                self.change_group(corpid, &chat_id, Change::Owner(&member))?;
            }
            Act::DismissGroup { chat_id } => self.dismiss_group(corpid, &chat_id)?,
            Act::WriteInGroup { chat_id, person } => self.write_in_group(corpid, &chat_id, &person)?,
            Act::AcceptTransfer { customer } => self.accept_transfer(corpid, &customer)?,
            Act::RefuseTransfer { customer } => self.refuse_transfer(corpid, &customer)?,
            Act::MemberTags {
                member,
                customer,
                add,
                remove,
            } => {
                self.member_tags(corpid, &member, &customer, &texts(&add), &texts(&remove))?;
            }
            Act::MemberRemarks {
                member,
                customer,
                remark,
            } => {
                self.member_remarks(corpid, &member, &customer, &remark)?;
            }
            Act::MemberConfirmsBroadcast {
                msgid,
                member,
                without,
            } => {
                let confirmed = self.member_confirms_without(corpid, &msgid, &member, &texts(&without))?;
                return Ok(json!({"reached": confirmed.reached}));
            }
            Act::MemberPublishesMoment { moment_id, member } => {
                let visible = self.member_publishes_moment(corpid, &moment_id, &member)?;
                return Ok(json!({"visible": visible}));
            }
            Act::MemberBroadcasts {
                member,
                text,
                customers,
            } => {
                let msgid = self.member_broadcasts(corpid, &member, &text, &texts(&customers))?;
                return Ok(json!({"msgid": msgid}));
            }
            Act::MemberPosts { member, text } => {
                return Ok(json!({"moment_id": self.member_posts(corpid, &member, &text)?}));
            }
            Act::CustomerLikes {
                moment_id,
                member,
                customer,
            } => {
                self.customer_likes(corpid, &moment_id, &member, &customer)?;
            }
            Act::CustomerComments {
                moment_id,
                member,
                customer,
            } => {
                self.customer_comments(corpid, &moment_id, &member, &customer)?;
            }
            Act::AdminAddsTag { group, name } => {
                return Ok(json!({"id": self.admin_adds_tag(corpid, &group, &name)?}));
            }
            Act::AdminRenamesTag { id, name } => self.admin_edits_tag(corpid, &id, &name)?,
            Act::AdminDeletesTag { id } => self.admin_deletes_tag(corpid, &id)?,
            Act::AdminSetsQuota { quota } => self.set_quota(corpid, quota)?,
            Act::Hire(member) => self.hire(corpid, member)?,
            Act::MoveMember { member, department } => self.move_member(corpid, &member, department)?,
            Act::RenameMember { member, new_userid } => self.rename_member(corpid, &member, &new_userid)?,
            Act::Resign { member } => self.resign(corpid, &member)?,
            Act::ResetSecret { secret } => self.reset_secret(corpid, &secret)?,
            Act::ExpireTokens => self.expire_tokens(corpid),
        }
        Ok(json!({}))
    }

    pub fn add_customer(&self, corpid: &str, customer: Customer) -> Done {
        anyhow::ensure!(
            !customer.external_userid.is_empty(),
            "a customer needs an external_userid"
        );
        self.with_corp(corpid, |corp, _| {
            corp.put_customer(customer);
            Ok(())
        })
    }

    /// A customer scans a member's code, which carries the channel `state` and asks for no acceptance.
    pub fn scan(&self, corpid: &str, customer: &str, member: &str, state: &str) -> Done {
        let arrival = Arrival {
            state,
            add_way: by_code(),
            needs_acceptance: false,
            is_half: false,
        };
        self.arrive(corpid, customer, member, arrival)
    }

    /// The same with a code that asks for acceptance.
    pub fn ask(&self, corpid: &str, customer: &str, member: &str, state: &str) -> Done {
        let arrival = Arrival {
            state,
            add_way: by_code(),
            needs_acceptance: true,
            is_half: false,
        };
        self.arrive(corpid, customer, member, arrival)
    }

    /// The same without verification, before the member has taken it up.
    pub fn half_add(&self, corpid: &str, customer: &str, member: &str, state: &str) -> Done {
        let arrival = Arrival {
            state,
            add_way: by_code(),
            needs_acceptance: false,
            is_half: true,
        };
        self.arrive(corpid, customer, member, arrival)
    }

    fn arrive(&self, corpid: &str, customer: &str, member: &str, arrival: Arrival<'_>) -> Done {
        let ceilings = self.ceilings();
        self.with_corp(corpid, |corp, now| {
            statistics::counted(corp, now, member, customer, |corp| {
                relations::scan(corp, now, customer, member, arrival, ceilings)
            })
        })
    }

    fn ceilings(&self) -> Ceilings {
        let rules = self.rules();
        Ceilings {
            per_member: rules.knobs.customers_per_member,
            per_corp: rules.knobs.customers_per_corp,
        }
    }

    /// A customer scans the code of a contact way; answers the member it led to.
    pub fn scan_way(&self, corpid: &str, customer: &str, config_id: &str) -> Done<String> {
        let ceilings = self.ceilings();
        self.with_corp(corpid, |corp, now| {
            contact_ways::scan(corp, now, customer, config_id, ceilings)
        })
    }

    /// A customer opens an acquisition link and asks to be added; answers the member it led to.
    pub fn open_link(&self, corpid: &str, customer: &str, link_id: &str, channel: &str) -> Done<String> {
        let bounds = Bounds {
            ceilings: self.ceilings(),
            quota: self.rules().knobs.acquisition_quota,
        };
        self.with_corp(corpid, |corp, now| {
            acquisition::open(corp, now, customer, link_id, channel, &bounds)
        })
    }

    /// A member looks a customer up and asks to be friends, and may be accepted.
    pub fn member_applies(&self, corpid: &str, member: &str, customer: &str, is_accepted: bool) -> Done {
        self.with_corp(corpid, |corp, now| {
            statistics::count(corp, now, member, |day| day.applied += 1);
            Ok(())
        })?;
        let arrival = Arrival {
            state: "",
            add_way: BY_SEARCH,
            needs_acceptance: false,
            is_half: false,
        };
        if is_accepted {
            self.arrive(corpid, customer, member, arrival)
        } else {
            Ok(())
        }
    }

    pub fn accept(&self, corpid: &str, member: &str, customer: &str) -> Done {
        self.with_corp(corpid, |corp, now| {
            statistics::counted(corp, now, member, customer, |corp| {
                relations::accept(corp, now, member, customer)
            })
        })
    }

    pub fn customer_deletes(&self, corpid: &str, customer: &str, member: &str) -> Done {
        self.with_corp(corpid, |corp, now| {
            statistics::counted(corp, now, member, customer, |corp| {
                relations::customer_deletes(corp, customer, member)
            })
        })
    }

    pub fn member_deletes(&self, corpid: &str, member: &str, customer: &str) -> Done {
        self.with_corp(corpid, |corp, _| {
            relations::member_deletes(corp, member, customer)
        })
    }

    pub fn chat(&self, corpid: &str, member: &str, customer: &str) -> Done {
        let one = Talk {
            messages: 1,
            is_asked: false,
            answered_after_minutes: None,
        };
        self.talk(corpid, member, customer, one)
    }

    pub fn talk(&self, corpid: &str, member: &str, customer: &str, talk: Talk) -> Done {
        self.with_corp(corpid, |corp, now| {
            statistics::counted(corp, now, member, customer, |corp| {
                relations::chat(corp, now, member, customer)
            })?;
            statistics::count_talk(corp, now, member, customer, talk);
            Ok(())
        })
    }

    /// A member makes a group; answers its chat_id.
    pub fn create_group(&self, corpid: &str, owner: &str, name: &str, people: &[&str]) -> Done<String> {
        self.with_corp(corpid, |corp, now| groups::create(corp, now, owner, name, people))
    }

    /// A person scans the code of a join way; answers the group it led to.
    pub fn scan_join_way(&self, corpid: &str, customer: &str, config_id: &str) -> Done<String> {
        let knobs = self.knobs();
        self.with_corp(corpid, |corp, now| {
            join_ways::scan(corp, now, customer, config_id, &knobs)
        })
    }

    /// Somebody is invited into a group, or comes by its own code.
    pub fn join_group(&self, corpid: &str, chat_id: &str, person: &str, invitor: Option<&str>) -> Done {
        let knobs = self.knobs();
        let joining = Joining {
            scene: if invitor.is_some() { 1 } else { 3 },
            state: "",
            invitor,
        };
        self.with_corp(corpid, |corp, now| {
            groups::join(corp, now, chat_id, person, joining, &knobs)
        })
    }

    pub fn leave_group(&self, corpid: &str, chat_id: &str, person: &str, is_removed: bool) -> Done {
        let knobs = self.knobs();
        self.with_corp(corpid, |corp, now| {
            groups::leave(corp, now, chat_id, person, is_removed, &knobs)
        })
    }

    pub fn change_group(&self, corpid: &str, chat_id: &str, change: Change<'_>) -> Done {
        let knobs = self.knobs();
        self.with_corp(corpid, |corp, now| {
            groups::change(corp, now, chat_id, change, &knobs)
        })
    }

    pub fn dismiss_group(&self, corpid: &str, chat_id: &str) -> Done {
        self.with_corp(corpid, |corp, _| groups::dismiss(corp, chat_id))
    }

    pub fn write_in_group(&self, corpid: &str, chat_id: &str, person: &str) -> Done {
        self.with_corp(corpid, |corp, now| groups::write(corp, now, chat_id, person))
    }

    /// The customer agrees to a transfer before it takes effect by itself.
    pub fn accept_transfer(&self, corpid: &str, customer: &str) -> Done {
        let knobs = self.knobs();
        self.with_corp(corpid, |corp, now| handover::accept(corp, now, customer, &knobs))
    }

    pub fn refuse_transfer(&self, corpid: &str, customer: &str) -> Done {
        let knobs = self.knobs();
        self.with_corp(corpid, |corp, now| handover::refuse(corp, now, customer, &knobs))
    }

    pub fn member_tags(
        &self,
        corpid: &str,
        member: &str,
        customer: &str,
        add: &[&str],
        remove: &[&str],
    ) -> Done {
        self.with_corp(corpid, |corp, _| {
            relations::member_tags(corp, member, customer, add, remove)
        })
    }

    pub fn member_remarks(&self, corpid: &str, member: &str, customer: &str, remark: &str) -> Done {
        self.with_corp(corpid, |corp, _| {
            relations::member_remarks(corp, member, customer, remark)
        })
    }

    pub fn member_confirms_broadcast(&self, corpid: &str, msgid: &str, member: &str) -> Done<Confirmed> {
        self.member_confirms_without(corpid, msgid, member, &[])
    }

    /// The same, leaving some customers out where the broadcast allows that.
    pub fn member_confirms_without(
        &self,
        corpid: &str,
        msgid: &str,
        member: &str,
        without: &[&str],
    ) -> Done<Confirmed> {
        self.with_corp(corpid, |corp, now| {
            broadcasts::confirm(corp, now, msgid, member, without)
        })
    }

    /// A member makes and sends a broadcast in the client; answers its msgid.
    pub fn member_broadcasts(
        &self,
        corpid: &str,
        member: &str,
        text: &str,
        customers: &[&str],
    ) -> Done<String> {
        self.with_corp(corpid, |corp, now| {
            broadcasts::send_own(corp, now, member, text, customers)
        })
    }

    /// A member posts in the client; answers the moment_id.
    pub fn member_posts(&self, corpid: &str, member: &str, text: &str) -> Done<String> {
        self.with_corp(corpid, |corp, now| moments::post_own(corp, now, member, text))
    }

    /// Broadcasts that wait for a member: msgid and userid, oldest first.
    pub fn waiting_broadcasts(&self, corpid: &str) -> Vec<(String, String)> {
        self.with_corp(corpid, |corp, _| Ok(broadcasts::waiting(corp)))
            .unwrap_or_default()
    }

    /// Answers the customers who can see the post.
    pub fn member_publishes_moment(&self, corpid: &str, moment_id: &str, member: &str) -> Done<Vec<String>> {
        let shown_a_day = self.rules().knobs.moments_shown_a_day;
        self.with_corp(corpid, |corp, now| {
            moments::publish(corp, now, moment_id, member, shown_a_day)
        })
    }

    /// Moments that wait for a member: moment_id and userid.
    pub fn waiting_moments(&self, corpid: &str) -> Vec<(String, String)> {
        self.with_corp(corpid, |corp, _| Ok(moments::waiting(corp)))
            .unwrap_or_default()
    }

    pub fn customer_likes(&self, corpid: &str, moment_id: &str, member: &str, customer: &str) -> Done {
        self.with_corp(corpid, |corp, now| {
            moments::like(corp, now, moment_id, member, customer)
        })
    }

    pub fn customer_comments(&self, corpid: &str, moment_id: &str, member: &str, customer: &str) -> Done {
        self.with_corp(corpid, |corp, now| {
            moments::comment(corp, now, moment_id, member, customer)
        })
    }

    /// Answers the tag's id.
    pub fn admin_adds_tag(&self, corpid: &str, group: &str, name: &str) -> Done<String> {
        self.with_corp(corpid, |corp, now| tags::console_adds(corp, now, group, name))
    }

    pub fn admin_edits_tag(&self, corpid: &str, id: &str, name: &str) -> Done {
        self.with_corp(corpid, |corp, _| tags::console_renames(corp, id, name))
    }

    pub fn admin_deletes_tag(&self, corpid: &str, id: &str) -> Done {
        self.with_corp(corpid, |corp, _| tags::console_deletes(corp, id))
    }

    pub fn set_quota(&self, corpid: &str, quota: QuotaMode) -> Done {
        self.with_corp(corpid, |corp, _| {
            corp.app.quota = quota;
            corp.touch(Kind::App, "app");
            Ok(())
        })
    }

    pub fn hire(&self, corpid: &str, member: Member) -> Done {
        self.with_corp(corpid, |corp, _| relations::hire(corp, member))
    }

    pub fn move_member(&self, corpid: &str, member: &str, department: Vec<i64>) -> Done {
        self.with_corp(corpid, |corp, _| {
            relations::transfer_member(corp, member, department)
        })
    }

    pub fn resign(&self, corpid: &str, member: &str) -> Done {
        self.with_corp(corpid, |corp, now| {
            relations::resign(corp, member)?;
            handover::note_leaver(corp, now, member);
            Ok(())
        })
    }
}

fn texts(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}
