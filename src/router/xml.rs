//! A scanner for the little XML that routers send: start tags, end tags and text, one after the
//! other. It builds no tree, knows no attributes, and whatever it is given it ends.

/// The next thing in a text.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Piece<'a> {
    /// `<name ...>`, without the prefix of its namespace.
    Start(&'a str),
    /// `</name>`, likewise.
    End(&'a str),
    /// What stands between tags, as it is written, without the blanks around it.
    Text(&'a str),
}

/// The pieces of a text, in their order. Comments and declarations are left out.
pub struct Pieces<'a> {
    rest: &'a str,
}

impl<'a> Pieces<'a> {
    /// Begins to read.
    pub fn of(xml: &'a str) -> Pieces<'a> {
        Pieces { rest: xml }
    }

    /// Takes what stands before `end`, and `end` away; all there is if there is no `end`.
    fn until(&mut self, end: &str) -> &'a str {
        let (taken, rest) = self.rest.split_once(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        loop {
            let Some(tag) = self.rest.strip_prefix('<') else {
                let end = self.rest.find('<').unwrap_or(self.rest.len());
                let (text, rest) = self.rest.split_at(end);
                self.rest = rest;
                match text.trim() {
                    "" if rest.is_empty() => return None,
                    "" => continue,
                    text => return Some(Piece::Text(text)),
                }
            };
            self.rest = tag;
            if tag.starts_with("!--") {
                self.until("-->");
                continue;
            }
            let tag = self.until(">");
            match tag.as_bytes().first() {
                Some(b'?' | b'!') => {}
                Some(b'/') => return Some(Piece::End(local(&tag[1..]))),
                // An element without content has no text, so its end is missed by nobody.
                _ => return Some(Piece::Start(local(tag))),
            }
        }
    }
}

/// The text of the first element of this name.
pub fn text_of<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let mut pieces = Pieces::of(xml);
    pieces.find(|piece| *piece == Piece::Start(name))?;
    match pieces.next()? {
        Piece::Text(text) => Some(text),
        _ => None,
    }
}

/// A name without its namespace, and without the attributes behind it.
fn local(tag: &str) -> &str {
    let end = tag.find(|c: char| c.is_ascii_whitespace() || c == '/');
    let name = &tag[..end.unwrap_or(tag.len())];
    name.rsplit(':').next().unwrap_or(name)
}

#[cfg(test)]
#[path = "xml_tests.rs"]
mod tests;
