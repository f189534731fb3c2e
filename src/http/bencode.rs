//! Bencoding (BEP 3), the writing half: a tracker never reads any.

/// A dictionary that is being written. Its keys must come in the order of their bytes, as the
/// format has it; one that does not is a defect of the caller and panics, in tests first.
pub struct Dictionary<'out, 'key> {
    out: &'out mut Vec<u8>,
    last_key: Option<&'key [u8]>,
}

/// Appends a dictionary with the entries that `write` puts into it.
pub fn dictionary<'key>(out: &mut Vec<u8>, write: impl FnOnce(&mut Dictionary<'_, 'key>)) {
    out.push(b'd');
    write(&mut Dictionary {
        out,
        last_key: None,
    });
    out.push(b'e');
}

impl<'key> Dictionary<'_, 'key> {
    /// An entry that is an integer.
    pub fn integer(&mut self, key: &'key str, value: u64) {
        self.key(key);
        self.out.push(b'i');
        decimal(self.out, value);
        self.out.push(b'e');
    }

    /// An entry that is a byte string.
    pub fn bytes(&mut self, key: &'key str, value: &[u8]) {
        self.key(key);
        bytes(self.out, value);
    }

    /// An entry that is a byte string of `length` bytes, which `write` appends.
    pub fn bytes_with(&mut self, key: &'key str, length: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.key(key);
        decimal(self.out, length as u64);
        self.out.push(b':');
        let begin = self.out.len();
        write(self.out);
        assert_eq!(self.out.len() - begin, length, "length of '{key}'");
    }

    /// An entry that is a dictionary, whose entries `write` puts into it.
    pub fn dictionary<'inner>(
        &mut self,
        key: &'key [u8],
        write: impl FnOnce(&mut Dictionary<'_, 'inner>),
    ) {
        self.byte_key(key);
        dictionary(self.out, write);
    }

    /// An entry that is a list of dictionaries, which `write` appends with [`dictionary`].
    pub fn list(&mut self, key: &'key str, write: impl FnOnce(&mut Vec<u8>)) {
        self.key(key);
        self.out.push(b'l');
        write(self.out);
        self.out.push(b'e');
    }

    fn key(&mut self, key: &'key str) {
        self.byte_key(key.as_bytes());
    }

    fn byte_key(&mut self, key: &'key [u8]) {
        let is_next = self.last_key.is_none_or(|last| last < key);
        assert!(is_next, "'{}' out of order", key.escape_ascii());
        self.last_key = Some(key);
        bytes(self.out, key);
    }
}

fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    decimal(out, value.len() as u64);
    out.push(b':');
    out.extend_from_slice(value);
}

/// Appends a number in decimal digits.
pub fn decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

#[cfg(test)]
#[path = "bencode_tests.rs"]
mod tests;
