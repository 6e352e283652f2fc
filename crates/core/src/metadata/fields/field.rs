//! What one row of the table of fields says.

/// The object that contains a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// The Advanced Configuration itself.
    TopLevel,
    /// `oauth_client_metadata`.
    ClientMetadata,
    /// `registration`.
    Registration,
    /// `forward_headers` in its object form.
    ForwardHeaders,
    /// One entry of `forward_headers` in its `{from, to}` form.
    ForwardedHeader,
    /// `user_identity_forwarding`.
    UserIdentityForwarding,
    /// `jwt_validation`.
    JwtValidation,
    /// One value of `jwt_validation.claimValues`.
    ClaimRule,
    /// `external_auth_config`.
    ExternalAuthConfig,
    /// `tools`.
    Tools,
    /// `tools.rateLimit`.
    RateLimit,
    /// `transport`.
    Transport,
}

impl Section {
    /// All, outermost first.
    pub const ALL: [Self; 12] = [
        Self::TopLevel,
        Self::ClientMetadata,
        Self::Registration,
        Self::ForwardHeaders,
        Self::ForwardedHeader,
        Self::UserIdentityForwarding,
        Self::JwtValidation,
        Self::ClaimRule,
        Self::ExternalAuthConfig,
        Self::Tools,
        Self::RateLimit,
        Self::Transport,
    ];

    /// Name for users and for `$defs` of the JSON Schema.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TopLevel => "advanced_configuration",
            Self::ClientMetadata => "oauth_client_metadata",
            Self::Registration => "registration",
            Self::ForwardHeaders => "forward_headers",
            Self::ForwardedHeader => "forwarded_header",
            Self::UserIdentityForwarding => "user_identity_forwarding",
            Self::JwtValidation => "jwt_validation",
            Self::ClaimRule => "claim_rule",
            Self::ExternalAuthConfig => "external_auth_config",
            Self::Tools => "tools",
            Self::RateLimit => "rate_limit",
            Self::Transport => "transport",
        }
    }
}

/// The JSON type of a member. `null` is allowed everywhere and means "not set here".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    String,
    /// A list of strings.
    StringList,
    /// A string or a list of strings.
    StringOrList,
    /// An object whose values are strings.
    StringMap,
    /// An object whose members are in the table.
    Nested(Section),
    /// An object whose values are such objects.
    MapOf(Section),
    /// A list of header names or of `{from, to}` objects.
    HeaderList,
    /// A list of headers, or an object with `mode` and `headers`.
    ForwardHeaders,
    /// An object that is passed on as it is.
    Object,
    /// `true` or `false`.
    Boolean,
    /// A whole number from the first to the second, both included.
    Integer(i64, i64),
    /// Anything (of members that are not used).
    Any,
}

/// What a member is for, which decides how it resolves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Holds other members.
    Container,
    /// Sent in the registration request: one of the twelve customisable fields, or `application_type`.
    Sent,
    /// Of a client that was registered beforehand; resolves whole with the others of its kind.
    Credential,
    /// Replaces what discovery says; resolves whole with the others of its kind.
    AuthorizationServer,
    /// Added to the authorization request.
    AuthorizationRequest,
    /// Says how we register.
    Registration,
    /// Handed to gateways.
    Gateway,
    /// Kept, never used.
    Ignored {
        /// Why, as the end of the sentence "`x` is not used: …".
        reason: &'static str,
    },
}

/// What a string (or each string of a list or map) must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Nothing beyond the kind.
    Any,
    /// 1 to N characters, no control characters, not only spaces.
    Text(usize),
    /// 1 to N printable ASCII characters (`%x20-7E`), not only spaces.
    Ascii(usize),
    /// An absolute `https` URL of a page; `http` is a warning.
    Link,
    /// An absolute `https` URL of an image; `http` and an address instead of a name are warnings.
    Logo,
    /// An absolute `https` URL without fragment; `http` only to a loopback host.
    Endpoint,
    /// As [`Rule::Endpoint`], and without query (RFC 8414 §2).
    Issuer,
    /// An issuer that is only compared, never opened: 1 to N characters, no control characters. The address of something
    /// else, such as a metadata document, is a warning.
    ComparedIssuer(usize),
    /// Space-separated scopes (RFC 6749 §3.3).
    Scope,
    /// A grant type: registered or an absolute URI (RFC 7591 §2), never `implicit` or `password` (RFC 9700 §2.1.2, §2.4).
    GrantType,
    /// A contact: an e-mail address; anything else is a warning.
    Contact,
    /// One of a fixed set; the second value is the code of the finding.
    OneOf(&'static [&'static str], &'static str),
    /// A header field name (RFC 9110 §5.1).
    HeaderName,
    /// The values are header field values (RFC 9110 §5.5), the names are header field names.
    HeaderMap,
    /// The names are parameters of the authorization request, the values their values.
    ParameterMap,
    /// A number and a unit, such as `30s`, `5m`, `12h`, `1d`.
    Duration,
    /// An absolute URI without fragment (RFC 8707 §2), of any scheme.
    ResourceUri,
    /// The name of a client metadata member that a registration request may leave out.
    SentMember,
}

/// One member: the only source of its type, rules, default and description.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a row of a table: each is a column of its own")]
pub struct Field {
    /// The object that contains the member.
    pub section: Section,
    /// Its name, as written in JSON.
    pub name: &'static str,
    /// Display name, in sentence case.
    pub title: &'static str,
    /// Its JSON type.
    pub kind: Kind,
    /// What it is for.
    pub usage: Usage,
    /// What its strings must look like.
    pub rule: Rule,
    /// Whether its strings are cut out of the text on save and sealed.
    pub secret: bool,
    /// Whether it may have language variants `name#fr` (RFC 7591 §2.2).
    pub localised: bool,
    /// Whether its object is useless without it.
    pub required: bool,
    /// Whether an empty list is an error.
    pub not_empty: bool,
    /// The canonical name, where this is only another spelling.
    pub alias_of: Option<&'static str>,
    /// What holds when no level sets it, as JSON text (for client metadata: as shipped, see `Branding`).
    pub default: Option<&'static str>,
    /// One to three sentences for users.
    pub help: &'static str,
    /// An example value, as JSON text.
    pub example: &'static str,
}

impl Field {
    /// A row with the given facts and nothing special about it.
    pub(crate) const fn new(
        section: Section,
        name: &'static str,
        title: &'static str,
        kind: Kind,
        usage: Usage,
    ) -> Self {
        Self {
            section,
            name,
            title,
            kind,
            usage,
            rule: Rule::Any,
            secret: false,
            localised: false,
            required: false,
            not_empty: false,
            alias_of: None,
            default: None,
            help: "",
            example: "null",
        }
    }

    pub(crate) const fn rule(mut self, rule: Rule) -> Self {
        self.rule = rule;
        self
    }

    pub(crate) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    pub(crate) const fn localised(mut self) -> Self {
        self.localised = true;
        self
    }

    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(crate) const fn not_empty(mut self) -> Self {
        self.not_empty = true;
        self
    }

    pub(crate) const fn alias_of(mut self, canonical: &'static str) -> Self {
        self.alias_of = Some(canonical);
        self
    }

    pub(crate) const fn default(mut self, json: &'static str) -> Self {
        self.default = Some(json);
        self
    }

    /// The help text and an example (JSON text).
    pub(crate) const fn describe(mut self, help: &'static str, example: &'static str) -> Self {
        self.help = help;
        self.example = example;
        self
    }

    /// The name the member has in a resolved document.
    pub fn canonical(&self) -> &'static str {
        self.alias_of.unwrap_or(self.name)
    }

    /// Whether the member is kept but never used.
    pub fn is_ignored(&self) -> bool {
        matches!(self.usage, Usage::Ignored { .. })
    }
}
