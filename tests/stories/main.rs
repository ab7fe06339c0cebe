//! Stories: one binary, a file per domain. Every story runs in a world of its own, on SQLite, or on PostgreSQL
//! (and Redis) when `TEST_DATABASE_URL` (and `TEST_REDIS_URL`) are set.

mod access;
mod api;
mod auth;
mod boards;
mod campaigns;
mod contacts;
mod convergence;
mod directory;
mod entrance;
mod floor;
mod forms;
mod groups;
mod house;
mod jobs;
mod kill;
mod links;
mod marketer;
mod metrics;
mod moments;
mod orders;
mod pages;
mod platform;
mod segments;
mod sending;
mod server;
mod shell;
mod street;
mod sync;
mod tags;
mod visitor;
mod welcomes;
mod world;
