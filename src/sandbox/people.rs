//! Customers, by external_userid. Nobody is ever taken out: a customer without pairs is still a person.

use super::index::Index;
use super::world::Customer;

#[derive(Default)]
pub struct People {
    all: Vec<Customer>,
    places: Index,
}

impl People {
    pub fn reserve(&mut self, more: usize) {
        self.all.reserve_exact(more);
        self.places.reserve(more);
    }

    fn place(&self, id: &str) -> Option<usize> {
        let mut places = self.places.at(id).iter().map(|place| *place as usize);
        places.find(|place| self.all[*place].external_userid == id)
    }

    pub fn get(&self, id: &str) -> Option<&Customer> {
        self.place(id).map(|place| &self.all[place])
    }

    pub fn get_mut(&mut self, id: &str) -> Option<&mut Customer> {
        self.place(id).map(|place| &mut self.all[place])
    }

    pub fn contains_key(&self, id: &str) -> bool {
        self.place(id).is_some()
    }

    /// Takes a customer in, or puts the new form in the place of the old.
    pub fn put(&mut self, customer: Customer) {
        if let Some(place) = self.place(&customer.external_userid) {
            self.all[place] = customer;
            return;
        }
        self.places.add(&customer.external_userid, number(self.all.len()));
        self.all.push(customer);
    }

    /// Everybody, in the order they came.
    pub fn values(&self) -> impl Iterator<Item = &Customer> {
        self.all.iter()
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }
}

/// A place as the index keeps it.
pub fn number(place: usize) -> u32 {
    u32::try_from(place).expect("a corp has fewer than four thousand million customers")
}
