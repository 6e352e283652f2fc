//! Secrets in an exported file: references to environment variables, or the secrets themselves where the operator asks for them.

/// How secrets are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// As they are.
    Plain,
    /// As references to variables, in the notation of the gateway: this text, the variable's name, this text.
    Variables(&'static str, &'static str),
}

impl Secrets {
    /// What stands in the file for a secret of `workspace/server`, and a line that names the variable.
    pub(crate) fn write(self, server: &str, member: &str, secret: &str, lines: &mut Vec<String>) -> String {
        match self {
            Self::Plain => secret.to_owned(),
            Self::Variables(before, after) => {
                let variable = variable(server, member);
                lines.push(format!("{server} needs the environment variable {variable}"));
                format!("{before}{variable}{after}")
            }
        }
    }
}

/// `MCP_` with server and member, in characters that shells permit.
fn variable(server: &str, member: &str) -> String {
    let mut name = "MCP".to_owned();
    for part in server.split('/').chain([member]) {
        name.push('_');
        for character in part.to_uppercase().chars() {
            name.push(if character.is_ascii_alphanumeric() { character } else { '_' });
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_named_after_server_and_member() {
        let mut lines = Vec::new();
        let reference =
            Secrets::Variables("${", "}").write("acme/my-notes", "X-Api-Key", "s3cret", &mut lines);
        assert_eq!(reference, "${MCP_ACME_MY_NOTES_X_API_KEY}");
        assert_eq!(lines, ["acme/my-notes needs the environment variable MCP_ACME_MY_NOTES_X_API_KEY"]);
        assert_eq!(Secrets::Plain.write("acme/my-notes", "X-Api-Key", "s3cret", &mut lines), "s3cret");
        assert_eq!(lines.len(), 1);
    }
}
