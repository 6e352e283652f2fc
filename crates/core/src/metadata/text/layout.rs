//! Formats a text and moves members to the right place; numbers and strings keep their spelling.

use super::parse;
use crate::metadata::fields::field::Section;
use crate::metadata::fields::names::ALIAS_WRAPPER;
use crate::metadata::fields::names::CANONICAL_WRAPPER;
use crate::metadata::fields::table::find;
use jsonc_parser::ast::Value as Node;
use jsonc_parser::common::Ranged;

/// A list of strings and numbers stays on one line up to this many characters.
const WIDTH: usize = 88;

/// `text` with two spaces a level and a line for each member. `None` if it is not the text of an object.
pub fn formatted(text: &str) -> Option<String> {
    Some(lay_out(text, &tree(text)?))
}

/// `text` with the members of the object at `pointer` moved up into its parent, in its place: for a wrapper that
/// is nested in itself. `None` if there is no such object, or if its members would collide with others of the same name.
pub fn unwrap_member(text: &str, pointer: &str) -> Option<String> {
    let mut whole = tree(text)?;
    let (way, name) = pointer.rsplit_once('/')?;
    let mut parent = &mut whole;
    for token in way.split('/').skip(1) {
        parent = parent.iter_mut().find(|(name, _)| name == token).and_then(|(_, tree)| match tree {
            Tree::Object(members) => Some(members),
            _ => None,
        })?;
    }
    let at = parent.iter().position(|(other, _)| other == name)?;
    if !matches!(parent[at].1, Tree::Object(_)) {
        return None;
    }
    let (_, Tree::Object(inner)) = parent.remove(at) else { return None };
    if inner.iter().any(|(name, _)| parent.iter().any(|(other, _)| other == name)) {
        return None;
    }
    parent.splice(at..at, inner);
    Some(lay_out(text, &whole))
}

/// `text` with everything that is no key of the top level moved into its client metadata, which is made if it is not
/// there. `None` if there is nothing to move, or if it would collide with others of the same name.
pub fn wrap_client_metadata(text: &str) -> Option<String> {
    let mut whole = tree(text)?;
    let stays = |name: &str| find(Section::TopLevel, name).is_some() || name == "configurations";
    let first = whole.iter().position(|(name, _)| !stays(name))?;
    let (kept, moved): (Vec<_>, Vec<_>) = whole.into_iter().partition(|(name, _)| stays(name));
    whole = kept;
    let wrapper = whole.iter_mut().find(|(name, _)| name == CANONICAL_WRAPPER || name == ALIAS_WRAPPER);
    match wrapper {
        Some((_, Tree::Object(members))) => {
            if moved.iter().any(|(name, _)| members.iter().any(|(other, _)| other == name)) {
                return None;
            }
            members.extend(moved);
        }
        Some(_) => return None,
        None => whole.insert(first.min(whole.len()), (CANONICAL_WRAPPER.to_owned(), Tree::Object(moved))),
    }
    Some(lay_out(text, &whole))
}

/// A document whose leaves are as they were written.
enum Tree {
    Leaf(String),
    List(Vec<Tree>),
    Object(Members),
}

type Members = Vec<(String, Tree)>;

fn tree(text: &str) -> Option<Members> {
    let parsed = parse::parse(text).ok()?;
    let properties = parsed.tree?.properties;
    Some(properties.iter().map(|one| (one.name.as_str().to_owned(), branch(text, &one.value))).collect())
}

fn branch(text: &str, node: &Node<'_>) -> Tree {
    match node {
        Node::Object(object) => Tree::Object(
            object
                .properties
                .iter()
                .map(|one| (one.name.as_str().to_owned(), branch(text, &one.value)))
                .collect(),
        ),
        Node::Array(list) => Tree::List(list.elements.iter().map(|item| branch(text, item)).collect()),
        leaf => Tree::Leaf(text[leaf.range().start..leaf.range().end].to_owned()),
    }
}

/// The document, ending as `old` ends.
fn lay_out(old: &str, members: &Members) -> String {
    let mut text = String::with_capacity(old.len() * 2);
    write_members(members, 0, &mut text);
    if old.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn write(tree: &Tree, depth: usize, text: &mut String) {
    match tree {
        Tree::Leaf(leaf) => text.push_str(leaf),
        Tree::Object(members) => write_members(members, depth, text),
        Tree::List(items) => {
            let leaves: Option<Vec<&str>> = items
                .iter()
                .map(|item| match item {
                    Tree::Leaf(leaf) => Some(leaf.as_str()),
                    _ => None,
                })
                .collect();
            if let Some(leaves) = leaves {
                let line = format!("[{}]", leaves.join(", "));
                if line.chars().count() + 2 * depth <= WIDTH {
                    text.push_str(&line);
                    return;
                }
            }
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                new_line(index > 0, depth + 1, text);
                write(item, depth + 1, text);
            }
            new_line(false, depth, text);
            text.push(']');
        }
    }
}

fn write_members(members: &Members, depth: usize, text: &mut String) {
    if members.is_empty() {
        text.push_str("{}");
        return;
    }
    text.push('{');
    for (index, (name, tree)) in members.iter().enumerate() {
        new_line(index > 0, depth + 1, text);
        text.push_str(&serde_json::Value::from(name.as_str()).to_string());
        text.push_str(": ");
        write(tree, depth + 1, text);
    }
    new_line(false, depth, text);
    text.push('}');
}

fn new_line(comma: bool, depth: usize, text: &mut String) {
    text.push_str(if comma { ",\n" } else { "\n" });
    text.extend(std::iter::repeat_n("  ", depth));
}
