//! A router that knows what each of its routes demands: no route without a policy, and a table to test by.

use std::convert::Infallible;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use futures_util::future::BoxFuture;

use crate::auth::Policy;

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub method: Method,
    pub path: String,
    pub policy: Policy,
}

/// Lets a request through or answers for it: pages and the API each have their own way to refuse.
pub type Guard = fn(Policy, Request, Next) -> BoxFuture<'static, Response>;

/// Routes under one guard.
pub struct Routes<S> {
    guard: Guard,
    router: Router<S>,
    table: Vec<Entry>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    pub fn new(guard: Guard) -> Self {
        Self {
            guard,
            router: Router::new(),
            table: Vec::new(),
        }
    }

    pub fn get<H, T>(self, path: &str, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.add(Method::GET, MethodFilter::GET, path, policy, handler)
    }

    pub fn post<H, T>(self, path: &str, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.add(Method::POST, MethodFilter::POST, path, policy, handler)
    }

    pub fn patch<H, T>(self, path: &str, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.add(Method::PATCH, MethodFilter::PATCH, path, policy, handler)
    }

    pub fn delete<H, T>(self, path: &str, policy: Policy, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.add(Method::DELETE, MethodFilter::DELETE, path, policy, handler)
    }

    fn add<H, T>(
        mut self,
        method: Method,
        filter: MethodFilter,
        path: &str,
        policy: Policy,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let guard = self.guard;
        let guarded: MethodRouter<S, Infallible> =
            on(filter, handler).layer(from_fn(move |request: Request, next: Next| {
                guard(policy, request, next)
            }));
        self.router = self.router.route(path, guarded);
        self.table.push(Entry {
            method,
            path: path.to_owned(),
            policy,
        });
        self
    }

    pub fn merge(mut self, other: Routes<S>) -> Self {
        self.router = self.router.merge(other.router);
        self.table.extend(other.table);
        self
    }

    /// The router, and what is in it.
    pub fn into_parts(self) -> (Router<S>, Vec<Entry>) {
        (self.router, self.table)
    }
}
