//! Roles, permissions, who is asking.

use chrono_tz::Tz;

use crate::ids::{ApiKeyId, AssociateId, CorpId, OperatorId, RegionId, StoreId};
use crate::scope::{Actor, Scope};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    Admin,
    Marketer,
    Regional,
    Manager,
    Associate,
}

impl Role {
    pub const ALL: [Role; 5] = [
        Role::Admin,
        Role::Marketer,
        Role::Regional,
        Role::Manager,
        Role::Associate,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Marketer => "marketer",
            Role::Regional => "regional",
            Role::Manager => "manager",
            Role::Associate => "associate",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// The role table.
    pub fn may(self, permission: Permission) -> bool {
        use Permission::*;
        match permission {
            // Everybody who signs in, each within their scope.
            ContactsRead | ContactsWrite | ContactsExport | TagsRead | LinksRead | LinksWrite
            | MomentsRead | DirectoryRead | OrdersRead | OwnResults => true,
            ReportsRead => self != Role::Associate,
            CampaignsRead => true,
            CampaignsRemind => self != Role::Associate,
            ContactsImport | ContactsMerge | TagsWrite | SegmentsRead | SegmentsWrite | CampaignsWrite
            | CampaignsApprove | MomentsWrite | OverviewRead => {
                matches!(self, Role::Admin | Role::Marketer)
                    || (self == Role::Regional && permission == OverviewRead)
            }
            // Who calls customers, and whoever answers for it; plans are made without numbers.
            ContactsPhone => !matches!(self, Role::Regional | Role::Marketer),
            FieldsWrite | OrdersWrite | DirectoryWrite | WelcomesWrite | WelcomesRead | Administer => {
                self == Role::Admin
            }
        }
    }
}

/// What may be done; as a scope of an API key: `contacts:read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    ContactsRead,
    ContactsWrite,
    /// What headquarters knows of contacts, from a file.
    ContactsImport,
    /// Contacts in scope, into a file.
    ContactsExport,
    /// A contact's phone number whole, one at a time, each time in the audit chain.
    ContactsPhone,
    /// Two contacts that are one person, put together and taken apart again.
    ContactsMerge,
    /// Which fields of its own a chain keeps of contacts.
    FieldsWrite,
    TagsRead,
    TagsWrite,
    SegmentsRead,
    SegmentsWrite,
    CampaignsRead,
    CampaignsWrite,
    CampaignsApprove,
    CampaignsRemind,
    MomentsRead,
    MomentsWrite,
    LinksRead,
    LinksWrite,
    OrdersRead,
    OrdersWrite,
    /// A store's report and figures.
    ReportsRead,
    OverviewRead,
    OwnResults,
    DirectoryRead,
    DirectoryWrite,
    WelcomesRead,
    WelcomesWrite,
    Administer,
}

impl Permission {
    pub const ALL: [Permission; 29] = [
        Permission::ContactsRead,
        Permission::ContactsWrite,
        Permission::ContactsImport,
        Permission::ContactsExport,
        Permission::ContactsPhone,
        Permission::ContactsMerge,
        Permission::FieldsWrite,
        Permission::TagsRead,
        Permission::TagsWrite,
        Permission::SegmentsRead,
        Permission::SegmentsWrite,
        Permission::CampaignsRead,
        Permission::CampaignsWrite,
        Permission::CampaignsApprove,
        Permission::CampaignsRemind,
        Permission::MomentsRead,
        Permission::MomentsWrite,
        Permission::LinksRead,
        Permission::LinksWrite,
        Permission::OrdersRead,
        Permission::OrdersWrite,
        Permission::ReportsRead,
        Permission::OverviewRead,
        Permission::OwnResults,
        Permission::DirectoryRead,
        Permission::DirectoryWrite,
        Permission::WelcomesRead,
        Permission::WelcomesWrite,
        Permission::Administer,
    ];

    /// The key scope that grants it.
    pub fn scope_name(self) -> &'static str {
        use Permission::*;
        match self {
            ContactsRead | TagsRead | SegmentsRead => "contacts:read",
            ContactsWrite | TagsWrite | SegmentsWrite => "contacts:write",
            ContactsImport => "contacts:import",
            ContactsExport => "contacts:export",
            ContactsPhone => "contacts:phone",
            ContactsMerge => "contacts:merge",
            FieldsWrite => "fields:write",
            CampaignsRead => "campaigns:read",
            CampaignsWrite | CampaignsRemind => "campaigns:write",
            CampaignsApprove => "campaigns:approve",
            MomentsRead => "moments:read",
            MomentsWrite => "moments:write",
            LinksRead => "links:read",
            LinksWrite => "links:write",
            OrdersRead => "orders:read",
            OrdersWrite => "orders:write",
            ReportsRead | OverviewRead | OwnResults => "metrics:read",
            DirectoryRead => "directory:read",
            DirectoryWrite => "directory:write",
            WelcomesRead => "welcomes:read",
            WelcomesWrite => "welcomes:write",
            Administer => "admin",
        }
    }
}

/// Key scopes there are, each once, in order.
pub fn key_scopes() -> Vec<&'static str> {
    let mut names: Vec<&str> = Permission::ALL
        .iter()
        .map(|permission| permission.scope_name())
        .filter(|name| *name != "admin")
        .collect();
    names.dedup();
    names.sort_unstable();
    names.dedup();
    names
}

/// What a route demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Anybody, signed in or not.
    Public,
    /// Carries its own proof: a callback's signature, a link's code.
    OwnProof,
    /// Anybody signed in.
    SignedIn,
    Can(Permission),
}

/// Somebody signed in, as of this request.
#[derive(Debug, Clone)]
pub struct Operator {
    pub id: OperatorId,
    pub corp: CorpId,
    pub corp_name: String,
    pub zone: Tz,
    pub name: String,
    pub role: Role,
    pub associate: Option<AssociateId>,
    pub store: Option<StoreId>,
    pub store_name: Option<String>,
    pub scope: Scope,
    /// In every form; checked with every post.
    pub csrf: String,
    /// Fingerprint of the session's token.
    pub session: String,
}

impl Operator {
    pub fn may(&self, permission: Permission) -> bool {
        self.role.may(permission)
    }

    pub fn actor(&self) -> Actor {
        Actor::Operator(self.id)
    }
}

/// A program with a key.
#[derive(Debug, Clone)]
pub struct ApiCaller {
    pub key: ApiKeyId,
    pub corp: CorpId,
    pub zone: Tz,
    pub scopes: Vec<String>,
    pub scope: Scope,
}

impl ApiCaller {
    pub fn may(&self, permission: Permission) -> bool {
        self.scopes.iter().any(|scope| scope == permission.scope_name())
    }

    pub fn actor(&self) -> Actor {
        Actor::ApiKey(self.key)
    }
}

/// Somebody to add. Which of store, region and userid is needed depends on the role.
pub struct NewOperator {
    pub login: String,
    pub name: String,
    pub role: Role,
    pub password: Option<secrecy::SecretString>,
    pub store: Option<StoreId>,
    pub region: Option<RegionId>,
    pub associate: Option<AssociateId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_but_headquarters_schedules_and_associates_see_no_report() {
        for role in Role::ALL {
            let headquarters = matches!(role, Role::Admin | Role::Marketer);
            assert_eq!(role.may(Permission::CampaignsWrite), headquarters, "{role:?}");
            assert_eq!(
                role.may(Permission::ReportsRead),
                role != Role::Associate,
                "{role:?}"
            );
            assert_eq!(role.may(Permission::Administer), role == Role::Admin, "{role:?}");
        }
    }

    #[test]
    fn whoever_calls_customers_sees_numbers_and_whoever_plans_does_not() {
        let seeing = Role::ALL
            .into_iter()
            .filter(|role| role.may(Permission::ContactsPhone));
        assert_eq!(
            seeing.collect::<Vec<_>>(),
            [Role::Admin, Role::Manager, Role::Associate]
        );
    }

    #[test]
    fn scopes_of_keys_are_named_once() {
        let names = key_scopes();
        assert!(names.contains(&"contacts:read") && names.contains(&"metrics:read"));
        assert!(!names.contains(&"admin"));
    }
}
