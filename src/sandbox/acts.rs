//! What people do, as data (for the control API) and as methods (for tests and the demo). One door for both.

use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::broadcasts::Confirmed;
use super::relations::{Arrival, Ceilings};
use super::world::{Customer, Kind, Member, QuotaMode};
use super::{Sandbox, broadcasts, moments, relations, tags};

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
    },
    MemberPublishesMoment {
        moment_id: String,
        member: String,
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
            Act::MemberConfirmsBroadcast { msgid, member } => {
                let confirmed = self.member_confirms_broadcast(corpid, &msgid, &member)?;
                return Ok(json!({"reached": confirmed.reached}));
            }
            Act::MemberPublishesMoment { moment_id, member } => {
                let visible = self.member_publishes_moment(corpid, &moment_id, &member)?;
                return Ok(json!({"visible": visible}));
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
        let ceilings = {
            let rules = self.rules();
            Ceilings {
                per_member: rules.knobs.customers_per_member,
                per_corp: rules.knobs.customers_per_corp,
            }
        };
        self.with_corp(corpid, |corp, now| {
            relations::scan(corp, now, customer, member, arrival, ceilings)
        })
    }

    pub fn accept(&self, corpid: &str, member: &str, customer: &str) -> Done {
        self.with_corp(corpid, |corp, now| relations::accept(corp, now, member, customer))
    }

    pub fn customer_deletes(&self, corpid: &str, customer: &str, member: &str) -> Done {
        self.with_corp(corpid, |corp, _| {
            relations::customer_deletes(corp, customer, member)
        })
    }

    pub fn member_deletes(&self, corpid: &str, member: &str, customer: &str) -> Done {
        self.with_corp(corpid, |corp, _| {
            relations::member_deletes(corp, member, customer)
        })
    }

    pub fn chat(&self, corpid: &str, member: &str, customer: &str) -> Done {
        self.with_corp(corpid, |corp, now| relations::chat(corp, now, member, customer))
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
        self.with_corp(corpid, |corp, now| broadcasts::confirm(corp, now, msgid, member))
    }

    /// Broadcasts that wait for a member: msgid and userid, oldest first.
    pub fn waiting_broadcasts(&self, corpid: &str) -> Vec<(String, String)> {
        self.with_corp(corpid, |corp, _| Ok(broadcasts::waiting(corp)))
            .unwrap_or_default()
    }

    /// Answers the customers who can see the post.
    pub fn member_publishes_moment(&self, corpid: &str, moment_id: &str, member: &str) -> Done<Vec<String>> {
        self.with_corp(corpid, |corp, now| moments::publish(corp, now, moment_id, member))
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
        self.with_corp(corpid, |corp, _| relations::resign(corp, member))
    }
}

fn texts(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}
