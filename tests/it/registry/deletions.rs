//! Deletions of integrations and workspaces with many servers: these count as deleted at once, and batches delete them.

use chrono::Duration;
use registry::{
    Actor, Advance, ChangeEvent, ConfigurationScope, ConflictCode, Deleted, Error, IntegrationChange,
    NewConfiguration, NewServer, PageRequest, RegistrationFilter, RegistrationQueue, Registry, Rollout,
    RolloutSizes, ServerChange, ServerFilter, ServerRef, Settings, WatchResult,
};
use registry_core::id::{RolloutId, ServerId};
use registry_core::patch::Patch;
use registry_core::permission::Role;
use registry_core::registration::{DesiredPresence, State};
use registry_core::rollout::{RolloutKind, RolloutOptions, RolloutState};
use registry_core::slug::Reference;
use rstest::rstest;
use sea_orm::{ConnectionTrait, Statement};
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Mutex;
use support::{Engine, TestRegistry, statements};

const WORKER: &str = "worker";
const SERVERS: usize = 8;

/// What is deleted.
#[derive(Clone, Copy, Debug)]
enum Parent {
    Integration,
    Workspace,
}

impl Parent {
    async fn delete(self, registry: &Registry) -> Deleted {
        let admin = registry.operator();
        let deleted = match self {
            Self::Integration => {
                registry.integrations().delete(&admin, &Reference::parse("linear"), None).await
            }
            Self::Workspace => registry.workspaces().delete(&admin, &Reference::parse("acme"), None).await,
        };
        deleted.expect("a deletion")
    }

    /// Creates it again, under the same slug.
    async fn create(self, t: &TestRegistry) {
        match self {
            Self::Integration => drop(t.integration("linear", "https://mcp.linear.app/v2", None).await),
            Self::Workspace => drop(t.workspace("acme").await),
        }
    }
}

/// Eight servers `linear-0` … of the integration `linear` in the workspace `acme`, beside one of another integration in
/// another workspace. More than two servers are many, and a batch has three.
struct ManyServers {
    t: TestRegistry,
    gateway: Actor,
}

impl Deref for ManyServers {
    type Target = TestRegistry;

    fn deref(&self) -> &TestRegistry {
        &self.t
    }
}

impl ManyServers {
    async fn new(engine: Engine) -> Self {
        let rollout_sizes = RolloutSizes { immediate: 2, batch: 3 };
        let t = TestRegistry::with(engine, Settings { rollout_sizes, ..Settings::default() }).await;
        for (integration, workspace) in [("linear", "acme"), ("notion", "globex")] {
            t.integration(integration, &format!("https://mcp.{integration}.example/mcp"), None).await;
            t.workspace(workspace).await;
        }
        for number in 0..SERVERS {
            create(&t.registry, &name(number)).await.unwrap();
        }
        t.server("notion", "globex").await;
        let gateway = t.actor(Role::Gateway, None).await;
        Self { t, gateway }
    }

    async fn step(&self) -> Advance {
        self.registry.rollouts().advance(WORKER).await.expect("a step")
    }

    async fn finish(&self) {
        for _ in 0..1_000 {
            if self.step().await == Advance::Idle {
                return;
            }
        }
        panic!("the rollout does not end");
    }

    async fn rollout(&self, id: RolloutId) -> Rollout {
        self.registry.rollouts().get(&self.admin(), id).await.expect("a rollout")
    }

    async fn number(&self, query: &str) -> i64 {
        let db = self.database.connect().await;
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), query)).await.unwrap();
        row.unwrap().try_get_by_index(0).unwrap()
    }

    /// Servers of the integration `linear` whose rows are not marked as deleted.
    async fn unmarked(&self) -> i64 {
        let of = "SELECT COUNT(*) FROM server JOIN integration ON integration.id = integration_id \
                  WHERE integration.slug = 'linear' AND server.deleted_at IS NULL";
        self.number(of).await
    }

    /// Whether a gateway gets the document of this server.
    async fn is_served(&self, workspace: &str, server: &str) -> bool {
        match self.registry.gateway().document(&self.gateway, workspace, server).await {
            Ok(_) => true,
            Err(Error::NotFound { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// What a gateway that follows from `since` on is told, in words.
    async fn told(&self, since: i64) -> Vec<String> {
        let (mut told, mut since) = (Vec::new(), since);
        loop {
            let wait = std::time::Duration::ZERO;
            let watched =
                self.registry.gateway().watch_changes(&self.gateway, Some(since), wait).await.unwrap();
            let WatchResult::Changes { changes, revision } = watched else { panic!("it is not long ago") };
            if changes.is_empty() {
                return told;
            }
            told.extend(changes.iter().map(|change| match &change.happening {
                ChangeEvent::Changed { workspace, server } => format!("changed {workspace}/{server}"),
                ChangeEvent::Deleted { workspace, server } => format!("deleted {workspace}/{server}"),
                ChangeEvent::Identities => "identities".to_owned(),
            }));
            since = revision;
        }
    }

    /// What remains when everything is over: nothing of the deleted servers, and the other server.
    async fn assert_all_deleted(&self, what: &str) {
        assert_eq!(self.unmarked().await, 0, "{what}: every server is deleted");
        let waiting = "SELECT COUNT(*) FROM registration JOIN server ON server.id = server_id \
                       WHERE server.deleted_at IS NOT NULL AND wanted < 2";
        assert_eq!(self.number(waiting).await, 0, "{what}: every registration is enqueued");
        let open = "SELECT COUNT(*) FROM rollout WHERE finished_at IS NULL";
        assert_eq!(self.number(open).await, 0, "{what}: every rollout has ended");
        assert!(self.is_served("globex", "notion").await, "{what}: others stay");
    }
}

fn name(number: usize) -> String {
    format!("linear-{number}")
}

fn server(name: &str) -> ServerRef {
    ServerRef { server: Reference::parse(name), workspace: Some(Reference::parse("acme")) }
}

async fn create(registry: &Registry, slug: &str) -> Result<ServerId, Error> {
    let new = NewServer {
        integration: Reference::parse("linear"),
        workspace: Some(Reference::parse("acme")),
        name: slug.to_owned(),
        slug: Some(slug.to_owned()),
        description: None,
        configuration: None,
        secret_mappings: Vec::new(),
    };
    Ok(registry.servers().create(&registry.operator(), new).await?.value.id)
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_of_many_servers_holds_at_once(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
    #[values(Parent::Integration, Parent::Workspace)] parent: Parent,
) {
    let t = ManyServers::new(engine).await;
    let (registry, admin) = (&t.registry, t.admin());
    let one = registry.servers().get(&admin, &server("linear-0")).await.unwrap();
    let registration = one.registration.unwrap().id;
    let start = t.number("SELECT revision FROM sequence").await;
    // A change that gateways have not read yet.
    let change = ServerChange { name: Some("Renamed".to_owned()), ..ServerChange::default() };
    let configuration = r#"{"oauth_client_metadata":{"client_name":"Renamed"}}"#;
    let change = ServerChange { configuration: Patch::Set(configuration.to_owned()), ..change };
    registry.servers().update(&admin, &server("linear-0"), change, None).await.unwrap();
    let deleted = parent.delete(registry).await;
    let id = deleted.rollout.expect("the servers are many");
    assert_eq!((deleted.servers, deleted.registrations, deleted.estimated), (8, 8, false));

    // From the answer on, in any batch: nobody finds one of the servers.
    for (processed, left) in [(0, 8), (3, 5), (6, 2), (8, 0)] {
        let what = format!("{parent:?}, {processed} deleted");
        for number in 0..SERVERS {
            assert!(!t.is_served("acme", &name(number)).await, "{what}: {number}");
        }
        let page = registry.gateway().documents(&t.gateway, None, 0, 100).await.unwrap();
        assert_eq!(page.documents.len(), 1, "{what}: only the other server has a document");
        let told = t.told(start).await;
        let live: Vec<_> = told.iter().filter(|told| told.starts_with("changed")).collect();
        assert!(live.is_empty(), "{what}: {told:?}");
        let servers = registry.servers();
        assert!(matches!(servers.get(&admin, &server("linear-7")).await, Err(Error::NotFound { .. })));
        let by_id = ServerRef { server: Reference::Id(one.id.0), workspace: None };
        assert!(matches!(servers.get(&admin, &by_id).await, Err(Error::NotFound { .. })), "{what}");
        let change = ServerChange { name: Some("Again".to_owned()), ..ServerChange::default() };
        assert!(matches!(servers.update(&admin, &by_id, change, None).await, Err(Error::NotFound { .. })));
        assert!(matches!(servers.delete(&admin, &by_id, None).await, Err(Error::NotFound { .. })), "{what}");
        assert!(matches!(create(registry, "late").await, Err(Error::NotFound { .. })), "{what}");
        let listed = servers.list(&admin, ServerFilter::default(), PageRequest::default()).await.unwrap();
        assert_eq!(listed.items.len(), 1, "{what}");
        let found = registry.dashboard().search(&admin, "linear-7").await.unwrap();
        assert!(found.servers.is_empty(), "{what}");
        let detail = registry.registrations().get(&admin, registration).await.unwrap();
        assert!(detail.registration.server_deleted, "{what}");
        let retried = registry.registrations().retry(&admin, registration).await;
        assert!(
            matches!(retried, Err(Error::Conflict { code: ConflictCode::RegistrationWithdrawn, .. })),
            "{what}: {retried:?}"
        );
        let now = t.rollout(id).await;
        assert_eq!((now.kind, now.state), (RolloutKind::Deletion, RolloutState::Running), "{what}");
        assert_eq!((now.processed, now.total, t.unmarked().await), (processed, 8, left));
        assert_eq!(now.integration.is_some(), matches!(parent, Parent::Integration));
        assert_eq!(now.workspace.is_some(), matches!(parent, Parent::Workspace));
        assert_eq!(t.step().await, Advance::Moved, "{what}");
    }
    t.finish().await;
    let done = t.rollout(id).await;
    assert_eq!(
        (done.state, done.processed, done.total, done.total_is_exact),
        (RolloutState::Done, 8, 8, true)
    );
    assert_eq!((done.affected.servers, done.affected.registrations), (8, 8));
    let told: BTreeSet<String> = t.told(start).await.into_iter().collect();
    for number in 0..SERVERS {
        assert!(told.contains(&format!("deleted acme/{}", name(number))), "{told:?}");
    }
    t.assert_all_deleted(&format!("{parent:?}")).await;
    let audited = "SELECT COUNT(*) FROM audit_event WHERE action = 'server.deleted'";
    assert_eq!(t.number(audited).await, 8, "once each");
    assert_eq!(t.number("SELECT COUNT(*) FROM sealed_value").await, 0);
}

/// Registrations that are due when their integration or workspace is deleted are not made any more.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_registers_nothing_for_a_deleted_parent(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
    #[values(Parent::Integration, Parent::Workspace)] parent: Parent,
) {
    let t = ManyServers::new(engine).await;
    parent.delete(&t.registry).await;
    let wanted = Mutex::new(Vec::new());
    let queue = t.registry.registration_queue();
    let claims = queue.claim(WORKER, 100, 100, |context| {
        let present = context.desired.presence == DesiredPresence::Present;
        wanted.lock().unwrap().push((context.name.clone(), present));
        None
    });
    assert_eq!(claims.await.unwrap().claimed.len(), SERVERS + 1);
    for (name, present) in wanted.into_inner().unwrap() {
        assert_eq!(present, name == "globex/notion", "{name}");
    }
}

/// The answer takes the same statements for any number of servers above the threshold.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_takes_the_same_statements_for_any_number_of_servers(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
    #[values(Parent::Integration, Parent::Workspace)] parent: Parent,
) {
    statements();
    let mut taken = Vec::new();
    for servers in [150, 600] {
        let t = TestRegistry::new(engine).await;
        t.workspace("acme").await;
        t.integration("linear", "https://mcp.linear.app/mcp", None).await;
        t.server("linear", "acme").await;
        t.database.copy_server("linear", servers - 1).await;
        let before = statements();
        let deleted = parent.delete(&t.registry).await;
        taken.push(statements() - before);
        assert_eq!((deleted.servers, deleted.rollout.is_some()), (servers as u64, true));
    }
    eprintln!("{engine:?}, {parent:?}: {taken:?} statements");
    assert_eq!(taken[0], taken[1]);
}

/// Beyond 1,000 servers the registrations are estimated. Up to 100 servers are deleted in the transaction.
#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_says_how_much_it_deletes(#[case] engine: Engine) {
    for (servers, is_rollout, estimated) in [(100, false, false), (1_000, true, false), (1_500, true, true)] {
        let t = TestRegistry::new(engine).await;
        t.workspace("acme").await;
        t.integration("linear", "https://mcp.linear.app/mcp", None).await;
        t.server("linear", "acme").await;
        t.database.copy_server("linear", servers - 1).await;
        let deleted = Parent::Integration.delete(&t.registry).await;
        assert_eq!((deleted.servers, deleted.rollout.is_some()), (servers as u64, is_rollout));
        assert_eq!(deleted.estimated, estimated, "{servers}");
        if !estimated {
            assert_eq!(deleted.registrations, 1, "the copies have none");
        }
    }
}

/// The slugs of the parent and of its servers are free at once, and gateways keep what is new.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slugs_are_free_while_servers_are_deleted(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
    #[values(Parent::Integration, Parent::Workspace)] parent: Parent,
) {
    let t = ManyServers::new(engine).await;
    parent.delete(&t.registry).await;
    t.step().await;
    parent.create(&t).await;
    let start = t.number("SELECT revision FROM sequence").await;
    // One of a server that is deleted already, one of a server that is not; and one that is made from the name.
    for number in [0, 6] {
        create(&t.registry, &name(number)).await.expect("a free slug");
    }
    let new = NewServer {
        integration: Reference::parse("linear"),
        workspace: Some(Reference::parse("acme")),
        name: "Linear 7".to_owned(),
        slug: None,
        description: None,
        configuration: None,
        secret_mappings: Vec::new(),
    };
    let made = t.registry.servers().create(&t.admin(), new).await.unwrap().value;
    assert_eq!(made.slug.as_str(), "linear-7");
    t.finish().await;
    for number in 0..SERVERS {
        let served = t.is_served("acme", &name(number)).await;
        assert_eq!(served, [0, 6, 7].contains(&number), "{number}");
    }
    let told = t.told(start).await;
    for number in [0, 6, 7] {
        let of: Vec<_> = told.iter().filter(|told| told.ends_with(&name(number))).collect();
        assert_eq!(of, [&format!("changed acme/{}", name(number))], "{told:?}");
    }
    assert!(told.contains(&"deleted acme/linear-5".to_owned()), "{told:?}");
    assert_eq!(t.number("SELECT COUNT(*) FROM server WHERE deleted_at IS NULL").await, 4);
    assert_eq!(t.number("SELECT COUNT(*) FROM server WHERE deleted_at IS NOT NULL").await, 8);
}

/// Rollouts of a deleted integration end; those of the organisation's layer reach the others.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_goes_beside_other_rollouts(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
    #[values(Parent::Integration, Parent::Workspace)] parent: Parent,
) {
    let t = ManyServers::new(engine).await;
    let save = async |key: &str| {
        let text = Some(format!(r#"{{"headers":{{"X-Api-Key":"{key}"}}}}"#));
        let new =
            NewConfiguration { text, rollout: RolloutOptions::UNCHECKED, ..NewConfiguration::default() };
        let scope = ConfigurationScope::Organisation;
        t.registry.configurations().save(&t.admin(), &scope, new).await.unwrap().rollout
    };
    save("first").await;
    t.finish().await;
    let organisation = save("second").await.expect("nine are many");
    t.step().await;
    let change = IntegrationChange { enabled: Some(false), ..IntegrationChange::default() };
    let integrations = t.registry.integrations();
    let saved = integrations.update(&t.admin(), &Reference::parse("linear"), change, None).await.unwrap();
    let integration = saved.rollout.expect("eight are many");
    let deletion = parent.delete(&t.registry).await.rollout.unwrap();
    let ended = t.rollout(integration).await.state;
    match parent {
        Parent::Integration => assert_eq!(ended, RolloutState::Superseded),
        Parent::Workspace => {
            assert_eq!(ended, RolloutState::Running, "other workspaces may have servers of it");
        }
    }
    // While it deletes, only one live server is left: the next save reaches it at once.
    t.step().await;
    assert_eq!(save("third").await, None, "{parent:?}");
    assert_eq!(t.rollout(organisation).await.state, RolloutState::Superseded);
    let document = t.registry.gateway().document(&t.gateway, "globex", "notion").await.unwrap();
    assert!(String::from_utf8_lossy(&document.body).contains("third"));
    t.finish().await;
    assert_eq!(t.rollout(deletion).await.state, RolloutState::Done);
    t.assert_all_deleted(&format!("{parent:?}")).await;
    assert_eq!(t.number("SELECT COUNT(*) FROM sealed_value").await, 1, "only the newest is needed");
}

/// A rollout of the organisation's layer ends beside a deletion, which has not marked its servers yet.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollout_leaves_servers_in_deletion_alone(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) {
    let t = ManyServers::new(engine).await;
    for workspace in ["globex-1", "globex-2", "globex-3"] {
        t.workspace(workspace).await;
        t.server("notion", workspace).await;
    }
    Parent::Workspace.delete(&t.registry).await;
    let text = Some(r#"{"oauth_client_metadata":{"client_name":"Acme"}}"#.to_owned());
    let new = NewConfiguration { text, rollout: RolloutOptions::UNCHECKED, ..NewConfiguration::default() };
    let scope = ConfigurationScope::Organisation;
    let saved = t.registry.configurations().save(&t.admin(), &scope, new).await.unwrap();
    assert_eq!(saved.affected.reached, 4, "those in deletion are not counted");
    t.finish().await;
    assert_eq!(t.rollout(saved.rollout.unwrap()).await.processed, 4);
    assert_eq!(t.number("SELECT COUNT(*) FROM server WHERE organisation_revision = 1").await, 4);
    t.assert_all_deleted("workspace").await;
}

/// Servers that are created while the deletion commits do not survive it, whatever their ids.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn servers_created_beside_a_deletion_do_not_survive(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
    #[values(Parent::Integration, Parent::Workspace)] parent: Parent,
) {
    let t = ManyServers::new(engine).await;
    let mut creators = Vec::new();
    let (begun, mut started) = tokio::sync::mpsc::channel(100);
    for creator in 0..3 {
        let (registry, begun) = (t.second_process().await, begun.clone());
        creators.push(tokio::spawn(async move {
            for number in 0_usize.. {
                match create(&registry, &format!("late-{creator}-{number}")).await {
                    Ok(_) => drop(begun.try_send(())),
                    Err(Error::NotFound { .. }) => return number,
                    Err(error) => panic!("{error}"),
                }
            }
            unreachable!("it goes on until the parent is gone")
        }));
    }
    for _ in 0..5 {
        started.recv().await.unwrap();
    }
    let id = parent.delete(&t.registry).await.rollout.unwrap();
    let mut made = 0;
    for creator in creators {
        made += creator.await.unwrap();
    }
    t.step().await;
    // The clock of another process may be far behind: its ids come before those that a batch has passed.
    let early = "INSERT INTO server (id, integration_id, workspace_id, slug, slug_key, name, version, created_at, updated_at, \
                 created_by, updated_by, configuration_revision, organisation_revision) \
                 SELECT EARLY, integration_id, workspace_id, 'early', 'early', name, 1, 0, 0, '', '', 0, 0 \
                 FROM server WHERE slug = 'linear-7'";
    let id_text = match engine {
        Engine::Sqlite => "x'00000000000000000000000000000001'",
        Engine::Postgres => "'00000000-0000-0000-0000-000000000001'::uuid",
    };
    let db = t.database.connect().await;
    db.execute_unprepared(&early.replace("EARLY", id_text)).await.unwrap();
    t.finish().await;
    assert_eq!(t.rollout(id).await.processed, (SERVERS + made + 1) as u64, "{made} were created beside it");
    t.assert_all_deleted(&format!("{parent:?}")).await;
}

/// A deletion is not paused. A worker that died holds it up for seconds; then another goes on where it was.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_cannot_be_paused_and_is_taken_over(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) {
    let t = ManyServers::new(engine).await;
    let id = Parent::Integration.delete(&t.registry).await.rollout.unwrap();
    t.step().await;
    let (rollouts, admin) = (t.registry.rollouts(), t.admin());
    let refused = rollouts.pause(&admin, id).await;
    assert!(
        matches!(&refused, Err(Error::Conflict { code: ConflictCode::RolloutState, message, .. })
        if message.contains("deletion")),
        "{refused:?}"
    );
    assert_eq!(rollouts.resume(&admin, id).await.unwrap().state, RolloutState::Running, "it runs");
    assert_eq!(rollouts.advance("other").await.unwrap(), Advance::Waiting);
    t.clock.advance(Duration::seconds(11));
    assert_eq!(rollouts.advance("other").await.unwrap(), Advance::Moved);
    assert_eq!(t.rollout(id).await.processed, 6);
    t.clock.advance(Duration::seconds(11));
    t.finish().await;
    t.assert_all_deleted("integration").await;
}

/// An integration and then the workspace of all its servers: what both delete is deleted once.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletions_of_the_same_servers_delete_them_once(
    #[values(Engine::Sqlite, Engine::Postgres)] engine: Engine,
) {
    let t = ManyServers::new(engine).await;
    t.integration("jira", "https://mcp.jira.example/mcp", None).await;
    for number in 0..3 {
        let new = NewServer {
            integration: Reference::parse("jira"),
            workspace: Some(Reference::parse("acme")),
            name: format!("jira-{number}"),
            slug: None,
            description: None,
            configuration: None,
            secret_mappings: Vec::new(),
        };
        t.registry.servers().create(&t.admin(), new).await.unwrap();
    }
    let first = Parent::Integration.delete(&t.registry).await;
    t.step().await;
    let second = Parent::Workspace.delete(&t.registry).await;
    assert_eq!((first.servers, second.servers), (8, 3), "each server is counted once");
    // Two workers, one for each deletion: they meet at the same servers.
    let shared_out = "UPDATE rollout SET lease_until = (SELECT MAX(lease_until) FROM rollout), \
                      lease_owner = CASE WHEN integration_id IS NULL THEN 'two' ELSE 'one' END";
    t.database.connect().await.execute_unprepared(shared_out).await.unwrap();
    let workers = ["one", "two"].map(|name| {
        let registry = t.registry.clone();
        tokio::spawn(
            async move { while registry.rollouts().advance(name).await.unwrap() != Advance::Idle {} },
        )
    });
    for worker in workers {
        worker.await.unwrap();
    }
    let processed = [first, second].map(|deleted| deleted.rollout.unwrap());
    let mut all = 0;
    for id in processed {
        all += t.rollout(id).await.processed;
    }
    assert_eq!(all, 11);
    let audited = "SELECT COUNT(*) FROM audit_event WHERE action = 'server.deleted'";
    assert_eq!(t.number(audited).await, 11);
    assert_eq!(t.number("SELECT COUNT(*) FROM server WHERE deleted_at IS NULL").await, 1);
    t.assert_all_deleted("both").await;
    let filter = RegistrationFilter { states: vec![State::Queued], ..RegistrationFilter::default() };
    let queued = t.registry.registrations().list(&t.admin(), filter, PageRequest::default()).await.unwrap();
    assert_eq!(queued.items.iter().filter(|one| !one.server_deleted).count(), 1, "of the other server");
}
