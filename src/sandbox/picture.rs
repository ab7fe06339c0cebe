//! Everybody and everything in a corp at this moment, whatever reads lag: for checks.

use super::Sandbox;
use super::groups::Group;
use super::world::{Customer, Department, Member, Relation, TagGroup};

/// A corp as it is; customers in the order they came, the rest by id.
#[derive(Debug, Clone)]
pub struct Picture {
    pub departments: Vec<Department>,
    pub members: Vec<Member>,
    pub customers: Vec<Customer>,
    /// Pairs of whatever standing.
    pub relations: Vec<Relation>,
    pub tag_groups: Vec<TagGroup>,
    pub groups: Vec<Group>,
}

impl Sandbox {
    /// # Errors
    /// When the corp is not there.
    pub fn picture(&self, corpid: &str) -> anyhow::Result<Picture> {
        self.look_at(corpid, |corp, _| {
            let pairs_of = |key: &String| corp.relations.of_member(key, None);
            let relations = corp.members.keys().flat_map(pairs_of).cloned().collect();
            Ok(Picture {
                departments: corp.departments.values().cloned().collect(),
                members: corp.members.values().cloned().collect(),
                customers: corp.customers.values().cloned().collect(),
                relations,
                tag_groups: corp.tag_groups.values().cloned().collect(),
                groups: corp.groups.values().cloned().collect(),
            })
        })
    }
}
