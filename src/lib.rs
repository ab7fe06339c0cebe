//! 店语 Dianyu: customer engagement for retail chains on WeCom. The modules in reading order.

#![forbid(unsafe_code)]

pub mod address;
pub mod config;
pub mod error;
pub mod ids;
pub mod money;
pub mod time;
pub mod seal;
pub mod page;

pub mod db;
pub mod scope;
pub mod queue;
pub mod cache;
pub mod wecom;
pub mod app;
pub mod job;

pub mod tally;
pub mod directory;
pub mod auth;
pub mod timeline;
pub mod contacts;
pub mod tags;
pub mod groups;
pub mod sync;
pub mod segments;
pub mod links;
pub mod welcomes;
pub mod campaigns;
pub mod moments;
pub mod orders;
pub mod marking;
pub mod metrics;
pub mod doctor;
pub mod files;
pub mod care;
pub mod persons;

pub mod routes;
pub mod jobs;
pub mod web;
pub mod api;
pub mod seed;
pub mod sandbox;
pub mod server;
