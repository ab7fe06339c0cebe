//! Numbers and bitmaps in a file: a length, then what there is, little endian.

use std::io::{self, Read, Write};

use roaring::RoaringBitmap;

/// Numbers of one write.
const CHUNK: usize = 8_192;

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

pub(super) fn write_u32s(to: &mut impl Write, numbers: &[u32]) -> io::Result<()> {
    write_u32(to, numbers.len() as u32)?;
    let mut bytes = Vec::with_capacity(CHUNK * 4);
    for chunk in numbers.chunks(CHUNK) {
        bytes.clear();
        bytes.extend(chunk.iter().flat_map(|number| number.to_le_bytes()));
        to.write_all(&bytes)?;
    }
    Ok(())
}

pub(super) fn read_u32s(from: &mut impl Read) -> io::Result<Vec<u32>> {
    let len = read_u32(from)? as usize;
    let mut numbers = Vec::with_capacity(len);
    let mut bytes = vec![0; CHUNK.min(len) * 4];
    while numbers.len() < len {
        let bytes = &mut bytes[..CHUNK.min(len - numbers.len()) * 4];
        from.read_exact(bytes)?;
        let (words, _) = bytes.as_chunks::<4>();
        numbers.extend(words.iter().map(|word| u32::from_le_bytes(*word)));
    }
    Ok(numbers)
}

pub(super) fn write_i64s(to: &mut impl Write, numbers: &[i64]) -> io::Result<()> {
    write_u32(to, numbers.len() as u32)?;
    for number in numbers {
        write_i64(to, *number)?;
    }
    Ok(())
}

pub(super) fn read_i64s(from: &mut impl Read) -> io::Result<Vec<i64>> {
    let len = read_u32(from)?;
    (0..len).map(|_| read_i64(from)).collect()
}

pub(super) fn write_bytes(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    write_u32(to, bytes.len() as u32)?;
    to.write_all(bytes)
}

pub(super) fn read_bytes(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; read_u32(from)? as usize];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn write_text(to: &mut impl Write, text: &str) -> io::Result<()> {
    write_bytes(to, text.as_bytes())
}

pub(super) fn read_text(from: &mut impl Read) -> io::Result<String> {
    String::from_utf8(read_bytes(from)?).map_err(io::Error::other)
}

/// Numbers below `most` only.
pub(super) fn write_bits(to: &mut impl Write, bits: &RoaringBitmap, most: u32) -> io::Result<()> {
    if bits.max().is_some_and(|max| max >= most) {
        let mut cut = bits.clone();
        cut.remove_range(most..);
        return cut.serialize_into(to);
    }
    bits.serialize_into(to)
}

/// Whole and in order, for the file was checked before.
pub(super) fn read_bits(from: &mut impl Read) -> io::Result<RoaringBitmap> {
    RoaringBitmap::deserialize_unchecked_from(from)
}
