//! The platform, simulated: same paths, same JSON, same callbacks, a world you can seed.
//!
//! [`Sandbox`] answers what [`crate::wecom`] asks, over HTTP, and plays the people the platform stands between: they
//! scan, confirm, publish, like, leave. Calls through the API emit nothing; acts of people send encrypted callbacks.
//!
//! | Address | What |
//! | --- | --- |
//! | `/cgi-bin/…` | the platform's calls: [`gate`], then a file per area |
//! | `/connect/oauth2/authorize`, `/wwlogin/sso/login` | sign-in pages: [`login`] |
//! | `/control/…` | acts of people, apps, clock, faults, ledger, described by `/control/openapi.json`: [`control`] |
//! | `/phone/{corpid}/{id}` | a customer's or a member's phone: [`phone`] |
//! | `/shop/{corpid}` | the mini-store: [`shop`] |

mod acquisition;
pub mod acts;
mod album;
mod apps;
mod broadcasts;
mod callbacks;
mod contact_ways;
mod contacts;
pub mod control;
mod conversion;
mod crowd;
mod directory;
pub mod faults;
mod gate;
mod group_welcomes;
mod groups;
mod handover;
mod html;
mod index;
mod join_ways;
mod journal;
pub mod life;
mod login;
mod media;
mod message;
mod moments;
mod network;
mod oddities;
mod pairs;
mod past;
mod people;
mod phone;
mod phone_groups;
mod picture;
mod refusal;
mod relations;
mod rename;
mod server;
pub mod shop;
mod statistics;
mod tags;
mod token;
mod word;
pub mod world;

pub use acts::Act;
pub use apps::{App, AppChange, Callback};
pub use broadcasts::Confirmed;
pub use callbacks::Delivery;
pub use crowd::Crowd;
pub use faults::{Fault, Knobs, Plan};
pub use gate::LedgerEntry;
pub use groups::{Group, GroupMember};
pub use life::{LifeOptions, live};
pub use picture::Picture;
pub use server::{CorpSeed, Sandbox, SandboxOptions};
pub use shop::{MiniStore, Product};
pub use word::Word;
pub use world::{Customer, Department, Member, QuotaMode, Relation, Standing, Tag, TagGroup};

#[cfg(test)]
mod tests;
