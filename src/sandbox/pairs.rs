//! Members and customers, pair by pair: found by both, by member in the order of customers' ids, by customer.
//!
//! Every pair stands once in one list; the rest are places in it, so that millions cost little more than themselves.

use std::collections::HashMap;

use super::index::Index;
use super::people::number;
use super::world::Relation;

#[derive(Default)]
pub struct Pairs {
    slots: Vec<Option<Relation>>,
    free: Vec<u32>,
    /// By member's key, in the order of external_userids.
    members: HashMap<String, Vec<u32>>,
    customers: Index,
}

impl Pairs {
    fn at(&self, place: u32) -> Option<&Relation> {
        self.slots[place as usize].as_ref()
    }

    fn place(&self, member: &str, customer: &str) -> Option<u32> {
        let places = self.customers.at(customer).iter().copied();
        places.into_iter().find(|place| {
            self.at(*place)
                .is_some_and(|pair| pair.userid == member && pair.external_userid == customer)
        })
    }

    pub fn get(&self, member: &str, customer: &str) -> Option<&Relation> {
        self.at(self.place(member, customer)?)
    }

    pub fn get_mut(&mut self, member: &str, customer: &str) -> Option<&mut Relation> {
        let place = self.place(member, customer)?;
        self.slots[place as usize].as_mut()
    }

    /// Takes a pair in, or puts the new form in the place of the old.
    pub fn put(&mut self, pair: Relation) {
        if let Some(place) = self.place(&pair.userid, &pair.external_userid) {
            self.slots[place as usize] = Some(pair);
            return;
        }
        let at = self.after(&pair.userid, &pair.external_userid);
        let member = pair.userid.clone();
        let place = self.push(pair);
        self.members.entry(member).or_default().insert(at, place);
    }

    fn push(&mut self, pair: Relation) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            number(self.slots.len() - 1)
        });
        self.customers.add(&pair.external_userid, place);
        self.slots[place as usize] = Some(pair);
        place
    }

    /// Takes in many new pairs at once: what [`Self::put`] would do, without keeping order after each.
    pub fn load(&mut self, pairs: impl Iterator<Item = Relation>, about: usize) {
        self.slots.reserve_exact(about);
        self.customers.reserve(about);
        for pair in pairs {
            let member = pair.userid.clone();
            let place = self.push(pair);
            match self.members.get_mut(&member) {
                Some(places) => places.push(place),
                None => drop(self.members.insert(member, vec![place])),
            }
        }
        let slots = &self.slots;
        let id = |place: &u32| slots[*place as usize].as_ref().map(|pair| &pair.external_userid);
        for places in self.members.values_mut() {
            places.sort_unstable_by(|one, other| id(one).cmp(&id(other)));
        }
    }

    pub fn remove(&mut self, member: &str, customer: &str) -> Option<Relation> {
        let place = self.place(member, customer)?;
        if let Some(places) = self.members.get_mut(member) {
            places.retain(|held| *held != place);
        }
        self.customers.remove(customer, place);
        self.free.push(place);
        self.slots[place as usize].take()
    }

    /// How many of a member's places come before or at a customer.
    fn after(&self, member: &str, customer: &str) -> usize {
        let places = self.members.get(member).map_or(&[][..], Vec::as_slice);
        places.partition_point(|place| {
            self.at(*place)
                .is_some_and(|pair| pair.external_userid.as_str() <= customer)
        })
    }

    /// A member's pairs after a customer, in the order of ids.
    pub fn of_member<'a>(
        &'a self,
        member: &str,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a Relation> + use<'a> {
        let from = after.map_or(0, |customer| self.after(member, customer));
        let places = self.members.get(member).map_or(&[][..], Vec::as_slice);
        places[from..].iter().filter_map(|place| self.at(*place))
    }

    pub fn count_of(&self, member: &str) -> usize {
        self.members.get(member).map_or(0, Vec::len)
    }

    /// A customer's pairs, in no order.
    pub fn of_customer<'a>(&'a self, customer: &'a str) -> impl Iterator<Item = &'a Relation> {
        let places = self.customers.at(customer).iter();
        places
            .filter_map(|place| self.at(*place))
            .filter(move |pair| pair.external_userid == customer)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Relation> {
        self.slots.iter_mut().flatten()
    }

    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(member: &str, customer: &str) -> Relation {
        Relation {
            userid: member.into(),
            external_userid: customer.into(),
            ..Relation::default()
        }
    }

    fn ids<'a>(pairs: impl Iterator<Item = &'a Relation>) -> Vec<String> {
        pairs
            .map(|pair| format!("{} {}", pair.userid, pair.external_userid))
            .collect()
    }

    #[test]
    fn a_members_pairs_keep_the_order_of_ids_whatever_came_and_went() {
        let mut pairs = Pairs::default();
        pairs.load(
            [pair("li", "wm5"), pair("li", "wm1"), pair("wu", "wm1")].into_iter(),
            3,
        );
        pairs.put(pair("li", "wm3"));
        pairs.put(pair("li", "wm3"));
        assert_eq!(ids(pairs.of_member("li", None)), ["li wm1", "li wm3", "li wm5"]);
        assert_eq!(ids(pairs.of_member("li", Some("wm1"))), ["li wm3", "li wm5"]);
        assert_eq!(ids(pairs.of_member("li", Some("wm2"))), ["li wm3", "li wm5"]);
        assert!(pairs.remove("li", "wm1").is_some());
        assert!(pairs.remove("li", "wm1").is_none());
        assert_eq!(ids(pairs.of_customer("wm1")), ["wu wm1"]);
        pairs.put(pair("li", "wm9"));
        assert_eq!(ids(pairs.of_member("li", Some("wm3"))), ["li wm5", "li wm9"]);
        assert_eq!((pairs.len(), pairs.count_of("li")), (4, 3));
    }
}
