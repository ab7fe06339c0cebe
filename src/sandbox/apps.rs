//! The apps of a corp: each with its secret, what it may call and see, where calls may come from, where callbacks go.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::directory::is_below;
use super::gate::Refusal;
use super::world::{Corp, Kind, QuotaMode};
use super::{Sandbox, token};

/// A self-built app and how it hears of changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct App {
    pub corpid: String,
    /// Of the corp, for the first app.
    pub name: String,
    pub secret: String,
    pub agent_id: i64,
    #[serde(default)]
    pub callback: Option<Callback>,
    #[serde(default)]
    pub quota: QuotaMode,
    /// Hosts (with port) a sign-in may return to; none listed: any.
    #[serde(default)]
    pub trusted_hosts: Vec<String>,
    /// The visible range: these departments with all below them, and these members. Both empty: everybody.
    #[serde(default)]
    pub departments: Vec<i64>,
    #[serde(default)]
    pub members: Vec<String>,
    /// What it may call: paths below `/cgi-bin/`, a `*` at the end stands for the rest; none listed: everything.
    #[serde(default)]
    pub apis: Vec<String>,
    /// Where its calls may come from (60020); none listed: anywhere.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub trusted_ips: Vec<IpAddr>,
    #[serde(default)]
    pub is_disabled: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Callback {
    pub url: String,
    pub token: String,
    pub aes_key: String,
}

/// What an administrator changes about an app; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AppChange {
    pub name: Option<String>,
    /// Replacing it makes tokens of the old one invalid at once (40014).
    pub secret: Option<String>,
    pub trusted_hosts: Option<Vec<String>>,
    pub departments: Option<Vec<i64>>,
    pub members: Option<Vec<String>>,
    pub apis: Option<Vec<String>>,
    #[schema(value_type = Option<Vec<String>>)]
    pub trusted_ips: Option<Vec<IpAddr>>,
    pub is_disabled: Option<bool>,
    pub callback: Option<Callback>,
}

impl App {
    /// Steps 5 to 7 of a call: address, state, permission.
    pub fn admits(&self, from: IpAddr, api: &str) -> Result<(), Refusal> {
        if !self.trusted_ips.is_empty() && !self.trusted_ips.contains(&from) {
            return Err(Refusal::new(60020));
        }
        if self.is_disabled {
            return Err(Refusal::new(50003));
        }
        let permits = |listed: &String| match listed.strip_suffix('*') {
            Some(start) => api.starts_with(start),
            None => listed == api,
        };
        if !self.apis.is_empty() && !self.apis.iter().any(permits) {
            return Err(Refusal::new(48002));
        }
        Ok(())
    }

    pub fn sees_everybody(&self) -> bool {
        self.departments.is_empty() && self.members.is_empty()
    }

    fn take(&mut self, change: AppChange) {
        fn set<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        set(&mut self.name, change.name);
        set(&mut self.secret, change.secret);
        set(&mut self.trusted_hosts, change.trusted_hosts);
        set(&mut self.departments, change.departments);
        set(&mut self.members, change.members);
        set(&mut self.apis, change.apis);
        set(&mut self.trusted_ips, change.trusted_ips);
        set(&mut self.is_disabled, change.is_disabled);
        if change.callback.is_some() {
            self.callback = change.callback;
        }
    }
}

impl Corp {
    /// Every app, the first one first.
    pub fn apps(&self) -> impl Iterator<Item = &App> {
        std::iter::once(&self.app).chain(&self.more_apps)
    }

    pub fn app_of(&self, agent_id: i64) -> Option<&App> {
        self.apps().find(|app| app.agent_id == agent_id)
    }

    fn app_of_mut(&mut self, agent_id: i64) -> Option<&mut App> {
        std::iter::once(&mut self.app)
            .chain(&mut self.more_apps)
            .find(|app| app.agent_id == agent_id)
    }

    /// Whether a member (by key) is in the app's visible range.
    pub fn sees(&self, agent_id: i64, member: &str) -> bool {
        let Some(app) = self.app_of(agent_id) else {
            return false;
        };
        let is_named = || app.members.iter().any(|userid| userid.to_lowercase() == member);
        let departments = || {
            self.members
                .get(member)
                .into_iter()
                .flat_map(|member| &member.department)
        };
        app.sees_everybody() || is_named() || departments().any(|id| self.sees_department(agent_id, *id))
    }

    pub fn sees_department(&self, agent_id: i64, id: i64) -> bool {
        self.app_of(agent_id).is_some_and(|app| {
            app.sees_everybody() || app.departments.iter().any(|root| is_below(self, id, *root))
        })
    }

    /// The journal's name of an app: the first one's is `app`.
    pub fn app_by_id(&self, id: &str) -> Option<&App> {
        match id {
            "app" => Some(&self.app),
            _ => self.more_apps.iter().find(|app| app.agent_id.to_string() == id),
        }
    }

    pub fn restore_app(&mut self, id: &str, app: App) {
        if id == "app" {
            self.app = app;
            return;
        }
        self.more_apps.retain(|held| held.agent_id != app.agent_id);
        self.more_apps.push(app);
    }

    pub fn touch_app(&mut self, agent_id: i64) {
        let id = if agent_id == self.app.agent_id {
            "app".to_owned()
        } else {
            agent_id.to_string()
        };
        self.touch(Kind::App, id);
    }
}

impl Sandbox {
    /// Sets what is given about an app; an `agent_id` nobody has yet makes a new one, which needs a secret.
    ///
    /// # Errors
    /// When the corp is not there, or a new app comes without a secret.
    pub fn set_app(&self, corpid: &str, agent_id: i64, change: AppChange) -> anyhow::Result<()> {
        let has_new_secret = change.secret.is_some();
        self.with_corp(corpid, |corp, _| {
            if corp.app_of(agent_id).is_none() {
                anyhow::ensure!(has_new_secret, "a new app needs a `secret`");
                corp.more_apps.push(App {
                    corpid: corp.app.corpid.clone(),
                    agent_id,
                    ..App::default()
                });
            }
            if let Some(app) = corp.app_of_mut(agent_id) {
                app.take(change);
            }
            corp.touch_app(agent_id);
            Ok(())
        })?;
        if has_new_secret {
            self.with_world(|world| token::revoke(world, corpid, Some(agent_id)));
        }
        Ok(())
    }

    /// Every app of a corp, the first one first.
    ///
    /// # Errors
    /// When the corp is not there.
    pub fn apps(&self, corpid: &str) -> anyhow::Result<Vec<App>> {
        self.look_at(corpid, |corp, _| Ok(corp.apps().cloned().collect()))
    }
}
