//! Maps JSON Pointers to lines and columns of the submitted text, all in one pass.

use crate::finding::{Finding, Findings};
use std::collections::HashMap;
use std::ops::Range;

/// Gives each finding the position of its member in `text`, where there is one. Positions that were relative to a part
/// of the text are replaced, so that all of one answer count alike; a body that is no JSON keeps its own.
pub fn place(text: &str, findings: &mut [Finding]) {
    let mut wanted = Wanted::default();
    let nodes: Vec<Option<usize>> = findings
        .iter()
        .map(|finding| (!finding.pointer.is_empty()).then(|| wanted.node(&finding.pointer)))
        .collect();
    if nodes.iter().all(Option::is_none) {
        return;
    }
    let mut scan = Scan { text: text.as_bytes(), at: 0 };
    // A text that is broken further on has the places before that.
    let _ = scan.value(&mut wanted, 0);
    let mut offsets: Vec<(usize, usize)> = nodes
        .iter()
        .enumerate()
        .filter_map(|(finding, node)| Some((wanted.offset((*node)?), finding)))
        .collect();
    offsets.sort_unstable();
    let mut cursor = Cursor::default();
    for (offset, finding) in offsets {
        let position = cursor.advance(text, offset);
        findings[finding].line = position.map(|(line, _)| line);
        findings[finding].column = position.map(|(_, column)| column);
    }
}

/// `findings` of something that was saved, with the positions of their members in `text`.
pub fn placed(text: &str, mut findings: Findings) -> Findings {
    place(text, &mut findings.0);
    findings
}

/// The pointers that are looked for, as a tree. Node 0 is the whole text.
struct Wanted {
    nodes: Vec<Node>,
}

#[derive(Default)]
struct Node {
    parent: usize,
    children: HashMap<String, usize>,
    /// Where the value begins, once it was found.
    offset: Option<usize>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Wanted {
    /// The node of `pointer`, made if it is new.
    fn node(&mut self, pointer: &str) -> usize {
        let mut node = 0;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let next = self.nodes.len();
            let child = *self.nodes[node].children.entry(token).or_insert(next);
            if child == next {
                self.nodes.push(Node { parent: node, ..Node::default() });
            }
            node = child;
        }
        node
    }

    /// Where the value of `node` begins, or that of the deepest member above it that there is.
    fn offset(&self, mut node: usize) -> usize {
        loop {
            match self.nodes[node].offset {
                Some(offset) => return offset,
                None if node == 0 => return 0,
                None => node = self.nodes[node].parent,
            }
        }
    }

    /// Notes that the value of `node` begins at `offset`. Of duplicate members the last counts.
    fn found(&mut self, node: usize, offset: usize) {
        let is_twin = self.nodes[node].offset.replace(offset).is_some();
        if is_twin && node > 0 {
            let mut below: Vec<usize> = self.nodes[node].children.values().copied().collect();
            while let Some(one) = below.pop() {
                if self.nodes[one].offset.take().is_some() {
                    below.extend(self.nodes[one].children.values());
                }
            }
        }
    }
}

/// Reads the text once. Values without a wanted pointer are skipped without recursion.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    /// Reads the value at the current position, which is that of `node`. `None` where the text is not JSON.
    fn value(&mut self, wanted: &mut Wanted, node: usize) -> Option<()> {
        self.skip_space();
        wanted.found(node, self.at);
        if wanted.nodes[node].children.is_empty() {
            return self.skip_value();
        }
        match self.peek()? {
            b'{' => self.members(wanted, node),
            b'[' => self.elements(wanted, node),
            _ => self.skip_value(),
        }
    }

    fn members(&mut self, wanted: &mut Wanted, node: usize) -> Option<()> {
        self.at += 1;
        loop {
            self.skip_space();
            match self.peek()? {
                b'}' => break,
                b',' => self.at += 1,
                b'"' => {
                    let name = self.string()?;
                    self.skip_space();
                    (self.peek()? == b':').then(|| self.at += 1)?;
                    let child = self.child(wanted, node, name);
                    self.one(wanted, child)?;
                }
                _ => return None,
            }
        }
        self.at += 1;
        Some(())
    }

    fn elements(&mut self, wanted: &mut Wanted, node: usize) -> Option<()> {
        self.at += 1;
        let mut index = 0_usize;
        loop {
            self.skip_space();
            match self.peek()? {
                b']' => break,
                b',' => self.at += 1,
                _ => {
                    let child = wanted.nodes[node].children.get(index.to_string().as_str()).copied();
                    self.one(wanted, child)?;
                    index += 1;
                }
            }
        }
        self.at += 1;
        Some(())
    }

    fn one(&mut self, wanted: &mut Wanted, child: Option<usize>) -> Option<()> {
        match child {
            Some(child) => self.value(wanted, child),
            None => self.skip_value(),
        }
    }

    /// Steps over one value, however deep.
    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            self.skip_space();
            match self.peek()? {
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => self.at += 1,
                b',' | b':' => return None,
                b'"' => {
                    self.string()?;
                }
                _ => {
                    let rest = &self.text[self.at..];
                    let length = rest
                        .iter()
                        .position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n'));
                    self.at += length.unwrap_or(rest.len());
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// The child of `node` whose name is the string at `name`, if it is wanted.
    fn child(&self, wanted: &Wanted, node: usize, name: Range<usize>) -> Option<usize> {
        let quoted = std::str::from_utf8(&self.text[name]).ok()?;
        let children = &wanted.nodes[node].children;
        if quoted.contains('\\') {
            let name: String = serde_json::from_str(quoted).ok()?;
            return children.get(&name).copied();
        }
        children.get(&quoted[1..quoted.len() - 1]).copied()
    }

    /// Steps over a string and gives it, quotes included.
    fn string(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let mut at = start + 1;
        loop {
            match self.text.get(at)? {
                b'"' => break,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        self.at = at + 1;
        Some(start..self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }
}

/// Walks the text once, counting lines and characters.
#[derive(Default)]
struct Cursor {
    offset: usize,
    line: u32,
    column: u32,
}

impl Cursor {
    /// 1-based line and column (in characters) of the byte `offset`, which is not before the last one.
    fn advance(&mut self, text: &str, offset: usize) -> Option<(u32, u32)> {
        for character in text.get(self.offset..offset)?.chars() {
            if character == '\n' {
                self.line += 1;
                self.column = 0;
            } else {
                self.column += 1;
            }
        }
        self.offset = offset;
        Some((self.line + 1, self.column + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(text: &str, pointer: &str) -> Option<(u32, u32)> {
        let mut findings = [Finding::error(pointer, "odd", "Odd.")];
        place(text, &mut findings);
        findings[0].line.zip(findings[0].column)
    }

    #[test]
    fn members_have_positions() {
        let text = "{\n  \"name\": \"Ä\", \"configurations\": {\n    \"a/b\": [1,\n   2]\n  }\n}";
        assert_eq!(position(text, "/name"), Some((2, 11)));
        assert_eq!(position(text, "/configurations"), Some((2, 34)));
        assert_eq!(position(text, "/configurations/a~1b/1"), Some((4, 4)));
        assert_eq!(position(text, "/configurations/missing"), Some((2, 34)));
        assert_eq!(position(text, "/missing"), Some((1, 1)));
    }

    #[test]
    fn last_duplicate_member_has_the_position() {
        let text = r#"{"a": {"b": 1}, "\u0061": {"c": "\"}", "d": [[], {}, -1.5e3]}}"#;
        assert_eq!(position(text, "/a"), Some((1, 27)));
        assert_eq!(position(text, "/a/b"), Some((1, 27)), "the first is not there any more");
        assert_eq!(position(text, "/a/d/2"), Some((1, 54)));
    }

    #[test]
    fn whole_body_has_no_position() {
        let mut findings = [Finding::error("", "invalid_json", "Broken.")];
        findings[0].line = Some(7);
        place("{", &mut findings);
        assert_eq!(findings[0].line, Some(7));
    }

    #[test]
    fn text_is_parsed_once_with_a_depth_limit() {
        // With a parser for each level, or each finding, this would take minutes or the stack.
        let deep = format!("{{\"x\": {}{}, \"y\": 1}}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(position(&deep, "/y"), Some((1, 400_014)));
        let members: Vec<String> = (0..30_000).map(|number| format!("\"m{number}\": 0")).collect();
        let long = format!("{{{}}}", members.join(", "));
        let mut findings: Vec<Finding> =
            (0..30_000).map(|number| Finding::error(format!("/m{number}"), "odd", "Odd.")).collect();
        place(&long, &mut findings);
        assert!(findings.iter().all(|one| one.line == Some(1)));
        assert!(findings.windows(2).all(|pair| pair[0].column < pair[1].column));
    }
}
