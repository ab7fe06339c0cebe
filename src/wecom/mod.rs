//! The platform, WeCom: its words, its paths, its crypto. Knows no table and no domain.
//!
//! [`Platform`] holds what all corps share; [`Platform::client`] makes a [`Client`] for one corp's app. Every call
//! has a deadline; a call is repeated only where repeating cannot do harm; errors say what to do next.

pub mod acquisition;
pub mod album;
mod ask;
pub mod broadcast;
pub mod callback;
pub mod client;
pub mod codes;
pub mod contact;
pub mod contact_way;
pub mod conversion;
pub mod crypto;
pub mod directory;
mod fault;
pub mod group;
pub mod group_welcome;
pub mod handover;
mod health;
pub mod join_way;
mod limits;
pub mod login;
pub mod media;
pub mod message;
pub mod moment;
mod network;
pub mod statistic;
pub mod tag;
pub mod ticket;
mod token;
mod turns;
mod walk;
mod wire;

pub use client::{Client, Credentials, Headroom, Platform};
pub use limits::Used;
pub use network::{Away, beginning_of};
pub use walk::Walk;

/// A page of a list that goes on by cursor; `next` is `None` at the end, whatever the number of items.
#[derive(Debug, Clone)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}
