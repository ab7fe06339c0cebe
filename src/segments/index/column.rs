//! A small number a contact, or none, in two bytes while they suffice.

use std::io::{self, Write};

use super::file::{Source, read_numbers, read_u32, write_numbers, write_u32};

pub(super) enum Column {
    Narrow(Vec<u16>),
    Wide(Vec<u32>),
}

impl Default for Column {
    fn default() -> Self {
        Self::Narrow(Vec::new())
    }
}

/// The number that stands for none is the highest.
trait Number: Copy + PartialEq + TryFrom<u32> + Into<u32> {
    const NONE: Self;

    fn of(number: u32) -> Option<Self> {
        Self::try_from(number).ok().filter(|number| *number != Self::NONE)
    }
}

impl Number for u16 {
    const NONE: Self = Self::MAX;
}

impl Number for u32 {
    const NONE: Self = Self::MAX;
}

fn get<N: Number>(numbers: &[N], contact: u32) -> Option<u32> {
    let number = numbers.get(contact as usize)?;
    (*number != N::NONE).then(|| (*number).into())
}

fn put<N: Number>(numbers: &mut Vec<N>, contact: u32, number: N) {
    let wanted = contact as usize + 1;
    if numbers.len() < wanted {
        if numbers.capacity() < wanted && !numbers.is_empty() {
            // Not twice as much for a few more.
            numbers.reserve_exact(wanted - numbers.len() + 65_536);
        }
        numbers.resize(wanted, N::NONE);
    }
    numbers[contact as usize] = number;
}

fn whose<N: Number>(numbers: &[N], number: u32) -> Vec<u32> {
    let Some(number) = N::of(number) else {
        return Vec::new();
    };
    let contacts = numbers.iter().zip(0..);
    contacts
        .filter(|(one, _)| **one == number)
        .map(|(_, contact)| contact)
        .collect()
}

impl Column {
    pub fn get(&self, contact: u32) -> Option<u32> {
        match self {
            Self::Narrow(numbers) => get(numbers, contact),
            Self::Wide(numbers) => get(numbers, contact),
        }
    }

    pub fn set(&mut self, contact: u32, number: Option<u32>) {
        if number.is_none() && self.get(contact).is_none() {
            return;
        }
        match self {
            Self::Wide(numbers) => put(numbers, contact, number.unwrap_or(u32::NONE)),
            Self::Narrow(numbers) => match number.map_or(Some(u16::NONE), u16::of) {
                Some(number) => put(numbers, contact, number),
                None => {
                    let wide =
                        (0..numbers.len() as u32).map(|contact| self.get(contact).unwrap_or(u32::NONE));
                    *self = Self::Wide(wide.collect());
                    self.set(contact, number);
                }
            },
        }
    }

    /// Contacts with this number, in order.
    pub fn whose(&self, number: u32) -> Vec<u32> {
        match self {
            Self::Narrow(numbers) => whose(numbers, number),
            Self::Wide(numbers) => whose(numbers, number),
        }
    }

    /// Gives back what was set aside while it grew.
    pub fn settle(&mut self) {
        match self {
            Self::Narrow(numbers) => numbers.shrink_to_fit(),
            Self::Wide(numbers) => numbers.shrink_to_fit(),
        }
    }

    /// A copy for contacts below `most`.
    pub fn below(&self, most: u32) -> Self {
        let most = most as usize;
        match self {
            Self::Narrow(numbers) => Self::Narrow(numbers[..numbers.len().min(most)].to_vec()),
            Self::Wide(numbers) => Self::Wide(numbers[..numbers.len().min(most)].to_vec()),
        }
    }

    pub fn save(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Narrow(numbers) => {
                write_u32(to, 2)?;
                write_numbers(to, numbers)
            }
            Self::Wide(numbers) => {
                write_u32(to, 4)?;
                write_numbers(to, numbers)
            }
        }
    }

    pub fn load(from: &mut impl Source) -> io::Result<Self> {
        Ok(match read_u32(from)? {
            2 => Self::Narrow(read_numbers(from)?),
            4 => Self::Wide(read_numbers(from)?),
            _ => return Err(io::Error::other("numbers of another width")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_when_they_need_more_bytes() {
        let mut column = Column::default();
        for (contact, number) in [(7, 3), (9, 65_534), (2, 3)] {
            column.set(contact, Some(number));
        }
        column.set(7_000, None);
        assert!(matches!(&column, Column::Narrow(numbers) if numbers.len() == 10));
        for number in [65_535, 70_000] {
            column.set(11, Some(number));
            assert!(matches!(column, Column::Wide(_)));
            let mut saved = Vec::new();
            column.below(11).save(&mut saved).unwrap();
            let loaded = Column::load(&mut saved.as_slice()).unwrap();
            assert_eq!((column.get(11), loaded.get(11)), (Some(number), None));
            for column in [&column, &loaded] {
                assert_eq!((column.get(9), column.get(8)), (Some(65_534), None));
                assert_eq!(column.whose(3), [2, 7]);
            }
        }
        column.set(2, None);
        assert_eq!(column.whose(3), [7]);
        assert!(column.whose(u32::MAX).is_empty());
    }
}
