//! Numbers and texts in a file: a length, then what there is, as it lies in memory.

use std::io::{self, Read, Write};

const _: () = assert!(
    cfg!(target_endian = "little"),
    "numbers are written as they lie in memory"
);

/// What is read from knows how much of it is left, so that no length is believed that cannot be true.
pub(super) trait Source: Read {
    fn left(&self) -> u64;
}

impl Source for &[u8] {
    fn left(&self) -> u64 {
        self.len() as u64
    }
}

pub(super) fn write_u32(to: &mut impl Write, number: u32) -> io::Result<()> {
    to.write_all(&number.to_le_bytes())
}

pub(super) fn read_u32(from: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

pub(super) fn write_i64(to: &mut impl Write, number: i64) -> io::Result<()> {
    to.write_all(&number.to_le_bytes())
}

pub(super) fn read_i64(from: &mut impl Read) -> io::Result<i64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(i64::from_le_bytes(bytes))
}

pub(super) fn write_numbers<T: bytemuck::NoUninit>(to: &mut impl Write, numbers: &[T]) -> io::Result<()> {
    write_u32(to, numbers.len() as u32)?;
    to.write_all(bytemuck::cast_slice(numbers))
}

pub(super) fn read_numbers<T: bytemuck::Pod>(from: &mut impl Source) -> io::Result<Vec<T>> {
    let len = read_u32(from)? as usize;
    if (len * size_of::<T>()) as u64 > from.left() {
        return Err(io::Error::other("it is not whole"));
    }
    let mut numbers = vec![T::zeroed(); len];
    from.read_exact(bytemuck::cast_slice_mut(&mut numbers))?;
    Ok(numbers)
}

pub(super) fn write_text(to: &mut impl Write, text: &str) -> io::Result<()> {
    write_numbers(to, text.as_bytes())
}

pub(super) fn read_text(from: &mut impl Source) -> io::Result<String> {
    String::from_utf8(read_numbers(from)?).map_err(io::Error::other)
}
