//! Randomness for names that nobody else may have and for passwords. It comes from the operating system; a test that
//! needs the same value twice passes names itself.

use std::io;

/// The alphabet where both cases count.
pub const LETTERS_AND_DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// `length` letters out of `alphabet` (ASCII, at most 256 letters), each equally likely.
pub fn letters(alphabet: &[u8], length: usize) -> io::Result<String> {
    assert!(
        !alphabet.is_empty() && alphabet.len() <= 256,
        "an alphabet has 1 to 256 letters"
    );
    // Bytes above the last whole multiple would make the first letters likelier.
    let limit = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0_u8; 64];
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        let fair = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < limit);
        text.extend(
            fair.take(length - text.len())
                .map(|byte| char::from(alphabet[byte % alphabet.len()])),
        );
    }
    Ok(text)
}

/// A number from 0 up to and without `bound`.
pub fn below(bound: usize) -> io::Result<usize> {
    assert!(bound > 0, "there is no number below 0");
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    // The bias of one modulo over 64 bits is below anything that could be seen.
    Ok((u64::from_le_bytes(bytes) % bound as u64) as usize)
}

/// A version 4 UUID.
pub fn uuid() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(uuid_of(u128::from_be_bytes(bytes)))
}

/// The version 4 UUID of these random bits, for those who have dice of their own.
pub fn uuid_of(random: u128) -> String {
    let mut bytes = random.to_be_bytes();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    format!(
        "{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_asked_shape() {
        let name = letters(b"ab", 100).unwrap();
        assert!(name.len() == 100 && name.bytes().all(|letter| b"ab".contains(&letter)));
        let id = uuid().unwrap();
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4");
        assert_ne!(id, uuid().unwrap());
    }
}
