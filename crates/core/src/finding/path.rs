//! Where a value is, while a document is walked. A pointer is made only for a finding: a pointer for every value would
//! cost the depth times the number of values.

use super::pointer_push;

/// A place in a document.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    token: Token<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Token<'a> {
    Pointer(&'a str),
    Name(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    /// The place of `pointer` (RFC 6901); empty: the whole document.
    pub fn at(pointer: &'a str) -> Self {
        Self { parent: None, token: Token::Pointer(pointer) }
    }

    /// The member `name` of the object here.
    #[must_use]
    pub fn member(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), token: Token::Name(name) }
    }

    /// The element `index` of the list here.
    #[must_use]
    pub fn element(&'a self, index: usize) -> Self {
        Self { parent: Some(self), token: Token::Index(index) }
    }

    /// The RFC 6901 pointer of this place.
    pub fn pointer(&self) -> String {
        let mut tokens = vec![self.token];
        let mut above = self.parent;
        while let Some(path) = above {
            tokens.push(path.token);
            above = path.parent;
        }
        tokens.iter().rev().fold(String::new(), |pointer, token| match token {
            Token::Pointer(text) => pointer + text,
            Token::Name(name) => pointer_push(&pointer, name),
            Token::Index(index) => format!("{pointer}/{index}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_gives_its_pointer() {
        let root = Path::at("/configurations");
        let member = root.member("a/b");
        assert_eq!(member.element(3).pointer(), "/configurations/a~1b/3");
        assert_eq!(Path::at("").pointer(), "");
    }
}
